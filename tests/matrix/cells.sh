#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC3045	# read -t of busybox
# Cells of the fault matrix, each as a line of JSON; runs in the VM.
#
#	cells.sh STACK FAULT...
#
# Exits with 3 where the VM is of no use for those that are left.
. /tests/include/tap.sh
. /tests/include/md.sh
. /tests/include/qmp.sh
. /tests/include/complaints.sh
. /tests/matrix/stacks.sh
. /tests/matrix/faults.sh
. /tests/matrix/changes.sh
. /tests/matrix/fuzz.sh
. /tests/matrix/soak.sh

note()
{
	NOTES="$NOTES${NOTES:+; }$(echo "$*" | tr '"\\\t' "'/ ")"
}

# miss TEXT: the fault, or a part of it, has not happened; that is no result
miss()
{
	note "$*"
	MISSED=1
}

# patient MS: as long as that may take, on this kernel
patient()
{
	debug_kernel && echo $(($1 * 6)) || echo "$1"
}

# start_stream [OPTIONS]
start_stream()
{
	rm -f /tmp/m.in /tmp/m.out
	mkfifo /tmp/m.in /tmp/m.out
	exec 8<>/tmp/m.in 9<>/tmp/m.out
	/tests-bin/matrix/stream -b "${MATRIX_KIND:-test}" -p $POS -s /tmp/m.state "$@" "$DEV" </tmp/m.in >/tmp/m.out 2>>/tmp/m.err 7>&- 8>&- 9>&- &
	STREAM=$!
	REPLY=''
	read -r -t 60 REPLY <&9
	[ "$REPLY" = ready ] || { note "stream: $REPLY"; return 1; }
}

# ask COMMAND...: of the stream; REPLY is a number, or it has not been done
ask()
{
	tell "$@" || return
	case $REPLY in
	'' | *[!0-9]*)
		miss "$*: $REPLY"
		return 1
		;;
	esac
}

# tell COMMAND...: and let it answer what it will
tell()
{
	[ -z "$GONE" ] || return 1
	echo "$*" >&8
	REPLY=''
	read -r -t 120 REPLY <&9 && return
	note "no answer to $*"
	GONE=1
	return 1
}

# value NAME: of the stream's last line
value()
{
	echo "$RESULT" | tr ' ' '\n' | sed -n "s/^$1=//p"
}

