#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The exporter moves the buffer while I/O is under way.
# kernel: both
# vm: --members 1 --timeout 600

exec /tests-bin/library/move
