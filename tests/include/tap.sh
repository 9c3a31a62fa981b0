# SPDX-License-Identifier: GPL-2.0
# For test scripts that run in the VM: results as TAP, and what several of them
# need. Sourced by busybox sh.

TAP_N=0
TAP_FAILED=0

ok()
{
	TAP_N=$((TAP_N + 1))
	echo "ok $TAP_N - $*"
}

not_ok()
{
	TAP_N=$((TAP_N + 1))
	TAP_FAILED=$((TAP_FAILED + 1))
	echo "not ok $TAP_N - $*"
}

diag()
{
	echo "$*" | sed 's/^/# /'
}

# check TEXT COMMAND...: one result, from the command's exit status
check()
{
	local text=$1

	shift
	if "$@" >/tmp/tap.out 2>&1; then
		ok "$text"
	else
		not_ok "$text"
		diag "$* failed:"
		sed 's/^/#   /' /tmp/tap.out
	fi
}

# same TEXT GOT WANTED
same()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		diag "got '$2', wanted '$3'"
	fi
}

# tap PREFIX COMMAND...: a program that prints TAP; its results become ours
tap()
{
	local prefix=$1 planned=0 seen=0 status=0 line

	shift
	"$@" >/tmp/tap.sub 2>&1 || status=$?
	while IFS= read -r line; do
		case $line in
		1..*) planned=${line#1..}; planned=${planned%% *} ;;
		'ok '* | 'not ok '*)
			seen=$((seen + 1))
			TAP_N=$((TAP_N + 1))
			case $line in not*) TAP_FAILED=$((TAP_FAILED + 1)) ;; esac
			echo "$line" | sed "s|ok [0-9]* *-* *|ok $TAP_N - $prefix: |"
			;;
		'TAP version'* | '# Totals'*) ;;
		'#'*) echo "$line" ;;
		*) echo "# $line" ;;
		esac
	done </tmp/tap.sub
	if [ "$seen" != "$planned" ] || [ "$seen" = 0 ]; then
		not_ok "$prefix: $* printed $seen of $planned results, status $status"
	elif [ $status != 0 ] && ! grep -q '^not ok' /tmp/tap.sub; then
		not_ok "$prefix: $* exited with $status"
	fi
}

done_testing()
{
	echo "1..$TAP_N"
	[ $TAP_FAILED = 0 ] && [ $TAP_N -gt 0 ]
	exit
}

# attachments [DEVICE]: attachments of all dma-bufs, or those of one PCI device
attachments()
{
	sed -n '/Attached Devices/,/^Total/p' /sys/kernel/debug/dma_buf/bufinfo |
		grep -v 'Attached\|Total' | grep -c "${1:-.}"
}

# ms: of a clock
ms()
{
	awk '{ printf "%d", $1 * 1000 }' /proc/uptime
}

# wait_detached: releases are a matter of moments, but not of this one
wait_detached()
{
	local i=0

	while [ "$(attachments)" != 0 ] && [ $i -lt 100 ]; do
		sleep 0.05
		i=$((i + 1))
	done
	attachments
}

# sectors DEVICE: its size
sectors()
{
	blockdev --getsz "$1"
}

# disk NODE: kernel name of a device
disk()
{
	basename "$(readlink -f "/sys/dev/block/$((0x$(stat -L -c %t "$1"))):$((0x$(stat -L -c %T "$1")))")"
}

# stripe NAME CHUNK_SECTORS DEVICE...: a striped volume over whole devices
stripe()
{
	local name=$1 chunk=$2 len dev table='' n

	shift 2
	n=$#
	len=$(sectors "$1")
	len=$((len / chunk * chunk * n))
	for dev in "$@"; do
		table="$table $dev 0"
	done
	dmsetup create "$name" --table "0 $len striped $n $chunk$table"
}

# linear NAME DEVICE...: devices one after the other
linear()
{
	local name=$1 start=0 len dev

	shift
	for dev in "$@"; do
		len=$(sectors "$dev")
		echo "$start $len linear $dev 0"
		start=$((start + len))
	done | dmsetup create "$name"
}
