# SPDX-License-Identifier: GPL-2.0
# Scenarios with media errors on mirrors, each summed up in a few lines; source
# tap.sh and md.sh first. KIND is that of the buffer, see dbio.h.

io=/tests-bin/data/io
POS=1048576
LEN=131072
m0=/dev/member/0
m1=/dev/member/1

# where byte POS of the array is on a member
sector()
{
	echo $(($(cat "/sys/block/md0/md/dev-$1/offset") + POS / 512))
}

# summary RESULT: of a scenario. Which member was read is a matter of taste.
summary()
{
	settle md0
	echo "$1; degraded $(md md0 degraded); $(cat /sys/block/md0/md/dev-*/state | sort | tr '\n' ';')" \
		"$(blame md0 | sed 's/^[^ ]* //' | sort | tr '\n' ';')"
}

reads()
{
	awk '{ print $1 }' "/sys/block/$1/stat"
}

# read_from KIND: the member that serves reads of the place
read_from()
{
	local dev before=' '

	for dev in $(members md0); do
		before="$before$dev:$(reads "$dev") "
	done
	$io -b "$1" read /dev/md0 $POS $LEN 1 >/dev/null
	for dev in $(members md0); do
		case $before in
		*" $dev:$(reads "$dev") "*) ;;
		*) echo "$dev"; return ;;
		esac
	done
}

# each: scenario KIND, on a fresh array md0 of m0 and m1

read_error()
{
	local dev

	$io -b "$1" write /dev/md0 $POS $LEN 1 >/dev/null
	dev=$(read_from "$1")
	inject "$dev" READ MEDIUM "$(sector "$dev")" 16
	summary "$($io -b "$1" read /dev/md0 $POS $LEN 1)"
	inject "$dev" none
	summary "$($io -b "$1" read /dev/md0 $POS $LEN 1) again"
	summary "$($io -b "$1" write /dev/md0 $POS $LEN 2) written"
	summary "$($io -p read /dev/md0 $POS $LEN 2) plainly"
}

write_error()
{
	inject "$(disk $m1)" WRITE MEDIUM "$(sector "$(disk $m1)")" 16
	summary "$($io -b "$1" write /dev/md0 $POS $LEN 1)"
	inject "$(disk $m1)" none
	summary "$($io -b "$1" read /dev/md0 $POS $LEN 1) read"
	summary "$($io -b "$1" write /dev/md0 $POS $LEN 2) again"
	summary "$($io -p read /dev/md0 $POS $LEN 2) plainly"
}

both_write_error()
{
	inject "$(disk $m0)" WRITE MEDIUM "$(sector "$(disk $m0)")" 16
	inject "$(disk $m1)" WRITE MEDIUM "$(sector "$(disk $m1)")" 16
	summary "$($io -b "$1" write /dev/md0 $POS $LEN 1)"
	inject "$(disk $m0)" none
	inject "$(disk $m1)" none
	summary "$($io -b "$1" read /dev/md0 $POS 4096 1) read"
}

both_read_error()
{
	local dev

	$io -b "$1" write /dev/md0 $POS $LEN 1 >/dev/null
	inject "$(disk $m0)" READ MEDIUM "$(sector "$(disk $m0)")" 16
	inject "$(disk $m1)" READ MEDIUM "$(sector "$(disk $m1)")" 16
	summary "$($io -b "$1" read /dev/md0 $POS $LEN 1)"
	inject "$(disk $m0)" none
	inject "$(disk $m1)" none
	summary "$($io -b "$1" read /dev/md0 $POS $LEN 1) again"
}

# media SCENARIO KIND LEVEL [OPTIONS]: its summary. NO_LOG=1: no bad block log
media()
{
	local scenario=$1 kind=$2 level=$3

	shift 3
	array md0 "$level" "$@" -- $m0 $m1 || return
	case $NO_LOG in
	1) stop md0 && mdadm --assemble --quiet --update=no-bbl /dev/md0 $m0 $m1 ;;
	esac
	$scenario "$kind" 2>&1
	stop md0 $m0 $m1
}
