#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 1 --namespaces 2 --hugepages 16 --append nvme.poll_queues=1
# kernel: both
#
# A namespace and a partition of it: every buffer, length, offset and ring.
. /tests/include/tap.sh

matrix=/tests-bin/data/matrix

tap namespace $matrix /dev/member/0n0 buffer=udmabuf,udmabuf-huge,heap:system \
	ring=plain,iopoll
tap namespace $matrix /dev/member/0n1 ring=fixed-file,defer-taskrun,sqpoll quick
tap "without pages" $matrix /dev/member/0n0 buffer=pageless quick
done_testing
