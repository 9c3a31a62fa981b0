#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --size 64M --hugepages 16 --timeout 600
# kernel: both
#
# raid10 in its layouts, near, far and offset, over two to four members.
. /tests/include/tap.sh
. /tests/include/md.sh

m0=/dev/member/0
m1=/dev/member/1
m2=/dev/member/2
m3=/dev/member/3

# whole LAYOUT MEMBER...: data on an array without faults
whole()
{
	local layout=$1

	shift
	array md0 raid10 --layout="$layout" --chunk=64 -- "$@"
	# where chunks meet, and the last ones
	tap "$layout, $# members" /tests-bin/data/matrix /dev/md0 buffer="${BUFFERS:-udmabuf}" \
		at=$((65536 * 7)),$(($(sectors /dev/md0) * 512 - 65536)) brief
	sound "$layout, $# members" md0 $#
	stop md0 "$@"
}

for layout in n2 f2 o2; do
	whole $layout $m0 $m1
	whole $layout $m0 $m1 $m2
	whole $layout $m0 $m1 $m2 $m3
done
whole n3 $m0 $m1 $m2 $m3
whole f3 $m0 $m1 $m2

array md0 raid10 --layout=n2 --chunk=512 -- $m0 $m1 $m2 $m3
BUFFERS=${BUFFERS:-udmabuf,udmabuf-huge,heap:system} lives n2 md0 $m2
tap n2 /tests-bin/data/matrix /dev/md0 ring=fixed-file,defer-taskrun,sqpoll \
	buffer="${BUFFERS:-udmabuf}" quick
sound "n2, all rings" md0 4
stop md0 $m0 $m1 $m2 $m3

array md0 raid10 --layout=f2 --chunk=64 -- $m0 $m1 $m2
lives f2 md0 $m0
stop md0 $m0 $m1 $m2

array md0 raid10 --layout=o2 --chunk=64 -- $m0 $m1 $m2 $m3
lives o2 md0 $m3
stop md0 $m0 $m1 $m2 $m3

same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
