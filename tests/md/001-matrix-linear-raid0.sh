#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --size 64M --hugepages 16
# kernel: both
#
#	linear		two disks
#	raid0-CHUNK	four disks
#	zones		raid0 over members of three sizes: four, three and two abreast
. /tests/include/tap.sh
. /tests/include/md.sh

matrix=/tests-bin/data/matrix
all=${BUFFERS:-udmabuf,udmabuf-huge,heap:system}
m0=/dev/member/0
m1=/dev/member/1
m2=/dev/member/2
m3=/dev/member/3

array md0 linear -- $m0 $m1
at=$(($(sectors /dev/md0) * 256))
tap linear $matrix /dev/md0 buffer="$all" at=$at quick
stop md0 $m0 $m1

for chunk in 4 64 512 1024; do
	array md0 raid0 --chunk=$chunk -- $m0 $m1 $m2 $m3
	tap raid0-${chunk}K $matrix /dev/md0 buffer="$all" \
		at=$((chunk * 1024 * 9)),$((chunk * 1024 * 64)) quick
	[ $chunk != 64 ] || tap raid0-${chunk}K $matrix /dev/md0 \
		ring=fixed-file,defer-taskrun,sqpoll buffer="${BUFFERS:-udmabuf}" quick
	stop md0 $m0 $m1 $m2 $m3
done

echo ',32M' | sfdisk -q $m1
echo ',48M' | sfdisk -q $m2
p1=$(readlink $m1)p1
p2=$(readlink $m2)p1
array md0 raid0 --chunk=64 -- $m0 "$p1" "$p2" $m3
# where the zones meet: all four up to the smallest, then three
zone1=$(($(cat /sys/block/md0/md/dev-"$(basename "$p1")"/size) * 4096))
zone2=$((zone1 + ($(cat /sys/block/md0/md/dev-"$(basename "$p2")"/size) * 1024 - zone1 / 4) * 3))
tap zones $matrix /dev/md0 buffer="$all" at=$zone1,$zone2 quick
stop md0 $m0 "$p1" "$p2" $m3
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
