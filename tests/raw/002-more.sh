#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --mem 6G --hugepages 2070 --timeout 600
# kernel: both
#
# A dma-buf of more than 4 GiB; and one dma-buf for several devices at once.
. /tests/include/tap.sh
. /tests/include/md.sh

big=/tests-bin/data/big
m=/dev/member
tap "over 4 GiB" $big $m/0
stripe st 128 $m/0 $m/1 $m/2 $m/3
tap "over 4 GiB, stripe" $big /dev/mapper/st
dmsetup remove st
linear l0 $m/0 $m/1
linear l1 $m/2 $m/3
stripe st 128 /dev/mapper/l0 /dev/mapper/l1
tap "over 4 GiB, nested" $big /dev/mapper/st
dmsetup remove st
dmsetup remove l0
dmsetup remove l1
for level in raid0 raid1 raid10 raid5; do
	array md0 $level --size=32M -- $m/0 $m/1 $m/2 $m/3
	tap "over 4 GiB, $level" $big /dev/md0
	stop md0 $m/0 $m/1 $m/2 $m/3
done
linear lin /dev/member/1
tap "several targets" /tests-bin/data/many /dev/member/0 /dev/mapper/lin
dmsetup remove lin
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
