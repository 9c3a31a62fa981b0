#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 128M --timeout 600
# kernel: both
#
# Arrays whose metadata a program in user space keeps (mdmon): IMSM and DDF. It writes
# the states of the array in the array's own files in sysfs, and a write may wait for it.
. /tests/include/tap.sh
. /tests/include/md.sh

steady=/tests-bin/data/steady
io=/tests-bin/data/io
matrix=/tests-bin/data/matrix
m=/dev/member

export IMSM_NO_PLATFORM=1 IMSM_DEVNAME_AS_SERIAL=1 MDADM_NO_SYSTEMCTL=1
mkdir -p /run/mdadm

# external TEXT METADATA LEVEL DEVICE...: the volume is md126, in the container md127
external()
{
	local text=$1 metadata=$2 level=$3

	shift 3
	mdadm --create /dev/md127 --run --quiet --metadata="$metadata" --raid-devices=$# "$@" &&
		mdadm --create /dev/md126 --run --quiet --level="$level" --raid-devices=$# \
			--size=32M /dev/md127 2>/dev/null
	same "$text: metadata" "$(md md126 metadata_version)" "external:/md127/0"
	settle md126
	check "$text: mdmon is there" pidof mdmon
}

# in_state STATE: md126 gets there
in_state()
{
	local i=0

	while [ "$(md md126 array_state)" != "$1" ] && [ $i -lt 200 ]; do
		i=$((i + 1))
		sleep 0.05
	done
	md md126 array_state
}

# wipe DEVICE: what either of them has left at its ends
wipe()
{
	dd if=/dev/zero of="$1" bs=1M count=1 oflag=direct 2>/dev/null
	dd if=/dev/zero of="$1" bs=1M seek=88 count=40 oflag=direct 2>/dev/null
}

# gone: stopped with mdadm, which waits for mdmon
gone()
{
	mdadm --stop --quiet /dev/md126 && mdadm --stop --quiet /dev/md127
}

# paused TEXT: mdmon does not answer. A write waits for it, in a work of the array; reads
# do not, nor does anything that has nothing to do with the array.
paused()
{
	local pid

	same "$1: clean" "$(in_state clean)" clean
	pid=$(pidof mdmon)
	kill -STOP "$pid"
	$io write /dev/md126 4194304 1048576 7 >/waiting &
	same "$1: a write waits" "$(in_state write-pending)" write-pending
	same "$1: a read does not" "$($io read /dev/md126 0 1048576 3)" ok
	same "$1: the write waits still" "$(cat /waiting)" ""
	kill -CONT "$pid"
	wait $!
	same "$1: the write is done" "$(cat /waiting)" ok
	same "$1: and has arrived" "$($io read /dev/md126 4194304 1048576 7)" ok
}

# killed TEXT: with mdmon stopped, the process that has written goes all the same
killed()
{
	local pid write

	same "$1: clean" "$(in_state clean)" clean
	pid=$(pidof mdmon)
	kill -STOP "$pid"
	$io write /dev/md126 4194304 1048576 9 >/waiting &
	write=$!
	in_state write-pending >/dev/null
	kill -KILL $write
	kill -CONT "$pid"
	wait $write
	same "$1: and the array goes on" "$($io write /dev/md126 4194304 1048576 11)" ok
}

for metadata in imsm ddf; do
	external "$metadata, raid1" $metadata 1 $m/0 $m/1
	tap "$metadata, raid1" $matrix /dev/md126 quick
	same "$metadata, raid1: written" "$($io write /dev/md126 0 1048576 3)" ok
	paused "$metadata, raid1, mdmon stopped"
	killed "$metadata, raid1, writer killed while mdmon is stopped"
	same "$metadata, raid1: mismatches" "$(scrub md126)" 0

	# stopped, and found again
	same "$metadata, raid1: written" "$($io write /dev/md126 0 1048576 3)" ok
	check "$metadata, raid1: stopped" gone
	mdadm --assemble --quiet /dev/md127 $m/0 $m/1 && mdadm --incremental --quiet /dev/md127
	volume=$(find /sys/block -name 'md1[0-9][0-9]' ! -name md127 | sed 's|.*/||' | head -n 1)
	same "$metadata, raid1, assembled: data" "$($io read "/dev/$volume" 0 1048576 3)" ok
	mdadm --stop --quiet "/dev/$volume"
	mdadm --stop --quiet /dev/md127

	# a member fails under I/O, and another one stands in. mdadm 4.2 ends with a segmentation
	# fault where it is to add one to a container of DDF.
	external "$metadata, raid1 again" $metadata 1 $m/0 $m/1
	degraded=1
	if [ $metadata = imsm ]; then
		mdadm --quiet /dev/md127 --add $m/2
		degraded=0
	fi
	check "$metadata, raid1, a member fails under I/O" $steady /dev/md126 -- sh -c ". /tests/include/md.sh
		mdadm -q --fail /dev/md126 $m/1
		i=0
		while [ \"\$(md md126 degraded)\" != $degraded ] && [ \$i -lt 200 ]; do sleep 0.05; i=\$((i + 1)); done
		sleep 1"
	settle md126
	same "$metadata, raid1, a member has failed: degraded" "$(md md126 degraded)" $degraded
	same "$metadata, raid1, a member has failed: mismatches" "$(scrub md126)" 0
	check "$metadata, raid1, a member has failed: stopped" gone

	external "$metadata, raid5" $metadata 5 $m/0 $m/1 $m/2
	tap "$metadata, raid5" $matrix /dev/md126 quick
	same "$metadata, raid5: written" "$($io write /dev/md126 0 1048576 3)" ok
	paused "$metadata, raid5, mdmon stopped"
	check "$metadata, raid5, a member fails under I/O" $steady /dev/md126 -- sh -c "
		mdadm -q --fail /dev/md126 $m/1
		sleep 1"
	check "$metadata, raid5: stopped" gone

	for n in 0 1 2 3; do
		wipe $m/$n
	done
done

external "imsm, raid10" imsm 10 $m/0 $m/1 $m/2 $m/3
tap "imsm, raid10" $matrix /dev/md126 quick
same "imsm, raid10: written" "$($io write /dev/md126 0 1048576 3)" ok
paused "imsm, raid10, mdmon stopped"
same "imsm, raid10: mismatches" "$(scrub md126)" 0
check "imsm, raid10: stopped" gone
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
