# SPDX-License-Identifier: GPL-2.0
# md arrays for test scripts; source tap.sh first. No udev in the VM: arrays are
# called by their kernel names (md0), which mdadm then makes the nodes of.

# array NAME LEVEL [OPTIONS of mdadm --create] -- DEVICE...: made and, where the
# level has anything to be made equal, in sync. -x N: the last N are spares;
# --write-mostly and its like may stand between the devices.
array()
{
	local name=$1 level=$2 n=0 options='' word

	shift 2
	while [ "$1" != -- ]; do
		case $1 in
		-x) n=$((n - $2)); options="$options --spare-devices=$2"; shift ;;
		*) options="$options $1" ;;
		esac
		shift
	done
	shift
	for word in "$@"; do
		case $word in
		--*) ;;
		*) n=$((n + 1)) ;;
		esac
	done
	case $options in
	*bitmap*) ;;
	*) case $level in linear | raid0 | 0) ;; *) options="$options --bitmap=none" ;; esac ;;
	esac
	# shellcheck disable=SC2086
	mdadm --create "/dev/$name" --run --quiet --metadata=1.2 --homehost=any --level="$level" \
		--raid-devices=$n $options "$@" || return
	settle "$name"
}

# lockless NAME LEVEL [OPTIONS] -- DEVICE...: an array with a lockless bitmap. The mdadm of
# the VM does not know it, and makes one of the other kind, of which this makes a new one of
# this kind: the version is 6, and the state says first use, and clean.
lockless()
{
	local name=$1 level=$2 word

	shift 2
	array "$name" "$level" --bitmap=internal --assume-clean "$@" || return
	stop "$name"
	while [ "$1" != -- ]; do
		shift
	done
	shift
	for word in "$@"; do
		[ "$(dd if="$word" bs=1 skip=8192 count=4 2>/dev/null)" = bitm ] || return
		printf '\006\000\000\000' | dd of="$word" bs=1 seek=8196 conv=notrunc 2>/dev/null
		printf '\030\000\000\000' | dd of="$word" bs=1 seek=8240 conv=notrunc 2>/dev/null
	done
	mdadm --assemble --quiet "/dev/$name" "$@"
}

# md NAME FILE: one of the array's files in sysfs
md()
{
	cat "/sys/block/$1/md/$2"
}

# settle NAME: until nothing is being synced. What a new member starts is on its
# way for a moment before it shows.
settle()
{
	local i=0 idle=0 action

	[ -e "/sys/block/$1/md/sync_action" ] || return 0
	while [ $idle -lt 4 ]; do
		[ $i -lt 2400 ] || return 1
		# raid0 is another level while it grows
		action=$(md "$1" sync_action 2>/dev/null) || return 0
		if [ "$action" = idle ]; then
			idle=$((idle + 1))
		else
			idle=0
		fi
		i=$((i + 1))
		sleep 0.05
	done
}

# scrub NAME: the sectors that a check finds to differ
scrub()
{
	settle "$1"
	echo check >"/sys/block/$1/md/sync_action"
	settle "$1"
	md "$1" mismatch_cnt
}

# members NAME: kernel names of the members, in the order of their slots
members()
{
	local dev

	for dev in "/sys/block/$1"/md/dev-*; do
		echo "$(cat "$dev/slot") ${dev##*/dev-}"
	done | sort -n | sed 's/.* //'
}

# member_states NAME: "SLOT STATE" of all members, which should be as wanted
member_states()
{
	local dev

	for dev in "/sys/block/$1"/md/dev-*; do
		echo "$(cat "$dev/slot") $(cat "$dev/state")"
	done | sort -n | tr '\n' ';'
}

# begin LEVEL OPTIONS...: an array md0 that stays dirty, or its first write would wait for the superblock
begin()
{
	local level=$1

	shift
	array md0 "$level" --size=16M "$@" || { not_ok "array $level $*"; return; }
	echo 0 >/sys/block/md0/md/safe_mode_delay
	dd if=/dev/zero of=/dev/md0 bs=64k count=1 oflag=direct 2>/dev/null
}

# debug_kernel: all takes several times as long, and DMA_API_DEBUG counts mappings
debug_kernel()
{
	[ -d /sys/kernel/debug/dma-api ]
}

# blame NAME: what the array holds against its members: bad blocks and errors
blame()
{
	local dev

	for dev in "/sys/block/$1"/md/dev-*; do
		sed "s|^|${dev##*/dev-} bad |" "$dev/bad_blocks" "$dev/unacknowledged_bad_blocks"
		[ "$(cat "$dev/errors")" = 0 ] || echo "${dev##*/dev-} errors $(cat "$dev/errors")"
	done
}

# sound TEXT NAME MEMBERS: the array has so many members and nothing against
# them, its copies are equal, read one by one, and a check finds nothing
sound()
{
	settle "$2"
	same "$1: members" "$(md "$2" degraded) $(grep -l '^in_sync' "/sys/block/$2"/md/dev-*/state | grep -c .)" "0 $3"
	same "$1: bad blocks, errors" "$(blame "$2")" ""
	case $(md "$2" level) in
	raid1 | raid10) check "$1: copies are equal" /tests-bin/md/mirrors "$2" ;;
	esac
	same "$1: mismatches found by a check" "$(scrub "$2")" 0
}

