#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 3 --virtio 1 --size 64M
# kernel: both
#
# Arrays that cannot carry a dma-buf are refused in one line of the kernel log,
# which names the member that cannot.
. /tests/include/tap.sh
. /tests/include/md.sh

hold=/tests-bin/data/hold
m0=/dev/member/0
m1=/dev/member/1

# refused TEXT DEVICE ERRNO PATTERN
refused()
{
	local before after

	before=$(dmesg | grep -c 'dma-buf\|dmabuf')
	same "$1: errno" "$($hold "$2" -- true)" "$3"
	after=$(dmesg | grep -c 'dma-buf\|dmabuf')
	same "$1: lines in the log" $((after - before)) 1
	if dmesg | grep 'dma-buf\|dmabuf' | tail -n 1 | grep -q "$4"; then
		ok "$1: the line names it"
	else
		not_ok "$1: the line names it"
		diag "$(dmesg | tail -n 3)"
	fi
	check "$1: the tool says so" sh -c "! dmabuf-stack probe $2 >/dev/null"
}

truncate -s 64M /tmp/file
loop=$(losetup -f)
losetup "$loop" /tmp/file

for level in linear raid0 raid1 raid10 raid4 raid5; do
	array md0 $level -- $m0 $m1 /dev/vda
	refused "$level with a virtio member" /dev/md0 EOPNOTSUPP 'vda: the driver has no dma-buf support'
	stop md0 $m0 $m1 /dev/vda
done
array md0 raid1 -- "$loop" $m0
refused "raid1 with a loop member" /dev/md0 EOPNOTSUPP 'loop0: the driver has no dma-buf support'
array md1 raid0 -- /dev/md0 $m1
refused "md on such an array" /dev/md1 EOPNOTSUPP 'loop0: the driver has no dma-buf support'
stop md1
stop md0 "$loop" $m0

array md0 raid1 -- "$loop" /dev/vda
refused "raid1 of two that cannot" /dev/md0 EOPNOTSUPP 'the driver has no dma-buf support'
stop md0 "$loop" /dev/vda

dmsetup create cr --table "0 $(sectors $m0) crypt aes-xts-plain64 $(printf '%064d' 1) 0 $m0 0"
array md0 raid1 -- /dev/mapper/cr $m1
refused "raid1 with an encrypted member" /dev/md0 EOPNOTSUPP 'target "crypt" cannot carry dma-buf I/O'
stop md0 /dev/mapper/cr $m1
dmsetup remove cr

# Half of an array, not started.
array md0 raid1 -- $m0 $m1
stop md0
mdadm --incremental --quiet $m0
inactive=$(awk '/inactive/ { print $1 }' /proc/mdstat)
same "an inactive array" "$(md "${inactive:-none}" array_state)" inactive
refused "an inactive array" "/dev/$inactive" EOPNOTSUPP "$inactive: inactive array"
stop "$inactive"

# A member's own data is anybody's who may open the disk, as with ordinary I/O.
mdadm --assemble --quiet /dev/md0 $m0 $m1
check "a member in use: as open to dma-bufs as to direct I/O" $hold -i $m0 -- true
check "a member in use: the tool will not write to it" \
	sh -c "! dmabuf-stack verify --destroy-data $m0 >/tmp/out 2>&1 && grep -q 'in use' /tmp/out"
stop md0 $m0 $m1

same "nothing attached afterwards" "$(wait_detached)" 0
losetup -d "$loop"
done_testing
