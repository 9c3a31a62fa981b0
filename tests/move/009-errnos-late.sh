#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M --timeout 600
# kernel: lean
#
# The same for devices that come when the buffer is registered: what attaches them gets
# each errno.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
errnos=/tests-bin/move/errnos
ms=120

# a member that comes when the registration is there
array md0 raid1 --size=8M --bitmap=internal -- $m/0 $m/1
tap "late member" $errnos /dev/md0 $ms later-attach few \
	". /tests/include/md.sh; mdadm --quiet /dev/md0 --add $m/2 && mdadm --quiet --grow /dev/md0 -n 3 && settle md0" \
	". /tests/include/md.sh; fail md0 $m/2 && mdadm --quiet --grow /dev/md0 -n 2 && mdadm --quiet --zero-superblock $m/2"
check "late member: stopped" stop md0 $m/0 $m/1

# table MEMBER: of the volume that changes devices
table()
{
	echo "dmsetup suspend change && dmsetup reload change --table '0 65536 linear $m/$1 0' && dmsetup resume change"
}
dmsetup create change --table "0 65536 linear $m/2 0"
tap "late device" $errnos /dev/mapper/change $ms later-attach some "$(table 3)" "$(table 2)"
check "late device: removed" dmsetup remove change
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
