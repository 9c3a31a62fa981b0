#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M --virtio 1 --timeout 600
# kernel: both
#
# raid5 and raid6 with a journal, in both of its modes and on a disk that cannot do
# dma-buf I/O, which none of the data goes to; with a partial parity log; with a
# bitmap.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
matrix=/tests-bin/data/matrix

for mode in write-through write-back; do
	array md0 raid5 --chunk=64 --write-journal=/dev/vda -- $m/0 $m/1 $m/2
	echo $mode >/sys/block/md0/md/journal_mode
	same "journal, $mode: it is" \
		"$(sed 's/.*\[\(.*\)\].*/\1/' /sys/block/md0/md/journal_mode)" $mode
	tap "journal, $mode" $matrix /dev/md0 quick buffer=udmabuf,test at=$((65536 * 2)),$((65536 * 16))
	same "journal, $mode: mismatches" "$(scrub md0)" 0
	fail md0 $m/1
	tap "journal, $mode, a member failed" $matrix /dev/md0 quick
	stop md0 $m/0 $m/1 $m/2 /dev/vda
done

array md0 raid6 --chunk=64 --write-journal=/dev/vda -- $m/0 $m/1 $m/2 $m/3
tap "raid6 with a journal" $matrix /dev/md0 quick
sound "raid6 with a journal" md0 4
stop md0 $m/0 $m/1 $m/2 $m/3 /dev/vda

array md0 raid5 --chunk=64 --consistency-policy=ppl -- $m/0 $m/1 $m/2 $m/3
same "ppl: it is" "$(md md0 consistency_policy)" ppl
tap "ppl" $matrix /dev/md0 quick buffer=udmabuf,test
sound "ppl" md0 4
fail md0 $m/2
tap "ppl, a member failed" $matrix /dev/md0 quick
stop md0 $m/0 $m/1 $m/2 $m/3

array md0 raid5 --chunk=64 --bitmap=internal --bitmap-chunk=64K -- $m/0 $m/1 $m/2
tap "bitmap" $matrix /dev/md0 quick
sound "bitmap" md0 3
stop md0 $m/0 $m/1 $m/2

same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
