# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034
# The stacks of the matrix; source tap.sh and md.sh first.
#
# up STACK [late] makes one and sets
#
#	DEV		the device that I/O goes to
#	POS		where on it, so that chunks and targets are straddled
#	LEAVES		kernel names of the disks below, in order
#	COPIES		how often a sector is written below; empty: not to be told
#	ARRAY		the md array whose members are looked after, or empty
#
# late: member 1 is below a linear volume "late1", which can be suspended; volume: all
# of it is below one. down takes it apart. member/4 is never part of a stack, and neither
# is /dev/vda.

m=/dev/member
STACKS="raw linear stripe stripe-on-linear raid0 raid1 raid10 raid5 lv-raid1-on-raid0"
EXTENT=49152	# sectors of a member that are used

# slice NAME DEVICE: a linear volume over the beginning of a device
slice()
{
	dmsetup create "$1" --table "0 $EXTENT linear $2 0"
}

md_array()
{
	local name=$1 level=$2

	shift 2
	array "$name" "$level" --size=16M "$@" || return
	# no superblock is written in between, for the sake of what is counted
	echo 0 >"/sys/block/$name/md/safe_mode_delay"
	dd if=/dev/zero of="/dev/$name" bs=64k count=1 oflag=direct 2>/dev/null
}

up()
{
	local one=$m/1 n

	[ "$UP" != "$1 $2" ] || return 0
	down
	UP="$1 $2" ARRAY='' POS=36864 COPIES=1
	if [ "$2" = late ]; then
		slice late1 $m/1 || return
		one=/dev/mapper/late1
	fi
	case $1 in
	raw)
		DEV=$m/1 LEAVES=1
		;;
	linear)
		# the boundary is in the middle of what is written
		dmsetup create v --table "0 4096 linear $m/0 0
			4096 $EXTENT linear $one 0" || return
		DEV=/dev/mapper/v LEAVES='0 1'
		;;
	stripe)
		dmsetup create v --table "0 $((EXTENT * 3)) striped 3 128 $m/0 0 $one 0 $m/2 0" || return
		DEV=/dev/mapper/v LEAVES='0 1 2'
		;;
	stripe-on-linear)
		slice l0 $m/0 && slice l1 "$one" || return
		dmsetup create v --table "0 $((EXTENT * 2)) striped 2 128 /dev/mapper/l0 0 /dev/mapper/l1 0" || return
		DEV=/dev/mapper/v LEAVES='0 1'
		;;
	raid0)
		array md0 raid0 --chunk=64 -- $m/0 "$one" $m/2 || return
		DEV=/dev/md0 LEAVES='0 1 2'
		[ "$2" != volume ] || {
			slice v /dev/md0 || return
			DEV=/dev/mapper/v
		}
		;;
	raid1)
		md_array md0 raid1 -- $m/0 "$one" || return
		DEV=/dev/md0 LEAVES='0 1' ARRAY=md0 COPIES=2
		;;
	raid10)
		md_array md0 raid10 --chunk=64 -- $m/0 "$one" $m/2 $m/3 || return
		DEV=/dev/md0 LEAVES='0 1 2 3' ARRAY=md0 COPIES=2
		;;
	raid5)
		md_array md0 raid5 --chunk=64 -- $m/0 "$one" $m/2 || return
		DEV=/dev/md0 LEAVES='0 1 2' ARRAY=md0 COPIES=''
		;;
	lv-raid1-on-raid0)
		array md1 raid0 --chunk=64 -- $m/0 "$one" || return
		array md2 raid0 --chunk=64 -- $m/2 $m/3 || return
		vgcreate -qq vg /dev/md1 /dev/md2 >/dev/null 2>&1 &&
			lvcreate -qq -y --type raid1 -m 1 -l 4 -n lv vg >/dev/null 2>&1 || return
		lv_in_sync || return
		DEV=/dev/vg/lv LEAVES='0 1 2 3' COPIES=''
		;;
	esac
	LEAVES=$(for n in $LEAVES; do disk $m/"$n"; done | tr '\n' ' ')
}

lv_field()
{
	lvs --noheadings -o "$1" vg/lv 2>/dev/null | tr -d ' '
}

lv_in_sync()
{
	local i=0

	while [ "$(lv_field sync_percent) $(lv_field raid_sync_action)" != "100.00 idle" ]; do
		i=$((i + 1))
		[ $i -lt 150 ] || return 1
		sleep 0.2
	done
}

# take apart whatever is there: a fault may have left it in any state. KEEP=1: what
# is on the disks stays.
down()
{
	local dev

	UP=''

	for dev in /sys/block/dm-*/dm/name; do
		[ ! -e "$dev" ] || dmsetup resume "$(cat "$dev")" 2>/dev/null
	done
	if [ -e /dev/vg ] || vgs vg >/dev/null 2>&1; then
		vgchange -qq -an vg >/dev/null 2>&1
		vgremove -qq -ff -y vg >/dev/null 2>&1
		dmsetup ls 2>/dev/null | awk '/^vg-/ { print $1 }' | while read -r dev; do
			dmsetup remove --force "$dev" >/dev/null 2>&1
		done
		rm -rf /dev/vg
	fi
	[ ! -e /dev/mapper/v ] || dmsetup remove --retry v
	for dev in md0 md1 md2; do
		[ ! -e /sys/block/$dev/md/array_state ] || [ "$(md $dev array_state)" = clear ] || stop $dev
	done
	for dev in l0 l1 late1; do
		[ ! -e /dev/mapper/$dev ] || dmsetup remove --retry $dev
	done
	[ -z "$KEEP" ] || return 0
	for dev in $m/0 $m/1 $m/2 $m/3 $m/4 /dev/vda; do
		[ ! -b $dev ] || dd if=/dev/zero of=$dev bs=1M count=2 oflag=direct 2>/dev/null
	done
}

# written: sectors on all leaves so far
written()
{
	local n sum=0

	for n in $LEAVES; do
		sum=$((sum + $(awk '{ print $7 }' "/sys/block/$n/stat")))
	done
	echo $sum
}
