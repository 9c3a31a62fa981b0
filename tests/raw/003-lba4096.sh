#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --lba 4096
#
# 4096-byte logical blocks: buffers at every 512-byte phase, lengths in blocks.
. /tests/include/tap.sh

tap namespace /tests-bin/data/matrix /dev/member/0 quick
stripe st 128 /dev/member/0 /dev/member/1 /dev/member/2 /dev/member/3
tap stripe /tests-bin/data/matrix /dev/mapper/st at=$((65536 * 4)) quick
dmsetup remove st
done_testing
