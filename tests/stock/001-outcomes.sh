#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What md and dm do with ordinary buffers is what they do on the unpatched kernel.
# It is built first, so this is left to "make test T=stock".
# host
# kernel: lean

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0

# outcomes NAME VMLINUX: of all scenarios
outcomes()
{
	"$RIG" --vmlinux "$ROOT/build/$2/vmlinux" --size 64M --timeout 900 \
		-- /tests/stock/outcomes >"$dir/$1" 2>"$dir/$1.err" ||
		{ sed "s/^/# $1: /" "$dir/$1.err"; exit 1; }
}

"$ROOT/scripts/kernel" base >"$dir/build.log" 2>&1 ||
	{ sed 's/^/# /' "$dir/build.log"; exit 1; }
outcomes base base/lean
outcomes "$RIG_KERNEL" "$RIG_KERNEL"
while IFS= read -r line; do
	n=$((n + 1))
	if grep -qxF "$line" "$dir/$RIG_KERNEL"; then
		echo "ok $n - ${line%%: *}"
	else
		echo "not ok $n - ${line%%: *}"
		echo "# unpatched: ${line#*: }"
		grep -F "${line%%: *}: " "$dir/$RIG_KERNEL" | sed 's/^[^:]*: /# ours:      /'
	fi
	echo "#   ${line#*: }"
done <"$dir/base"
echo "1..$n"
