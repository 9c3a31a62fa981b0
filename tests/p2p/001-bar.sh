#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kernel: both
# vm: --members 4 --size 64M --smp 1 --qemu -object --qemu memory-backend-ram,id=bar,size=64M,share=on --qemu -device --qemu pcie-root-port,id=rp1,chassis=40,slot=40 --qemu -device --qemu ivshmem-plain,memdev=bar,bus=rp1
#
# Peer to peer: a PCI BAR exported by vfio-pci, behind the IOMMU. One CPU, because the
# emulator itself stops now and then when a second one runs while the BAR goes away.
. /tests/include/tap.sh
. /tests/include/md.sh

for dev in /sys/bus/pci/devices/*; do
	[ "$(cat "$dev/vendor"):$(cat "$dev/device")" = 0x1af4:0x1110 ] || continue
	addr=${dev##*/}
	echo vfio-pci >"$dev/driver_override"
	echo "$addr" >/sys/bus/pci/drivers_probe
	vfio=/dev/vfio/devices/$(ls "$dev/vfio-dev")
done
check "vfio-pci has the device" [ -c "${vfio:-none}" ]

T=/sys/kernel/tracing
copied=/sys/kernel/debug/dma_buf_io/copied_bytes
echo 1 >$T/events/dma_buf_io/dma_buf_io_invalidate/enable

on()
{
	local before

	before=$(cat $copied)
	echo >$T/trace
	tap "$1" /tests-bin/p2p/bar "$vfio" "$2"
	# the program says when
	check "$1: the reset takes the mappings back" \
		test "$(sed -n '/bar: reset$/,/bar: has been reset$/p' $T/trace | grep -c dma_buf_io_invalidate:)" -ge 1
	same "$1: bytes that the CPU copied" "$(($(cat $copied) - before))" 0
	same "$1: nothing attached afterwards" "$(wait_detached)" 0
}

on raw /dev/member/0
stripe st 128 /dev/member/0 /dev/member/1 /dev/member/2 /dev/member/3
on stripe /dev/mapper/st
dmsetup remove st
array md0 raid1 -- /dev/member/0 /dev/member/1
on raid1 /dev/md0
mdadm --stop --quiet /dev/md0
done_testing
