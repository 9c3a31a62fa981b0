#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kernel: both
# vm: --members 4 --size 128M
#
# I/O to arrays with redundancy does without workers of io_uring. Reads go to their member
# where they are submitted; those that meet a barrier, or need the stripe cache of raid5,
# and writes wait in a work of the array.
. /tests/include/tap.sh
. /tests/include/md.sh

T=/sys/kernel/tracing
WORKER=events/io_uring/io_uring_queue_async_work
DEFER=events/workqueue/workqueue_queue_work
echo 'opcode == 4 || opcode == 5' >$T/$WORKER/filter	# IORING_OP_READ_FIXED, _WRITE_FIXED
echo 'function.function == md_dmabuf_deferred_work' >$T/$DEFER/filter
echo 1 >$T/$WORKER/enable
echo 1 >$T/$DEFER/enable

# io TEXT OPTION DEVICE COMMAND...: while it runs
io()
{
	local text=$1 option=$2 dev=$3

	shift 3
	# it has written before the command runs
	check "$text: data" /tests-bin/data/steady $option "$dev" -- sh -c ": >$T/trace; \"\$@\"" sh "$@"
	same "$text: nothing went through a worker of io_uring" \
		"$(grep -c io_uring_queue_async_work: $T/trace)" 0
}

# reads_of TEXT DEVICE COMMAND...
reads_of()
{
	local text=$1

	shift
	io "$text" -r "$@"
}

# writes_to TEXT DEVICE
writes_to()
{
	io "$1, written to" "" "$2" sleep 2
	check "$1, written to: writes were deferred" [ "$(deferred)" -gt 0 ]
}

deferred()
{
	grep -c workqueue_queue_work: $T/trace
}

# what may wait, to see that this can fail
: >$T/trace
dmsetup create mirror --table "0 65536 mirror core 1 1024 2 /dev/member/0 0 /dev/member/1 0"
check "dm mirror: data" /tests-bin/data/steady /dev/mapper/mirror -- sleep 1
for op in READ WRITE; do
	check "dm mirror, which may wait: ${op}s went through a worker" \
		grep -q "io_uring_queue_async_work:.*${op}_FIXED" $T/trace
done
dmsetup remove mirror

array md0 raid1 -- /dev/member/0 /dev/member/1
reads_of raid1 /dev/md0 sleep 2
same "raid1: none was deferred" "$(deferred)" 0
writes_to raid1 /dev/md0
linear lin /dev/md0
reads_of "linear on raid1" /dev/mapper/lin sleep 2
writes_to "linear on raid1" /dev/mapper/lin
dmsetup remove lin
mdadm --stop --quiet /dev/md0

array md0 raid10 -- /dev/member/0 /dev/member/1 /dev/member/2 /dev/member/3
reads_of raid10 /dev/md0 sleep 2
same "raid10: none was deferred" "$(deferred)" 0
writes_to raid10 /dev/md0
reads_of "raid10 that is being checked" /dev/md0 sh -c '. /tests/include/md.sh
	echo check >/sys/block/md0/md/sync_action; settle md0'
check "raid10 that is being checked: some were deferred" [ "$(deferred)" -gt 0 ]
same "raid10: mismatches" "$(md md0 mismatch_cnt)" 0
mdadm --stop --quiet /dev/md0
array md0 raid5 -- /dev/member/0 /dev/member/1 /dev/member/2
reads_of raid5 /dev/md0 sleep 2
same "raid5: none was deferred" "$(deferred)" 0
writes_to raid5 /dev/md0
mdadm --quiet /dev/md0 --fail /dev/member/1
reads_of "raid5 that is degraded" /dev/md0 sleep 2
check "raid5 that is degraded: some were deferred" [ "$(deferred)" -gt 0 ]
mdadm --stop --quiet /dev/md0
done_testing
