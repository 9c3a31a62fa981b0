# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# The fuzz program on a stack that changes meanwhile. Sourced by cells.sh after
# faults.sh.

# change_once STACK
change_once()
{
	case $1 in
	raid1 | raid10 | raid5)
		fail md0 $m/1 &&
			mdadm -q --zero-superblock $m/1 &&
			mdadm -q /dev/md0 --add $m/1 &&
			settle md0
		;;
	raw | raid0)
		echo 1 >"/sys/class/nvme/$(disk $m/1 | sed 's/n1$//')/reset_controller"
		;;
	*)
		dmsetup suspend --nolockfs "$DEV" &&
			sleep 0.2 &&
			dmsetup resume "$DEV"
		;;
	esac
}

# change STACK: members and tables come and go, for as long as the file is there
change()
{
	while [ -e /tmp/fuzzing ]; do
		change_once "$1" && echo "$1" >>/tmp/changes
		sleep 0.5
	done
}

# overwrite MIB: what the fuzz program has been given from there on. Its threads write to
# the same place at the same time: then copies may differ, whatever the buffer. (Four dd
# that do, on raid10: in 6 of 25 rounds.)
overwrite()
{
	dd if=/dev/zero of="$DEV" bs=1M seek="$1" count=11 oflag=direct conv=notrunc 2>/dev/null
}

fuzz()
{
	TIMES='' SPENT=1
	park_timeout 200
	touch /tmp/fuzzing
	: >/tmp/changes
	change "$1" >/dev/null 2>/tmp/change.err &
	# shellcheck disable=SC2086
	RESULT=$(/tests-bin/matrix/fuzz ${MATRIX_FUZZ:-1 3000} "$DEV" "$DEV" $m/4 2>/tmp/m.err)
	rm /tmp/fuzzing
	wait $!
	overwrite 0
	[ ! -s /tmp/m.err ] || note "$(head -n 3 /tmp/m.err | tr '\n' ',')"
	[ -s /tmp/changes ] || miss "nothing was exchanged: $(tail -n 1 /tmp/change.err)"
	note "$(value "done") successes, $(value refused) refusals, $(grep -c . /tmp/changes) changes"
}
