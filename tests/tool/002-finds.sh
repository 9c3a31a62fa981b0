#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2
# kernel: both
#
# dmabuf-stack verify finds what is wrong: while it runs, somebody else writes to
# a member.
. /tests/include/tap.sh

# different CHECK: does this line of the table count differences?
different()
{
	awk -v check="$1" '$1 == check { n = $NF } END { print n == "" ? "?" : n ? "yes" : "no" }' /tmp/verify
}

scribble()
{
	while :; do
		dd if=/dev/zero of="$1" bs=4k count=1 seek=8 oflag=direct conv=notrunc 2>/dev/null
	done
}

stripe st 128 /dev/member/0 /dev/member/1
scribble /dev/member/1 &
pid=$!
dmabuf-stack verify --destroy-data --seed 1 --length 8M /dev/mapper/st >/tmp/verify 2>/tmp/why
same "a member that is overwritten: status" $? 1
kill $pid
wait $pid
check "the place is named" grep -q 'st: .* through .*: sector [0-9]*, byte [0-9]*: expected 0x.*, got 0x00' /tmp/why
same "read through the dma-buf" "$(different read)" yes
same "read plainly" "$(different device)" yes
same "that member" "$(different "$(disk /dev/member/1)")" yes
same "not the other" "$(different "$(disk /dev/member/0)")" no
same "nor the memory around" "$(different around)" no
check "left alone, it is right" dmabuf-stack verify --destroy-data --seed 1 --length 8M /dev/mapper/st
dmsetup remove st
done_testing
