#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 3 --size 64M --iommu off --append swiotlb=force --mem 2G --hugepages 8
# kernel: lean
#
# Where the DMA API copies everything through buffers of its own, data is right, or a
# registration is refused and the log says why; for each kind of buffer, also after a
# move, and with segments that are larger than what it can copy.
. /tests/include/tap.sh
. /tests/include/md.sh

io=/tests-bin/data/io
hold=/tests-bin/data/hold
m=/dev/member
seed=0
LENGTH=$((4 << 20))

# io_right TEXT KIND DEVICE: a write and a read, each compared with plain I/O
io_right()
{
	seed=$((seed + 1))
	same "$1: a write" "$($io -r -b "$2" write "$3" 1048576 $LENGTH $seed), $($io -p read "$3" 1048576 $LENGTH $seed)" "ok, ok"
	seed=$((seed + 1))
	same "$1: a read" "$($io -p write "$3" 1048576 $LENGTH $seed), $($io -r -b "$2" read "$3" 1048576 $LENGTH $seed)" "ok, ok"
}

# the reason may be a line of what the exporter has called
reason()
{
	dmesg | grep -q 'dma-buf\|dmabuf' && dmesg | grep -qiE 'bounce|swiotlb|coheren'
}

# right_or_refused TEXT DEVICE
right_or_refused()
{
	local kind answer

	for kind in udmabuf udmabuf-huge udmabuf-scattered heap:system test contiguous pageless; do
		dmesg -c >/dev/null
		answer=$($hold -b $kind "$2" -- echo registered)
		if [ "$answer" = registered ]; then
			io_right "$1, $kind" $kind "$2"
			continue
		fi
		# the log takes ten lines in five seconds, the tool's among them
		if ! reason; then
			sleep 6
			answer=$($hold -b $kind "$2" -- echo registered)
		fi
		if reason; then
			ok "$1, $kind: refused ($answer), and why"
		else
			not_ok "$1, $kind: refused, and why"
			diag "$answer; $(dmesg | tail -n 3)"
		fi
	done
	# what moves, is held and is revoked; an array that copies has it pinned
	answer=$([ "$1" = raid5 ] || $hold -b test "$2" -- echo registered)
	[ "$answer" != registered ] || tap "$1, moved" /tests-bin/data/moving "$2" 1
	# the tool: status 0 means that the data is right
	answer=$($hold "$2" -- echo registered)
	if [ "$answer" = registered ]; then
		check "$1: verify" dmabuf-stack verify --destroy-data --length 4M --size 256K "$2"
	else
		check "$1: verify refuses" sh -c "! dmabuf-stack verify --destroy-data --length 4M --size 256K $2"
	fi
	dd if=/dev/urandom of=/tmp/in bs=1M count=4 2>/dev/null
	dmabuf-stack copy --no-progress /tmp/in "$2" >/tmp/copy 2>&1
	answer=$?
	if [ $answer = 0 ]; then
		check "$1: copy says that it has, and has" \
			sh -c "dd if=$2 bs=1M count=4 iflag=direct 2>/dev/null | cmp /tmp/in -"
	else
		ok "$1: copy says that it has not ($answer)"
	fi
}

right_or_refused namespace $m/0
linear lin $m/0
right_or_refused linear /dev/mapper/lin
dmsetup remove lin
stripe st 128 $m/0 $m/1
right_or_refused stripe /dev/mapper/st
dmsetup remove st
array md0 raid1 --size=16M -- $m/0 $m/1
right_or_refused raid1 /dev/md0
sound raid1 md0 2
stop md0 $m/0 $m/1
array md0 raid5 --size=16M -- $m/0 $m/1 $m/2
right_or_refused raid5 /dev/md0
sound raid5 md0 3
stop md0 $m/0 $m/1 $m/2
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
