# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# The faults that change what a stack consists of: tables, volumes and members. As those
# of faults.sh, after which cells.sh sources this.

# copy FROM TO: what a volume uses of a member
copy()
{
	dd if="$1" of="$2" bs=1M count=$((EXTENT / 2048)) iflag=direct oflag=direct 2>/dev/null
}

# reload_to STACK FROM TO: its table with one device in place of another
reload_to()
{
	local volume=v

	case $1 in
	stripe-on-linear) volume=l1 ;;
	esac
	dmsetup suspend --nolockfs $volume
	copy "$2" "$3" || miss "$2 is not copied"
	dmsetup table $volume | sed "s|$(dev_numbers "$2")|$(dev_numbers "$3")|" >/tmp/table
	dmsetup reload $volume </tmp/table
	dmsetup resume $volume
	dmsetup table $volume | grep -q " $(dev_numbers "$3") " || miss "$volume is not on $3"
}

dev_numbers()
{
	echo "$((0x$(stat -L -c %t "$1"))):$((0x$(stat -L -c %T "$1")))"
}

fault_reload()
{
	TIMES='' SPENT=1
	reload_to "$1" $m/1 $m/4
}

fault_reload_incapable()
{
	TIMES=''
	reload_to "$1" $m/1 /dev/vda
	# not a sector is written there, so that the old disk is as it was
	sleep 1
	reload_to "$1" /dev/vda $m/1
	# a table of the same name below is seen when the one above is loaded again
	[ "$1" != stripe-on-linear ] || {
		dmsetup table v | dmsetup reload v
		dmsetup suspend --nolockfs v
		dmsetup resume v
	}
}

quietly()
{
	"$@" >/tmp/m.cmd 2>&1 || miss "$* failed: $(tail -n 1 /tmp/m.cmd)"
}

fault_pvmove()
{
	TIMES='' SPENT=1
	quietly vgextend -qq vg $m/4
	quietly pvmove -qq -i 1 /dev/md1 $m/4
	on $m/4
}

# on DEVICE: is the volume there now?
on()
{
	pvs --noheadings -o pv_used --units b "$1" 2>/dev/null | grep -q '[1-9]' || miss "not on $1"
}

# member DEVICE: is it one of the array's now? What makes it one may have yet to begin.
member()
{
	local i=0

	until grep -q in_sync "/sys/block/md0/md/dev-$(disk "$1")/state" 2>/dev/null; do
		i=$((i + 1))
		[ $i -lt 300 ] || { miss "$1 is no member"; return; }
		sleep 0.1
	done
}

# md_exchange OUT IN: as if the one had died
md_exchange()
{
	fail md0 "$1" || miss "$1 has not left"
	mdadm -q --zero-superblock "$2" 2>/dev/null
	quietly mdadm -q /dev/md0 --add "$2"
	settle md0
	member "$2"
}

# md_replace OUT IN: the one still helps
md_replace()
{
	mdadm -q --zero-superblock "$2" 2>/dev/null
	quietly mdadm -q /dev/md0 --add "$2"
	quietly mdadm -q /dev/md0 --replace "$1"
	member "$2"
	settle md0
	quietly mdadm -q /dev/md0 --remove failed
}

# md_re_add DEVICE: with a bitmap
md_re_add()
{
	# the members have to know of the bitmap
	[ "$(md md0 bitmap/location)" != none ] || {
		quietly mdadm -q --grow /dev/md0 --bitmap=internal
		sleep 1
	}
	fail md0 "$1" || miss "$1 has not left"
	sleep 1
	quietly mdadm -q /dev/md0 --re-add "$1"
	settle md0
	member "$1"
}

fault_lv_replace()
{
	TIMES='' SPENT=1
	quietly vgextend -qq vg $m/4
	quietly lvconvert -qq -y --replace /dev/md1 vg/lv $m/4
	lv_in_sync || miss "not in sync"
	on $m/4
}

fault_md_add()
{
	TIMES='' SPENT=1
	md_exchange $m/1 $m/4
}

fault_md_replace()
{
	TIMES='' SPENT=1
	md_replace $m/1 $m/4
}

fault_md_re_add()
{
	TIMES='' SPENT=1
	md_re_add $m/1
}

fault_reshape()
{
	TIMES='' SPENT=1
	quietly mdadm -q /dev/md0 --add $m/4
	quietly mdadm -q --grow /dev/md0 --raid-devices=4 --backup-file=/tmp/reshape
	wait_sync md0 reshape
	settle md0
	[ "$(md md0 raid_disks)" = 4 ] || miss "$(md md0 raid_disks) disks"
}

fault_incapable_member()
{
	TIMES='' SPENT=1
	if [ "$1" = lv-raid1-on-raid0 ]; then
		quietly vgextend -qq vg /dev/vda
		quietly lvconvert -qq -y --replace /dev/md1 vg/lv /dev/vda
		lv_in_sync || miss "not redundant"
		on /dev/vda
		sleep 1
		quietly lvconvert -qq -y --replace /dev/vda vg/lv /dev/md1
		lv_in_sync || miss "not in sync"
		on /dev/md1
		return
	fi
	fail md0 $m/1 || miss "member 1 has not left"
	mdadm -q --zero-superblock $m/1
	quietly mdadm -q /dev/md0 --add /dev/vda
	settle md0
	sleep 1
	member /dev/vda
	[ "$(md md0 degraded)" = 0 ] || miss "not redundant"
	quietly mdadm -q /dev/md0 --add $m/1
	quietly mdadm -q /dev/md0 --replace /dev/vda
	settle md0
	member $m/1
	fail md0 /dev/vda 2>/dev/null
}
