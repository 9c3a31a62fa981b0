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

# continuous STATUS LAST-LINE: what .ci/run makes of two runs, of rig/ and of modular/
continuous()
{
	local rc=0 got

	n=$((n + 1))
	TESTS_DIR=$dir/tests LOGS_DIR=$dir/logs "$ROOT/.ci/run" >"$dir/out" 2>&1 || rc=$?
	got=$(tail -n 1 "$dir/out")
	if [ "$rc" = "$1" ] && [ "$got" = "$2" ] &&
		[ "$(grep -cE '^[0-9]+ passed' "$dir/out")" = 1 ]; then
		echo "ok $n - .ci/run: $2"
	else
		echo "not ok $n - .ci/run"
		echo "# status $rc, wanted $1; '$got', wanted '$2'"
		sed 's/^/# /' "$dir/out"
	fi
}

# the second run has no tests, and no count
rm "$dir"/tests/rig/*
script good 'echo "ok 1 - a"; echo "ok 2 - b"; echo 1..2'
continuous 1 '2 passed, 1 failed'
# scripts that need no kernel are part of each run
mkdir "$dir/tests/modular"
mv "$dir/tests/rig/good.sh" "$dir/tests/modular/good.sh"
script skip 'echo "ok 1 - a # SKIP no such disk"; echo "ok 2 - b"; echo 1..2'
continuous 0 '5 passed, 0 failed, 1 skipped'
script bad 'echo "ok 1 - a"; echo "not ok 2 - b"; echo 1..2; exit 1'
continuous 1 '6 passed, 1 failed, 1 skipped'
echo "1..$n"
