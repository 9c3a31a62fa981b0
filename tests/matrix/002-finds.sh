#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 5 --size 64M --qmp --allow 'WARNING: a test'
# kernel: lean
#
# What the matrix is there to find is found: one wrong sector, a sector written
# twice, a member too few, copies that differ, a buffer that is held, a complaint
# of the kernel, I/O that does not go on, an exporter that is kept waiting, what a killed
# writer had been told was written, a fault that has not happened.
. /tests/matrix/cells.sh
. /tests/matrix/judge.sh

echo "* * ok 1500 5000" >/tmp/documented
echo "* * ok 9999 9999 least=900" >/tmp/stalled

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

# damage HOW: quiet afterwards
damage()
{
	ask quiet
	until tell damage "$1" && [ "$REPLY" = 0 ]; do
		ask go
		ask quiet
	done
	TIMES=''
}

damage_and_go()
{
	damage "$1"
	ask go
}

fault_old() { damage_and_go old; }
fault_place() { damage_and_go place; }
fault_torn() { damage_and_go torn; }
fault_byte() { damage_and_go byte; }

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

# by commands that take long
fault_slow_disk()
{
	throttle 1 8
	sleep 1
	ask move
	throttle 1 0
}

fault_killed()
{
	damage old
	kill_stream
}

fault_undone()
{
	tell nonsense
	quietly false
}

fault_refused()
{
	ask nonsense
}

fault_nothing()
{
	:
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
found raw killed mismatches
cell raw slow-disk >/tmp/cell
check "raw, the exporter waits: seen" test "$(field exporter_wait_ms "$(cat /tmp/cell)" | sed 's/\..*//')" -gt 1500
check "raw, the exporter waits: that is what is wrong" \
	test "$(judge "$(cat /tmp/cell)" /tmp/documented 1 | grep -c "the exporter waited")" = 1
for what in undone refused; do
	cell raw $what >/tmp/cell
	same "raw, $what" "$(field outcome "$(cat /tmp/cell)")" not-done
done
cell raw nothing >/tmp/cell
same "raw, nothing happens: nothing is wrong" "$(judge "$(cat /tmp/cell)" /tmp/documented 1)" ""
same "raw, nothing happens: no stall" "$(judge "$(cat /tmp/cell)" /tmp/stalled 1 | grep -c 'has it happened')" 1
cell raw long-hold >/tmp/cell
check "raw, stalled: seen" test "$(field stall_ms "$(cat /tmp/cell)")" -ge 5500
found raid1 fewer kicked
found raid1 unequal mismatches
down >/dev/null 2>&1
done_testing
