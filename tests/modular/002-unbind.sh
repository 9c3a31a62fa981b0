#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M --timeout 600
# kernel: modular
#
# The driver lets go of disks while dma-bufs are registered for them: I/O fails, or
# goes on where there is redundancy; what is registered holds no device that is gone,
# only the module, until it is closed.
. /tests/include/tap.sh
. /tests/include/md.sh
. /tests/include/modules.sh

m=/dev/member
hold=/tests-bin/data/hold
steady=/tests-bin/data/steady

modprobe dm_mod
modprobe md_mod

pci0=$(pci $m/0)
pci1=$(pci $m/1)
pci2=$(pci $m/2)
pci3=$(pci $m/3)

# a script: PCI-DEVICE goes away
gone='
. /tests/include/tap.sh
. /tests/include/modules.sh
before=$(attachments "$1")
unbind "$1" || echo unbind failed
echo "attached $before, then $(attachments "$1")"
refused nvme nvme_core'

# a disk that is gone has no end to read up to
same "raw: what becomes of the attachment, and of I/O" \
	"$($hold -i $m/0 -- sh -c "$gone" sh "$pci0" | sed 's/^short$/EIO/' | paste -sd ' ')" "attached 1, then 0 EIO"
same "raw: nothing attached afterwards" "$(wait_detached)" 0
check "raw: bound again" bind "$pci0" 0

# under I/O, of which there is no end until it fails
{ sleep 1; unbind "$pci0"; sleep 1; echo failures; echo stop; } |
	/tests-bin/matrix/stream $m/0 >/tmp/stream 2>/dev/null
check "raw, under I/O: some failed" grep -qE '^[1-9][0-9]*$' /tmp/stream
check "raw, under I/O: how" \
	grep -qE '^done=[1-9].* errno=(EIO|ENOSPC|short)(\+(ENOSPC|short))* .* hung=0$' /tmp/stream
check "raw, under I/O: bound again" bind "$pci0" 0

stripe vol 128 $m/0 $m/1 $m/2 $m/3
same "striped: what becomes of the attachment, and of I/O" \
	"$($hold -i /dev/mapper/vol -- sh -c "$gone" sh "$pci1" | paste -sd ' ')" "attached 1, then 0 EIO"
dmsetup remove vol
same "striped: nothing attached afterwards" "$(wait_detached)" 0
check "striped: bound again" bind "$pci1" 1

for level in raid1 raid10 raid5; do
	case $level in
	raid1) set -- $m/0 $m/1 ;;
	*) set -- $m/0 $m/1 $m/2 $m/3 ;;
	esac
	array md0 $level -- "$@"
	check "$level: goes on without a member" \
		$steady /dev/md0 -- sh -c ". /tests/include/modules.sh; sleep 1; unbind $pci1; sleep 2"
	same "$level: one is missing" "$(md md0 degraded)" 1
	same "$level: nothing attached afterwards" "$(wait_detached)" 0
	stop md0
	check "$level: bound again" bind "$pci1" 1
	mdadm --zero-superblock --quiet "$@"
done

same "all disks go away while one is registered: nvme stays" "$($hold -c $m/2 -- sh -c '
. /tests/include/tap.sh
. /tests/include/modules.sh
for pci in "$@"; do unbind $pci; done
echo "$(attachments)"
refused nvme nvme_core' sh "$pci0" "$pci1" "$pci2" "$pci3")" 0
same "nothing attached afterwards" "$(wait_detached)" 0
check "nvme can be unloaded then" unload nvme
check "and loaded" load_disks
check "a disk works" $hold -i $m/2 -- true
done_testing
