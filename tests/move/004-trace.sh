#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --size 64M
# kernel: both
#
# The trace tells what has become of a registration and of its bios.
. /tests/include/tap.sh

T=/sys/kernel/tracing
dev=$(basename "$(readlink -f "/sys/block/$(disk /dev/member/1)/device/device")")

echo 1 >$T/events/dma_buf_io/enable
echo 1 >$T/events/blk_dmabuf/enable
echo 2000 >/sys/module/dma_buf_io/parameters/park_timeout_ms
linear vol /dev/member/0 /dev/member/1
{
	for then in unrevoke stop; do
		sleep 1
		# so that requests have been on their way when it happens
		dmsetup suspend --nolockfs --noflush vol
		sleep 1
		echo revoke
		sleep 1
		dmsetup resume vol
		sleep 1
		[ $then = unrevoke ] || sleep 3
		echo $then
	done
} | /tests-bin/matrix/stream -p $(($(sectors /dev/member/0) * 512 - 2097152)) /dev/mapper/vol >/tmp/out
echo 0 >$T/events/dma_buf_io/enable
echo 0 >$T/events/blk_dmabuf/enable
cp $T/trace /tmp/trace
check "requests failed in the end" grep -q 'errno=ESTALE' /tmp/out

# told NAME PATTERN
told()
{
	check "$1" grep -qE "(dma_buf_io|blk_dmabuf)_$1: dmabuf=[0-9]+ $2\$" /tmp/trace
}

told bind "dev=$dev ret=0"
told map "dev=$dev size=4194304 runs=[0-9]+"
told invalidate "dev=$dev waited_ns=[0-9]+"
told park "dev=[0-9]+,[0-9]+ sector=[0-9]+ \+ [0-9]+"
told resume "dev=[0-9]+,[0-9]+ sector=[0-9]+ \+ [0-9]+"
told give_up "dev=[0-9]+,[0-9]+ sector=[0-9]+ \+ [0-9]+"
same "all of it about one dma-buf" "$(grep -o 'dmabuf=[0-9]*' /tmp/trace | sort -u | grep -c .)" 1
# in the order of what happened
same "what has been given up was taken away before" \
	"$(grep -m1 -o 'dma_buf_io_invalidate\|blk_dmabuf_give_up' /tmp/trace)" dma_buf_io_invalidate
dmsetup remove vol
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
