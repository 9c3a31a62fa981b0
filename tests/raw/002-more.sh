#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --mem 6G --hugepages 2070
#
# A dma-buf of more than 4 GiB; and one dma-buf for several devices at once.
. /tests/include/tap.sh

tap "over 4 GiB" /tests-bin/data/big /dev/member/0
linear lin /dev/member/1
tap "several targets" /tests-bin/data/many /dev/member/0 /dev/mapper/lin
dmsetup remove lin
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
