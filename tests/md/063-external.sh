#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 3 --size 128M --timeout 600
# kernel: lean
#
# Arrays whose metadata user space keeps (IMSM, DDF): made, used, failed, stopped and
# assembled again; and a write that waits for mdmon, which does not run.
. /tests/include/tap.sh
. /tests/include/md.sh

export IMSM_NO_PLATFORM=1 IMSM_DEVNAME_AS_SERIAL=1
hold=/tests-bin/data/hold
io=/tests-bin/data/io
m=/dev/member

# clean: nothing is written to the array, and its metadata says so
clean()
{
	local i=0

	until [ "$(md md0 array_state)" = clean ] || [ $i -gt 200 ]; do
		i=$((i + 1))
		sleep 0.1
	done
	[ "$(md md0 array_state)" = clean ]
}

# external FORMAT LEVEL
external()
{
	local format=$1 level=$2 text="$1 $2" pid

	if ! mdadm --create --quiet --run /dev/md127 -e "$format" -n 2 $m/0 $m/1 >/tmp/mdadm 2>&1 ||
	   ! mdadm --create --quiet --run --assume-clean --size=32M -l "$level" -n 2 /dev/md0 /dev/md127 >>/tmp/mdadm 2>&1; then
		not_ok "$text: made"
		diag "$(cat /tmp/mdadm)"
		return
	fi
	settle md0
	same "$text: metadata" "$(md md0 metadata_version | cut -c1-9)" external:
	check "$text: probe" dmabuf-stack probe /dev/md0
	check "$text: verify" dmabuf-stack verify --destroy-data --length 16M /dev/md0
	tap "$text" /tests-bin/data/matrix /dev/md0 quick
	if [ "$level" != 0 ]; then
		same "$text: mismatches" "$(scrub md0)" 0
		check "$text: mdmon is there" pidof mdmon
		check "$text: clean" clean
		pid=$(pidof mdmon)
		kill -STOP $pid
		$io write /dev/md0 1048576 65536 3 >/tmp/write 2>&1 &
		sleep 2
		same "$text, mdmon stopped: a write waits" "$(cat /tmp/write)" ""
		same "$text, mdmon stopped: a read does not" "$($io -p read /dev/md0 8388608 4096 0 | grep -c .)" 1
		check "$text, mdmon stopped: registration" $hold /dev/md0 -- true
		kill -CONT $pid
		wait $!
		same "$text, mdmon goes on: the write" "$(cat /tmp/write)" ok
		same "$text, mdmon goes on: data" "$($io -p read /dev/md0 1048576 65536 3)" ok
		echo faulty >"/sys/block/md0/md/dev-$(disk $m/1)/state"
		same "$text, a member failed: I/O" "$($io write /dev/md0 2097152 65536 4)" ok
	fi
	check "$text: stopped" mdadm --stop --quiet /dev/md0
	mdadm --stop --quiet /dev/md127
	if [ "$level" = 0 ]; then
		check "$text: assembled" sh -c "mdadm --assemble --quiet /dev/md127 $m/0 $m/1 &&
			mdadm --incremental --run --quiet /dev/md127"
		mdadm --stop --quiet --scan
	fi
	mdadm --zero-superblock $m/0 $m/1 2>/dev/null
	dd if=/dev/zero of=$m/0 bs=1M oflag=direct 2>/dev/null
	dd if=/dev/zero of=$m/1 bs=1M oflag=direct 2>/dev/null
}

external imsm 1
external imsm 0
external ddf 1
external ddf 0
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
