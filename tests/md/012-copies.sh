#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 6 --size 64M
# kernel: both
#
# A member that could not reach the buffer in time gets a copy from one that did:
# where the copy is to be as durable as the write, where a member is being recovered
# and where a reshape has moved the data of some of the array.
. /tests/include/tap.sh
. /tests/include/md.sh

late=/tests-bin/md/late
m=/dev/member
v=/dev/mapper
trace=/sys/kernel/tracing

linear late1 $m/1
echo 500 >/sys/module/dma_buf_io/parameters/park_timeout_ms

# held VOLUME OPTIONS: how a write ends that is held up in the volume
held()
{
	local vol=$1

	shift
	dmsetup suspend "$vol"
	$late /dev/md0 write 65536 "$@" -- dmsetup resume "$vol"
	dmsetup resume "$vol"
}

# fua: writes with FUA that member 1 has seen since
fua()
{
	grep -c "block_rq_issue: $1 WF" $trace/trace
}

# recovered_to SECTOR: how far it is when it is there, or does not get there
recovered_to()
{
	local i=0

	while [ "$(md md0 sync_completed | sed 's| /.*||')" != "$1" ] && [ $i -lt 200 ]; do
		i=$((i + 1))
		sleep 0.05
	done
	md md0 sync_completed | sed 's| /.*||'
}

for level in 1 10; do
	begin $level -- $m/0 $v/late1
	echo >$trace/trace
	echo 1 >$trace/events/block/block_rq_issue/enable
	same "raid$level: a durable write, one copy late" \
		"$(held late1 dsync unmap="$(pci $m/1)")" right
	echo 0 >$trace/events/block/block_rq_issue/enable
	dev=$(tr : , <"/sys/block/$(disk $m/1)/dev")
	check "raid$level: the copy is durable, too" [ "$(fua "$dev")" -gt 0 ]
	sound "raid$level, durable" md0 2
	stop md0 $m/0 $v/late1
done

# The one that is recovered has the write, the one it is recovered from has not.
linear late0 $m/0
dmsetup remove late1
for how in "1 good" "1 bad" "10 good" "10 bad"; do
	level=${how% *}
	begin "$level" -- $v/late0 $m/1
	fail md0 $m/1
	mdadm -q --zero-superblock $m/1
	echo 8192 >/sys/block/md0/md/sync_max
	mdadm -q /dev/md0 --add $m/1
	same "raid$how: recovered up to here" "$(recovered_to 8192)" 8192
	# what is bad is good once it has been written
	dev=/sys/block/md0/md/dev-$(disk $m/1)
	[ "${how#* }" = good ] ||
		echo "$(($(cat "$dev/offset") + 2048)) 8" >"$dev/bad_blocks"
	same "raid$how: a write that the recovered member alone can do" \
		"$(held late0 unmap="$(pci $m/0)")" ESTALE
	echo max >/sys/block/md0/md/sync_max
	sound "raid$how, recovered" md0 2
	stop md0 $v/late0 $m/1
done


