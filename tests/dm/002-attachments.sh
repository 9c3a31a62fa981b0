#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --namespaces 2 --virtio 1
# kernel: both
#
# For each dma-buf, one attachment for each NVMe controller that I/O with it reaches,
# whatever the shape of the table and however often it is registered; none after that.
. /tests/include/tap.sh
. /tests/include/md.sh

hold=/tests-bin/data/hold

many=40

# count TEXT WANTED DEVICE...: attachments while registered, then none
count()
{
	local text=$1 wanted=$2

	shift 2
	same "$text: $wanted attached" \
		"$($hold "$@" -- sh -c '. /tests/include/tap.sh; attachments')" "$wanted"
	same "$text: none afterwards" "$(wait_detached)" 0
}

n()
{
	echo "/dev/member/$1"
}

count "a namespace" 1 "$(n 0n0)"
count "two registrations, for namespaces of one controller" 1 "$(n 0n0)" "$(n 0n1)"
count "two controllers" 2 "$(n 0n0)" "$(n 1n0)"
count "$many registrations for the same device" 1 -n $many "$(n 0n0)"

linear lin "$(n 0n0)" "$(n 1n0)"
count "linear over two disks" 2 /dev/mapper/lin
count "linear and one of its disks" 2 /dev/mapper/lin "$(n 0n0)"
dmsetup remove lin

linear same "$(n 0n0)" "$(n 0n1)"
count "linear over two namespaces of a controller" 1 /dev/mapper/same
dmsetup remove same

half=$(($(sectors "$(n 0n0)") / 2))
printf '%s\n' "0 $half linear $(n 0n0) $half" "$half $half linear $(n 0n0) 0" |
	dmsetup create twice
count "linear over one disk listed twice" 1 /dev/mapper/twice
dmsetup remove twice

stripe st 128 "$(n 0n0)" "$(n 1n0)" "$(n 2n0)" "$(n 3n0)"
count "stripe over four" 4 /dev/mapper/st
count "stripe over four, $many registrations" 4 -n $many /dev/mapper/st
dmsetup remove st

stripe st8 128 "$(n 0n0)" "$(n 1n0)" "$(n 2n0)" "$(n 3n0)" \
	"$(n 0n1)" "$(n 1n1)" "$(n 2n1)" "$(n 3n1)"
count "stripe over eight namespaces of four" 4 /dev/mapper/st8
dmsetup remove st8

# a registration parts from what a new table leaves out
linear lin "$(n 0n0)" "$(n 1n0)"

check "a new table: I/O" /tests-bin/data/steady -r /dev/mapper/lin -- sh -c ". /tests/include/tap.sh
	dmsetup suspend lin
	dd if=$(n 0n0) of=$(n 2n0) bs=1M oflag=direct 2>/dev/null
	dmsetup load lin --table '0 $(sectors "$(n 2n0)") linear $(n 2n0) 0'
	dmsetup resume lin
	i=0
	while [ \"\$(attachments)\" != 1 ] && [ \$i -lt 100 ]; do sleep 0.05; i=\$((i + 1)); done
	attachments >/attached"
same "a new table: attached" "$(cat /attached)" 1
same "a new table: none afterwards" "$(wait_detached)" 0
dmsetup remove lin

# fails half-way: the last disk cannot
linear mixed "$(n 0n0)" "$(n 1n0)" /dev/vda
same "a member that cannot: refused" "$($hold /dev/mapper/mixed -- true)" EOPNOTSUPP
same "a member that cannot: none attached" "$(wait_detached)" 0
dmsetup remove mixed

# every device gets addresses of its own: with a strict IOMMU others would fault
stripe st 128 "$(n 0n0)" "$(n 1n0)" "$(n 2n0)" "$(n 3n0)"
check "I/O to all of them" $hold -i /dev/mapper/st "$(n 0n1)" "$(n 3n1)" -- true
dmsetup remove st

# the device can be removed as soon as its user is gone, each time
removed=0
for i in 1 2 3 4 5 6 7 8 9 10; do
	stripe st 128 "$(n 0n0)" "$(n 1n0)"
	$hold -i /dev/mapper/st -- true
	if dmsetup remove st; then removed=$((removed + 1)); else dmsetup remove --retry st; fi
done
same "a device removed right after its user exited" $removed 10

# an emptied slot has let go of the device and of the buffer, too
stripe st 128 "$(n 0n0)" "$(n 1n0)"
same "attached, then emptied slots" "$($hold -u -n 2 /dev/mapper/st -- \
	sh -c '. /tests/include/tap.sh; if [ -n "$EMPTIED" ]; then wait_detached; else attachments; fi' | tr '\n' ' ')" "2 0 "
check "the device removed after that" dmsetup remove st

# fails half-way: the exporter will not map the buffer for the last one
stripe st 128 "$(n 0n0)" "$(n 1n0)" "$(n 2n0)"
same "one mapping fails: errno" "$($hold -b test -f "$(pci "$(n 2n0)")" /dev/mapper/st -- true)" EINVAL
same "one mapping fails: none attached" "$(wait_detached)" 0
check "the others do not" $hold -b test -f "$(pci "$(n 3n0)")" -i /dev/mapper/st -- true
dmsetup remove st
done_testing
