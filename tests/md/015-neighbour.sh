#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --size 320M --timeout 600
# kernel: both
#
# A registration loses its buffer on one member while 32 of its writes are on their way:
# they are copied, and others who use the array do not wait for that.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
linear late1 $m/1
limit=250
! debug_kernel || limit=1500

for level in 1 10; do
	array md0 $level --assume-clean -- $m/0 /dev/mapper/late1
	# no write is to wait for the superblock of the member that is held up
	echo 0 >/sys/block/md0/md/safe_mode_delay
	dd if=/dev/zero of=/dev/md0 bs=64k count=1 oflag=direct 2>/dev/null
	dmsetup suspend late1
	dmesg -c >/dev/null
	if /tests-bin/md/neighbour /dev/md0 "$(pci $m/1)" -- dmsetup resume late1 >/tmp/out; then
		read -r copied written took other </tmp/out
		ok "raid$level: 32 writes have been copied in $took ms (written: $other ms)"
		check "raid$level: ... which is soon enough" [ "$took" -le $((limit * 80)) ]
		check "raid$level: a neighbour waited for $copied ms (while they are written: $written ms)" \
			[ "$copied" -le $((written + limit)) ]
	else
		not_ok "raid$level: 32 writes are copied"
		diag "$(cat /tmp/out)"
	fi
	same "raid$level: the log blames no disk" \
		"$(dmesg | grep -c 'rescheduling\|redirecting\|unrecoverable')" 0
	sound "raid$level" md0 2
	stop md0 $m/0 /dev/mapper/late1
done
dmsetup remove late1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
