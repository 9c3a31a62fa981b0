#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M --append nvme.poll_queues=1
#
# Polled I/O, with ordinary buffers, to targets that submit bios of their own: nobody
# polls these, so they must not be sent to a poll queue, nor be polled ones to a dm
# device below. A volume with polled I/O that never ends cannot be removed.
#
#	vol (raid, crypt, ...)
#	├─leg0 (linear)
#	│ └─member/0
#	└─...
. /tests/include/tap.sh
. /tests/include/md.sh

polled=/tests-bin/dm/polled

# each TEXT: volume vol
each()
{
	local op

	for op in write read; do
		same "$1: polled ${op}s" \
			"$(timeout -s KILL 30 $polled /dev/mapper/vol $op 65536 4 32 2>&1)" 32
		[ "$TAP_FAILED" = 0 ] || done_testing
	done
	same "$1: removed" "$(dmsetup remove vol 2>&1)" ""
}

# io_poll DEVICE: does it offer polling
io_poll()
{
	cat "/sys/block/$(disk "$1")/queue/io_poll"
}

# interrupts: of the members' I/O queues
interrupts()
{
	awk '$NF ~ /^nvme[0-9]+q[1-9]/ { for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' \
		/proc/interrupts
}

for i in 0 1 2 3; do
	dmsetup create leg$i --table "0 98304 linear /dev/member/$i 0"
	dmsetup create meta$i --table "0 16384 linear /dev/member/$i 98304"
done
legs="- /dev/mapper/leg0 - /dev/mapper/leg1"
raw="- /dev/member/0 - /dev/member/1"
more="$legs - /dev/mapper/leg2"
with="/dev/mapper/meta0 /dev/mapper/leg0 /dev/mapper/meta1 /dev/mapper/leg1"

stripe vol 128 /dev/mapper/leg0 /dev/mapper/leg1
same "stripe: polls" "$(io_poll /dev/mapper/vol)" 1
before=$(interrupts)
same "stripe: polled" "$(timeout -s KILL 30 $polled /dev/mapper/vol read 65536 4 32 2>&1)" 32
same "stripe: without an interrupt" $(($(interrupts) - before)) 0
each stripe
while read -r text table; do
	dmsetup create vol --table "0 65536 $table"
	each "$text"
done <<-EOF
	raid0 raid raid0 1 128 2 $legs
	raid1 raid raid1 2 0 nosync 2 $legs
	raid1-on-disks raid raid1 2 0 nosync 2 $raw
	raid10 raid raid10 4 128 nosync raid10_copies 2 2 $with
	raid5 raid raid5_ls 2 128 nosync 3 $more
	crypt crypt aes-xts-plain64 $(printf '%064d' 7) 0 /dev/mapper/leg3 0
	mirror mirror core 2 1024 nosync 2 /dev/mapper/leg0 0 /dev/mapper/leg1 0
EOF
for i in 0 1 2 3; do
	dmsetup remove leg$i meta$i
done

array md0 1 --size=32M --assume-clean -- /dev/member/0 /dev/member/1
linear vol /dev/md0
same "linear on md: does not poll" "$(io_poll /dev/mapper/vol)" 0
dmsetup remove vol
stop md0 /dev/member/0 /dev/member/1
done_testing
