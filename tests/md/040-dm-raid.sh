#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 5 --size 96M --timeout 900
# kernel: both
#
# Volumes of every RAID type that lvcreate makes, all data and parity checked; one
# of their disks replaced; what their tables refuse.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
matrix=/tests-bin/data/matrix
# the debug kernel takes an hour for the large requests
much=quick
! debug_kernel || much=brief

# field LV NAME: of lvs
field()
{
	lvs --noheadings -o "$2" "vg/$1" 2>/dev/null | tr -d ' '
}

# in_sync LV: wait until it is
in_sync()
{
	local i=0

	while [ "$(field "$1" sync_percent)" != 100.00 ] ||
		[ "$(field "$1" raid_sync_action)" != idle ]; do
		i=$((i + 1))
		[ $i -lt 150 ] || return 1
		sleep 0.2
	done
}

# parity TEXT LV: what a check finds
parity()
{
	# nothing to be in sync
	case $(field "$2" segtype) in
	raid0* | striped) return ;;
	esac
	check "$1: in sync" in_sync "$2"
	lvchange --syncaction check "vg/$2" >/dev/null 2>&1
	sleep 0.5
	check "$1: checked" in_sync "$2"
	same "$1: mismatches" "$(field "$2" raid_mismatch_count)" 0
	same "$1: health" "$(field "$2" lv_health_status)" ""
}

# volume TEXT OPTIONS of lvcreate...
volume()
{
	local text=$1

	shift
	lvcreate -qq -y -n lv vg "$@" >/dev/null 2>/tmp/lv.err || {
		not_ok "$text: lvcreate $*"
		diag "$(cat /tmp/lv.err)"
		return
	}
	case $text in
	raid0) ;;
	*) in_sync lv ;;
	esac
	tap "$text" $matrix /dev/vg/lv $much buffer="${BUFFERS:-udmabuf}"
	parity "$text" lv
}

vgcreate -qq vg $m/0 $m/1 $m/2 $m/3 $m/4 >/dev/null 2>&1

BUFFERS=udmabuf,heap:system volume raid5 --type raid5 -i 2 -I 64k -l 36 $m/0 $m/1 $m/2
lvconvert -qq -y --replace $m/1 vg/lv $m/3 >/dev/null 2>&1
tap "raid5, while a disk is replaced" $matrix /dev/vg/lv $much
parity "raid5, a disk replaced" lv
same "raid5: no mapping for the CPU: refused" \
	"$(/tests-bin/data/hold -b no-vmap /dev/vg/lv -- true)" EOPNOTSUPP
lvremove -qq -y vg/lv

volume raid6 --type raid6 -i 3 -I 64k -l 36
lvremove -qq -y vg/lv
volume "raid4" --type raid4 -i 2 -I 4k -l 36
lvremove -qq -y vg/lv
volume "raid5, 2M chunks" --type raid5 -i 2 -I 2m -l 36
lvremove -qq -y vg/lv
for type in raid1 raid10 raid0; do
	case $type in
	raid1) volume $type --type raid1 -m 1 -l 18 ;;
	raid10) volume $type --type raid10 -m 1 -i 2 -I 64k -l 18 ;;
	raid0) volume $type --type raid0 -i 3 -I 64k -l 18 ;;
	esac
	check "$type: no mapping for the CPU: not needed" \
		/tests-bin/data/hold -b no-vmap -i /dev/vg/lv -- true
	lvremove -qq -y vg/lv
done

lvcreate -qq -y -n lv vg --type raid1 -m 1 -l 4 $m/0 $m/1 >/dev/null 2>&1
in_sync lv
for dev in $m/0 $m/1; do
	tap "raid1, a disk that cannot reach the buffer" /tests-bin/md/unreachable /dev/vg/lv "$(pci $dev)" 1
done
parity "raid1 after that" lv
lvremove -qq -y vg/lv
vgremove -qq -y vg
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
