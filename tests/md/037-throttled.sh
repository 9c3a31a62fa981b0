#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2
# kernel: debug
#
# Writes that an array puts off count once against the limit of their control group, as
# those with ordinary buffers. Only the debug kernel has control groups.
. /tests/include/tap.sh
. /tests/include/md.sh

load=/tests-bin/data/load
cg=/sys/fs/cgroup/slow

# took COMMAND...: in the group; milliseconds
took()
{
	local begin

	begin=$(ms)
	sh -c "echo \$\$ >$cg/cgroup.procs; exec \"\$@\"" sh "$@" >/tmp/out 2>&1 || echo failed
	echo $(($(ms) - begin))
}

array md0 1 -- /dev/member/0 /dev/member/1
echo +io >/sys/fs/cgroup/cgroup.subtree_control
mkdir $cg
free=$(took $load /dev/md0 4096 8 150)
echo "$(cat /sys/block/md0/dev) wiops=15" >$cg/io.max
ordinary=$(took $load -o /dev/md0 4096 8 150)
other=$(took $load /dev/md0 4096 8 150)
diag "150 writes, 15 in a second: ordinary buffers $ordinary, a dma-buf $other ms, without a limit $free"
check "the limit is one" test "$ordinary" -ge 8000
check "and for a dma-buf" test "$other" -ge 8000
check "each counts once" test "$other" -le $((ordinary * 3 / 2))
echo "$(cat /sys/block/md0/dev) wiops=max" >$cg/io.max
stop md0 /dev/member/0 /dev/member/1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
