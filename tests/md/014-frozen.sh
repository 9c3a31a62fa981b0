#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 3 --size 64M
# kernel: both
#
# A recovery begins, for which the array is frozen, while reads wait for an exporter
# that does not give the buffer back: they end, and the recovery goes on.
. /tests/include/tap.sh
. /tests/include/md.sh

late=/tests-bin/md/late
io=/tests-bin/data/io
m=/dev/member
READS=12

for level in 1 10; do
	echo 8000 >/sys/module/dma_buf_io/parameters/park_timeout_ms
	linear late0 $m/0
	linear late1 $m/1
	array md0 $level --bitmap=internal -- /dev/mapper/late0 /dev/mapper/late1 || not_ok "array"
	echo 0 >/sys/block/md0/md/safe_mode_delay
	$io -p write /dev/md0 1048576 65536 1 >/dev/null
	mdadm -q /dev/md0 --add $m/2

	dmsetup suspend late0
	dmsetup suspend late1
	i=0
	while [ $i -lt $READS ]; do
		$late /dev/md0 read 65536 revoke pos=$((i << 20)) -- sleep 2 >/tmp/read.$i 2>&1 &
		i=$((i + 1))
	done
	sleep 1
	echo 3000 >/sys/module/dma_buf_io/parameters/park_timeout_ms
	dmsetup resume late0
	dmsetup resume late1
	sleep 0.5
	echo want_replacement >"/sys/block/md0/md/dev-$(disk /dev/mapper/late1)/state"
	wait
	same "raid$level: the reads have ended" "$(sort /tmp/read.* | uniq -c | sed 's/^ *//')" "$READS ESTALE"
	settle md0
	same "raid$level: the spare is a member" \
		"$(cat "/sys/block/md0/md/dev-$(disk $m/2)/state" | sed 's/,.*//')" in_sync
	same "raid$level: the array works" "$($io -p read /dev/md0 1048576 65536 1)" ok
	same "raid$level: nothing against its members" "$(blame md0)" ""
	stop md0 /dev/mapper/late0 /dev/mapper/late1 $m/2
	dmsetup remove late0
	dmsetup remove late1
done
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
