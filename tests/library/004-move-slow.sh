#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The same on a slow device: commands are on the hardware for longer than it
# takes to take a mapping away from an idle one, and the exporter has to wait.
# kernel: both
# vm: --members 1 --timeout 600
# vm: --qemu -drive
# vm: --qemu if=none,id=slow,format=raw,file.filename=@DIR@/member0.0,file.locking=off,throttling.bps-total=20000000
# vm: --qemu -device --qemu nvme,id=slow,serial=slow,drive=slow,mdts=9

for dev in /sys/class/nvme/nvme*; do
	case $(cat "$dev/serial") in
	slow*) TEST_FILE=/dev/${dev##*/}n1 ;;
	esac
done
export TEST_FILE
exec /tests-bin/library/move
