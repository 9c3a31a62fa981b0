#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 3 --size 64M --append swiotlb=force --mem 2G --hugepages 8
# kernel: lean
#
# The same behind an IOMMU, which maps buffers where they are.
. /tests/raw/007-swiotlb.sh
