#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 7 --size 64M --timeout 900
# kernel: lean
#
# Devices that pull a buffer to one place or push it to another when they map it: all
# are content with one of them in the end, or it is refused by name. Exporters that tell
# importers to let go from inside their map call, or one importer alone.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
places=/tests-bin/move/places
echo 2000 >/sys/module/dma_buf_io/parameters/park_timeout_ms

# settles TEXT DEVICE ARGUMENTS...: or is refused in a line that names a device
settles()
{
	local text=$1

	shift
	dmesg -c >/dev/null
	tap "$text" $places "$@"
	if grep -q '^ok.*refused:' /tmp/tap.sub; then
		check "$text: the log names a device" \
			sh -c "dmesg | grep 'dma-buf\|dmabuf' | grep -q '0000:\|nvme'"
	fi
}

p0=$(pci $m/0) p1=$(pci $m/1) p2=$(pci $m/2) p3=$(pci $m/3) p4=$(pci $m/4) p5=$(pci $m/5)

# on_all TEXT DEVICE PCI-DEVICE...: those below it
on_all()
{
	local text=$1 dev=$2 one=$3 another=$4 all='' pci

	shift 2
	for pci; do
		all="$all reach=$pci"
	done
	# shellcheck disable=SC2086
	settles "$text, all reach it" "$dev" $all
	settles "$text, one reaches it" "$dev" "reach=$one"
	settles "$text, another reaches it" "$dev" "reach=$another"
	settles "$text, told in a map" "$dev" maps=1
	settles "$text, told in some maps" "$dev" maps=5
}

settles "namespace, told alone" $m/0 "one=$p0"
settles "namespace, told in some maps" $m/0 maps=3
stripe st 16 $m/0 $m/1 $m/2 $m/3
on_all stripe /dev/mapper/st "$p0" "$p1" "$p2" "$p3"
settles "stripe, two reach it" /dev/mapper/st "reach=$p0" "reach=$p2"
dmsetup remove st
array md0 raid1 --size=16M -- $m/4 $m/5
on_all raid1 /dev/md0 "$p4" "$p5"
sound raid1 md0 2
stop md0 $m/4 $m/5
array md0 raid5 --size=16M -- $m/4 $m/5 $m/6
settles "raid5, told in some maps" /dev/md0 maps=5
settles "raid5, one reaches it" /dev/md0 "reach=$p5"
sound raid5 md0 3
stop md0 $m/4 $m/5 $m/6
same "nothing attached afterwards" "$(wait_detached)" 0

stripe st 16 $m/0 $m/1 $m/2 $m/3
settles "stripe, one is told alone" /dev/mapper/st "one=$p1"
check "stripe: removed" dmsetup remove st
array md0 raid5 --size=16M -- $m/4 $m/5 $m/6
settles "raid5, one is told alone" /dev/md0 "one=$p5"
stop md0 $m/4 $m/5 $m/6
array md0 raid1 --size=16M -- $m/4 $m/5
settles "raid1, one is told alone" /dev/md0 "one=$p5"
stop md0 $m/4 $m/5
same "nothing attached in the end" "$(wait_detached)" 0
done_testing
