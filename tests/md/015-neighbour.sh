#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --size 320M --timeout 600
# kernel: both
#
# A registration loses its buffer on one member while 32 of its writes are on their way:
# they are copied, and others who use the array do not wait for that. And a media error of
# somebody else's read holds up the array no longer than a write waits for its buffer.
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

# one copy of a write waits for the buffer; meanwhile others read what member 0 cannot
echo 2000 >/sys/module/dma_buf_io/parameters/park_timeout_ms
for level in 1 10; do
	array md0 $level --assume-clean -- $m/0 /dev/mapper/late1
	echo 0 >/sys/block/md0/md/safe_mode_delay
	dd if=/dev/zero of=/dev/md0 bs=1M count=64 oflag=direct 2>/dev/null
	dmsetup suspend late1
	dmesg -c >/dev/null
	/tests-bin/md/late /dev/md0 write 65536 revoke -- sh -c ". /tests/include/tap.sh; . /tests/include/md.sh
		dmsetup resume late1
		inject $(disk $m/0) READ MEDIUM \$((\$(md md0 dev-$(disk $m/0)/offset) + 65536)) 32
		start=\$(ms)
		for i in 0 1 2 3; do
			dd if=/dev/md0 of=/dev/null bs=4k skip=\$((8192 + i)) count=1 iflag=direct 2>/tmp/dd.\$i || cat /tmp/dd.\$i >&2
		done
		echo \$((\$(ms) - start)) >/took
		inject $(disk $m/0) none" >/tmp/out 2>/tmp/err
	same "raid$level, a media error while a write waits: the write" "$(cat /tmp/out)" right
	same "raid$level, a media error while a write waits: the reads" "$(cat /tmp/err)" ""
	check "raid$level: ... there was one" sh -c "dmesg | grep -q 'rescheduling\|redirecting'"
	check "raid$level: ... the array was held up for $(cat /took) ms" [ "$(cat /took)" -le $((2000 + limit * 4)) ]
	/tests-bin/data/io write /dev/md0 1048576 65536 5 >/dev/null
	stop md0 $m/0 /dev/mapper/late1
done
echo 8000 >/sys/module/dma_buf_io/parameters/park_timeout_ms
dmsetup remove late1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
