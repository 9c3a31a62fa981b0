#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M --timeout 600
# kernel: both
#
# An array becomes one of another level, or is spread over more members, under a
# registration and under load. What a level with parity needs of a dma-buf is asked
# for then.
. /tests/include/tap.sh
. /tests/include/md.sh

hold=/tests-bin/data/hold
steady=/tests-bin/data/steady
m0=/dev/member/0
m1=/dev/member/1
m2=/dev/member/2
m3=/dev/member/3

# becomes TEXT LEVEL MEMBERS COMMAND: registered, and I/O afterwards
becomes()
{
	local i=0

	same "$1" "$($hold -b test -i /dev/md0 -- \
		sh -c ". /tests/include/md.sh; { $4; } >/tmp/grow 2>&1; settle md0" 2>&1
		cat /tmp/grow)" ""
	# mdadm has the last steps of some done in the background
	until { [ "$(md md0 level)" = "$2" ] && ! pidof mdadm >/dev/null; } || [ $i = 100 ]; do
		i=$((i + 1))
		sleep 0.1
	done
	# where it sometimes waits for a reshape that is over, and leaves behind how far it
	# was to go
	killall -q mdadm
	[ ! -e /sys/block/md0/md/sync_max ] || echo max >/sys/block/md0/md/sync_max
	same "$1: level" "$(md md0 level)" "$2"
	case $2 in
	raid0) ;;
	*) sound "$1" md0 "$3" ;;
	esac
	check "$1: seeded data" harmless
}

harmless()
{
	/tests-bin/data/io -p read /dev/md0 1048576 4194304 9 >/tmp/harmless &&
		/tests-bin/data/io -b test read /dev/md0 1048576 4194304 9 >/tmp/harmless
}

array md0 raid1 --size=32M -- $m0 $m1
/tests-bin/data/io -p write /dev/md0 1048576 4194304 9 >/dev/null
same "raid1 becomes raid5, no mapping for the CPU" \
	"$($hold -b no-vmap -i /dev/md0 -- sh -c ". /tests/include/md.sh
		mdadm -q --grow /dev/md0 --level=5; settle md0")" EOPNOTSUPP
same "raid1 becomes raid5, no mapping for the CPU: level" "$(md md0 level)" raid5
sound "raid1 becomes raid5, no mapping for the CPU" md0 2
becomes "raid5 becomes raid1" raid1 2 "mdadm -q --grow /dev/md0 --level=1"
becomes "raid1 becomes raid5" raid5 2 "mdadm -q --grow /dev/md0 --level=5"
becomes "raid5 grows" raid5 3 "mdadm -q --grow /dev/md0 --raid-devices=3 --add $m2"
becomes "raid5 becomes raid6" raid6 4 \
	"mdadm -q --grow /dev/md0 --level=6 --raid-devices=4 --add $m3 --backup-file=/tmp/backup"
becomes "raid6, other chunks" raid6 4 \
	"mdadm -q --grow /dev/md0 --chunk=32 --backup-file=/tmp/backup2"
same "raid6, other chunks: size" "$(md md0 chunk_size)" 32768
stop md0 $m0 $m1 $m2 $m3

array md0 raid1 --size=32M -- $m0 $m1
check "raid1 becomes raid5 under load" $steady -b test /dev/md0 -- \
	sh -c ". /tests/include/md.sh; mdadm -q --grow /dev/md0 --level=5; settle md0; sleep 1"
same "raid1 becomes raid5 under load: level" "$(md md0 level)" raid5
sound "raid1 becomes raid5 under load" md0 2
check "raid5 grows under load" $steady -b test /dev/md0 -- sh -c ". /tests/include/md.sh
	mdadm -q --grow /dev/md0 --raid-devices=3 --add $m2"
sound "raid5 grows under load" md0 3
stop md0 $m0 $m1 $m2

# A write that was let in for raid1 has waited for the change: the CPU has no mapping of
# its buffer yet.
array md0 raid1 --size=32M -- $m0 $m1
echo 65536 >/sys/block/md0/md/suspend_hi
same "raid1 becomes raid5: a write has waited" "$(/tests-bin/md/late /dev/md0 write 1048576 -- \
	sh -c "echo raid5 >/sys/block/md0/md/level; echo 0 >/sys/block/md0/md/suspend_hi")" right
same "raid1 becomes raid5: a write has waited: level" "$(md md0 level)" raid5
sound "raid1 becomes raid5: a write has waited" md0 2
stop md0 $m0 $m1

array md0 raid10 --chunk=64 --size=32M -- $m0 $m1 $m2
/tests-bin/data/io -p write /dev/md0 1048576 4194304 9 >/dev/null
becomes "raid10 grows" raid10 4 "mdadm -q --grow /dev/md0 --raid-devices=4 --add $m3"
stop md0 $m0 $m1 $m2 $m3

array md0 raid0 --chunk=64 -- $m0 $m1
/tests-bin/data/io -p write /dev/md0 1048576 4194304 9 >/dev/null
becomes "raid0 grows" raid0 3 "mdadm -q --grow /dev/md0 --raid-devices=3 --add $m2"
stop md0 $m0 $m1 $m2
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
