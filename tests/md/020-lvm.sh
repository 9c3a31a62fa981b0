#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --size 160M --timeout 600
# kernel: both
#
# Volumes that lvcreate makes; and a volume group on an md array.
. /tests/include/tap.sh
. /tests/include/md.sh

matrix=/tests-bin/data/matrix
hold=/tests-bin/data/hold
pvs="/dev/member/0 /dev/member/1 /dev/member/2 /dev/member/3"

# in_sync LV: until it is
in_sync()
{
	local i=0

	while [ $i -lt 600 ]; do
		case $(lvs --noheadings -o sync_percent "vg/$1" | tr -d ' ') in
		'' | 100.00) return 0 ;;
		esac
		i=$((i + 1))
		sleep 0.1
	done
	return 1
}

# volume TEXT ATTACHMENTS OPTIONS...: of lvcreate
volume()
{
	local text=$1 attached=$2

	shift 2
	check "$text: made" lvcreate -qq -y -Wn -Zn -n lv "$@" vg
	check "$text: in sync" in_sync lv
	same "$text: attached" \
		"$($hold -i /dev/vg/lv -- sh -c '. /tests/include/tap.sh; attachments')" "$attached"
	check "$text: probe" dmabuf-stack probe /dev/vg/lv
	check "$text: verify" dmabuf-stack verify --destroy-data --length 32M /dev/vg/lv
	tap "$text" $matrix /dev/vg/lv brief
	case $(lvs --noheadings -o segtype vg/lv | tr -d ' ') in
	raid1 | raid10)
		lvchange -qq --syncaction check vg/lv
		while [ "$(lvs --noheadings -o raid_sync_action vg/lv | tr -d ' ')" = check ]; do
			sleep 0.2
		done
		same "$text: mismatches" "$(lvs --noheadings -o raid_mismatch_count vg/lv | tr -d ' ')" 0
		;;
	esac
	check "$text: removed" lvremove -qq -y vg/lv
	same "$text: nothing attached afterwards" "$(wait_detached)" 0
}

# shellcheck disable=SC2086
vgcreate -qq vg $pvs 2>/dev/null
volume linear 1 -L 64M
volume "linear over two disks" 2 -L 250M
volume striped 4 -L 64M --type striped -i 4 -I 64
volume raid0 4 -L 64M --type raid0 -i 4 -I 64
volume raid1 2 -L 64M --type raid1 -m 1
volume raid10 4 -L 64M --type raid10 -i 2 -m 1
vgremove -qq vg 2>/dev/null
# shellcheck disable=SC2086
pvremove -qq $pvs

# shellcheck disable=SC2086
array md0 raid10 -- $pvs
pvcreate -qq /dev/md0
vgcreate -qq vg /dev/md0 2>/dev/null
volume "linear on md raid10" 4 -L 64M
vgremove -qq vg 2>/dev/null
pvremove -qq /dev/md0
# shellcheck disable=SC2086
stop md0 $pvs
array md0 raid1 -- /dev/member/0 /dev/member/1
array md1 raid1 -- /dev/member/2 /dev/member/3
vgcreate -qq vg /dev/md0 /dev/md1 2>/dev/null
volume "striped over two md raid1" 4 -L 64M --type striped -i 2 -I 16
vgremove -qq vg 2>/dev/null
done_testing
