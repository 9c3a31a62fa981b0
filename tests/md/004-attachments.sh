#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --namespaces 2 --virtio 1 --size 64M
# kernel: both
#
# For each dma-buf, one attachment for each NVMe controller under an array,
# its spares included, whatever it is nested in; none after that.
. /tests/include/tap.sh
. /tests/include/md.sh

hold=/tests-bin/data/hold

# count TEXT WANTED DEVICE...: attachments while registered, then none
count()
{
	local text=$1 wanted=$2

	shift 2
	same "$text: $wanted attached" \
		"$($hold -i "$@" -- sh -c '. /tests/include/tap.sh; attachments')" "$wanted"
	same "$text: none afterwards" "$(wait_detached)" 0
}

n()
{
	echo "/dev/member/$1"
}

array md0 linear -- "$(n 0n0)" "$(n 1n0)"
count "linear" 2 /dev/md0
stop md0 "$(n 0n0)" "$(n 1n0)"

array md0 raid0 -- "$(n 0n0)" "$(n 1n0)" "$(n 2n0)" "$(n 3n0)"
count "raid0" 4 /dev/md0
count "raid0 and two of its controllers" 4 /dev/md0 "$(n 0n1)" "$(n 3n1)"
count "raid0, 10 registrations" 4 -n 10 /dev/md0
stop md0 "$(n 0n0)" "$(n 1n0)" "$(n 2n0)" "$(n 3n0)"

array md0 raid1 -- "$(n 0n0)" "$(n 0n1)"
count "one controller, 7 registrations" 1 -n 7 /dev/md0
count "raid1 over one controller" 1 /dev/md0
stop md0 "$(n 0n0)" "$(n 0n1)"

array md0 raid1 -x 1 -- "$(n 0n0)" "$(n 1n0)" "$(n 2n0)"
count "raid1 of two with a spare" 3 /dev/md0
fail md0 "$(n 0n0)"
settle md0
count "raid1 after the spare stood in" 2 /dev/md0
md_speed md0 1000
mdadm --quiet /dev/md0 --add "$(n 3n0)" --replace "$(n 1n0)"
wait_sync md0 recover
same "raid1: a replacement on its way" "$(md md0 sync_action)" recover
count "raid1 with a replacement on its way" 3 /dev/md0
md_speed md0 1000000
settle md0
stop md0 "$(n 0n0)" "$(n 1n0)" "$(n 2n0)" "$(n 3n0)"

array md0 raid10 -- "$(n 0n0)" "$(n 1n0)" "$(n 2n0)" "$(n 3n0)"
count "raid10" 4 /dev/md0
echo ',32M' | sfdisk -q /dev/md0
count "a partition of raid10" 4 /dev/md0p1
linear lin /dev/md0p1
count "dm on a partition of md" 4 /dev/mapper/lin
dmsetup remove lin
stop md0 "$(n 0n0)" "$(n 1n0)" "$(n 2n0)" "$(n 3n0)"

linear l0 "$(n 0n0)" "$(n 1n0)"
linear l1 "$(n 2n0)" "$(n 3n0)"
array md0 raid1 -- /dev/mapper/l0 /dev/mapper/l1
count "md on dm" 4 /dev/md0
stop md0 /dev/mapper/l0 /dev/mapper/l1
dmsetup remove l0
dmsetup remove l1

array md0 raid1 -- "$(n 0n0)" "$(n 1n0)"
array md1 raid1 -- "$(n 2n0)" "$(n 3n0)"
stripe st 128 /dev/md0 /dev/md1
count "dm on md" 4 /dev/mapper/st
dmsetup remove st
array md2 raid0 -- /dev/md0 /dev/md1
count "md on md" 4 /dev/md2
linear lin /dev/md2
count "dm on md on md" 4 /dev/mapper/lin
dmsetup remove lin
stop md2 /dev/md0 /dev/md1
stop md1 "$(n 2n0)" "$(n 3n0)"

pvcreate -qq /dev/md0
vgcreate -qq vg /dev/md0
lvcreate -qq -y -l 100%FREE -n lv vg
count "LVM on md" 2 /dev/vg/lv
vgremove -qq -y vg
stop md0 "$(n 0n0)" "$(n 1n0)"

# stays TEXT WANTED ARRAY COMMAND: attachments while registered and in use, after COMMAND
stays()
{
	check "$1: I/O" /tests-bin/data/steady "$3" -- sh -c ". /tests/include/tap.sh
		. /tests/include/md.sh
		$4
		i=0
		while [ \"\$(attachments)\" != $2 ] && [ \$i -lt 100 ]; do sleep 0.05; i=\$((i + 1)); done
		attachments >/attached"
	same "$1: attached" "$(cat /attached)" "$2"
	same "$1: none afterwards" "$(wait_detached)" 0
}

# a registration parts from what has left the array
array md0 raid1 -x 1 -- "$(n 0n0)" "$(n 1n0)" "$(n 2n0)"
stays "raid1, a member has left" 2 /dev/md0 "fail md0 $(n 1n0); settle md0"
stays "raid1, a member has come" 3 /dev/md0 "mdadm -q /dev/md0 --add $(n 1n0); settle md0"
stays "raid1, a spare has left" 2 /dev/md0 "mdadm -q /dev/md0 --remove $(n 1n0)"
linear lin /dev/md0
stays "dm on raid1, a member has left" 1 /dev/mapper/lin "fail md0 $(n 2n0)"
dmsetup remove lin
stop md0 "$(n 0n0)" "$(n 1n0)" "$(n 2n0)"
array md0 raid5 --chunk=64 -- "$(n 0n0)" "$(n 1n0)" "$(n 2n0)"
stays "raid5, a member has left" 3 /dev/md0 "mdadm -q /dev/md0 --add $(n 3n0) --replace $(n 1n0)
	settle md0; mdadm -q /dev/md0 --remove failed"
stop md0 "$(n 0n0)" "$(n 1n0)" "$(n 2n0)" "$(n 3n0)"

# fails half-way: the last member cannot
array md0 raid1 -- "$(n 0n0)" "$(n 1n0)" /dev/vda
same "a member that cannot: refused" "$($hold /dev/md0 -- true)" EOPNOTSUPP
same "a member that cannot: none attached" "$(wait_detached)" 0
stop md0 "$(n 0n0)" "$(n 1n0)" /dev/vda

# the array can be stopped as soon as its user is gone, each time
stopped=0
for i in 1 2 3 4 5 6 7 8 9 10; do
	array md0 raid0 -- "$(n 0n0)" "$(n 1n0)"
	$hold -i /dev/md0 -- true
	if mdadm --stop --quiet /dev/md0; then stopped=$((stopped + 1)); else stop md0; fi
done
same "an array stopped right after its user exited" $stopped 10
done_testing
