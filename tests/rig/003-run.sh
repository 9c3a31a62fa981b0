#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What tests/run makes of scripts that pass, fail, stop half-way or say nothing.
# host
# kernel: none

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/tests/rig"
n=0

# script NAME LINE...
script()
{
	printf '%s\n' '#!/bin/sh' '# host' '# kernel: none' "${@:2}" >"$dir/tests/rig/$1.sh"
	chmod +x "$dir/tests/rig/$1.sh"
}

# verdict STATUS LAST-LINE SCRIPT...
verdict()
{
	local want=$1 line=$2 got rc=0
	shift 2

	n=$((n + 1))
	TESTS_DIR=$dir/tests LOGS_DIR=$dir/logs "$ROOT/tests/run" "${@/#/rig/}" >"$dir/out" 2>&1 || rc=$?
	got=$(tail -n 1 "$dir/out")
	if [ "$rc" = "$want" ] && [ "$got" = "$line" ]; then
		echo "ok $n - $*"
	else
		echo "not ok $n - $*"
		echo "# status $rc, wanted $want; '$got', wanted '$line'"
		sed 's/^/# /' "$dir/out"
	fi
}

script good 'echo "ok 1 - a"; echo "ok 2 - b"; echo 1..2'
script bad 'echo "ok 1 - a"; echo "not ok 2 - b"; echo 1..2; exit 1'
script quiet 'exit 0'
script short 'echo "ok 1 - a"; echo 1..2'
script planless 'echo "ok 1 - a"'
script status 'echo "ok 1 - a"; echo 1..1; exit 3'
script skip 'echo "ok 1 - a # SKIP no such disk"; echo "ok 2 - b"; echo 1..2'
script none 'echo "1..0 # SKIP nothing here"'

verdict 0 '2 passed, 0 failed' good
verdict 1 '1 passed, 1 failed' bad
verdict 1 '0 passed, 1 failed' quiet
verdict 1 '1 passed, 1 failed' short
verdict 1 '1 passed, 1 failed' planless
verdict 1 '1 passed, 1 failed' status
verdict 0 '1 passed, 0 failed, 1 skipped' skip
verdict 1 '0 passed, 0 failed, 1 skipped' none
verdict 1 '3 passed, 1 failed' good bad
echo "1..$n"
