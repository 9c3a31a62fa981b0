# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# The soak: one stream, and for MATRIX_SOAK="SEED SECONDS" faults at random, one after
# the other, many of them beside the fuzz program. Sourced by cells.sh after fuzz.sh.
#
# The same seed gives the same faults in the same order; how they meet with the I/O is
# a matter of luck.

# Those that leave a stack as it was, or exchange member 1 and member 4.
SOAK="move-once move-loop move-short revoke-1s lock-held-5s map-ebusy map-slow suspend-move reset timeout"
SOAK="$SOAK read-error pressure cgroup ring-exit kill kill-parked exec exec-parked exchange exchange replace re-add"

# soak_plan STACK SEED: faults, each with the seed of the fuzz program or 0, and a pause
soak_plan()
{
	local fault left=''

	for fault in $SOAK; do
		case $1:$fault in
		raid1:re-add | raid10:re-add | raid5:re-add) ;;
		raid1:replace | raid10:replace | raid5:replace | lv-*:replace) ;;
		raid1:read-error | raid10:read-error | raid5:read-error | lv-*:read-error) ;;
		# the volume is there or it is not
		raid0:suspend-move | *:read-error) continue ;;
		raw:exchange | raid0:exchange | *:re-add | *:replace) continue ;;
		esac
		[ -n "$(not_for "$1" "$fault")" ] || left="$left $fault"
	done
	awk -v faults="$left" -v seed="$2" 'BEGIN {
		srand(seed)
		n = split(faults, f)
		for (i = 0; i < 10000; i++) {
			fault = f[1 + int(rand() * n)]
			fuzz = rand() < 0.5 ? 1 + int(rand() * 1000000) : 0
			print fault, fuzz, int(rand() * 15) / 10
		}
	}'
}

# pv MEMBER: what LVM knows of it
pv()
{
	[ "$1" = $m/1 ] && echo /dev/md1 || echo "$1"
}

# exchange STACK HOW: the member that is part of the stack for the one that is not
exchange()
{
	local out=$IN

	IN=$OUT OUT=$out
	case $1:$2 in
	lv-*:replace)
		quietly pvmove -qq -i 1 "$(pv "$OUT")" "$(pv "$IN")"
		lv_in_sync || miss "not in sync"
		on "$(pv "$IN")"
		;;
	lv-*)
		quietly lvconvert -qq -y --replace "$(pv "$OUT")" vg/lv "$(pv "$IN")"
		lv_in_sync || miss "not in sync"
		on "$(pv "$IN")"
		;;
	linear:* | stripe*) reload_to "$1" "$OUT" "$IN" ;;
	*:replace) md_replace "$OUT" "$IN" ;;
	*) md_exchange "$OUT" "$IN" ;;
	esac
}

# soak_fault STACK FAULT
soak_fault()
{
	park_timeout 8000
	case $2 in
	exchange | replace)
		moving "$1" 5000
		exchange "$1" "$2"
		still
		;;
	re-add)
		moving "$1" 5000
		md_re_add "$IN"
		still
		;;
	timeout | read-error)
		# commands have to go there
		[ "$IN" = $m/4 ] || "fault_$(echo "$2" | tr - _)" "$1"
		;;
	*) "fault_$(echo "$2" | tr - _)" "$1" ;;
	esac
}

fault_soak()
{
	local stack=$1 fault seed pause pid n=0 fuzzed=0 end

	set -- ${MATRIX_SOAK:-1 60}
	end=$(($(ms) + $2 * 1000))
	TIMES='' SPENT=1 ERRORS=0 IN=$m/1 OUT=$m/4
	case $stack in
	lv-*) quietly vgextend -qq vg $OUT ;;
	esac
	soak_plan "$stack" "$1" >/tmp/soak.plan
	while read -r fault seed pause <&6; do
		[ "$(ms)" -lt $end ] || break
		case $fault in
		# these look at what is attached, or at what memory is left
		kill* | exec* | ring-exit | pressure | cgroup) seed=0 ;;
		esac
		echo "soak: $fault $seed" >/dev/kmsg
		pid=''
		if [ "$seed" != 0 ]; then
			# beyond what the stream looks at
			/tests-bin/matrix/fuzz -p 8388608 "$seed" 100000000 "$DEV" >/tmp/fuzz.out 2>&1 6<&- 7>&- 8>&- 9>&- &
			pid=$!
			fuzzed=$((fuzzed + 1))
		fi
		soak_fault "$stack" "$fault"
		sleep "$pause"
		[ -z "$pid" ] || {
			kill -9 $pid 2>/dev/null || miss "fuzz has ended"
			wait $pid 2>/dev/null
			[ ! -s /tmp/fuzz.out ] || miss "fuzz: $(head -n 1 /tmp/fuzz.out)"
		}
		[ -z "$GONE" ] && goes_on
		n=$((n + 1))
		[ -z "$GONE$STUCK" ] || { note "after $fault"; break; }
	done 6</tmp/soak.plan
	overwrite 8
	[ $ERRORS = 0 ] ||
		note "$ERRORS failures before a kill, $(grep '^requests failed' /tmp/m.err | tail -n 1)"
	note "$n faults, $fuzzed beside fuzz"
}
