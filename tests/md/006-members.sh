#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --virtio 1 --size 64M --timeout 600
# kernel: both
#
# Members come and go under a registration. Redundancy goes first: one that
# cannot do dma-bufs is taken, and the array does not offer them for as long.
. /tests/include/tap.sh
. /tests/include/md.sh

hold=/tests-bin/data/hold
steady=/tests-bin/data/steady
EOPNOTSUPP=95
ESTALE=116

offered()
{
	$hold /dev/md0 -- echo yes
}

# under TEXT WANTED COMMAND: registered all the time; what I/O gets in the end
under()
{
	same "$1: I/O" "$($hold -i /dev/md0 -- sh -c ". /tests/include/md.sh; $3" 2>&1)" "$2"
}

# moves TEXT MEMBER OTHER: what may happen to an array that MEMBER is in and OTHER
# is not
moves()
{
	local text=$1 member=$2 other=$3 n

	n=$(members md0 | grep -c .)
	same "$text: offered" "$(offered)" yes

	under "$text, capable member in place of another" "" \
		"fail md0 $member; mdadm -q --zero-superblock $member; mdadm -q /dev/md0 --add $other; settle md0"
	sound "$text, capable member in place of another" md0 "$n"
	under "$text, replaced" "" \
		"mdadm -q /dev/md0 --add $member --replace $other; settle md0; mdadm -q /dev/md0 --remove failed 2>/dev/null"
	sound "$text, replaced" md0 "$n"

	# a spare has no data yet
	under "$text, incapable spare" "" "mdadm -q /dev/md0 --add /dev/vda; settle md0"
	same "$text, incapable spare: offered" "$(offered)" yes
	check "$text, incapable spare: named in the log" sh -c "dmesg | tail -n 30 | grep -q 'vda.*dma-buf\|dma-buf.*vda'"

	under "$text, incapable member" EOPNOTSUPP "fail md0 $member; settle md0"
	same "$text, incapable member: registration" "$(offered)" EOPNOTSUPP
	sound "$text, incapable member" md0 "$n"

	mdadm -q --zero-superblock "$member"
	mdadm -q /dev/md0 --add "$member"
	fail md0 /dev/vda
	settle md0
	same "$text, incapable member gone again: offered" "$(offered)" yes
	sound "$text, incapable member gone again" md0 "$n"
	mdadm -q --zero-superblock /dev/vda
	under "$text, incapable member come and gone" "" \
		"mdadm -q /dev/md0 --add /dev/vda; fail md0 $member; settle md0
		mdadm -q --zero-superblock $member; mdadm -q /dev/md0 --add $member; fail md0 /dev/vda; settle md0"
	sound "$text, incapable member come and gone" md0 "$n"
	mdadm -q --zero-superblock /dev/vda

	# under load; parts that were inside may be told that the buffer is out of reach
	check "$text, capable member under load" $steady /dev/md0 -- sh -c ". /tests/include/md.sh
		fail md0 $member; mdadm -q --zero-superblock $member; mdadm -q /dev/md0 --add $member; settle md0"
	sound "$text, capable member under load" md0 "$n"
	check "$text, incapable member under load" $steady -t $EOPNOTSUPP -t $ESTALE /dev/md0 -- sh -c ". /tests/include/md.sh
		mdadm -q /dev/md0 --add /dev/vda; fail md0 $member; settle md0
		mdadm -q --zero-superblock $member; mdadm -q /dev/md0 --add $member; fail md0 /dev/vda; settle md0"
	sound "$text, incapable member under load" md0 "$n"
	mdadm -q --zero-superblock /dev/vda
}

m0=/dev/member/0
m1=/dev/member/1
m2=/dev/member/2
m3=/dev/member/3

array md0 raid1 -- $m0 $m1
moves raid1 $m1 $m2
stop md0 $m0 $m1
array md0 raid10 --chunk=64 -- $m0 $m1 $m2
moves raid10 $m2 $m3
stop md0 $m0 $m1 $m2

array md0 raid1 -- $m0 $m1
under "raid1 grows a member" "" "mdadm -q --grow /dev/md0 --raid-devices=3 --add $m2; settle md0"
sound "raid1 grows a member" md0 3
under "raid1 grows an incapable member" EOPNOTSUPP \
	"mdadm -q --grow /dev/md0 --raid-devices=4 --add /dev/vda; settle md0"
sound "raid1 grows an incapable member" md0 4
fail md0 /dev/vda
mdadm -q --grow /dev/md0 --raid-devices=3
settle md0
same "raid1 shrinks again: offered" "$(offered)" yes
stop md0 $m0 $m1 $m2

array md0 raid0 --chunk=64 -- $m0 $m1
under "raid0 becomes raid10" "" \
	"mdadm -q --grow /dev/md0 --level=10 --raid-devices=4 --add $m2 $m3; settle md0"
same "raid0 becomes raid10: level" "$(md md0 level)" raid10
settle md0
sound "raid0 becomes raid10" md0 4
stop md0 $m0 $m1 $m2 $m3
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
