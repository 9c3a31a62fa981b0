#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --size 64M
# kernel: both
#
# One copy of a write is on its member when the exporter takes the buffer away from
# the other: held up in a suspended dm volume below, as it may be in a queue for a
# moment anywhere else. And the same before the write: then no copy is written.
#
#	md0, level 1 or 10
#	├─member/0		at once
#	└─late1 (linear)	when it is resumed
#	  └─member/1
. /tests/include/tap.sh
. /tests/include/md.sh

late=/tests-bin/md/late
m=/dev/member
v=/dev/mapper

linear late1 $m/1
linear late3 $m/3

# begin: the array is dirty and stays so, or a write would wait for the superblock
begin()
{
	local name=$1 level=$2

	shift 2
	array "$name" "$level" --size=16M "$@" || { not_ok "array $level $*"; return; }
	echo 0 >/sys/block/md0/md/safe_mode_delay
	dd if=/dev/zero of=/dev/md0 bs=64k count=1 oflag=direct 2>/dev/null
}

# held LEN VOLUME... -- OPTIONS: how a write ends that is held up in volumes
held()
{
	local len=$1 volumes='' resume='' vol

	shift
	while [ "$1" != -- ]; do
		volumes="$volumes $1"
		shift
	done
	shift
	for vol in $volumes; do
		dmsetup suspend "$vol"
		resume="$resume dmsetup resume $vol;"
	done
	$late /dev/md0 write "$len" "$@" -- sh -c "$resume"
}

echo 500 >/sys/module/dma_buf_io/parameters/park_timeout_ms
for options in --bitmap=none --bitmap=internal --failfast; do
	begin md0 1 $options -- $m/0 $v/late1
	for len in 4096 69632 4194304; do
		same "raid1 $options, $len: not mapped for a member any more" \
			"$(held $len late1 -- unmap="$(pci $m/1)")" right
	done
	same "raid1 $options: revoked when one has it" "$(held 65536 late1 -- revoke)" right
	sound "raid1 $options" md0 2
	stop md0 $m/0 $v/late1
done

linear late2 $m/2
begin md0 1 -- $m/0 $v/late1 $v/late2
same "raid1 of three: two cannot" \
	"$(held 262144 late1 late2 -- revoke)" right
sound "raid1 of three" md0 3
stop md0 $m/0 $v/late1 $v/late2
dmsetup remove late2

linear late0 $m/0
begin md0 1 -- $v/late0 $v/late1
same "raid1: revoked when none has it" "$(held 1048576 late0 late1 -- revoke)" ESTALE
same "raid1: one of two cannot, in the other order" \
	"$(held 65536 late0 late1 -- unmap="$(pci $m/0)")" right
sound "raid1: revoked when none has it" md0 2
stop md0 $v/late0 $v/late1
dmsetup remove late0

begin md0 1 --bitmap=internal --write-behind=64 -- $m/0 --write-mostly $v/late1
same "raid1 with write-behind: the write waits for all members" \
	"$(held 65536 late1 -- unmap="$(pci $m/1)")" right
sound "raid1 with write-behind" md0 2
stop md0 $m/0 $v/late1

# what can be known beforehand fails beforehand
beforehand()
{
	local was

	was=$(awk '{ print $7 }' "/sys/block/$(disk $m/0)/stat")
	same "$1: a write that a member cannot do" \
		"$($late /dev/md0 write 65536 first unmap="$(pci $m/1)" -- true)" ESTALE
	same "$1: nothing of it is written" \
		$(($(awk '{ print $7 }' "/sys/block/$(disk $m/0)/stat") - was)) 0
	same "$1: reads are done by the others" \
		"$(for i in 1 2 3 4 5 6 7 8; do
			$late /dev/md0 read 524288 first unmap="$(pci $m/1)" -- true
		done | sort -u)" right
}

begin md0 1 -- $m/0 $v/late1
beforehand raid1
sound "raid1, beforehand" md0 2
stop md0 $m/0 $v/late1
begin md0 10 --chunk=64 -- $m/0 $v/late1
beforehand raid10
sound "raid10, beforehand" md0 2
stop md0 $m/0 $v/late1

for layout in n2 f2 o2; do
	begin md0 10 --layout=$layout --chunk=64 -- $m/0 $v/late1 $m/2 $v/late3
	same "raid10 $layout: not mapped for a member any more" \
		"$(held 1048576 late1 -- unmap="$(pci $m/1)")" right
	same "raid10 $layout: revoked, two members late" \
		"$(held 4096 late1 late3 -- revoke)" right
	sound "raid10 $layout" md0 4
	stop md0 $m/0 $v/late1 $m/2 $v/late3
done
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
