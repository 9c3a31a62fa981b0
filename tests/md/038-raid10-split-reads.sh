#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M --mdts 1
#
# A resync of raid10 whose reads are split, by disks that take 8 KiB at a time, and
# whose copies differ. What is written is what was read first, from its start.
. /tests/include/tap.sh
. /tests/include/md.sh

io=/tests-bin/data/io
m=/dev/member

for i in 0 1 2 3; do
	same "member $i has data" "$($io -p write $m/$i 0 33554432 $i)" ok
done
for layout in n2 f2; do
	check "$layout: in sync" array md0 10 --layout=$layout --chunk=64 --size=8M -- $m/0 $m/1 $m/2 $m/3
	sound $layout md0 4
	stop md0 $m/0 $m/1 $m/2 $m/3
	for i in 0 1 2 3; do
		$io -p write $m/$i 0 33554432 $i >/dev/null
	done
done
done_testing
