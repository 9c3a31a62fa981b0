#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --size 64M --timeout 600
# kernel: both
#
# Arrays with a lockless bitmap: data, a buffer that is out of reach, a member that goes
# under I/O and comes again with what it has missed.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member

# member_again TEXT NUMBER: it has missed the writes of a while
member_again()
{
	check "$1: a member fails under I/O" /tests-bin/data/steady /dev/md0 -- sh -c ". /tests/include/md.sh
		fail md0 $m/1; sleep 1"
	same "$1: degraded" "$(md md0 degraded)" 1
	check "$1: it comes again under I/O" /tests-bin/data/steady /dev/md0 -- sh -c ". /tests/include/md.sh
		mdadm --quiet /dev/md0 --re-add $m/1; settle md0"
	sound "$1: it has come again" md0 "$2"
}

# each TEXT LEVEL NUMBER [OPTIONS] -- DEVICE...
each()
{
	local text=$1 level=$2 n=$3

	shift 3
	lockless md0 "$level" --size=32M "$@"
	same "$text: the bitmap is lockless" "$(md md0 bitmap_type)" "none bitmap [llbitmap] "
	# what has never been written is not made equal
	dd if=/dev/zero of=/dev/md0 bs=1M oflag=direct 2>/dev/null
	settle md0
	tap "$text" /tests-bin/data/matrix /dev/md0 quick buffer=udmabuf,test
	sound "$text" md0 "$n"
	if [ "$level" != 5 ]; then
		tap "$text" /tests-bin/md/unreachable /dev/md0 "$(pci $m/1)" 2
		sound "$text, out of reach" md0 "$n"
	fi
	member_again "$text" "$n"
	while [ "$1" != -- ]; do
		shift
	done
	shift
	stop md0 "$@"
}

each raid1 1 2 -- $m/0 $m/1
each raid10 10 4 --chunk=64 -- $m/0 $m/1 $m/2 $m/3
each raid5 5 3 --chunk=64 -- $m/0 $m/1 $m/2
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
