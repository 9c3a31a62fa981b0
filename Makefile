# SPDX-License-Identifier: GPL-2.0
#
# dmabuf-stack: everything is done by the scripts; this names them.
# Plain "make" lists the targets.

T ?=
P ?=
B ?=
M ?=
J ?= 1
S ?= 1

.PHONY: help
help: ## this list
	@printf 'dmabuf-stack: dma-buf I/O through stacked block devices\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | \
		awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'
	@printf '\n  KERNEL_SRC=DIR         use another kernel tree than the pinned one\n'
	@printf '  DMABUF_STACK_CACHE=DIR where downloads and the compiler cache go\n'

.PHONY: demo
demo: ## build what is needed and show zero-copy I/O on a stack
	@scripts/demo

.PHONY: test
test: ## run the tests in VMs, on the lean kernel (T=GROUP or T=GROUP/SCRIPT for some, J=2 for two VMs)
	@tests/run -j $(J) -k lean $(T)

.PHONY: test-debug
test-debug: ## the same on the debug kernel, for scripts that ask for it (slow)
	@tests/run -j $(J) -k debug $(T)

.PHONY: test-modular
test-modular: ## the same on the kernel with everything a module, for scripts that ask for it
	@tests/run -j $(J) -k modular $(if $(T),$(T),modular)

.PHONY: bench
bench: ## count instructions and commands on every stack (B="--profile ..." for options)
	@bench/run $(B)

.PHONY: matrix
matrix: ## run the fault matrix: build/matrix.json (M="-s raid1 -f kill", "-h" for options)
	@tests/matrix/run $(M)

.PHONY: soak
soak: ## repeatable faults at random beside each other, for half an hour (S=SEED M="-t SECONDS")
	@tests/matrix/run -f soak -r $(S) -o build/soak.json $(M)

.PHONY: shell
shell: deps guest kernel ## root shell in a VM (RIG="--members 2 ..." for its options)
	@tests/vm/run $(RIG) --shell

.PHONY: kernel
kernel: ## build the test kernel, build/lean/vmlinux
	@scripts/kernel lean

.PHONY: kernel-debug
kernel-debug: ## the same with KASAN, lockdep, kmemleak and more
	@scripts/kernel debug

.PHONY: kernel-modular
kernel-modular: ## nvme, device mapper, md and more as modules
	@scripts/kernel modular

.PHONY: headers
headers: ## install the kernel's user-space headers into build/usr
	@scripts/kernel headers

.PHONY: guest
guest: ## compile the test programs and the tool for the VM
	@scripts/guest

.PHONY: source
source: ## assemble build/linux from kernel source, own files and patches
	@scripts/source

.PHONY: refresh
refresh: ## carry work in build/linux back here (P=0003: edits into that patch)
	@scripts/source refresh $(P)

.PHONY: discard
discard: ## throw away work in build/linux
	@scripts/source discard

.PHONY: check
check: ## checkpatch, sparse, warnings, who calls whom, over all that is ours
	@scripts/check

.PHONY: series
series: ## write the patches as they are sent, whole files in them: build/patches
	@scripts/series

.PHONY: check-series
check-series: ## build and boot the kernel at every patch of the series
	@scripts/check-series

.PHONY: deps
deps: ## install what the build and the VM need
	@scripts/deps

.PHONY: clean
clean: ## remove what was built; build/linux and the cache stay
	@scripts/clean

.PHONY: distclean
distclean: ## remove build/ altogether; the cache stays
	@scripts/clean all
