#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M --timeout 600
# kernel: modular
#
# nvme, device mapper and md as modules: what carries dma-bufs when they are built in
# does so then, what is registered cannot be unloaded, and all of it can afterwards.
. /tests/include/tap.sh
. /tests/include/md.sh
. /tests/include/modules.sh

m=/dev/member

# moved TEXT DEVICE: the exporter moves the buffer while it is written and read; not
# that of raid5, which the CPU has mapped: it is taken away and given back
moved()
{
	local how=move

	[ "$(cat "/sys/block/$(disk "$2")/md/level" 2>/dev/null)" != raid5 ] || how="revoke unrevoke"
	{
		sleep 1
		printf '%s\n' $how
		sleep 1
		echo stop
	} | /tests-bin/matrix/stream "$2" >/tmp/stream
	same "$1: the buffer moves under I/O" "$(sed -n 's/^done=[1-9][0-9]* .* \(errors=[^ ]*\).* \(mismatches=[^ ]*\).*/\1 \2/p' /tmp/stream)" \
		"errors=0 mismatches=0"
	check "$1: it did" sh -c "[ \$(grep -cxE '[0-9]+' /tmp/stream) = $(echo "$how" | wc -w) ]"
}

# carries TEXT DEVICE MODULE...: data, and nothing that it is made of can go meanwhile
carries()
{
	local text=$1 dev=$2

	shift 2
	check "$text: probe" dmabuf-stack probe "$dev"
	check "$text: data" dmabuf-stack verify --destroy-data --length 8M "$dev"
	moved "$text" "$dev"
	same "$text: cannot be unloaded: $*" \
		"$(/tests-bin/data/hold -c "$dev" -- sh -c '. /tests/include/modules.sh; refused "$@"' sh "$@")" ""
	same "$text: nothing attached afterwards" "$(wait_detached)" 0
}

# level NAME NUMBER-OF-MEMBERS MODULE
level()
{
	local name=$1 nr=$2 mod=$3 i=0

	set --
	while [ $i -lt "$nr" ]; do
		set -- "$@" $m/$i
		i=$((i + 1))
	done
	check "$name: made" array md0 "$name" -- "$@"
	carries "$name" /dev/md0 "$mod" md_mod nvme
	check "$name: stopped" stop md0 "$@"
	check "$name: $mod is unloaded" unload "$mod"
}

# all TEXT
all()
{
	carries "$1 raw" $m/3 nvme nvme_core

	linear vol $m/0 $m/1
	carries "$1 linear" /dev/mapper/vol dm_mod nvme
	dmsetup remove vol

	stripe vol 128 $m/0 $m/1 $m/2 $m/3
	carries "$1 striped" /dev/mapper/vol dm_mod nvme
	dmsetup remove vol

	dmsetup create vol --table "0 65536 mirror core 2 1024 nosync 2 $m/0 0 $m/1 0"
	carries "$1 mirror" /dev/mapper/vol dm_mirror dm_mod nvme
	dmsetup remove vol

	dmsetup create vol --table "0 65536 raid raid1 2 0 nosync 2 - $m/0 - $m/1"
	carries "$1 dm-raid" /dev/mapper/vol dm_raid raid1 dm_mod nvme
	dmsetup remove vol
	check "$1 dm-raid: dm_raid is unloaded" unload dm_raid

	level raid0 4 raid0
	level raid1 2 raid1
	level raid10 4 raid10
	level raid5 3 raid456
}

check "of the disks, only what drives them is loaded" sh -c "! grep -qE '^(dm|md|raid)' /proc/modules"
check "load device mapper" modprobe dm_mod
check "load md" modprobe md_mod
all "at first,"

for mod in dm_mirror dm_region_hash dm_log dm_mod md_mod nvme; do
	check "unload $mod" unload $mod
done
check "unload what is left" unload_all
same "no disks" "$(find /dev -name 'nvme*')" ""

check "load everything" load_all
check "the disks are there again" wait_disks
all "again,"
check "unload everything" unload_all
check "load the disks" load_disks
carries "in the end, raw" $m/0 nvme nvme_core
done_testing
