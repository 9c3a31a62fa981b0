#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --qmp --append nvme.io_queue_depth=4
# kernel: both
#
# A device below that is slow, with more I/O than it has tags for: what waits for it
# does not hold up what waits for another device, of the same registration.
. /tests/include/tap.sh
. /tests/include/qmp.sh

linear lin /dev/member/0 /dev/member/1
far=$(($(sectors /dev/member/0) * 512))
dd if=/dev/urandom of=/dev/mapper/lin bs=1M count=1 oflag=direct 2>/dev/null
dd if=/dev/urandom of=/dev/mapper/lin bs=1M count=1 seek=$((far >> 20)) oflag=direct 2>/dev/null
for i in 0 1; do
	echo none >"/sys/block/$(disk /dev/member/$i)/queue/scheduler"
	same "tags of member $i" "$(cat "/sys/block/$(disk /dev/member/$i)/queue/nr_requests")" 3
done

check "one is slow" iops 0 4
/tests-bin/move/apart /dev/mapper/lin "$far" >/tmp/apart
iops 0 0 >/dev/null
check "the other is not: $(cat /tmp/apart) of 16 slow ones were done, few" [ "$(cat /tmp/apart)" -le 8 ]
dmsetup remove lin
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
