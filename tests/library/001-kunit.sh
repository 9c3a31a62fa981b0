#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The library's own unit tests, in the kernel.
# kernel: debug
# vm: --members 1
. /tests/include/tap.sh

for suite in dma-buf-io-map dma-buf-io dma-buf-io-remove dma-buf-io-wait dma-buf-io-cpu \
	dma-buf-io-cpu-told; do
	dir=/sys/kernel/debug/kunit/$suite
	echo 1 >$dir/run || exit 99
	# the cases of the suite, one level up; the suite's own line repeats them
	tap "$suite" sed -n 's/^    //p' $dir/results
done
done_testing
