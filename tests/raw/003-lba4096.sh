#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --lba 4096 --size 64M --hugepages 16
# kernel: both
#
# 4096-byte logical blocks: buffers at every 512-byte phase, lengths in blocks.
. /tests/include/tap.sh
. /tests/include/md.sh

matrix=/tests-bin/data/matrix
all=udmabuf,udmabuf-huge,heap:system
m=/dev/member
size=$(($(sectors $m/0) * 512))

tap namespace $matrix $m/0 buffer=$all quick
linear lin $m/0 $m/1
tap linear $matrix /dev/mapper/lin buffer=$all at=$size quick
dmsetup remove lin
stripe st 128 $m/0 $m/1 $m/2 $m/3
tap stripe $matrix /dev/mapper/st buffer=$all at=$((65536 * 4)) quick
dmsetup remove st
linear l0 $m/0 $m/1
linear l1 $m/2 $m/3
stripe st 128 /dev/mapper/l0 /dev/mapper/l1
tap nested $matrix /dev/mapper/st at=$((size * 2)),$((65536 * 7)) quick
dmsetup remove st
dmsetup remove l0
dmsetup remove l1

for level in raid0 raid1 raid10 raid5; do
	array md0 $level --size=32M -- $m/0 $m/1 $m/2 $m/3
	tap $level $matrix /dev/md0 at=$((524288 * 3)) quick
	[ $level = raid0 ] || sound $level md0 4
	stop md0 $m/0 $m/1 $m/2 $m/3
done
done_testing
