#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --virtio 1
# kernel: both
#
# The table changes under a registration.
. /tests/include/tap.sh

hold=/tests-bin/data/hold
d0=/dev/member/0
d1=/dev/member/1
size=$(sectors $d0)
crypt="0 $size crypt aes-xts-plain64 $(printf '%064d' 1) 0 $d0 0"

reload()
{
	echo "dmsetup suspend v && dmsetup reload v --table '$1' && dmsetup resume v"
}

# said PATTERN: lines of the log, which is then empty
said()
{
	dmesg -c | grep -c "$1"
}

dmsetup create v --table "0 $size linear $d0 0"
check "to another disk: bound at the first I/O" \
	$hold -i /dev/mapper/v -- sh -c "$(reload "0 $size linear $d1 0")"
same "to another disk: nothing attached afterwards" "$(wait_detached)" 0

said . >/dev/null
same "to crypt: I/O is refused" \
	"$($hold -i /dev/mapper/v -- sh -c "$(reload "$crypt")")" EOPNOTSUPP
same "to crypt: one line says why" "$(said 'target "crypt" cannot carry dma-buf I/O')" 1
same "to crypt: the volume no longer offers it" \
	"$(cat "/sys/block/$(disk /dev/mapper/v)/queue/max_hw_dmabuf_sectors_kb")" 0
same "to crypt: registration is refused" "$($hold /dev/mapper/v -- true)" EOPNOTSUPP

eval "$(reload "0 $size linear $d0 0")"
said . >/dev/null
same "to a disk that cannot: I/O is refused" \
	"$($hold -i /dev/mapper/v -- sh -c "$(reload "0 $size linear /dev/vda 0")")" EOPNOTSUPP
same "to a disk that cannot: one line says why" "$(said 'vda: the driver has no dma-buf support')" 1
same "to a disk that cannot: the volume no longer offers it" \
	"$(cat "/sys/block/$(disk /dev/mapper/v)/queue/max_hw_dmabuf_sectors_kb")" 0

eval "$(reload "0 $size linear $d0 0")"
check "back to linear" $hold -i /dev/mapper/v -- true
check "to crypt and back while registered" \
	$hold -i /dev/mapper/v -- sh -c "$(reload "$crypt"); $(reload "0 $size linear $d0 0")"
dmsetup remove v
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
