#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 3 --size 64M --hugepages 16 --timeout 600
# kernel: both
#
# Mirrors of two and three members: whole, without one, rebuilding, and whole
# again; in the end all members are the same.
. /tests/include/tap.sh
. /tests/include/md.sh

m0=/dev/member/0
m1=/dev/member/1
m2=/dev/member/2

array md0 raid1 -- $m0 $m1
BUFFERS=${BUFFERS:-udmabuf,udmabuf-huge,heap:system} lives "raid1, 2 members" md0 $m1
tap "raid1" /tests-bin/data/matrix /dev/md0 ring=fixed-file,defer-taskrun,sqpoll \
	buffer="${BUFFERS:-udmabuf}" quick
sound "raid1, all rings" md0 2
stop md0 $m0 $m1

array md0 raid1 -- $m0 $m1 $m2
lives "raid1, 3 members" md0 $m0
stop md0 $m0 $m1 $m2

same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
