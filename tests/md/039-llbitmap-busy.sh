#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --size 64M
#
# A write is under way when the lockless bitmap wants to clear bits of the page that the
# write holds, and for so long that this is given up. Another write, which waited for the
# page meanwhile, goes on then.
#
#	md0, raid1
#	├─member/0
#	└─late (linear)		suspended
#	  └─member/1
. /tests/include/tap.sh
. /tests/include/md.sh

io=/tests-bin/data/io
m=/dev/member

# dirty: bits
dirty()
{
	md md0 llbitmap/bits | awk '$1 == "dirty" { print $2 }'
}

# given_up: the daemon has said so
given_up()
{
	dmesg | grep -c 'md_llbitmap_daemon_fn waiting for page . timeout'
}

linear late $m/1
lockless md0 1 --size=32M -- $m/0 /dev/mapper/late
same "the bitmap is lockless" "$(md md0 bitmap_type)" "none bitmap [llbitmap] "
echo 0 >/sys/block/md0/md/safe_mode_delay
echo 2 >/sys/block/md0/md/llbitmap/daemon_sleep
echo 1 >/sys/block/md0/md/llbitmap/barrier_idle

# no write is to wait for a superblock on the member that is suspended
same "written before" "$($io -p write /dev/md0 8192 4096 1)" ok
i=0
while [ "$(dirty)" != 0 ] && [ $i -lt 100 ]; do
	sleep 0.1
	i=$((i + 1))
done
same "dirty bits left of that" "$(dirty)" 0

# the bitmap is tried after 2 seconds, for 2 seconds
dmsetup suspend --noflush --nolockfs late
$io -p write /dev/md0 0 4096 1 >/tmp/first &
sleep 3
$io -p write /dev/md0 4096 4096 1 >/tmp/second &
i=0
while [ "$(given_up)" = 0 ] && [ $i -lt 100 ]; do
	sleep 0.1
	i=$((i + 1))
done
same "clearing bits was given up" "$(given_up)" 1
same "the writes are under way" "$(cat /tmp/first /tmp/second)" ""
dmsetup resume late
i=0
while [ "$(cat /tmp/first /tmp/second | grep -c .)" != 2 ] && [ $i -lt 50 ]; do
	sleep 0.1
	i=$((i + 1))
done
same "the first has ended" "$(cat /tmp/first)" ok
same "the one that waited, too" "$(cat /tmp/second)" ok
[ "$TAP_FAILED" = 0 ] || done_testing
stop md0 $m/0 /dev/mapper/late
done_testing
