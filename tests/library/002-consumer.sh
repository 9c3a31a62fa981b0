#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Raw NVMe through a consumer inside the kernel, without io_uring.
# kernel: both
# vm: --members 1

exec /tests-bin/library/consumer
