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
same "to crypt: the volume says so" \
	"$(cat "/sys/block/$(disk /dev/mapper/v)/queue/max_hw_dmabuf_sectors_kb")" 0
same "to crypt: registration is refused" "$($hold /dev/mapper/v -- true)" EOPNOTSUPP

eval "$(reload "0 $size linear $d0 0")"
said . >/dev/null
same "to a disk that cannot: I/O is refused" \
	"$($hold -i /dev/mapper/v -- sh -c "$(reload "0 $size linear /dev/vda 0")")" EOPNOTSUPP
same "to a disk that cannot: one line says why" "$(said 'vda: the driver has no dma-buf support')" 1
same "to a disk that cannot: registration is refused" "$($hold /dev/mapper/v -- true)" EOPNOTSUPP

eval "$(reload "0 $size linear $d0 0")"
check "back to linear" $hold -i /dev/mapper/v -- true
check "to crypt and back while registered" \
	$hold -i /dev/mapper/v -- sh -c "$(reload "$crypt"); $(reload "0 $size linear $d0 0")"

# What is under a suspended volume is replaced before the volume is: so does LVM, at the
# end of a pvmove for example.
dmsetup create low --table "0 $size linear $d0 0"
under="0 $size linear /dev/mapper/low 0"
gone="dmsetup suspend v && dmsetup suspend low &&
	dmsetup reload low --table '0 $size error' && dmsetup resume low"
there="dmsetup reload v --table '0 $size linear $d1 0' && dmsetup resume v"
# stacked: as it was before
stacked()
{
	dmsetup suspend v
	dmsetup reload low --table "0 $size linear $d0 0" && dmsetup resume low
	dmsetup reload v --table "$under" && dmsetup resume v
}

stacked
check "below a suspended volume" $hold -i /dev/mapper/v -- \
	sh -c "$gone && (sleep 1; $there) >/dev/null 2>&1 &"
wait_detached >/dev/null
stacked
said . >/dev/null
eval "$gone"
(sleep 1; eval "$there") &
check "below a suspended volume: registration" $hold -i /dev/mapper/v -- true
wait
same "below a suspended volume: nothing said" "$(said dma-buf)" 0
wait_detached >/dev/null
stacked
eval "$gone"
said . >/dev/null
echo 500 >/sys/module/dma_buf_io/parameters/park_timeout_ms
same "below a volume that stays suspended" "$($hold /dev/mapper/v -- true)" EBUSY
same "below a volume that stays suspended: one line says so" "$(said 'a volume stays suspended')" 1
echo 60000 >/sys/module/dma_buf_io/parameters/park_timeout_ms
$hold /dev/mapper/v -- true &
sleep 1
begin=$(ms)
kill -9 $!
wait $!
same "below a volume that stays suspended: killed" "$?" 137
check "below a volume that stays suspended: at once" \
	test $(($(ms) - begin)) -lt 6000
echo 8000 >/sys/module/dma_buf_io/parameters/park_timeout_ms
dmsetup resume v
said . >/dev/null
same "above what cannot" "$($hold /dev/mapper/v -- true)" EOPNOTSUPP
same "above what cannot: one line says so" "$(said 'target "error" cannot carry dma-buf I/O')" 1
dmsetup remove v
dmsetup remove low
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
