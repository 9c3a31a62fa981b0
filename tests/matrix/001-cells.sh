#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 5 --size 64M --virtio 1 --rootports --qmp --timeout 600 --allow 'nvme.*timeout'
# kernel: both
#
# Some cells of the fault matrix, each fault on a stack or two. "make matrix" runs
# all of it.
. /tests/matrix/cells.sh
. /tests/matrix/judge.sh

factor=1
[ "$RIG_KERNEL" != debug ] || factor=6

# those STACK FAULT...
those()
{
	local stack=$1 fault line worse

	shift
	for fault in "$@"; do
		cell "$stack" "$fault" >/tmp/cell
		line=$(cat /tmp/cell)
		worse=$(judge "$line" /tests/matrix/documented $factor | tr '\n' ';')
		case $(field outcome "$line") in
		n/a*)
			ok "$stack, $fault # SKIP $(field outcome "$line")"
			continue
			;;
		esac
		same "$stack, $fault: $(field outcome "$line")" "$worse" ""
		[ -z "$worse" ] || diag "$line"
	done
	down >/dev/null 2>&1
}

those stripe-on-linear move-loop move-between suspend-move reload reload-incapable revoke-for-ever
those raid1 map-ebusy map-einval md-replace incapable-member read-error write-error \
	kill-parked pressure cgroup reset timeout remove-one
those raid5 revoke-1s ring-exit reshape neighbour
MATRIX_SOAK='5 12'
those raid10 move-short soak
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
