#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --virtio 1
# kernel: both
#
# What cannot carry a dma-buf is refused by name, in one line of the kernel log.
. /tests/include/tap.sh

hold=/tests-bin/data/hold
d0=/dev/member/0
d1=/dev/member/1
size=$(sectors $d0)

# refused TEXT DEVICE PATTERN
refused()
{
	local before after

	before=$(dmesg | grep -c 'dma-buf\|dmabuf')
	same "$1: errno" "$($hold "$2" -- true)" EOPNOTSUPP
	after=$(dmesg | grep -c 'dma-buf\|dmabuf')
	same "$1: lines in the log" $((after - before)) 1
	if dmesg | tail -n 5 | grep -q "$3"; then
		ok "$1: the line names it"
	else
		not_ok "$1: the line names it"
		diag "$(dmesg | tail -n 1)"
	fi
}

file=/tmp/file
dd if=/dev/zero of=$file bs=1M count=8 2>/dev/null
loop=$(losetup -f)
losetup "$loop" $file

refused "loop" "$loop" "$(basename "$loop"): the driver has no dma-buf support"
refused "ram disk" /dev/ram0 'ram0: the driver has no dma-buf support'
refused "virtio disk" /dev/vda 'vda: the driver has no dma-buf support'

dmsetup create cr --table "0 $size crypt aes-xts-plain64 $(printf '%064d' 1) 0 $d0 0"
refused "crypt" /dev/mapper/cr 'target "crypt" cannot carry dma-buf I/O'
dmsetup create lincr --table "0 $size linear /dev/mapper/cr 0"
refused "linear on crypt" /dev/mapper/lincr 'target "crypt" cannot carry dma-buf I/O'
dmsetup remove lincr
dmsetup remove cr

dmsetup create z --table "0 $size zero"
refused "zero" /dev/mapper/z 'target "zero" cannot carry dma-buf I/O'
dmsetup remove z

printf '%s\n' "0 $size linear $d0 0" "$size 1024 zero" | dmsetup create mix
refused "linear and zero in one table" /dev/mapper/mix 'target "zero" cannot'
dmsetup remove mix

linear vfirst /dev/vda $d0
refused "linear on a virtio disk, then one that can" /dev/mapper/vfirst 'vda: the driver has no dma-buf support'
dmsetup remove vfirst

linear both /dev/vda "$loop"
refused "linear on two that cannot" /dev/mapper/both 'vda: the driver has no dma-buf support'
dmsetup remove both

dmsetup create onloop --table "0 16384 linear $loop 0"
refused "linear on loop" /dev/mapper/onloop 'loop0: the driver has no dma-buf support'
dmsetup remove onloop

same "what they say of themselves" \
	"$(cat /sys/block/loop0/queue/max_hw_dmabuf_sectors_kb /sys/block/ram0/queue/max_hw_dmabuf_sectors_kb | tr '\n' ' ')" "0 0 "

# capable ones: the device's own ceiling, not what it can map for each command
stripe st 128 $d0 $d1
same "namespace" "$(cat "/sys/block/$(disk $d0)/queue/max_hw_dmabuf_sectors_kb")" 2048
same "stripe of two" "$(cat "/sys/block/$(disk /dev/mapper/st)/queue/max_hw_dmabuf_sectors_kb")" 2147483647
dmsetup remove st

same "nothing attached afterwards" "$(wait_detached)" 0
losetup -d "$loop"
done_testing
