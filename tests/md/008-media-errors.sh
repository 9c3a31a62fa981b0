#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --size 64M --timeout 600 --append nvme_core.max_retries=0
# vm: --qemu -drive
# vm: --qemu if=none,id=flaky,format=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename=@DIR@/member3.0,file.image.locking=off,file.inject-error.0.event=read_aio,file.inject-error.0.sector=32768,file.inject-error.0.iotype=read,file.inject-error.0.once=on,file.inject-error.1.event=read_aio,file.inject-error.1.sector=49152,file.inject-error.1.iotype=read,file.inject-error.1.once=on
# vm: --qemu -device --qemu nvme,id=flaky,serial=flaky,drive=flaky,mdts=9
# kernel: both
#
# Media errors on one member of a mirror, with ordinary buffers and with a dma-buf: the array
# ends up the same. Errors are injected above the disk, where they last until
# they are taken back, and by the emulated disk, once for each of two sectors.
. /tests/include/tap.sh
. /tests/include/md.sh
. /tests/include/media.sh

for level in raid1 "raid10 --chunk=512"; do
	for scenario in read_error write_error both_write_error both_read_error; do
		# shellcheck disable=SC2086
		compare $scenario $level
	done
	# shellcheck disable=SC2086
	compare write_error $level --failfast
	# shellcheck disable=SC2086
	compare read_error $level --failfast
	# shellcheck disable=SC2086
	NO_LOG=1 compare write_error $level
	# shellcheck disable=SC2086
	NO_LOG=1 compare read_error $level
done

# One that passes: the member is asked again, and nothing is held against it.
for dev in /sys/class/nvme/nvme*; do
	case $(cat "$dev/serial") in
	flaky*) flaky=/dev/${dev##*/}n1 ;;
	esac
done
# a resync would meet the errors first
array md0 raid1 --assume-clean -- $m0 "$flaky"
dd if=/dev/urandom of=/dev/md0 bs=1M count=40 oflag=direct 2>/dev/null
echo writemostly >"/sys/block/md0/md/dev-$(disk $m0)/state"
offset=$(cat "/sys/block/md0/md/dev-$(disk "$flaky")/offset")
once()
{
	local byte=$((($2 - offset) * 512)) before

	$io -p write /dev/md0 $byte 65536 7 >/dev/null
	before=$(dmesg | grep -c 'critical medium error')
	same "a passing error, $1: read" "$($io -b "$1" read /dev/md0 $byte 65536 7)" ok
	same "a passing error, $1: seen" $(($(dmesg | grep -c 'critical medium error') - before)) 1
	settle md0
	same "a passing error, $1: members" \
		"$(md md0 degraded) $(grep -c . /sys/block/md0/md/dev-*/bad_blocks | grep -v ':0$')" "0 "
}
once memory 32768
once udmabuf 49152
check "a passing error: copies are equal" /tests-bin/md/mirrors md0
same "a passing error: mismatches" "$(scrub md0)" 0
stop md0 $m0 "$flaky"
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
