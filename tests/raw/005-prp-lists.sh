#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kernel: both
# vm: --members 1 --mdts 10 --append nvme.sgl_threshold=0
#
# PRP lists that are written with the mapping, behind the IOMMU, for commands of
# up to 4 MiB: the emulated device takes no more than 1024 entries.
. /tests/include/tap.sh

T=/sys/kernel/tracing
echo 1 >$T/events/dma_buf_io/dma_buf_io_map/enable
tap lists /tests-bin/data/lists /dev/member/0
check "lists were used" grep -q 'dma_buf_io_map:.* runs=0' $T/trace
done_testing
