#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --virtio 1
# kernel: both
#
# The errno of every wrong registration and request, on a namespace and a stripe.
. /tests/include/tap.sh

size=$(sectors /dev/member/0)
dmsetup create cr --table "0 $size crypt aes-xts-plain64 $(printf '%064d' 1) 0 /dev/member/1 0"
tap namespace /tests-bin/uapi/errors /dev/member/0 /dev/ram0 /dev/vda /dev/mapper/cr
dmsetup remove cr
stripe st 16 /dev/member/0 /dev/member/1
tap stripe /tests-bin/uapi/errors /dev/mapper/st /dev/ram0
dmsetup remove st
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
