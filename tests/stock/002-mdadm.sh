#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# mdadm's own tests end on our kernel as they do on the unpatched one. Those that fail there
# (the VM has no udev, and mdadm is older than the kernel) may fail here. A test that ends
# otherwise is run again, on both: some depend on what is faster.
# host
# kernel: lean

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# what is left out needs multipath (gone from the kernel), linear arrays without metadata,
# programs that the package does not have, or a reshape that takes minutes here
mapfile -t tests < <(
	cd "$("$ROOT/scripts/fetch-source" mdadm)/tests" && ls -d [0-9]* |
		grep -vE '^00multipath|^(00linear|02lineargrow)|^07(testreshape5|reshape5intr|layouts|changelevels|changelevelintr|revert)|^1[1-8]|^19raid6check|^04r5swap')

# outcomes FILE VMLINUX TEST...
outcomes()
{
	local file=$1 kernel=$2

	shift 2
	"$RIG" --vmlinux "$ROOT/build/$kernel/vmlinux" --members 0 --mem 3G --timeout 3600 --allow . \
		--put "$ROOT/build/sources/mdadm" -- /tests/stock/mdadm "$@" >"$file" 2>"$file.err"
}

"$ROOT/scripts/kernel" base >"$dir/build.log" 2>&1 ||
	{ sed 's/^/# /' "$dir/build.log"; exit 1; }
outcomes "$dir/base" base/lean "${tests[@]}"
outcomes "$dir/ours" "$RIG_KERNEL" "${tests[@]}"
[ "$(wc -l <"$dir/base")" = ${#tests[@]} ] || { sed 's/^/# /' "$dir/base.err"; exit 1; }
for _ in 1 2; do
	mapfile -t differ < <(grep -vxFf "$dir/base" "$dir/ours" | sed 's/: .*//')
	[ ${#differ[@]} -gt 0 ] || break
	outcomes "$dir/again.base" base/lean "${differ[@]}"
	outcomes "$dir/again.ours" "$RIG_KERNEL" "${differ[@]}"
	cat "$dir/again.base" >>"$dir/base"
	for name in "${differ[@]}"; do
		sed -i "/^$name: /d" "$dir/ours"
		grep "^$name: " "$dir/again.ours" >>"$dir/ours"
	done
done
n=0
for name in "${tests[@]}"; do
	n=$((n + 1))
	ours=$(grep "^$name: " "$dir/ours")
	if grep -qxF "$ours" "$dir/base"; then
		echo "ok $n - $ours"
	else
		echo "not ok $n - $ours"
		echo "# unpatched: $(grep "^$name: " "$dir/base" | sed 's/.*: //' | tr '\n' ' ')"
		grep "^$name| " "$dir/ours.err" | sed 's/^/# /'
	fi
done
echo "1..$n"
