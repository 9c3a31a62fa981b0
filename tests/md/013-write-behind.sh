#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 2 --size 64M
# kernel: both
#
# raid1 with a member that is written to behind the application's back: what has been
# acknowledged is not overtaken by a write from a dma-buf, and its errors are handled
# when the request is long gone.
. /tests/include/tap.sh
. /tests/include/md.sh

io=/tests-bin/data/io
m=/dev/member

linear behind $m/1
array md0 1 --bitmap=internal --write-behind=64 -- $m/0 --write-mostly /dev/mapper/behind
# no write is to wait for a superblock or a bitmap on the member that is held up
echo 0 >/sys/block/md0/md/safe_mode_delay
echo 600 >/sys/block/md0/md/bitmap/time_base
for pos in 1048576 2097152; do
	$io -p write /dev/md0 $pos 65536 1 >/dev/null
done

# writes: write commands that the other member has seen
writes()
{
	awk '{ print $5 }' "/sys/block/$(disk $m/0)/stat"
}

# nor is the one of the resync, or of those writes, to be still on its way
before=''
until [ "$before" = "$(writes)" ]; do
	before=$(writes)
	sleep 2
done

dmsetup suspend behind
same "acknowledged before it is everywhere" "$(timeout 20 $io -p write /dev/md0 1048576 65536 2)" ok
before=$(writes)
$io write /dev/md0 1048576 65536 3 >/tmp/write &
sleep 1
same "a write from a dma-buf is held back" "$(cat /tmp/write) $(($(writes) - before))" " 0"
dmsetup resume behind
wait
same "until then" "$(cat /tmp/write)" ok
same "it is what is there" "$($io -p read /dev/md0 1048576 65536 3)" ok
sound "written behind" md0 2

# A read that is sent on to it meanwhile waits, and nothing else does.
dmsetup suspend behind
same "acknowledged once more" "$(timeout 20 $io -p write /dev/md0 1048576 65536 5)" ok
inject "$(disk $m/0)" READ BUFFER
$io read /dev/md0 1048576 65536 5 >/tmp/read &
sleep 1
# so that the read has its turn, no more writes are written behind meanwhile
$io -p write /dev/md0 2097152 65536 1 >/tmp/other &
sleep 3
same "a read for the other member is held back" "$(cat /tmp/read)" ""
dmsetup resume behind
wait
same "a write that came later" "$(cat /tmp/other)" ok
inject "$(disk $m/0)" none
same "it has read what was written behind" "$(cat /tmp/read)" ok
sound "read and written behind" md0 2

# While others write behind all the time, it has its turn.
for n in 1 2 3 4; do
	(
		while [ ! -e /tmp/enough ]; do
			$io -p write /dev/md0 $((8388608 + n * 1048576)) 65536 $n
		done
	) >/dev/null 2>&1 &
done
sleep 1
inject "$(disk $m/0)" READ BUFFER
i=0
while [ $i -lt 10 ]; do
	timeout 20 $io read /dev/md0 1048576 65536 5
	i=$((i + 1))
done >/tmp/read
inject "$(disk $m/0)" none
touch /tmp/enough
wait
same "reads while others write behind" "$(grep -c '^ok$' /tmp/read)" 10

# A buffer that is freed when the write has been acknowledged.
dmsetup suspend behind
dev=$(disk /dev/mapper/behind)
inject "$dev" WRITE MEDIUM $(($(cat "/sys/block/md0/md/dev-$dev/offset") + 4096)) 128
same "acknowledged" "$(timeout 20 $io -p write /dev/md0 2097152 65536 4)" ok
for i in 1 2 3 4; do
	$io read /dev/md0 4194304 65536 0 >/dev/null
done
dmsetup resume behind
i=0
while [ -z "$(blame md0)" ] && [ $i -lt 200 ]; do
	i=$((i + 1))
	sleep 0.1
done
inject "$dev" none
settle md0
check "the error is the member's" [ -n "$(blame md0)" ]
same "and the data is there" "$($io -p read /dev/md0 2097152 65536 4)" ok
stop md0 $m/0 /dev/mapper/behind
dmsetup remove behind
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
