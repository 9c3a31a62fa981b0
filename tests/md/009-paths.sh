#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --size 64M
# kernel: lean
#
# What the members saw of 8 MiB: all of it, no more, and in no more commands than
# of an ordinary buffer.
. /tests/include/tap.sh
. /tests/include/md.sh

io=/tests-bin/data/io
LEN=8388608
m0=/dev/member/0
m1=/dev/member/1
m2=/dev/member/2
m3=/dev/member/3

# traffic OP: "bytes/commands" for each member so far; OP is a field of stat
traffic()
{
	local dev

	for dev in $(members md0); do
		awk -v c="$1" '{ print $(c + 2) * 512, $c }' "/sys/block/$dev/stat"
	done
}

# seen KIND write|read: what each member saw of it, and the commands of all
seen()
{
	local field=1

	[ "$2" = read ] || field=5
	traffic $field >/tmp/before
	$io -b "$1" "$2" /dev/md0 0 $LEN 1 >/tmp/result
	traffic $field >/tmp/after
	paste -d' ' /tmp/before /tmp/after |
		awk '{ printf "%d ", $3 - $1; n += $4 - $2 } END { print n }'
}

# paths TEXT WRITTEN READ MEMBER...: bytes wanted on each member; "any": LEN in sum
paths()
{
	local text=$1 op wanted got commands ordinary copied

	copied=$(cat /sys/kernel/debug/dma_buf_io/copied_bytes)
	for op in write read; do
		[ $op = write ] && wanted=$2 || wanted=$3
		ordinary=$(seen memory $op)
		got=$(seen udmabuf $op)
		same "$text, $op: result" "$(cat /tmp/result)" ok
		commands=${got##* }
		got=${got% *}
		if [ "$wanted" = any ]; then
			same "$text, $op: bytes in all" "$(($(echo "$got" | tr ' ' +)))" $LEN
		else
			same "$text, $op: bytes on the members" "$got" "$wanted"
		fi
		if [ "$commands" -le "${ordinary##* }" ]; then
			ok "$text, $op: commands ($commands, ordinary ${ordinary##* })"
		else
			not_ok "$text, $op: commands ($commands, ordinary ${ordinary##* })"
		fi
	done
	same "$text: bytes copied by the CPU" \
		$(($(cat /sys/kernel/debug/dma_buf_io/copied_bytes) - copied)) 0
}

quarter=$((LEN / 4))
half=$((LEN / 2))

array md0 raid0 --chunk=64 -- $m0 $m1 $m2 $m3
paths raid0 "$quarter $quarter $quarter $quarter" "$quarter $quarter $quarter $quarter"
stop md0 $m0 $m1 $m2 $m3

array md0 linear -- $m0 $m1
paths linear "$LEN 0" "$LEN 0"
stop md0 $m0 $m1

# no superblock is written in between
array md0 raid1 -- $m0 $m1
echo 0 >/sys/block/md0/md/safe_mode_delay
paths raid1 "$LEN $LEN" any
stop md0 $m0 $m1

array md0 raid10 --chunk=64 -- $m0 $m1 $m2 $m3
echo 0 >/sys/block/md0/md/safe_mode_delay
paths raid10 "$half $half $half $half" any
stop md0 $m0 $m1 $m2 $m3
done_testing
