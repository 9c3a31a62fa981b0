# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Tests of another project on the unpatched kernel and on ours; source this on the host.

# outcomes FILE VMLINUX SCRIPT TEST...: "TEST: how it ended", for each
outcomes()
{
	local file=$1 kernel=$2 script=$3

	shift 3
	"$RIG" --vmlinux "$ROOT/build/$kernel/vmlinux" --members 1 --size 64M --mem 4G --timeout 7200 \
		--allow . --cpio "$ROOT/build/guest-debian.cpio" --put "$PUT" \
		-- /tests/stock/in-debian "$script" "$@" >"$file" 2>"$file.err"
}

# compare SCRIPT TEST...: each ends on our kernel as it does on the unpatched one. What fails
# there may fail here: the VM has no udev, and the project is older than the kernel. A test
# that ends otherwise is run again, on both: some depend on what is faster. PUT: what the VM is given.
compare()
{
	local script=$1 dir n=0 name ours

	shift
	dir=$(mktemp -d)
	if ! { "$ROOT/scripts/guest-debian" && "$ROOT/scripts/kernel" base; } >"$dir/log" 2>&1; then
		sed 's/^/# /' "$dir/log"
		exit 1
	fi
	outcomes "$dir/base" base/lean "$script" "$@"
	outcomes "$dir/ours" "$RIG_KERNEL" "$script" "$@"
	for _ in 1 2; do
		mapfile -t differ < <(grep -vxFf "$dir/base" "$dir/ours" | sed 's/: .*//')
		[ ${#differ[@]} -gt 0 ] || break
		outcomes "$dir/again.base" base/lean "$script" "${differ[@]}"
		outcomes "$dir/again.ours" "$RIG_KERNEL" "$script" "${differ[@]}"
		cat "$dir/again.base" >>"$dir/base"
		for name in "${differ[@]}"; do
			sed -i "/^$name: /d" "$dir/ours"
			grep "^$name: " "$dir/again.ours" >>"$dir/ours"
		done
		cat "$dir/again.ours.err" >>"$dir/ours.err"
	done
	for name; do
		n=$((n + 1))
		ours=$(grep "^$name: " "$dir/ours")
		if [ -n "$ours" ] && grep -qxF "$ours" "$dir/base"; then
			echo "ok $n - $ours"
		else
			echo "not ok $n - ${ours:-$name: did not run}"
			echo "# unpatched: $(grep "^$name: " "$dir/base" | sed 's/.*: //' | tr '\n' ' ')"
			grep "^$name| " "$dir/ours.err" | sed 's/^/# /'
		fi
	done
	echo "1..$n"
	rm -rf "$dir"
}
