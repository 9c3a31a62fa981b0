#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 3 --size 64M
# kernel: lean
#
# Which fences of a dma-buf are waited for does not depend on what is below: the
# kernel's, and nobody else's.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
fences=/tests-bin/md/fences

tap namespace $fences $m/0
for level in raid0 raid1 raid10 raid5 raid6; do
	devs="$m/0 $m/1 $m/2"
	# shellcheck disable=SC2086
	case $level in
	raid6) array md0 $level --size=16M -- $devs missing ;;
	*) array md0 $level --size=16M -- $devs ;;
	esac
	tap $level $fences /dev/md0
	# shellcheck disable=SC2086
	stop md0 $devs
done
array md0 raid5 --size=16M -- $m/0 $m/1 $m/2
fail md0 $m/1
tap "raid5, degraded" $fences /dev/md0
stop md0 $m/0 $m/2
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
