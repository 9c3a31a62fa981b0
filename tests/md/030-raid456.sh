#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 5 --size 64M --hugepages 16 --timeout 900
# kernel: both
#
# raid4, raid5 and raid6: whole, without one member or two, rebuilding, and whole
# again; parity is right in the end. What the CPU copies is counted: nothing for
# reads of healthy chunks, every byte of a write once.
. /tests/include/tap.sh
. /tests/include/md.sh

m0=/dev/member/0
m1=/dev/member/1
m2=/dev/member/2
m3=/dev/member/3
m4=/dev/member/4

# bytes COMMAND...: what the CPU copied meanwhile
bytes()
{
	local before

	before=$(cat /sys/kernel/debug/dma_buf_io/copied_bytes)
	"$@" >/tmp/bytes.out 2>&1 || cat /tmp/bytes.out >&2
	echo $(($(cat /sys/kernel/debug/dma_buf_io/copied_bytes) - before))
}

# counted TEXT NAME DEVICE
counted()
{
	local image=/tmp/image size=8388608

	dd if=/dev/urandom of=$image bs=1M count=8 2>/dev/null
	same "$1: bytes copied by a write" \
		"$(bytes dmabuf-stack copy $image "/dev/$2")" $size
	same "$1: bytes copied by a read" \
		"$(bytes dmabuf-stack copy --length=$size "/dev/$2" $image.back)" 0
	check "$1: copied right" cmp $image $image.back
	fail "$2" "$3"
	same "$1, a member failed: bytes copied by a read" \
		"$(bytes dmabuf-stack copy --length=$size "/dev/$2" $image.back)" $size
	check "$1, a member failed: copied right" cmp $image $image.back
	mdadm --zero-superblock "$3"
	mdadm --quiet "/dev/$2" --add "$3"
	settle "$2"
	rm -f $image $image.back
}

array md0 raid5 --chunk=64 -- $m0 $m1 $m2 $m3
counted "raid5" md0 $m1
lives "raid5" md0 $m2 at=$((65536 * 3)),$((65536 * 3 * 16))
tap "raid5" /tests-bin/data/matrix /dev/md0 quick ring=fixed-file,defer-taskrun,sqpoll
sound "raid5, all rings" md0 4
# and a CPU's mapping that is one of I/O memory
tap "raid5, a buffer without pages" /tests-bin/data/matrix /dev/md0 quick buffer=pageless
sound "raid5, a buffer without pages" md0 4
# copies of whole pages are what it would leave out for bios with pages
echo 1 >/sys/block/md0/md/skip_copy
tap "raid5, skip_copy" /tests-bin/data/matrix /dev/md0 quick
sound "raid5, skip_copy" md0 4
stop md0 $m0 $m1 $m2 $m3

array md0 raid4 --chunk=4 -- $m0 $m1 $m2
BUFFERS=udmabuf,udmabuf-huge,heap:system lives "raid4, 4K chunks" md0 $m2
stop md0 $m0 $m1 $m2

# a request is larger than a chunk, a chunk larger than what is sent at once
array md0 raid5 --chunk=4096 -- $m0 $m1 $m2
lives "raid5, 4M chunks" md0 $m0 at=$((4 << 20)),$((8 << 20))
stop md0 $m0 $m1 $m2

array md0 raid6 --chunk=64 -- $m0 $m1 $m2 $m3 $m4
counted "raid6" md0 $m3
lives "raid6" md0 $m1
fail md0 $m0
fail md0 $m4
tap "raid6, two members failed" /tests-bin/data/matrix /dev/md0 quick
mdadm --quiet /dev/md0 --re-add $m0
mdadm --quiet /dev/md0 --re-add $m4
sound "raid6, two added again" md0 5
stop md0 $m0 $m1 $m2 $m3 $m4

same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
