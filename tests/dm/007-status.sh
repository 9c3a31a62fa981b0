#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kernel: both
#
# A buffer that cannot be reached is not held against a device of a stripe.
. /tests/include/tap.sh

echo 300 >/sys/module/dma_buf_io/parameters/park_timeout_ms
linear late /dev/member/1
stripe st 16 /dev/member/0 /dev/mapper/late
dmsetup suspend late
same "one device too late for the buffer" \
	"$(/tests-bin/md/late /dev/mapper/st write 16384 revoke -- dmsetup resume late)" ESTALE
same "no device of the stripe is blamed" "$(dmsetup status st | sed 's/.* //')" AA
same "nor is there an event" "$(dmsetup info -c --noheadings -o events st)" 0
same "it goes on" "$(/tests-bin/md/late /dev/mapper/st write 16384 first -- true)" right
dmsetup remove st
dmsetup remove late
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
