#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# lvm2's own tests of what this project touches: RAID, mirrors and pvmove, without thin, cache,
# vdo and integrity.
# STOCK, a regular expression in the environment, chooses some.
# host
# timeout: 14400
# kernel: lean
. "$ROOT/tests/stock/compare.sh"

PUT=$("$ROOT/scripts/lvm2-tests")/usr || exit 1
mapfile -t tests < <(cd "$PUT/share/lvm2-testsuite/shell" && printf '%s\n' ./*raid* ./*mirror* ./pvmove* ./lvcreate-striped* |
	sed 's/^..//; s/\.sh$//' | grep -vE 'thin|cache|vdo|dmeventd|integrity|snapshot' | sort -u)
mapfile -t tests < <(printf '%s\n' "${tests[@]}" | grep -E "${STOCK:-.}")
compare /tests/stock/lvm "${tests[@]}"
