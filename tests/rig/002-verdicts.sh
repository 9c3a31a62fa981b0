#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What the rig passes through, and what it makes of a kernel that complains.
# host
# kernel: lean

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0

result()
{
	n=$((n + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $n - $3"
	else
		echo "not ok $n - $3"
		echo "# exit status $1, expected $2"
		sed 's/^/# /' "$dir/err"
	fi
}

# vm STATUS DESCRIPTION OPTIONS...: output is left in out and err.
vm()
{
	local want=$1 what=$2 rc=0
	shift 2

	"$RIG" --kernel "$RIG_KERNEL" --members 1 "$@" >"$dir/out" 2>"$dir/err" || rc=$?
	result $rc "$want" "$what"
}

check()
{
	local what=$1 rc=0
	shift

	"$@" >/dev/null || rc=$?
	result $rc 0 "... $what"
}

vm 7 "exit status" -- sh -c 'printf "a\0b\377"; echo problem >/dev/stderr; exit 7'
check "standard output, binary" cmp "$dir/out" <(printf 'a\0b\377')
check "standard error, nothing else" test "$(cat "$dir/err")" = problem
vm 127 "a command that is not there" -- /no/such/program
vm 0 "a megabyte of output" -- dd if=/dev/zero bs=1M count=1
check "all of it" test "$(stat -c %s "$dir/out")" = 1048576

mkdir "$dir/tree"
echo one >"$dir/tree/file"
vm 0 "--put and --get" --put "$dir/tree" --get "/root/copy:$dir/back" -- cp /put/tree/file /root/copy
check "the content" cmp "$dir/tree/file" "$dir/back"

splat='echo "WARNING: CPU: 0 PID: 1 at test" >/dev/kmsg'
vm 97 "a warning on the console" -- sh -c "$splat"
check "it is shown" grep -q 'WARNING: CPU: 0' "$dir/err"
vm 97 "so many that not all are shown" --append printk.devkmsg=on -- sh -c "for i in \$(seq 3000); do $splat; done"
check "some are" test "$(grep -c 'WARNING: CPU: 0' "$dir/err")" -ge 100
vm 0 "--allow" --allow 'WARNING: .* at test' -- sh -c "$splat"
vm 98 "a timeout" --timeout 6 -- sleep 100
vm 98 "a panic" --timeout 60 -- sh -c 'echo c >/proc/sysrq-trigger; sleep 100'
check "it is shown" grep -q 'sysrq triggered crash' "$dir/err"
vm 99 "an unknown option" --no-such-option -- true

scratch="$(bash -c '. "$ROOT/scripts/lib.sh"; scratch_base')/dmabuf-stack-vm"
"$RIG" --kernel "$RIG_KERNEL" --members 1 --timeout 60 -- sleep 50 2>"$dir/err" &
rig=$!
sleep 2
check "scratch files while it runs" compgen -G "$scratch.$rig.*"
kill -TERM $rig
rc=0
wait $rig || rc=$?
result $rc 143 "a signal ends a run"
check "its scratch files are gone" test -z "$(compgen -G "$scratch.$rig.*")"
echo "1..$n"
