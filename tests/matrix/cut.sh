#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The part of the power cuts that runs in the VM.
#
#	cut.sh make|check STACK ACKNOWLEDGED
#
# make: the stack is new. check: it is found on the disks, and what was
# acknowledged must be there, on every copy. Either way the stream goes on then,
# for as long as there is power.
. /tests/include/tap.sh
. /tests/include/md.sh
. /tests/matrix/stacks.sh

# find STACK: assemble what up() has made
find_stack()
{
	local stack=$1

	case $stack in
	raid*)
		set -- $m/0 $m/1
		[ "$stack" = raid1 ] || set -- "$@" $m/2
		[ "$stack" != raid10 ] || set -- "$@" $m/3
		mdadm --assemble --quiet --run /dev/md0 "$@" || return
		DEV=/dev/md0
		;;
	lv-*)
		mdadm --assemble --quiet --run /dev/md1 $m/0 $m/1 &&
			mdadm --assemble --quiet --run /dev/md2 $m/2 $m/3 &&
			vgchange -qq -ay vg >/dev/null 2>&1 || return
		DEV=/dev/vg/lv
		;;
	*)
		KEEP=1 up "$stack" ''
		;;
	esac
}

# members that the cut has cost
missing()
{
	[ "$(md md0 degraded)" = 0 ] || echo "kicked $(md md0 degraded)" >&3
}

copies()
{
	case $1 in
	raid1 | raid10)
		settle md0
		missing
		/tests-bin/md/mirrors md0 || return
		[ "$(scrub md0)" = 0 ]
		;;
	raid5)
		settle md0
		missing
		[ "$(scrub md0)" = 0 ]
		;;
	lv-*)
		lv_in_sync
		lvchange -qq --syncaction check vg/lv >/dev/null 2>&1
		sleep 0.3
		lv_in_sync
		[ "$(lv_field raid_mismatch_count)" = 0 ]
		;;
	esac
}

UP=''
next=1
case $1 in
make)
	# the writes of up() must not be lost with the first cut
	up "$2" '' >/dev/null 2>&1 || { echo "bad no stack"; exit 1; }
	;;
check)
	find_stack "$2" >/dev/null 2>&1 || { echo "bad no stack"; exit 1; }
	/tests-bin/matrix/cut check $DEV "$3" >/tmp/cut 2>&1 || echo "bad $(tr '\n' ' ' </tmp/cut)"
	next=$(sed -n 's/highest \([0-9]*\) .*/\1/p' /tmp/cut)
	next=$((${next:-$3} + 1))
	copies "$2" 3>&1 >/tmp/cut 2>&1 || echo "bad copies differ: $(tail -n 1 /tmp/cut)"
	echo "checked $3"
	[ "$4" != last ] || exit 0
	;;
esac
exec /tests-bin/matrix/cut write "$DEV" "$next"
