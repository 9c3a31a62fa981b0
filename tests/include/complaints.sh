# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034
# Sourced by the rig, and by scripts in the VM that look at the log themselves.

# What no healthy kernel prints.
COMPLAINTS='WARNING: |BUG: |kernel BUG at|Oops|general protection|Call Trace'
COMPLAINTS="$COMPLAINTS"'|possible (circular|recursive) locking|inconsistent lock state|irq lock inversion'
COMPLAINTS="$COMPLAINTS"'|suspicious RCU usage|held lock freed|bad unlock balance|still has locks held'
COMPLAINTS="$COMPLAINTS"'|lock held when returning|possible irq lock inversion|invalid wait context'
COMPLAINTS="$COMPLAINTS"'|KASAN|UBSAN|DMA-API: [^ ]+ [^ ]+: |DMA-API: .*out of memory'
COMPLAINTS="$COMPLAINTS"'|DMAR: .*fault|DMAR:.*\[.*NO_PASID|blocked for more than|soft lockup|rcu.*detected .*stall'
COMPLAINTS="$COMPLAINTS"'|kmemleak: [0-9]+ new|nvme.*timeout|I/O [0-9]+.*QID.*timeout|ODEBUG|list_(add|del) corruption'
COMPLAINTS="$COMPLAINTS"'|Kernel panic|refcount_t: |percpu ref .*<= 0|Unable to handle|sleeping function called'

# DMA_API_DEBUG takes more than seven mappings of a page for a leak: this warning of its
# alone, which has no "DMA-API: DRIVER DEVICE: " as those about a device, and what follows
# every warning.
TOO_MANY_MAPPINGS='WARNING: kernel/dma/debug\.c:[0-9]+ at (add_dma_entry|active_cacheline_inc_overlap)|Call Trace:'
