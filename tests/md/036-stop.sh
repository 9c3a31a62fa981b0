#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M
# kernel: both
#
# An array is stopped through the file that I/O has been sent through. What the exporter
# keeps waiting is done first. No other levels ask it before they copy.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
for level in 5 6; do
	set -- $m/0 $m/1 $m/2 $m/3
	array md0 $level -- "$@"
	same "raid$level, writes" "$(/tests-bin/md/stop /dev/md0 write 16 65536 $level)" "16 stopped right"
	same "raid$level: gone" "$(cat /sys/block/md0/md/array_state 2>/dev/null || echo clear)" clear
	mdadm --assemble --quiet /dev/md0 "$@"
	same "raid$level: what was written" \
		"$(/tests-bin/data/io -p read /dev/md0 0 1048576 $level)" ok
	# also of a member that is not there
	fail md0 $m/1
	same "raid$level, reads" "$(/tests-bin/md/stop /dev/md0 read 16 65536 $level)" "16 stopped right"
	same "raid$level: gone" "$(cat /sys/block/md0/md/array_state 2>/dev/null || echo clear)" clear
	mdadm --zero-superblock --quiet "$@"
done
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
