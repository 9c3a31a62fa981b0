#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --size 64M
# kernel: lean
#
# RWF_NOWAIT does not wait for an exporter.
. /tests/include/tap.sh
. /tests/include/md.sh

tap namespace /tests-bin/uapi/nowait /dev/member/0
linear lin /dev/member/0 /dev/member/1
tap linear /tests-bin/uapi/nowait /dev/mapper/lin
dmsetup remove lin
array md0 raid0 -- /dev/member/0 /dev/member/1
tap raid0 /tests-bin/uapi/nowait /dev/md0
stop md0 /dev/member/0 /dev/member/1
array md0 raid1 --size=16M -- /dev/member/0 /dev/member/1
tap raid1 /tests-bin/uapi/nowait /dev/md0
sound raid1 md0 2
stop md0 /dev/member/0 /dev/member/1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
