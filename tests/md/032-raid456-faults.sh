#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M --virtio 1
# kernel: both
#
# What an exporter does to an array with parity: it refuses a mapping for the CPU,
# takes the buffer away from devices while I/O is on its way to them (held up in
# a suspended dm volume), or has a lock that somebody else holds. And a member
# that has media errors, and one that cannot do dma-buf I/O.
. /tests/include/tap.sh
. /tests/include/md.sh

m=/dev/member
hold=/tests-bin/data/hold
late=/tests-bin/md/late

copied()
{
	cat /sys/kernel/debug/dma_buf_io/copied_bytes
}

for level in 4 5 6; do
	devs="$m/0 $m/1 $m/2 $m/3"
	array md0 $level -- $devs
	dmesg -c >/dev/null
	same "raid$level: no mapping for the CPU: refused" "$($hold -b no-vmap /dev/md0 -- true)" EOPNOTSUPP
	same "raid$level: ... in the log" \
		"$(dmesg | grep -c "md0: raid$level needs vmap, which the exporter lacks")" 1
	same "raid$level: nothing left behind" "$(attachments)" 0
	stop md0 $devs
done

linear late1 $m/1
array md0 5 --chunk=64 -- $m/0 /dev/mapper/late1 $m/2
dmsetup create on --table "0 $(sectors /dev/md0) linear /dev/md0 0"
same "below dm: no mapping for the CPU: refused" "$($hold -b no-vmap /dev/mapper/on -- true)" EOPNOTSUPP
check "below dm: others are not" $hold -b test -i /dev/mapper/on -- true
# the table gets there later
dmsetup create later --table "0 32768 linear $m/3 0"
same "no mapping for the CPU, reloaded" \
	"$($hold -b no-vmap -i /dev/mapper/later -- sh -c "dmsetup suspend later
		dmsetup reload later --table '0 32768 linear /dev/md0 0'; dmsetup resume later")" EOPNOTSUPP
dmsetup remove on
dmsetup remove later

echo 500 >/sys/module/dma_buf_io/parameters/park_timeout_ms
resume="dmsetup resume late1"
before=$(copied)
for len in 4096 69632 1048576; do
	for dir in read write; do
		dmsetup suspend late1
		same "$dir of $len, revoked: by way of the stripe cache" \
			"$($late /dev/md0 $dir $len revoke -- $resume)" right
	done
done
check "revoked: the CPU has copied more than the writes" \
	[ $(($(copied) - before)) -gt $((4096 + 69632 + 1048576)) ]
sound "revoked" md0 3

# The exporter's lock is somebody's, and the submitter holds up the array, before the
# stripes and after them: no longer than it may.
suspended()
{
	local start

	start=$(cut -d. -f1 /proc/uptime)
	echo 1 >/sys/block/md0/md/group_thread_cnt
	dd if=/dev/md0 of=/dev/null bs=64k count=4 iflag=direct 2>/dev/null
	echo 0 >/sys/block/md0/md/group_thread_cnt
	echo $(($(cut -d. -f1 /proc/uptime) - start)) >/tmp/suspended
}
# no write is to wait for the superblock of a member that is held up
echo 0 >/sys/block/md0/md/safe_mode_delay
dd if=/dev/zero of=/dev/md0 bs=64k count=1 oflag=direct 2>/dev/null
for dir in write read; do
	[ $dir = write ] || fail md0 $m/0
	cat >/tmp/suspend <<-EOF
	$(sed -n '/^suspended()/,/^}/p' "$0")
	suspended
	EOF
	same "$dir, the lock is held before" \
		"$($late /dev/md0 $dir 4096 first hold=8000 -- sh /tmp/suspend)" "ESTALE, then right"
	check "$dir, the lock is held before: the array goes on, $(cat /tmp/suspended) s" \
		[ "$(cat /tmp/suspended)" -lt 6 ]
done
for dir in write read; do
	dmsetup suspend late1
	want="ESTALE, then right"
	[ $dir = read ] || want="right, then right"
	# a place each, because what was written is in the stripe cache
	same "$dir, the lock is held after" "$($late /dev/md0 $dir 131072 hold=8000 \
		pos=$((${#dir} << 21)) -- sh -c "$resume; sh /tmp/suspend")" "$want"
	$resume
	check "$dir, the lock is held after: the array goes on, $(cat /tmp/suspended) s" \
		[ "$(cat /tmp/suspended)" -lt 6 ]
done
mdadm --zero-superblock $m/0
mdadm --quiet /dev/md0 --add $m/0
settle md0

# ordinary I/O reads from the other members then, and so does this; one that cannot be
# read at all is failed after some hundred errors
echo 8000 >/sys/module/dma_buf_io/parameters/park_timeout_ms
before=$(dmesg | grep -c 'injecting critical medium error')
inject "$(disk $m/2)" READ MEDIUM "$(cat "/sys/block/md0/md/dev-$(disk $m/2)/offset")" 256
tap "a member cannot read" /tests-bin/data/matrix /dev/md0 quick
inject "$(disk $m/2)" none
check "a member cannot read: it has been asked" \
	[ "$(dmesg | grep -c 'injecting critical medium error')" -gt "$before" ]
same "a member cannot read: it is still there" "$(md md0 degraded)" 0
same "a member cannot read: mismatches" "$(scrub md0)" 0

fail md0 $m/2
mdadm --quiet /dev/md0 --add /dev/vda
settle md0
same "a member that cannot: redundant" "$(md md0 degraded)" 0
same "a member that cannot: refused" "$($hold /dev/md0 -- true)" EOPNOTSUPP
fail md0 /dev/vda
mdadm --zero-superblock $m/2
mdadm --quiet /dev/md0 --add $m/2
settle md0
tap "one that can instead" /tests-bin/data/matrix /dev/md0 quick
sound "one that can instead" md0 3
stop md0 $m/0 /dev/mapper/late1 $m/2
dmsetup remove late1
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
