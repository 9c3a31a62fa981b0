#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --hugepages 16 --virtio 1
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
dmsetup remove lin

linear lin /dev/vda /dev/mapper/st
dmabuf-stack probe /dev/mapper/lin >/tmp/probe 2>&1
same "probe an incapable stack: status" $? 1
check "probe an incapable stack: the reason" grep -q 'member vda cannot' /tmp/probe
dmabuf-stack copy --no-progress /bin/busybox /dev/mapper/lin >/tmp/copy 2>&1
same "copy to an incapable stack: status" $? 1
check "copy to an incapable stack: the reason" grep -q 'cannot take a dma-buf.*vda' /tmp/copy
dmsetup remove lin

check "copy a file in" dmabuf-stack copy --no-progress /bin/busybox /dev/mapper/st
size=$(stat -c %s /bin/busybox)
check "copy it out" dmabuf-stack copy --no-progress --length "$size" /dev/mapper/st /tmp/out
check "equal" cmp /bin/busybox /tmp/out
check "plain read: equal" sh -c "dd if=/dev/mapper/st bs=1M count=4 iflag=direct 2>/dev/null | head -c $size | cmp - /bin/busybox"
dmsetup remove st
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
