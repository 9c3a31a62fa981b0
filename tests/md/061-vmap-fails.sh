#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M
# kernel: lean
#
# An exporter that has vmap, and that fails: what needs the CPU's mapping is refused in
# one line, without a warning; nothing else asks for one.
. /tests/include/tap.sh
. /tests/include/md.sh
. /tests/include/complaints.sh

m=/dev/member
hold=/tests-bin/data/hold

# refused TEXT DEVICE ERRNO
refused()
{
	local answer

	dmesg -c >/dev/null
	answer=$($hold -v "$3" -b test "$2" -- echo registered)
	check "$1, vmap fails with $3: refused ($answer)" [ "$answer" != registered ]
	same "$1, vmap fails with $3: lines in the log" "$(dmesg | grep -c 'dma-buf\|dmabuf')" 1
	same "$1, vmap fails with $3: complaints" "$(dmesg | grep -cE "$COMPLAINTS")" 0
	same "$1, vmap fails with $3: nothing attached" "$(wait_detached)" 0
	check "$1: a buffer whose vmap works" $hold -b test -i "$2" -- true
}

# EOPNOTSUPP, ENOMEM, ENXIO, EBUSY
errnos="95 12 6 16"

# nobody is to ask
for errno in $errnos; do
	dmesg -c >/dev/null
	check "namespace, vmap would fail with $errno: works" $hold -v "$errno" -b test -i $m/0 -- true
done
array md0 raid1 --size=16M -- $m/0 $m/1
check "raid1, vmap would fail: works" $hold -v 95 -b test -i /dev/md0 -- true
same "raid1, vmap would fail: complaints" "$(dmesg | grep -cE "$COMPLAINTS")" 0
stop md0 $m/0 $m/1

for level in 5 6; do
	devs="$m/0 $m/1 $m/2 $m/3"
	# shellcheck disable=SC2086
	array md0 $level --size=16M -- $devs
	for errno in $errnos; do
		refused "raid$level" /dev/md0 "$errno"
	done
	# shellcheck disable=SC2086
	stop md0 $devs
done
done_testing
