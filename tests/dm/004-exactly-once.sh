#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --append nvme.io_queue_depth=4
# kernel: both
#
# Three tags for each device, and io_uring issues requests so that they must not
# wait for one: no request fails for that, and nothing is written twice.
. /tests/include/tap.sh

load=/tests-bin/data/load
members="/dev/member/0 /dev/member/1 /dev/member/2 /dev/member/3"

# sectors written to the members so far
written()
{
	local dev sum=0

	for dev in $members; do
		sum=$((sum + $(awk '{ print $7 }' "/sys/block/$(disk "$dev")/stat")))
	done
	echo $sum
}

# once TEXT DEVICE LEN DEPTH COUNT [OPTIONS]
once()
{
	local text=$1 dev=$2 len=$3 depth=$4 count=$5 before

	shift 5
	before=$(written)
	check "$text: every request succeeds" $load "$@" "$dev" "$len" "$depth" "$count"
	same "$text: sectors written" $(($(written) - before)) $((len / 512 * count))
}

for dev in $members; do
	echo none >"/sys/block/$(disk $dev)/queue/scheduler"
	same "tags of $(disk $dev)" "$(cat "/sys/block/$(disk $dev)/queue/nr_requests")" 3
done
once "namespace, 4K" /dev/member/0 4096 64 1024
once "namespace, 3M (two commands each)" /dev/member/0 3145728 16 16
# shellcheck disable=SC2086
stripe st 128 $members
once "stripe, 4K" /dev/mapper/st 4096 64 1024
once "stripe, 1M (16 chunks each)" /dev/mapper/st 1048576 16 64
once "stripe, 1M, sqpoll" /dev/mapper/st 1048576 16 64 -r 2

# their queues are frozen for a moment each time: where a request is one bio, and where
# it is one of several
touch /tmp/changing
while [ -e /tmp/changing ]; do
	for dev in /dev/mapper/st /dev/member/1; do
		limit=/sys/block/$(disk $dev)/queue/max_sectors_kb
		echo 64 >"$limit"
		echo 128 >"$limit"
	done
done &
once "stripe, 1M, while its limits change" /dev/mapper/st 1048576 16 128
once "stripe, 4K, while its limits change" /dev/mapper/st 4096 64 4096
rm /tmp/changing
wait $!

linear lin /dev/mapper/st
once "linear on stripe, 1M" /dev/mapper/lin 1048576 16 64
dmsetup remove lin
dmsetup remove st
for dev in $members; do
	echo mq-deadline >"/sys/block/$(disk $dev)/queue/scheduler"
done
# shellcheck disable=SC2086
stripe st 128 $members
once "stripe, 1M, mq-deadline" /dev/mapper/st 1048576 16 64
dmsetup remove st
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
