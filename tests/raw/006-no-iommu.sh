#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 1 --mdts 9 --iommu off
# kernel: both
#
# Without an IOMMU a scattered buffer stays scattered, and has PRP lists.
. /tests/include/tap.sh

T=/sys/kernel/tracing
echo 1 >$T/events/dma_buf_io/dma_buf_io_map/enable
tap lists /tests-bin/data/lists /dev/member/0
check "lists were used" grep -q 'dma_buf_io_map:.* runs=0' $T/trace
tap matrix /tests-bin/data/matrix /dev/member/0 quick
done_testing
