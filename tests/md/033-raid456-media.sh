#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 4 --size 64M --timeout 600 --append nvme_core.max_retries=0
# vm: --qemu -drive
# vm: --qemu if=none,id=flaky,format=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename=@DIR@/member3.0,file.image.locking=off,file.inject-error.0.event=read_aio,file.inject-error.0.sector=32768,file.inject-error.0.iotype=read,file.inject-error.0.once=on,file.inject-error.1.event=read_aio,file.inject-error.1.sector=32768,file.inject-error.1.iotype=read,file.inject-error.1.once=on,file.inject-error.2.event=read_aio,file.inject-error.2.sector=40960,file.inject-error.2.iotype=read,file.inject-error.2.once=on,file.inject-error.3.event=read_aio,file.inject-error.3.sector=40960,file.inject-error.3.iotype=read,file.inject-error.3.once=on
# vm: --qemu -device --qemu nvme,id=flaky,serial=flaky,drive=flaky,mdts=9
# kernel: both
#
# Media errors on one member of an array with parity, with ordinary buffers and with
# a dma-buf: the array ends up the same. Errors are injected above the disk, where
# they last until they are taken back, and by the emulated disk, where a sector is
# readable again once it has been written.
. /tests/include/tap.sh
. /tests/include/md.sh
. /tests/include/media.sh

m2=/dev/member/2
m3=/dev/member/3
stripe=1048576	# bytes of data, on two members

# Two reads of each sector fail, that of the chunk and that of the stripe: the
# data is computed, written and read once more.
for dev in /sys/class/nvme/nvme*; do
	case $(cat "$dev/serial") in
	flaky*) flaky=/dev/${dev##*/}n1 ;;
	esac
done

# start SECTOR: of the stripe with it, in the array
start()
{
	echo $((($1 - $(cat "/sys/block/md0/md/dev-$(disk $m0)/offset")) / 1024 * stripe))
}

# corrected KIND SECTOR
corrected()
{
	local before

	# the first of a chunk; which one of the stripe?
	POS=$(($(start "$2") + LEN))
	[ "$(read_from memory)" = "$(disk "$flaky")" ] || POS=$((POS + stripe / 2))
	[ "$(read_from memory)" = "$(disk "$flaky")" ] || echo "not on the disk"
	before=$(dmesg | grep -c 'read error corrected')
	$io -b "$1" read /dev/md0 $((POS - LEN)) $LEN 3
	settle md0
	echo "corrected $(($(dmesg | grep -c 'read error corrected') - before))"
}

# the disk by its other name, which has no errors
array md0 5 -- $m3 $m0 $m1
for sector in 32768 40960; do
	$io -p write /dev/md0 "$(start "$sector")" $stripe 3 >/dev/null
done
stop md0
mdadm --assemble --quiet /dev/md0 "$flaky" $m0 $m1
memory=$(corrected memory 32768)
same "an error that a write mends, ordinary buffer" "$memory" "$(printf 'ok\ncorrected 1')"
same "an error that a write mends" "$(corrected udmabuf 40960)" "$memory"
same "an error that a write mends: members" "$(md md0 degraded) $(blame md0)" "0 $(disk "$flaky") errors 16"
same "an error that a write mends: mismatches" "$(scrub md0)" 0
stop md0 "$flaky" $m0 $m1

POS=$stripe SHARE=2
for level in 5 6; do
	DEVS="$m0 $m1 $m2"
	[ $level = 5 ] || DEVS="$DEVS $m3"
	for scenario in read_error write_error degraded_read_error; do
		compare $scenario $level
		NO_LOG=1 compare $scenario $level
	done
done
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
