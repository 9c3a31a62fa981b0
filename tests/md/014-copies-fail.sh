#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 6 --size 64M --timeout 600
# kernel: both
#
# A write from a dma-buf that some members have not got, and something else goes wrong as
# well: it succeeds only if all of it can be read back, nothing is held against a member
# for want of the buffer, copies are equal, and the array lives.
. /tests/include/tap.sh
. /tests/include/md.sh

late=/tests-bin/md/late
io=/tests-bin/data/io
m=/dev/member
v=/dev/mapper
MIB=1048576

linear late1 $m/1
linear late2 $m/2
linear late3 $m/3
echo 500 >/sys/module/dma_buf_io/parameters/park_timeout_ms

# place MEMBER SECTOR: where that of the array is on it
place()
{
	echo $(($(cat "/sys/block/md0/md/dev-$(disk "$1")/offset") + $2))
}

# One member is left. The buffer goes while the write is held up there, and the last part
# of it that goes on meets a bad sector.
size=$(sectors $m/1)
dmsetup create first --table "0 16384 linear $m/1 0"
dmsetup create rest --table "0 $((size - 16384)) linear $m/1 16384"
dmsetup create both --table "0 16384 linear $v/first 0
16384 $((size - 16384)) linear $v/rest 0"
for level in 1 10; do
	begin $level -- $m/0 $v/both
	fail md0 $m/0
	start=$(place $v/both 0)
	# a write of 8 MiB that begins in the one and ends in the other
	pos=$(((16384 - start) * 512 - 2 * MIB))
	inject "$(disk $m/1)" WRITE MEDIUM $((16384 - 2048)) 16
	dmsetup suspend rest
	dmsetup suspend first
	answer=$($late /dev/md0 write $((8 * MIB)) pos=$pos revoke -- \
		sh -c "dmsetup resume rest; sleep 1; dmsetup resume first")
	dmsetup resume rest
	dmsetup resume first
	inject "$(disk $m/1)" none
	case $answer in
	EIO | ESTALE | ENODATA) ok "raid$level, one member: the write has failed ($answer)" ;;
	*) not_ok "raid$level, one member: the write has failed ($answer)" ;;
	esac
	same "raid$level, one member: nothing is marked bad" "$(cat /sys/block/md0/md/dev-*/bad_blocks)" ""
	check "raid$level, one member: the array lives" $io write /dev/md0 $pos 65536 1
	stop md0 $m/0 $v/both
done
dmsetup remove both
dmsetup remove first
dmsetup remove rest

# The one that has it dies before the other has got a copy.
for level in 1 10; do
	begin $level -- $m/0 $v/late1
	dmsetup suspend late1
	same "raid$level, the only copy is lost" "$($late /dev/md0 write 65536 unmap="$(pci $m/1)" -- \
		sh -c "echo faulty >/sys/block/md0/md/dev-$(disk $m/0)/state; dmsetup resume late1")" ESTALE
	dmsetup resume late1
	mdadm --quiet /dev/md0 --remove failed
	mdadm --zero-superblock $m/0
	mdadm --quiet /dev/md0 --add $m/0
	sound "raid$level, the only copy was lost" md0 2
	stop md0 $m/0 $v/late1
done

# Nobody has got it, all differ, and the one to make the others equal to has bad sectors.
for level in 1 "10 --layout=n3"; do
	# shellcheck disable=SC2086
	begin $level -- $v/late1 $v/late2 $v/late3
	stop md0
	for n in 2 3; do
		dd if=/dev/urandom of=$m/$n bs=1M seek=3 count=8 oflag=direct 2>/dev/null
	done
	mdadm --assemble --quiet /dev/md0 $v/late1 $v/late2 $v/late3
	# all of it but where the write goes
	$io -p write /dev/md0 0 $((4 * MIB)) 1 >/dev/null
	$io -p write /dev/md0 $((5 * MIB)) $((11 * MIB)) 1 >/dev/null
	echo 0 >/sys/block/md0/md/safe_mode_delay
	dd if=/dev/zero of=/dev/md0 bs=64k count=1 oflag=direct 2>/dev/null
	for n in 1 2 3; do
		dmsetup suspend late$n
	done
	inject "$(disk $m/1)" READ MEDIUM "$(place $v/late1 8448)" 16
	same "raid$level, nobody has got it" "$($late /dev/md0 write $MIB pos=$((4 * MIB)) revoke -- \
		sh -c "for n in 1 2 3; do dmsetup resume late\$n; done")" ESTALE
	inject "$(disk $m/1)" none
	settle md0
	same "raid$level, nobody has got it: members" "$(md md0 degraded)" 0
	check "raid$level, nobody has got it: copies are equal" /tests-bin/md/mirrors md0
	same "raid$level, nobody has got it: mismatches" "$(scrub md0)" 0
	stop md0 $v/late1 $v/late2 $v/late3
done

# One copy cannot be read, the other is late, bad blocks cannot be recorded, and a third
# member is missing.
begin 10 --layout=n2 --chunk=512 -- $m/0 $v/late1 $m/4
stop md0
mdadm --assemble --quiet --update=no-bbl /dev/md0 $m/0 $v/late1 $m/4
fail md0 $m/4
echo 0 >/sys/block/md0/md/safe_mode_delay
dd if=/dev/zero of=/dev/md0 bs=64k count=1 oflag=direct 2>/dev/null
inject "$(disk $m/0)" READ MEDIUM "$(place $m/0 128)" 16
dmsetup suspend late1
same "raid10, degraded, a copy that cannot be read" "$($late /dev/md0 write 65536 pos=65536 \
	unmap="$(pci $m/1)" -- dmsetup resume late1)" ESTALE
dmsetup resume late1
inject "$(disk $m/0)" none
check "raid10, degraded, a copy that cannot be read: the array lives" \
	sh -c "! grep -q broken /sys/block/md0/md/array_state"
same "raid10, degraded, a copy that cannot be read: I/O" "$($io write /dev/md0 65536 65536 3)" ok
mdadm --zero-superblock $m/4
mdadm --quiet /dev/md0 --add $m/4
sound "raid10, degraded, a copy that could not be read" md0 3
stop md0 $m/0 $v/late1 $m/4

# Overlapping writes, which the array keeps in order.
begin 1 -- $m/0 $v/late1
echo 1 >/sys/block/md0/md/serialize_policy
i=0
right=0
while [ $i -lt 20 ]; do
	dmsetup suspend late1
	case $($late /dev/md0 write $MIB unmap="$(pci $m/1)" -- sh -c "
		for n in 1 2 3 4; do
			$io -p write /dev/md0 \$((1048576 + n * 131072)) 262144 \$((n + $i)) >/dev/null 2>&1 &
		done
		sleep 0.2
		dmsetup resume late1") in
	right | wrong) right=$((right + 1)) ;;
	esac
	dmsetup resume late1
	wait
	i=$((i + 1))
done
sleep 1
same "serialize_policy: writes that have succeeded" $right 20
sound "serialize_policy" md0 2
stop md0 $m/0 $v/late1

for n in 1 2 3; do
	dmsetup remove late$n
done
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
