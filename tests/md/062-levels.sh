#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M
# kernel: both
#
# An array changes its level under load, again and again: I/O never finds an array that
# cannot carry it, and there is no loss.
. /tests/include/tap.sh
. /tests/include/md.sh

steady=/tests-bin/data/steady
m=/dev/member

array md0 raid1 -- $m/0 $m/1
cat >/tmp/levels <<'EOF'
# busy while the array looks for something to recover
level()
{
	local tries=0

	until echo "$1" >/sys/block/md0/md/level; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || exit 1
		sleep 0.1
	done 2>/dev/null
}
i=0
while [ $i -lt 100 ]; do
	level raid5
	level raid1
	i=$((i + 1))
done
echo $i >/tmp/done
EOF
check "200 changes of level under load" $steady /dev/md0 -- sh /tmp/levels
same "200 changes of level under load: all of them" "$(cat /tmp/done)" 100
same "200 changes of level under load: level" "$(md md0 level)" raid1
sound "200 changes of level under load" md0 2
stop md0 $m/0 $m/1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