# None can do it, and what the first has is bad.
linear late1 $m/1
for level in 1 10; do
	begin $level -- $v/late0 $v/late1
	dev=/sys/block/md0/md/dev-dm-$(dmsetup info -c --noheadings -o minor late0)
	dd if=/dev/urandom of=/dev/md0 bs=64k count=1 seek=16 oflag=direct 2>/dev/null
	dd if=/dev/md0 of=/tmp/before bs=64k count=1 skip=16 iflag=direct 2>/dev/null
	dd if=/dev/urandom of=$v/late0 bs=4k count=1 seek=$((($(cat "$dev/offset") + 2048) / 8)) \
		oflag=direct conv=notrunc 2>/dev/null
	# by the sector of the disk
	echo "$(($(cat "$dev/offset") + 2048)) 8" >"$dev/bad_blocks"
	dmsetup suspend late0
	dmsetup suspend late1
	same "raid$level: a write that no member can do" "$($late /dev/md0 write 65536 revoke -- \
		sh -c "dmsetup resume late0; dmsetup resume late1")" ESTALE
	dd if=/dev/md0 of=/tmp/after bs=64k count=1 skip=16 iflag=direct 2>/dev/null
	same "raid$level: bad blocks have not been copied" "$(cmp /tmp/before /tmp/after 2>&1)" ""

	# neither is bad: the first, which is what a resync would copy
	dev=/sys/block/md0/md/dev-dm-$(dmsetup info -c --noheadings -o minor late1)
	dd if=/dev/urandom of=/dev/md0 bs=64k count=1 seek=32 oflag=direct 2>/dev/null
	dd if=/dev/md0 of=/tmp/before bs=64k count=1 skip=32 iflag=direct 2>/dev/null
	# by the page: dd goes through the page cache where its buffer is not aligned
	dd if=/dev/urandom of=$v/late1 bs=4k count=1 seek=$((($(cat "$dev/offset") + 4096) / 8)) \
		oflag=direct conv=notrunc 2>/dev/null
	dmsetup suspend late0
	dmsetup suspend late1
	same "raid$level: another that no member can do" \
		"$($late /dev/md0 write 65536 pos=2097152 revoke -- \
			sh -c "dmsetup resume late0; dmsetup resume late1")" ESTALE
	for dev in 0 1; do
		dd if=$v/late$dev of=/tmp/after bs=4k count=16 iflag=direct 2>/dev/null \
			skip=$((($(cat "/sys/block/md0/md/dev-dm-$(dmsetup info -c --noheadings -o minor late$dev)/offset") + 4096) / 8))
		same "raid$level: all as the first has it, member $dev" \
			"$(cmp /tmp/before /tmp/after 2>&1)" ""
	done
	stop md0 $v/late0 $v/late1
done

# What there is to copy cannot be read, and bad blocks cannot be recorded: nobody fails,
# and what the other has is as good after a write that has failed.
for level in 1 10; do
	begin $level -- $m/2 $v/late1
	stop md0
	mdadm --assemble --quiet --update=no-bbl /dev/md0 $m/2 $v/late1
	echo 0 >/sys/block/md0/md/safe_mode_delay
	dd if=/dev/zero of=/dev/md0 bs=64k count=1 oflag=direct 2>/dev/null
	inject "$(disk $m/2)" READ MEDIUM $(($(cat "/sys/block/md0/md/dev-$(disk $m/2)/offset") + 2048)) 16
	same "raid$level: a write whose one copy cannot be read" \
		"$(held late1 unmap="$(pci $m/1)")" ESTALE
	inject "$(disk $m/2)" none
	same "raid$level: no member has failed" \
		"$(member_states md0 | sed 's/[^ ;]* //g')" "in_sync;in_sync;"
	sound "raid$level, one copy could not be read" md0 2
	stop md0 $m/2 $v/late1
done
dmsetup remove late1

# Half of it is where it will be, and the write is to the other half. The reshape
# goes on with what the first member has.
begin 10 --layout=n2 --chunk=64 -- $v/late0 $m/1 $m/2 $m/3
dd if=/dev/urandom of=/tmp/before bs=1M count=32 2>/dev/null
dd if=/tmp/before of=/dev/md0 bs=1M oflag=direct 2>/dev/null
mdadm -q /dev/md0 --add $m/4 $m/5
settle md0
echo 24576 >/sys/block/md0/md/sync_max
mdadm -q --grow /dev/md0 --raid-devices=6
recovered_to 24576 >/dev/null
at=$(md md0 reshape_position)
# where members 0 and 1 have it, on which it is below that
pos=$(((at / 256 + 16) * 131072))
check "raid10: half reshaped, $at" [ "$at" -gt 16000 -a $pos -lt 30000000 ]
same "raid10, half reshaped: one copy late" \
	"$(held late0 unmap="$(pci $m/0)" pos=$pos)" right
dd if=/dev/md0 of=/tmp/before bs=64k count=1 skip=$((pos / 65536)) seek=$((pos / 65536)) conv=notrunc iflag=direct 2>/dev/null
echo max >/sys/block/md0/md/sync_max
settle md0
same "raid10: reshaped" "$(md md0 raid_disks) $(md md0 reshape_position)" "6 none"
dd if=/dev/md0 of=/tmp/after bs=1M count=32 iflag=direct 2>/dev/null
same "raid10: nothing else has changed" "$(cmp /tmp/before /tmp/after 2>&1)" ""
sound "raid10, reshaped" md0 6
stop md0 $v/late0 $m/1 $m/2 $m/3 $m/4 $m/5
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
