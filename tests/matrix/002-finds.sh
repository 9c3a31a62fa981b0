#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 5 --size 64M --allow 'WARNING: a test'
# kernel: lean
#
# What the matrix is there to find is found: one wrong sector, a sector written
# twice, a member too few, copies that differ, a buffer that is held, a complaint
# of the kernel, I/O that does not go on.
. /tests/matrix/cells.sh
. /tests/matrix/judge.sh

echo "* * ok 1500 5000" >/tmp/documented

# found STACK FAULT FIELD: is at least 1
found()
{
	local line

	cell "$1" "$2" >/tmp/cell
	line=$(cat /tmp/cell)
	check "$1, $2: $3" test "$(field "$3" "$line")" -ge 1
	diag "$line"
	check "$1, $2: that is what is wrong" \
		test "$(judge "$line" /tmp/documented 1 | grep -c "^$3 ")" = 1
}

damage()
{
	ask quiet
	until ask damage "$1" && [ "$REPLY" = 0 ]; do
		ask go
		ask quiet
	done
	ask go
	TIMES=''
}

fault_old() { damage old; }
fault_place() { damage place; }
fault_torn() { damage torn; }
fault_byte() { damage byte; }

fault_twice()
{
	dd if=/dev/zero of=$m/1 bs=512 seek=60000 count=1 oflag=direct 2>/dev/null
}

fault_fewer()
{
	TIMES='' SPENT=1
	mdadm --quiet /dev/md0 --fail $m/1
}

fault_unequal()
{
	TIMES='' SPENT=1
	dd if=/dev/urandom of=$m/1 bs=512 seek=$(($(cat "/sys/block/md0/md/dev-$(disk $m/1)/offset") + 30000)) \
		count=1 oflag=direct 2>/dev/null
}

fault_held()
{
	touch /tmp/hold
	/tests-bin/data/hold $m/2 -- sh -c 'while [ -e /tmp/hold ]; do sleep 0.2; done' 8>&- 9>&- &
	sleep 0.5
}

fault_warned()
{
	echo "WARNING: a test" >/dev/kmsg
}

fault_long_hold()
{
	ask revoke
	sleep 6
	ask unrevoke
}

for how in old place torn byte; do
	found raw $how mismatches
done
found raw twice duplicates
found raw held leaks
rm /tmp/hold
wait
found raw warned splats
cell raw long-hold >/tmp/cell
check "raw, stalled: seen" test "$(field stall_ms "$(cat /tmp/cell)")" -ge 5500
found raid1 fewer kicked
found raid1 unequal mismatches
down >/dev/null 2>&1
done_testing
