#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 3 --size 128M --timeout 600
# kernel: both
#
# A volume is moved to another disk by pvmove, whose target is dm-mirror, under
# dma-buf I/O. Then mirrors one of which cannot reach the buffer: it is not failed
# for that, and copies that differ are made equal.
#
#	mi (mirror)
#	├─member/0
#	└─late1 (linear)	held up while the exporter acts
#	  └─member/1
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
late=/tests-bin/md/late
matrix=/tests-bin/data/matrix

vgcreate -qq vg $m/0 $m/1 >/dev/null 2>&1
lvcreate -qq -y -n lv vg -l 20 $m/0 >/dev/null 2>&1
# what the load does not touch
io=/tests-bin/data/io
kept=$((72 << 20)) keep=$((8 << 20))
same "before the move: written" "$($io write /dev/vg/lv $kept 4194304 1)" ok
(
	TAP_N=0 TAP_FAILED=0
	tap "while moved" $matrix /dev/vg/lv quick keep=$keep ring=plain,fixed-file buffer=udmabuf,test
	done_testing
) >/tmp/moved &
sleep 1
pvmove -qq -i 1 $m/0 $m/1 >/tmp/pvmove 2>&1 &
mover=$!
# its target is in the table now, and the load goes on
i=0
until dmsetup table vg-pvmove0 2>/dev/null | grep -q mirror || [ $i -ge 200 ]; do
	i=$((i + 1))
	sleep 0.02
done
check "pvmove: under way" dmsetup table vg-pvmove0
check "pvmove: the load is, too" [ ! -s /tmp/moved ]
same "while moved: written" "$($io write /dev/vg/lv $((kept + 4194304)) 4194304 2)" ok
wait $mover
same "pvmove: done" "$?" 0
wait
for at in "$kept 4194304 1" "$((kept + 4194304)) 4194304 2"; do
	same "moved: what was there, plainly" "$($io -p read /dev/vg/lv $at)" ok
	same "moved: what was there" "$($io read /dev/vg/lv $at)" ok
done
tap "pvmove" cat /tmp/moved
tap "moved" $matrix /dev/vg/lv quick
same "moved: to where" "$(dmsetup deps -o devname vg-lv | grep -o 'nvme[0-9]*n1')" "$(disk $m/1)"
vgremove -qq -y vg >/dev/null 2>&1
pvremove -qq -y $m/0 $m/1 >/dev/null 2>&1

# in_sync: regions in sync of all, once none is being copied
in_sync()
{
	local i=0 now

	while [ $i -lt 100 ]; do
		now=$(dmsetup status mi | sed 's|.* \([0-9]*\)/\([0-9]*\) .*|\1 \2|')
		[ "${now% *}" != "${now#* }" ] || break
		i=$((i + 1))
		sleep 0.05
	done
	echo "$(($(echo "$now" | sed 's/ / - /'))) $(dmsetup status mi | grep -o ' [AD]\{2\} ')"
}

# contents DISK: past the page cache, which knows nothing of what dm writes
contents()
{
	dd if="$1" bs=1M iflag=direct 2>/dev/null | sha256sum
}

# legs TEXT: both are alive, in sync, and equal
legs()
{
	same "$1: regions not in sync, health" "$(in_sync)" "0  AA "
	same "$1: legs are equal" "$(contents $m/0)" "$(contents $m/1)"
}

size=$(($(sectors $m/0)))
linear late1 $m/1
for leg in 0 1; do
	dd if=/dev/zero of=$m/$leg bs=1M oflag=direct 2>/dev/null
done
dmsetup create mi --table "0 $size mirror core 2 1024 nosync 2 $m/0 0 /dev/mapper/late1 0 1 handle_errors"
tap "mirror" $matrix /dev/mapper/mi quick buffer=udmabuf,test at=$((1 << 20))
legs "mirror"

echo 500 >/sys/module/dma_buf_io/parameters/park_timeout_ms
for len in 4096 1048576; do
	dmsetup suspend late1
	same "write of $len: a leg cannot map the buffer any more" \
		"$($late /dev/mapper/mi write $len unmap="$(pci $m/1)" -- dmsetup resume late1)" ESTALE
	legs "write of $len: a leg cannot map"
	dmsetup suspend late1
	same "write of $len: revoked" \
		"$($late /dev/mapper/mi write $len revoke -- dmsetup resume late1)" ESTALE
	legs "write of $len: revoked"
done
dmsetup remove mi

# the first leg is the one that is read
dmsetup create mi --table "0 $size mirror core 2 1024 nosync 2 /dev/mapper/late1 0 $m/0 0 1 handle_errors"
dmsetup suspend late1
same "read: a leg cannot map the buffer, the other can" \
	"$($late /dev/mapper/mi read 1048576 unmap="$(pci $m/1)" -- dmsetup resume late1)" right
dmsetup suspend late1
same "read: revoked" "$($late /dev/mapper/mi read 1048576 revoke -- dmsetup resume late1)" ESTALE
legs "reads"
dmsetup remove mi
dmsetup remove late1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
