#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M
# kernel: lean
#
# However often a dma-buf is registered for a volume, each disk is attached once.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
stripe st 128 $m/0 $m/1 $m/2 $m/3
tap stripe /tests-bin/data/shared /dev/mapper/st 4
dmsetup remove st
array md0 raid1 --size=60M -- $m/0 $m/1
tap raid1 /tests-bin/data/shared /dev/md0 2
sound raid1 md0 2
stop md0 $m/0 $m/1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
