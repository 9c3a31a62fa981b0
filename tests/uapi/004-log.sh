#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 1 --size 64M
# kernel: lean
#
# What a user does wrong is an errno; it does not fill the log.
. /tests/include/tap.sh

dmesg -c >/dev/null
same "wrong targets, a thousand times" "$(/tests-bin/uapi/wrong-fds)" 0
same "lines in the log" "$(dmesg | grep -c 'dma-buf\|dmabuf')" 0
done_testing
