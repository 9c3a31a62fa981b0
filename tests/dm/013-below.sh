#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 3 --virtio 1 --size 64M
# kernel: both
#
# What is two levels below a volume or an array changes, and nobody tells the ones
# between: the next registration and the next I/O find what is there now.
. /tests/include/tap.sh
. /tests/include/md.sh

hold=/tests-bin/data/hold
m0=/dev/member/0
m1=/dev/member/1
m2=/dev/member/2
size=$(sectors $m0)
good="0 $size linear $m0 0"
crypt="0 $size crypt aes-xts-plain64 $(printf '%064d' 1) 0 $m0 0"
virtio="0 $size linear /dev/vda 0"

# low TABLE
low()
{
	dmsetup suspend low
	dmsetup reload low --table "$1" && dmsetup resume low
}

# follows TEXT DEVICE
follows()
{
	local bad line

	for bad in "$crypt" "$virtio"; do
		case $bad in
		*crypt*) line='target "crypt" cannot carry' ;;
		*) line='vda: the driver has no' ;;
		esac
		low "$bad"
		dmesg -c >/dev/null
		same "$1 over ${line%%:*}: registration" "$($hold "$2" -- true)" EOPNOTSUPP
		check "$1 over ${line%%:*}: the log names it" sh -c "dmesg | grep -q '$line'"
		check "$1 over ${line%%:*}: the tool names it" \
			sh -c "! dmabuf-stack probe $2 >/tmp/out && grep -q 'crypt\|virtio' /tmp/out"
		low "$good"
		check "$1, capable now: registration and I/O" $hold -i "$2" -- true
		check "$1, capable now: the tool" dmabuf-stack probe "$2"
		check "$1: capable again by the next I/O" $hold -i "$2" -- \
			sh -c "dmsetup suspend low && dmsetup reload low --table '$bad' && dmsetup resume low
			dmsetup suspend low && dmsetup reload low --table '$good' && dmsetup resume low"
		same "$1: no longer" "$($hold -i "$2" -- \
			sh -c "dmsetup suspend low && dmsetup reload low --table '$bad' && dmsetup resume low")" EOPNOTSUPP
		# the log takes ten lines in five seconds
		sleep 3
	done
	low "$good"
}

# built while what is below cannot
dmsetup create low --table "$crypt"
dmsetup create v --table "0 $size linear /dev/mapper/low 0"
dmsetup create top --table "0 $size linear /dev/mapper/v 0"
follows linear /dev/mapper/top
dmsetup remove top
dmsetup remove v

low "$crypt"
stripe st 128 /dev/mapper/low $m1
follows stripe /dev/mapper/st
dmsetup remove st

for level in raid0 raid1 raid10 raid5; do
	low "$virtio"
	array md0 $level -- /dev/mapper/low $m1 $m2
	low "$good"
	# the member's data is on another disk now
	case $level in
	raid0) ;;
	*)
		dd if=/dev/vda of=$m0 bs=1M count=64 oflag=direct 2>/dev/null
		;;
	esac
	check "$level, built on what could not: registration" $hold -i /dev/md0 -- true
	check "$level, built on what could not: the tool" dmabuf-stack probe /dev/md0
	low "$virtio"
	same "$level, no longer: registration" "$($hold /dev/md0 -- true)" EOPNOTSUPP
	low "$good"
	check "$level, again: registration" $hold -i /dev/md0 -- true
	stop md0 /dev/mapper/low $m1 $m2
done
dmsetup remove low
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
