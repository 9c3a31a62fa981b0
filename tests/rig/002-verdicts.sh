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

# what the kernel says when something is wrong, and when nothing is
# shellcheck source=/dev/null
. "$ROOT/tests/include/complaints.sh"
while IFS= read -r line; do
	rc=0
	grep -qE "$COMPLAINTS" <<<"$line" || rc=$?
	result $rc 0 "a complaint: ${line%%[+:(]*}"
done <<'EOF'
kernel BUG at block/blk-mq.c:100!
BUG: KASAN: slab-use-after-free in nvme_map_data+0x10/0x20
BUG: sleeping function called from invalid context at kernel/locking/mutex.c:100
WARNING: possible circular locking dependency detected
possible recursive locking detected
INFO: task md0_raid1:62 blocked for more than 61 seconds.
kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x1000 [fault reason 0x05] PTE Write access is not set
DMA-API: nvme 0000:00:02.0: device driver has pending DMA allocations while released from device
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
nvme nvme0: I/O tag 1 (1001) opcode 0x2 (Read) QID 1 timeout, aborting
UBSAN: shift-out-of-bounds in block/blk-core.c:100:2
EOF
rc=0
grep -qE "$COMPLAINTS" <<<'nvme nvme0: 2/0/0 default/read/poll queues' || rc=$?
result $rc 1 "no complaint"

vm 0 "--iommu lazy" --iommu lazy -- sh -c '[ "$(sort -u /sys/kernel/iommu_groups/*/type)" = DMA-FQ ]'
vm 0 "--iommu off" --iommu off -- sh -c '! ls -d /sys/kernel/iommu_groups/*/type'
vm 0 "--smp, --mem" --smp 1 --mem 512M -- \
	sh -c '[ "$(nproc)" = 1 ] && [ "$(awk "/MemTotal/ { print \$2 }" /proc/meminfo)" -lt 524288 ]'
vm 0 "--mdts" --mdts 7 -- grep -qx 512 /sys/block/nvme0n1/queue/max_hw_dmabuf_sectors_kb

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
