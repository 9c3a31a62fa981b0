#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M --timeout 900
# kernel: lean
#
# An exporter answers with each errno there is, when a device attaches and when it
# maps, first and later: I/O ends as documented and in time, nobody spins, and all is
# well when the exporter is. With one member of several alone, data is served.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
errnos=/tests-bin/move/errnos
ms=120

tap "namespace" $errnos $m/0 $ms first-map all
tap "namespace" $errnos $m/0 $ms later-map all
tap "namespace" $errnos $m/0 $ms first-attach some
tap "namespace" $errnos $m/0 $ms kill some
# long enough to see who sleeps
tap "namespace, a while" $errnos $m/0 700 later-map some

stripe st 128 $m/0 $m/1 $m/2 $m/3
tap stripe $errnos /dev/mapper/st $ms first-map some
tap stripe $errnos /dev/mapper/st $ms later-map some
check "stripe: removed" dmsetup remove st

for level in raid1 raid5; do
	devs="$m/0 $m/1"
	[ $level = raid1 ] || devs="$devs $m/2"
	# shellcheck disable=SC2086
	array md0 $level --size=16M -- $devs
	tap $level $errnos /dev/md0 $ms first-attach few
	tap $level $errnos /dev/md0 $ms later-map some
	for i in 0 1; do
		tap "$level, member $i" $errnos -f "$(pci $m/$i)" /dev/md0 $ms later-map some
	done
	sound $level md0 "$(echo "$devs" | wc -w)"
	# shellcheck disable=SC2086
	check "$level: stopped" stop md0 $devs
done

vgcreate -qq vg $m/0 $m/1 2>/dev/null
lvcreate -qq -y -Wn -Zn -n lv --type raid1 -m 1 -L 16M vg
tap "LV raid1" $errnos /dev/vg/lv $ms later-map some
check "LV raid1: removed" lvremove -qq -y vg/lv
vgremove -qq vg 2>/dev/null
pvremove -qq $m/0 $m/1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
