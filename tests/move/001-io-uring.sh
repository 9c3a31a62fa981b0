#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kernel: both
#
# The exporter moves, locks, revokes and refuses the buffer of a namespace, and of
# a stripe over linear.
. /tests/include/tap.sh

tap namespace /tests-bin/data/moving /dev/member/0 4
linear l0 /dev/member/0 /dev/member/1
linear l1 /dev/member/2 /dev/member/3
stripe st 16 /dev/mapper/l0 /dev/mapper/l1
tap "stripe on linear" /tests-bin/data/moving /dev/mapper/st 4
dmsetup remove st
dmsetup remove l0
dmsetup remove l1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
