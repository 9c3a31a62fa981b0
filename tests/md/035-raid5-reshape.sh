#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M
# kernel: both
#
# A reshape of raid5 stands still with a part of the array in hand. What is for that part
# waits for it to go on, and the array can be suspended meanwhile.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
sys=/sys/block/md0/md
array md0 5 --chunk=64 -- $m/0 $m/1 $m/2
mdadm --quiet /dev/md0 --add $m/3
md_speed md0 200
mdadm --quiet --grow /dev/md0 --raid-devices=4 --backup-file=/tmp/reshape 2>/dev/null
i=0
while [ "$(cat $sys/reshape_position)" = 0 ] && [ $i -lt 100 ]; do
	i=$((i + 1))
	sleep 0.05
done
echo frozen >$sys/sync_action
dmesg -c >/dev/null
{
	i=0
	sleep 3
	# there may be nothing in hand just where it stands
	until dmesg | grep -q "io across reshape position" || [ $i -ge 10 ]; do
		i=$((i + 1))
		echo idle >$sys/sync_action
		sleep 0.1
		echo frozen >$sys/sync_action
		sleep 1
	done
	echo 0 >$sys/suspend_lo
	dmesg | grep -c "io across reshape position" >/tmp/met
	touch /tmp/over
	md_speed md0 100000
	echo idle >$sys/sync_action
} &
check "data" /tests-bin/data/steady -b test /dev/md0 -- \
	sh -c 'while [ ! -e /tmp/over ]; do sleep 0.1; done'
wait
check "some met the reshape" [ "$(cat /tmp/met)" -gt 0 ]
sound "reshaped" md0 4
stop md0 $m/0 $m/1 $m/2 $m/3
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
