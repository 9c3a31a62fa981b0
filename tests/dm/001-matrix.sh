#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --hugepages 16 --append nvme.poll_queues=1
# kernel: both
#
#	linear		two disks, one after the other
#	stripe-CHUNK	four disks
#	nested		a stripe of two linear volumes of two disks
. /tests/include/tap.sh

matrix=/tests-bin/data/matrix
all=udmabuf,udmabuf-huge,heap:system
size=$(($(sectors /dev/member/0) * 512))

linear lin /dev/member/0 /dev/member/1
tap linear $matrix /dev/mapper/lin buffer=$all ring=plain,iopoll at=$size quick
tap linear $matrix /dev/mapper/lin ring=fixed-file,defer-taskrun,sqpoll quick
dmsetup remove lin

for chunk in 4 64 512 1024; do
	stripe st $((chunk * 2)) /dev/member/0 /dev/member/1 /dev/member/2 /dev/member/3
	at=$((chunk * 1024 * 9)),$((chunk * 1024 * 64)),$((size * 2))
	tap stripe-${chunk}K $matrix /dev/mapper/st buffer=$all at=$at quick
	tap stripe-${chunk}K $matrix /dev/mapper/st ring=fixed-file,defer-taskrun,sqpoll,iopoll brief
	dmsetup remove st
done
# chunks that are neighbours on the disk and in the buffer, but meet inside a page
stripe st 8 /dev/member/0
tap "stripe of one" $matrix /dev/mapper/st quick
dmsetup remove st
stripe st 128 /dev/member/0 /dev/member/1 /dev/member/2 /dev/member/3
tap "stripe-64K, every phase" $matrix /dev/mapper/st
dmsetup remove st

linear l0 /dev/member/0 /dev/member/1
linear l1 /dev/member/2 /dev/member/3
stripe st 128 /dev/mapper/l0 /dev/mapper/l1
tap nested $matrix /dev/mapper/st buffer=$all ring=plain,iopoll at=$((size * 2)),$((65536 * 7)) quick
tap nested $matrix /dev/mapper/st ring=fixed-file,defer-taskrun,sqpoll quick
same "nothing attached afterwards" "$(wait_detached)" 0
dmsetup remove st
dmsetup remove l0
dmsetup remove l1
done_testing
