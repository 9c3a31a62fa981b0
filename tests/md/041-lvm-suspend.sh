#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --size 160M --timeout 300 --smp 4
# kernel: both
#
# LVM RAID volumes with large regions, suspended and resumed again and again while requests
# are under way that are larger than what the array takes at once.
. /tests/include/tap.sh
. /tests/include/md.sh

load=/tests-bin/data/load

in_sync()
{
	local i=0

	while [ "$(lvs --noheadings -o sync_percent "vg/$1" | tr -d ' ')" != 100.00 ] && [ $i -lt 600 ]; do
		i=$((i + 1))
		sleep 0.1
	done
}

vgcreate -qq vg /dev/member/0 /dev/member/1 2>/dev/null
for type in raid1 mirror; do
	lvcreate -qq -y -Wn -Zn -n lv --type $type -m1 -R 16M -L 96M \
		$([ $type = raid1 ] || echo --mirrorlog core) vg
	in_sync lv
	dev=/dev/mapper/vg-lv
	i=0
	(
		while [ ! -e /tmp/stop ]; do
			$load $dev $((16 << 20)) 6 6 || echo failed
		done
	) >/tmp/load 2>&1 &
	while [ $i -lt 30 ]; do
		# I/O that waits for this is split when it may go on
		[ $type = mirror ] || dmsetup message $dev 0 check 2>/dev/null
		sleep 0.2
		timeout 30 dmsetup suspend $dev || break
		dmsetup resume $dev
		sleep 0.1
		i=$((i + 1))
	done
	touch /tmp/stop
	dmsetup resume $dev
	wait
	rm /tmp/stop
	same "$type: suspended under load" $i 30
	check "$type: data" sh -c "! grep -q 'failed\|wrong\|ended' /tmp/load"
	check "$type: removed" lvremove -qq -y vg/lv
done
vgremove -qq vg
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
