#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M
# kernel: lean
#
# max_sectors_kb of a disk, which an administrator can lower, bounds the commands that
# carry a dma-buf, as it bounds all others.
. /tests/include/tap.sh
. /tests/include/md.sh

load=/tests-bin/data/load
m=/dev/member
members="$m/0 $m/1 $m/2 $m/3"

# limit KB: of all members
limit()
{
	local dev

	for dev in $members; do
		echo "$1" >"/sys/block/$(disk "$dev")/queue/max_sectors_kb"
	done
}

# commands DEVICE...: writes so far
commands()
{
	local dev sum=0

	for dev; do
		sum=$((sum + $(awk '{ print $5 }' "/sys/block/$(disk "$dev")/stat")))
	done
	echo $sum
}

# bounded TEXT DEVICE COPIES: 8 MiB requests
bounded()
{
	local kb before nr how ceiling text=$1 dev=$2 copies=$3

	ceiling=$(cat "/sys/block/$(disk "$dev")/queue/max_hw_dmabuf_sectors_kb")
	for kb in 64 256 1024; do
		limit $kb
		for how in "-o" ""; do
			# shellcheck disable=SC2086
			before=$(commands $members)
			# shellcheck disable=SC2086
			check "$text, $kb KiB${how:+, an ordinary buffer}: data" $load $how "$dev" 8388608 1 2
			# shellcheck disable=SC2086
			nr=$(($(commands $members) - before))
			check "$text, $kb KiB${how:+, an ordinary buffer}: $nr commands for 16 MiB" \
				[ $nr -ge $((16384 * copies / kb)) ]
		done
		same "$text, $kb KiB: the ceiling stays" \
			"$(cat "/sys/block/$(disk "$dev")/queue/max_hw_dmabuf_sectors_kb")" "$ceiling"
	done
	limit 2048
	# shellcheck disable=SC2086
	before=$(commands $members)
	check "$text, as before: data" $load "$dev" 8388608 1 2
	# shellcheck disable=SC2086
	nr=$(($(commands $members) - before))
	check "$text, as before: $nr commands for 16 MiB" [ $nr -le $((10 * copies)) ]
}

for dev in $members; do
	echo none >"/sys/block/$(disk $dev)/queue/scheduler"
	cat "/sys/block/$(disk $dev)/queue/max_hw_sectors_kb" >"/sys/block/$(disk $dev)/queue/max_sectors_kb"
done
bounded namespace $m/0 1
# shellcheck disable=SC2086
stripe st 2048 $members
bounded stripe /dev/mapper/st 1
dmsetup remove st
array md0 raid1 --size=32M -- $m/0 $m/1
echo 0 >/sys/block/md0/md/safe_mode_delay
dd if=/dev/zero of=/dev/md0 bs=64k count=1 oflag=direct 2>/dev/null
bounded raid1 /dev/md0 2
stop md0 $m/0 $m/1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
