#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2
# kernel: both
#
# What waits for an exporter ends with the process, or the ring, that it is for.
. /tests/include/tap.sh

for how in slot replaced thread closed; do
	linear vol /dev/member/0 /dev/member/1
	same "$how: over within a second" "$(/tests-bin/move/killed vol $how)" 0
	dmsetup remove vol 2>/dev/null
	same "$how: nothing attached" "$(wait_detached)" 0
done
done_testing
