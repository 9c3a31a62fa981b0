#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What the rig promises a test: members, their names and sizes, the tree, tools.
# kernel: both
# vm: --members 3 --namespaces 2 --size 64M --lba 4096 --virtio 1 --hugepages 2
# vm: --env 'GREETING=good morning'

n=0
check()
{
	what=$1
	shift
	n=$((n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		echo "# $*: $out"
	fi
}

same()
{
	[ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }
}

round_trip()
{
	dd if=/dev/urandom of=/tmp/pattern bs=1M count=2 2>/dev/null
	dd if=/tmp/pattern of="$1" bs=64k oflag=direct 2>/dev/null
	echo 3 >/proc/sys/vm/drop_caches
	dd if="$1" bs=256k count=8 iflag=direct 2>/dev/null | cmp - /tmp/pattern
}

check "member 0 is nvme0n1" same "$(readlink /dev/member/0)" /dev/nvme0n1
check "member 2, second namespace, is nvme2n2" same "$(readlink /dev/member/2n1)" /dev/nvme2n2
check "serial number of member 1" same "$(tr -d ' ' </sys/class/nvme/nvme1/serial)" member1
check "no fourth member" test ! -e /dev/member/3
check "size" same "$(blockdev --getsize64 /dev/member/1n1)" 67108864
check "logical block size" same "$(blockdev --getss /dev/member/0)" 4096
check "virtio disk" test -b /dev/vda
check "huge pages" same "$(awk '/HugePages_Total/ { print $2 }' /proc/meminfo)" 2
check "environment" same "$GREETING" "good morning"
check "direct I/O round trip" round_trip /dev/member/1n1
check "device mapper" dmsetup create s --table "0 262144 striped 2 128 /dev/member/0 0 /dev/member/1 0"
check "its node" test -b /dev/mapper/s
check "direct I/O round trip through it" round_trip /dev/mapper/s
check "removing it" dmsetup remove s
check "md" mdadm --create /dev/md0 --run --assume-clean --quiet -l1 -n2 -e1.2 --bitmap=none /dev/member/0 /dev/member/1
check "direct I/O round trip through it" round_trip /dev/md0
check "stopping it" mdadm --stop --quiet /dev/md0
check "a strict IOMMU" same "$(sort -u /sys/kernel/iommu_groups/*/type)" DMA
check "LVM: a volume group" vgcreate -q vg /dev/member/2 /dev/member/2n1
check "LVM: a volume" lvcreate -q -y -i2 -L 32M -n lv vg
check "direct I/O round trip through it" round_trip /dev/vg/lv
echo "1..$n"
