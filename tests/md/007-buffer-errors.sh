#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --size 64M --timeout 900
# kernel: both
#
# The buffer is out of reach for one member, for all, or now and then: that costs
# no member and no sector, and leaves no copies that differ.
. /tests/include/tap.sh
. /tests/include/md.sh

m0=/dev/member/0
m1=/dev/member/1
m2=/dev/member/2
m3=/dev/member/3

# trouble TEXT MEMBER SECONDS: on md0, with the buffer out of MEMBER's reach
trouble()
{
	local text=$1 n

	n=$(members md0 | grep -c .)
	tap "$text" /tests-bin/md/unreachable /dev/md0 "$(pci "$2")" "$3"
	sound "$text" md0 "$n"
}

# unread TEXT: one member after the other ends what it is to read with the status
unread()
{
	local text=$1 dev

	/tests-bin/data/io write /dev/md0 0 1048576 1 >/dev/null
	for dev in $(members md0); do
		inject "$dev" READ BUFFER
		same "$text: read without $dev" "$(/tests-bin/data/io read /dev/md0 0 1048576 1)" ok
		inject "$dev" none
	done
}

# transfer_error TEXT MEMBER: it says that the data did not get through, which is held
# against the buffer. The driver's fault injection is in the debug kernel.
transfer_error()
{
	local fault how=ok i=0

	fault=/sys/kernel/debug/$(disk "$2")/fault_inject
	[ -d "$fault" ] || return
	/tests-bin/data/io write /dev/md0 0 1048576 1 >/dev/null
	echo 0 >"$fault/verbose"
	echo 2 >"$fault/opcode"
	echo 0x4 >"$fault/status"
	echo 1 >"$fault/dont_retry"
	echo 1 >"$fault/times"
	echo 100 >"$fault/probability"
	while [ "$how" = ok ] && [ "$(cat "$fault/times")" != 0 ] && [ $i -lt 50 ]; do
		i=$((i + 1))
		how=$(/tests-bin/data/io read /dev/md0 0 1048576 1)
	done
	same "$1: reads, errors left" "$how $(cat "$fault/times")" "ok 0"
	echo 0 >"$fault/probability"
	sound "$1" md0 "$(members md0 | grep -c .)"
}

# not_resynced LEVEL: copies may differ, and it is the first that is shown
not_resynced()
{
	local text="$1, not resynced" speed=/proc/sys/dev/raid/speed_limit old

	old=$(cat ${speed}_min ${speed}_max | paste -sd ' ')
	echo 1 >${speed}_min
	echo 1 >${speed}_max
	mdadm --create /dev/md0 --run --quiet --metadata=1.2 --homehost=any --level="$1" \
		--raid-devices=2 --bitmap=none --size=32M $m0 $m1
	echo frozen >/sys/block/md0/md/sync_action
	/tests-bin/data/io write /dev/md0 16777216 1048576 1 >/dev/null
	inject "$(disk $m0)" READ BUFFER
	same "$text: read without the first" \
		"$(/tests-bin/data/io read /dev/md0 16777216 1048576 1)" ESTALE
	inject "$(disk $m0)" none
	inject "$(disk $m1)" READ BUFFER
	same "$text: read without the second" \
		"$(/tests-bin/data/io read /dev/md0 16777216 1048576 1)" ok
	inject "$(disk $m1)" none
	echo "${old% *}" >${speed}_min
	echo "${old#* }" >${speed}_max
	echo idle >/sys/block/md0/md/sync_action
	sound "$text" md0 2
	stop md0 $m0 $m1
}

not_resynced raid1
not_resynced raid10

array md0 raid1 -- $m0 $m1
unread "raid1"
transfer_error "raid1, a transfer error" $m0
trouble "raid1" $m1 2
stop md0 $m0 $m1

array md0 raid1 --failfast -- $m0 $m1
trouble "raid1, failfast alone" $m0 2
stop md0 $m0 $m1

array md0 raid1 -- $m0 --write-mostly $m1
trouble "raid1, write-mostly alone" $m1 2
stop md0 $m0 $m1

array md0 raid1 --bitmap=internal -- $m0 $m1 $m2
trouble "raid1 of 3, bitmap" $m0 2
stop md0 $m0 $m1 $m2

array md0 raid1 --failfast --bitmap=internal -- $m0 $m1
trouble "raid1, failfast" $m1 2
stop md0 $m0 $m1

array md0 raid1 --bitmap=internal --write-behind=256 -- $m0 --write-mostly $m1
trouble "raid1, write-mostly and write-behind" $m1 2
trouble "raid1, the other is write-mostly" $m0 2
stop md0 $m0 $m1

array md0 raid10 --chunk=64 -- $m0 $m1 $m2 $m3
unread "raid10"
transfer_error "raid10, a transfer error" $m0
trouble "raid10" $m2 2
stop md0 $m0 $m1 $m2 $m3

array md0 raid10 --chunk=64 --bitmap=internal -- $m0 $m1 $m2 $m3
trouble "raid10, bitmap" $m1 2
stop md0 $m0 $m1 $m2 $m3

array md0 raid10 --chunk=64 --failfast -- $m0 $m1 $m2 $m3
trouble "raid10, failfast" $m3 2
stop md0 $m0 $m1 $m2 $m3

array md0 raid10 --layout=f2 --chunk=64 --bitmap=internal --failfast -- $m0 $m1 $m2
trouble "raid10, far, bitmap, failfast" $m0 2
stop md0 $m0 $m1 $m2

same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
