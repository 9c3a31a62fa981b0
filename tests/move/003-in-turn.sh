#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2
# kernel: both
#
# How long I/O waits for an exporter is counted for each device of a registration.
. /tests/include/tap.sh
. /tests/include/md.sh

ms=3000
! debug_kernel || ms=12000
echo $ms >/sys/module/dma_buf_io/parameters/park_timeout_ms
linear first /dev/member/0
linear second /dev/member/1
stripe both 128 /dev/mapper/first /dev/mapper/second
dmsetup suspend first
dmsetup suspend second
same "two devices wait, one after the other" \
	"$(/tests-bin/move/in-turn /dev/mapper/both $ms \
		first "$(pci /dev/member/0)" second "$(pci /dev/member/1)")" right
dmsetup remove both
dmsetup remove first
dmsetup remove second

# two volumes on one disk
for name in first second; do
	dmsetup create $name --table "0 65536 linear /dev/member/0 $([ $name = first ] && echo 0 || echo 65536)"
done
stripe both 128 /dev/mapper/first /dev/mapper/second
dmsetup suspend first
dmsetup suspend second
same "a device that has waited in vain does not wait again" \
	"$(/tests-bin/move/in-turn /dev/mapper/both $ms first second)" "ESTALE after 0"
dmsetup remove both
dmsetup remove first
dmsetup remove second
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
