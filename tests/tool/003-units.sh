#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The tool's own unit tests: tables, patterns, JSON, the tree.
# host
# kernel: none

log=$ROOT/build/tool-units.log

make -s -C "$ROOT/tools/dmabuf-stack" O="$ROOT/build/dmabuf-stack" KHDR="$ROOT/build/usr" check \
	>"$log" 2>&1
status=$?
# one plan for all of the programs
awk '/^(not )?ok / { n++; sub(/ok [0-9]* *-*/, "ok " n " -"); print; next }
     !/^1\.\./ { print /^#/ ? $0 : "# " $0 }
     END { print "1.." n }' "$log"
exit $status
