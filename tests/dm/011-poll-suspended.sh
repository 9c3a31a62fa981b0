#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --size 64M --append nvme.poll_queues=1
#
# Polled I/O, with ordinary buffers, to a volume that is suspended and resumed all the
# time: a worker submits what was queued meanwhile, and the task that sent it polls. Both
# must not work on one list; a request that is lost holds up the next suspend for ever.
. /tests/include/tap.sh

polled=/tests-bin/dm/polled

stripe vol 128 /dev/member/0 /dev/member/1
for op in write read; do
	timeout -s KILL 60 $polled /dev/mapper/vol $op 1048576 8 60 >/tmp/out 2>&1 &
	pid=$!
	rounds=0
	while kill -0 $pid 2>/dev/null; do
		timeout -s KILL 20 dmsetup suspend --noflush --nolockfs vol || break
		dmsetup resume vol
		rounds=$((rounds + 1))
	done
	wait
	diag "$rounds times suspended"
	same "${op}s all end" "$(cat /tmp/out)" 60
	[ "$TAP_FAILED" = 0 ] || done_testing
done
same "removed" "$(dmsetup remove vol 2>&1)" ""
done_testing
