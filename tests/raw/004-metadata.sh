#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A namespace that is formatted with metadata beside its blocks needs checksums
# made by the CPU: refused, beside one that is not, on the same controller.
# Not on the debug kernel: there the search for partitions, whose reads have their
# metadata in two pieces of memory, trips over a warning in dma_iova_link().
# kernel: lean
# vm: --members 1
# vm: --qemu -device --qemu nvme,id=meta,serial=meta
# vm: --qemu -drive --qemu if=none,id=plain,format=raw,file.driver=null-co,file.size=64M,file.read-zeroes=on
# vm: --qemu -device --qemu nvme-ns,drive=plain,bus=meta,nsid=1
# vm: --qemu -drive --qemu if=none,id=meta8,format=raw,file.driver=null-co,file.size=64M,file.read-zeroes=on
# vm: --qemu -device --qemu nvme-ns,drive=meta8,bus=meta,nsid=2,ms=8
. /tests/include/tap.sh

hold=/tests-bin/data/hold

# ns NSID: the disk. The rig waits for its own members, not for these, and they
# are named in the order in which they are found.
ns()
{
	local i=0 disk

	while [ $i -lt 100 ]; do
		for disk in /sys/block/nvme*; do
			case $(cat "$disk/device/serial") in
			meta*) [ "$(cat "$disk/nsid")" != "$1" ] || { echo "${disk##*/}"; return; } ;;
			esac
		done
		i=$((i + 1))
		sleep 0.1
	done
}

plain=$(ns 1)
meta=$(ns 2)
kb()
{
	cat "/sys/block/$1/queue/max_hw_dmabuf_sectors_kb"
}

same "metadata: bytes" "$(cat "/sys/block/$meta/metadata_bytes")" 8
same "metadata: the queue says so" "$(kb "$meta")" 0
same "metadata: registration" "$($hold "/dev/$meta" -- true)" EOPNOTSUPP
check "metadata: the log says why" sh -c "dmesg | tail -n 5 | grep -q '$meta: .*metadata'"
same "metadata: nothing attached" "$(attachments)" 0
linear lin "/dev/$plain" "/dev/$meta"
same "linear over both: registration" "$($hold /dev/mapper/lin -- true)" EOPNOTSUPP
dmsetup remove lin
check "without metadata: registration and I/O" $hold -i "/dev/$plain" -- true
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
