#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 1
# kernel: debug
#
# A bio that waits for the limit of its control group, while the volume gets a table
# that cannot take dma-bufs: the check at submission was passed long ago. Only the debug
# kernel has control groups.
. /tests/include/tap.sh

io=/tests-bin/data/io
cg=/sys/fs/cgroup/slow

linear vol /dev/member/0
$io write /dev/mapper/vol 0 1048576 1 >/dev/null
echo +io >/sys/fs/cgroup/cgroup.subtree_control
mkdir $cg
dev=$(cat "/sys/block/$(disk /dev/mapper/vol)/dev")
echo "$dev rbps=16384 wbps=16384" >$cg/io.max

for op in read write; do
	sh -c "echo \$\$ >$cg/cgroup.procs; exec $io $op /dev/mapper/vol 0 1048576 1" >/tmp/out &
	sleep 3
	same "$op: it waits" "$(cat /tmp/out)" ""
	dmsetup reload vol --table "0 $(sectors /dev/mapper/vol) zero"
	dmsetup suspend vol
	dmsetup resume vol
	echo "$dev rbps=max wbps=max" >$cg/io.max
	wait
	same "$op: not with this table" "$(cat /tmp/out)" ESTALE
	dmsetup reload vol --table "0 $(sectors /dev/mapper/vol) linear /dev/member/0 0"
	dmsetup suspend vol
	dmsetup resume vol
	echo "$dev rbps=16384 wbps=16384" >$cg/io.max
done
same "with the old one" "$($io read /dev/mapper/vol 0 1048576 1)" ok
dmsetup remove vol
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
