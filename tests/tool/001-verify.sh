#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --hugepages 16 --virtio 1
# kernel: both
#
# dmabuf-stack on what works and on what does not.
. /tests/include/tap.sh

stripe st 128 /dev/member/0 /dev/member/1
linear lin /dev/member/2 /dev/mapper/st
for buffer in udmabuf udmabuf-huge heap:system; do
	check "verify a namespace, $buffer" dmabuf-stack verify --destroy-data --buffer $buffer /dev/member/3
	check "verify linear on a disk and a stripe, $buffer" \
		dmabuf-stack verify --destroy-data --buffer $buffer /dev/mapper/lin
done
check "probe a stack" dmabuf-stack probe /dev/mapper/lin
dmabuf-stack probe /dev/mapper/lin >/tmp/probe
same "probe a stack: each layer" "$(sed -n 's/^[^a-z]*\([a-z0-9]*\) *\(dm [a-z]*\|nvme\) *\([a-z]*\) .*/\1 \2 \3/p' /tmp/probe | sort | paste -sd ';')" \
	"lin dm linear yes;nvme0n1 nvme yes;nvme1n1 nvme yes;nvme2n1 nvme yes;st dm striped yes"
dmsetup remove lin

linear lin /dev/vda /dev/mapper/st
dmabuf-stack probe /dev/mapper/lin >/tmp/probe 2>&1
same "probe an incapable stack: status" $? 1
check "probe an incapable stack: the reason" grep -q 'member vda cannot' /tmp/probe
dmabuf-stack copy --no-progress /bin/busybox /dev/mapper/lin >/tmp/copy 2>&1
same "copy to an incapable stack: status" $? 1
check "copy to an incapable stack: the reason" grep -q 'cannot take a dma-buf.*vda' /tmp/copy
dmabuf-stack copy --no-progress --length 1M /dev/mapper/lin /tmp/none >/tmp/copy 2>&1
same "copy from an incapable stack: status" $? 1
check "copy from an incapable stack: no file is left" [ ! -e /tmp/none ]
dmsetup remove lin

check "copy a device to another, through a heap" \
	dmabuf-stack copy --buffer heap:system --size 256K --length 8M --no-progress /dev/member/3 /dev/mapper/st
check "equal" sh -c "dd if=/dev/mapper/st of=/tmp/a bs=1M count=8 iflag=direct 2>/dev/null &&
	dd if=/dev/member/3 of=/tmp/b bs=1M count=8 iflag=direct 2>/dev/null && cmp /tmp/a /tmp/b"
check "not all zeroes" sh -c "! cmp -n 1048576 /tmp/a /dev/zero"
/tests-bin/tool/pty dmabuf-stack copy --length 8M /dev/member/3 /dev/mapper/st >/tmp/bar
same "on a terminal: status" $? 0
check "on a terminal: a progress bar" grep -q '\[#*\] 100%' /tmp/bar
dmabuf-stack copy --length 8M /dev/member/3 /dev/mapper/st >/tmp/bar 2>&1
check "elsewhere: none" sh -c "! grep -q '100%' /tmp/bar"
dmabuf-stack copy --no-progress /tmp/a /tmp/a >/tmp/copy 2>&1
same "copy a file onto itself: status" $? 2
same "copy a file onto itself: it stays" "$(cmp /tmp/a /tmp/b 2>&1)" ""
check "copy a file in" dmabuf-stack copy --no-progress /bin/busybox /dev/mapper/st
size=$(stat -c %s /bin/busybox)
check "copy it out" dmabuf-stack copy --no-progress --length "$size" /dev/mapper/st /tmp/out
check "equal" cmp /bin/busybox /tmp/out
check "plain read: equal" sh -c "dd if=/dev/mapper/st bs=1M count=4 iflag=direct 2>/dev/null | head -c $size | cmp - /bin/busybox"
dmsetup remove st
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
