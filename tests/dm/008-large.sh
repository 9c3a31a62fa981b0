#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 1 --size 5T
# kernel: both
#
# Volumes of more sectors than 32 bits count: at places from which the distance to
# the end of the target, or that from its beginning, is a multiple of 2^32 sectors.
. /tests/include/tap.sh

io=/tests-bin/data/io
disk=/dev/member/0
T=$((1 << 40))

# place TEXT BYTE: through a dma-buf and plainly, compared with the disk
place()
{
	local text=$1 pos=$2

	same "$text: written through a dma-buf" "$($io write /dev/mapper/large $pos 65536 1)" ok
	same "$text: it is on the disk" "$($io -p read $disk $pos 65536 1)" ok
	same "$text: read through a dma-buf" "$($io read /dev/mapper/large $pos 65536 1)" ok
	same "$text: written plainly" "$($io -p write /dev/mapper/large $pos 65536 2)" ok
	same "$text: read through a dma-buf again" "$($io read /dev/mapper/large $pos 65536 2)" ok
	same "$text: read plainly" "$($io -p read /dev/mapper/large $pos 65536 2)" ok
}

dmsetup create large --table "0 $((4 * T / 512)) linear $disk 0"
place "the beginning of 4 TiB" 0
place "the middle" $((2 * T))
place "across the middle" $((2 * T - 32768))
place "the end" $((4 * T - 65536))
dmsetup remove large
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
