#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kernel: lean
#
# How many commands an 8 MiB write becomes, where a command may have 2 MiB: one for
# each 2 MiB of each device, whatever the size of the chunks between.
. /tests/include/tap.sh
. /tests/include/md.sh

load=/tests-bin/data/load
m=/dev/member
members="$m/0 $m/1 $m/2 $m/3"

for dev in $members; do
	echo none >"/sys/block/$(disk $dev)/queue/scheduler"
done

# write commands of all members so far
commands()
{
	local dev sum=0

	for dev in $members; do
		sum=$((sum + $(awk '{ print $5 }' "/sys/block/$(disk "$dev")/stat")))
	done
	echo $sum
}

# count TEXT DEVICE WANTED
count()
{
	local before

	before=$(commands)
	check "$1: data" $load "$2" 8388608 1 4
	same "$1: commands for 8 MiB" $((($(commands) - before) / 4)) "$3"
}

count namespace $m/0 4
linear lin $m/0
count linear /dev/mapper/lin 4
dmsetup remove lin
for chunk in 4 64 128 512 1024; do
	# shellcheck disable=SC2086
	stripe st $((chunk * 2)) $members
	count "stripe, ${chunk}K" /dev/mapper/st 4
	dmsetup remove st
done
linear l0 $m/0 $m/1
linear l1 $m/2 $m/3
stripe st 128 /dev/mapper/l0 /dev/mapper/l1
count "stripe on linear" /dev/mapper/st 4
dmsetup remove st
dmsetup remove l0
dmsetup remove l1

for chunk in 64 512; do
	# shellcheck disable=SC2086
	array md0 raid0 --chunk=$chunk -- $members
	count "raid0, ${chunk}K" /dev/md0 4
	# shellcheck disable=SC2086
	stop md0 $members
	# shellcheck disable=SC2086
	array md0 raid10 --size=64M --chunk=$chunk -- $members
	echo 0 >/sys/block/md0/md/safe_mode_delay
	dd if=/dev/zero of=/dev/md0 bs=64k count=1 oflag=direct 2>/dev/null
	count "raid10, ${chunk}K (each copy)" /dev/md0 8
	# shellcheck disable=SC2086
	stop md0 $members
done
array md0 raid1 --size=64M -- $m/0 $m/1
echo 0 >/sys/block/md0/md/safe_mode_delay
dd if=/dev/zero of=/dev/md0 bs=64k count=1 oflag=direct 2>/dev/null
count "raid1 (each copy)" /dev/md0 8
stop md0 $m/0 $m/1
done_testing
