#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 6 --size 64M --timeout 900
# kernel: lean
#
# Somebody holds the exporter's lock for a minute: what waits for it is gone at once
# when it is killed, other buffers and devices have nothing to do with it, and I/O ends
# in the time that it has, however many requests there are.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
killable=/tests-bin/move/killable

tap namespace $killable register $m/0
tap namespace $killable revalidate $m/0
linear vol $m/1
tap "in a volume" $killable parked /dev/mapper/vol vol
dmsetup remove vol
for how in "1 0" "1 1" "40 0" "40 20"; do
	# shellcheck disable=SC2086
	tap "namespace, revoked" $killable given-up $m/0 $how
done

stripe st 128 $m/0 $m/1 $m/2 $m/3
tap stripe $killable register /dev/mapper/st
tap stripe $killable update /dev/mapper/st
dmsetup remove st

array md0 raid1 --size=32M -- $m/0 $m/1
tap raid1 $killable register /dev/md0
tap raid1 $killable revalidate /dev/md0
for how in "1 0" "1 1" "40 0" "40 20"; do
	# shellcheck disable=SC2086
	tap "raid1, revoked" $killable given-up /dev/md0 $how
done
sound raid1 md0 2
stop md0 $m/0 $m/1
same "nothing attached afterwards" "$(wait_detached)" 0

# last, because these disks do not come back
gone=$(pci $m/4)
tap "another disk goes" $killable remove $m/0 "echo 1 >/sys/bus/pci/devices/$gone/remove"
gone=$(pci $m/5)
tap "the disk goes" $killable remove $m/5 "echo 1 >/sys/bus/pci/devices/$gone/remove"
same "nothing attached in the end" "$(wait_detached)" 0
done_testing