# fail NAME DEVICE: and take it out
fail()
{
	{
		mdadm --quiet "/dev/$1" --fail "$2" && settle "$1" &&
			mdadm --quiet "/dev/$1" --remove "$2"
	} 2>/tmp/md.fail && return
	cat /tmp/md.fail >&2
	return 1
}

# stop NAME [DEVICE...]: and forget that these were members. It may take a
# moment for the last user to be gone.
stop()
{
	local name=$1 i=0

	shift
	until mdadm --stop --quiet "/dev/$name" 2>/tmp/md.stop; do
		i=$((i + 1))
		[ $i -lt 40 ] || { cat /tmp/md.stop >&2; return 1; }
		sleep 0.05
	done
	[ $# = 0 ] || mdadm --zero-superblock --quiet "$@"
}

# pci MEMBER: name of the PCI device of an NVMe disk
pci()
{
	basename "$(readlink -f "/sys/block/$(disk "$1")/device/device")"
}

# inject DISK OP STATUS [START NR]: errors for bios to the disk; see the kernel's
# Documentation/block/error-injection.rst. OP none: no more.
inject()
{
	local file=/sys/kernel/debug/block/$1/error_injection

	if [ "$2" = none ]; then
		echo removeall >"$file"
	else
		echo "add,op=$2,status=$3${4:+,start=$4}${5:+,nr_sectors=$5}" >"$file"
	fi
}

# place ARRAY SEED: where seeded() writes; lives() keeps the load away from there
place()
{
	echo $((($(sectors "/dev/$1") >> 11) - 1 - $2 << 20))
}

# seeded TEXT ARRAY SEED: write a megabyte near the end, at a place for each seed
seeded()
{
	same "$1: written" "$(/tests-bin/data/io write "/dev/$2" "$(place "$2" "$3")" 1048576 "$3")" ok
}

# unharmed TEXT ARRAY SEED...: it is what is read there, plainly and otherwise
unharmed()
{
	local text=$1 name=$2 seed

	shift 2
	for seed in "$@"; do
		same "$text: what was written then, plainly" \
			"$(/tests-bin/data/io -p read "/dev/$name" "$(place "$name" "$seed")" 1048576 "$seed")" ok
		same "$text: what was written then" \
			"$(/tests-bin/data/io read "/dev/$name" "$(place "$name" "$seed")" 1048576 "$seed")" ok
	done
}

# lives TEXT NAME DEVICE [OPTIONS of matrix]: data on a redundant array that is
# whole, without the member DEVICE, while that is rebuilt, and after it came
# back to a bitmap. BUFFERS: kinds of buffer, the first alone after a fault.
lives()
{
	local text=$1 name=$2 dev=$3 n all=${BUFFERS:-udmabuf}

	shift 3
	n=$(members "$name" | grep -c .)
	tap "$text" /tests-bin/data/matrix "/dev/$name" quick buffer="$all" "$@"
	# what is written in each state is for unharmed()
	set -- buffer="${all%%,*}" keep=$((8 << 20)) "$@"
	sound "$text" "$name" "$n"

	fail "$name" "$dev"
	tap "$text, a member failed" /tests-bin/data/matrix "/dev/$name" brief "$@"
	seeded "$text, a member failed" "$name" 1

	# slow enough to be under way all the time
	md_speed "$name" 1000
	mdadm --zero-superblock "$dev"
	mdadm --quiet "/dev/$name" --add "$dev"
	wait_sync "$name" recover
	tap "$text, rebuilding" /tests-bin/data/matrix "/dev/$name" brief "$@"
	same "$text, rebuilding: still" "$(md "$name" sync_action)" recover
	seeded "$text, rebuilding" "$name" 2
	md_speed "$name" 1000000
	sound "$text, rebuilt" "$name" "$n"
	unharmed "$text, rebuilt" "$name" 1 2

	mdadm --quiet --grow "/dev/$name" --bitmap=internal
	fail "$name" "$dev"
	tap "$text, failed with a bitmap" /tests-bin/data/matrix "/dev/$name" brief "$@"
	seeded "$text, failed with a bitmap" "$name" 3
	mdadm --quiet "/dev/$name" --re-add "$dev"
	sound "$text, added again" "$name" "$n"
	unharmed "$text, added again" "$name" 3
	tap "$text, added again" /tests-bin/data/matrix "/dev/$name" brief "$@"
	sound "$text, in the end" "$name" "$n"
}

# md_speed NAME KIB: of resync, per second
md_speed()
{
	echo "$2" >"/sys/block/$1/md/sync_speed_max"
	echo "$2" >"/sys/block/$1/md/sync_speed_min"
}

# wait_sync NAME ACTION: until it has begun
wait_sync()
{
	local i=0

	while [ "$(md "$1" sync_action)" != "$2" ] && [ $i -lt 100 ]; do
		i=$((i + 1))
		sleep 0.05
	done
}
