#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The library's own unit tests, in the kernel.
# kernel: debug
# vm: --members 1

suite=/sys/kernel/debug/kunit/dma-buf-io

echo 1 >$suite/run || exit 99
# The cases of the suite, one level up; the suite's own line repeats them.
sed -n 's/^    //p' $suite/results
! grep -q '^ *not ok' $suite/results
