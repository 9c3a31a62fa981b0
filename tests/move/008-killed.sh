#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2
# kernel: both
#
# What waits for an exporter ends with the process, or the ring, that it is for.
. /tests/include/tap.sh
. /tests/include/md.sh

# seconds; the debug kernel takes several times as long for everything
limit=1
! debug_kernel || limit=3

for how in slot replaced thread closed; do
	linear vol /dev/member/0 /dev/member/1
	check "$how: over at once" test "$(/tests-bin/move/killed vol $how)" -lt $limit
	dmsetup remove vol 2>/dev/null
	same "$how: nothing attached" "$(wait_detached)" 0
done
done_testing
