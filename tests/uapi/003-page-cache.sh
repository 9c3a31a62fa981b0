#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --size 64M --timeout 120
# kernel: lean
#
# Beside users of the page cache, as ordinary direct I/O: no errors, nothing stale.
. /tests/include/tap.sh
. /tests/include/md.sh

tap namespace /tests-bin/uapi/dirty /dev/member/0
linear lin /dev/member/0
tap linear /tests-bin/uapi/dirty /dev/mapper/lin
dmsetup remove lin
array md0 raid1 --size=16M -- /dev/member/0 /dev/member/1
tap raid1 /tests-bin/uapi/dirty /dev/md0
sound raid1 md0 2
stop md0 /dev/member/0 /dev/member/1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