# in_flight: requests that the disks still account for
in_flight()
{
	local i=0 sum

	while :; do
		sum=$(cat /sys/block/*/inflight | awk '{ n += $1 + $2 } END { print n }')
		[ "$sum" != 0 ] && [ $i -lt 40 ] || break
		i=$((i + 1))
		sleep 0.1
	done
	echo "$sum"
}

# allowed FAULT: complaints that the disk's driver is right to make, and that one of
# DMA_API_DEBUG's which takes more than seven mappings of a page for a leak
allowed()
{
	case $1 in
	timeout | reset | subsystem-reset | soak) echo 'nvme.*timeout|I/O [0-9]+.*QID.*timeout' ;;
	fuzz) echo "$TOO_MANY_MAPPINGS" ;;
	*) echo '^$' ;;
	esac
}

count_differences()
{
	local n=0

	if [ -n "$ARRAY" ]; then
		settle md0
		case $1 in
		# what it says is for cell() to note
		raid1 | raid10) /tests-bin/md/mirrors md0 >/tmp/m.mirrors 2>&1 && : >/tmp/m.mirrors || n=1 ;;
		esac
		n=$((n + $(scrub md0)))
	elif [ "$1" = lv-raid1-on-raid0 ]; then
		lv_in_sync
		lvchange -qq --syncaction check vg/lv >/dev/null 2>&1
		sleep 0.3
		lv_in_sync
		n=$(lv_field raid_mismatch_count)
	fi
	echo "${n:-0}"
}

count_kicked()
{
	local lost=0

	if [ -n "$ARRAY" ]; then
		lost=$(($(md md0 degraded) - DEGRADED))
		[ $UNSOUND$INJECTED != 00 ] || lost=$((lost + $(blame md0 | grep -c .)))
	elif [ "$1" = lv-raid1-on-raid0 ] && [ $DEGRADED$INJECTED = 00 ]; then
		lost=$(dmsetup status vg-lv | grep -o ' [ADa]* [0-9]*/' | grep -o D | grep -c .)
	fi
	[ "$lost" -gt 0 ] && echo "$lost" || echo 0
}

# json FAULT KEY...: the line
say()
{
	printf '{"stack":"%s","fault":"%s","outcome":"%s","errors":%s,"mismatches":%s,"duplicates":%s,"kicked":%s,"exporter_wait_ms":%s,"stall_ms":%s,"splats":%s,"leaks":%s,"note":"%s"}\n' "$@"
}

cell()
{
	local stack=$1 fault=$2 why sent below outcome mismatches duplicates=null kicked=0 splats leaks wait i

	why=$(not_for "$stack" "$fault")
	if [ -n "$why" ]; then
		say "$stack" "$fault" n/a 0 0 null 0 0 0 0 0 "$why"
		return
	fi
	NOTES='' GONE='' ERRORS=0 STUCK='' FOREVER='' SKIP='' DEGRADED=0 UNSOUND=0 INJECTED=0 SPENT='' PLUG='' RELEASE_MS='' MISSED=''
	echo "matrix: $stack $fault" >/dev/kmsg
	dmesg -c >/dev/null
	: >/tmp/m.err
	if ! up "$stack" "$(variant "$stack" "$fault")" >/tmp/m.up 2>&1; then
		note "no stack: $(tail -n 1 /tmp/m.up)"
		say "$stack" "$fault" broken 0 0 null 0 0 0 0 0 "$NOTES"
		exit 3
	fi
	TIMES=$COPIES
	park_timeout 8000
	if [ "$fault" = fuzz ]; then
		fuzz "$stack"
	elif start_stream; then
		ask quiet
		sent=$REPLY
		below=$(written)
		ask go
		sleep 0.3
		"fault_$(echo "$fault" | tr - _)" "$stack"
		[ -n "$FOREVER$GONE" ] || case $DEGRADED:$stack in
		0:* | 1:raid1 | 1:raid10 | 1:raid5 | 1:lv-*) goes_on ;;
		esac
		if ask quiet; then
			[ -z "$TIMES" ] || duplicates=$(($(written) - below - (REPLY - sent) * TIMES))
		fi
		tell stop
		RESULT=$REPLY
	else
		RESULT=''
	fi
	[ "$fault" = fuzz ] || {
		kill -9 $STREAM 2>/dev/null
		wait $STREAM 2>/dev/null
		exec 8>&- 9>&-
	}
	outcome=$(value errno)
	mismatches=$(value mismatches)
	case $outcome in
	none) outcome=ok ;;
	'') outcome=lost ;;
	*) duplicates=null ;;
	esac
	case $(value unread) in
	'' | 0) ;;
	*) [ "$outcome" != ok ] || miss "$(value unread) plain reads failed" ;;
	esac
	[ $ERRORS = 0 ] || outcome=failed
	[ -z "$MISSED" ] || outcome=not-done
	[ "$(value hung)" != 1 ] && [ -z "$STUCK" ] || outcome=hang
	[ "$mismatches" = 0 ] || note "$(head -n 3 /tmp/m.err | tr '\n' ',')"
	if [ $UNSOUND = 0 ]; then
		: >/tmp/m.mirrors
		mismatches=$((${mismatches:-0} + $(count_differences "$stack")))
		[ ! -s /tmp/m.mirrors ] || note "$(cat /tmp/m.mirrors)"
	fi
	kicked=$(count_kicked "$stack")
	i=$(wait_detached)
	[ "$i" = 0 ] || note "$i attachments left"
	leaks=$(in_flight)
	[ "$leaks" = 0 ] || note "$leaks requests in flight for ever"
	leaks=$((leaks + i))
	[ -z "$RELEASE_MS" ] || note "gone after $RELEASE_MS ms"
	if [ -n "$SKIP" ]; then
		outcome=n/a
		NOTES=$SKIP
	fi
	[ -z "$PLUG" ] || down >/dev/null 2>&1
	for i in $PLUG; do
		plug "$i"
	done
	dmesg >/tmp/m.dmesg
	splats=$(grep -aE "$COMPLAINTS" /tmp/m.dmesg | grep -avcE "$(allowed "$fault")")
	wait=$(value wait_us) stall=$(value stall_ms) errors=$(value errors)
	say "$stack" "$fault" "$outcome" "${errors:-0}" "${mismatches:-0}" "$duplicates" "$kicked" \
		"$(echo "${wait:-0}" | awk '{ printf "%.1f", $1 / 1000 }')" "${stall:-0}" "$splats" "$leaks" "$NOTES"
	# of no use to the next
	case $outcome in
	hang | lost) exit 3 ;;
	esac
	[ -z "$SPENT" ] || down >/dev/null 2>&1
}

cells()
{
	local stack=$1 fault

	shift
	for fault in "$@"; do
		cell "$stack" "$fault"
	done
	down >/dev/null 2>&1
}

UP=''
TIMES=''
mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
case $0 in
*/cells.sh)
	cells "$@"
	;;
esac
