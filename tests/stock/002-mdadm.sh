#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# mdadm's own tests. Left out is what needs multipath (gone from the kernel), linear arrays
# without metadata, programs that the package does not have, or a reshape that takes minutes
# here.
# STOCK, a regular expression in the environment, chooses some.
# host
# timeout: 14400
# kernel: lean
. "$ROOT/tests/stock/compare.sh"

PUT=$("$ROOT/scripts/fetch-source" mdadm) || exit 1
mapfile -t tests < <(cd "$PUT/tests" && printf '%s\n' [0-9]* |
	grep -vE '^00multipath|^(00linear|02lineargrow)|^07(testreshape5|reshape5intr|layouts|changelevels|changelevelintr|revert)|^1[1-8]|^19raid6check|^04r5swap')
mapfile -t tests < <(printf '%s\n' "${tests[@]}" | grep -E "${STOCK:-.}")
compare /tests/stock/mdadm "${tests[@]}"
