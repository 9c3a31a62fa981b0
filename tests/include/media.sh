# SPDX-License-Identifier: GPL-2.0
# Scenarios with media errors on redundant arrays, each summed up in a few lines;
# source tap.sh and md.sh first. KIND is that of the buffer, see dbio.h.

io=/tests-bin/data/io
POS=1048576
LEN=131072
m0=/dev/member/0
m1=/dev/member/1

# DEVS: the members of the array, of which SHARE have data of their own. POS is at
# the start of a stripe.
mirrored()
{
	DEVS="$m0 $m1" SHARE=1
}
mirrored

# where byte POS of the array is on a member
sector()
{
	echo $(($(cat "/sys/block/md0/md/dev-$1/offset") + POS / SHARE / 512))
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

	# who opens it first makes the kernel look for partitions
	$io -b "$1" read /dev/md0 $POS $LEN 1 >/dev/null
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

# What arrays with parity have written is in the stripe cache for a while: write
# something else.
forget()
{
	[ $SHARE = 1 ] || dd if=/dev/zero of=/dev/md0 bs=1M seek=16 count=16 oflag=direct 2>/dev/null
}

# each: scenario KIND, on a fresh array md0 of DEVS

read_error()
{
	local dev

	$io -b "$1" write /dev/md0 $POS $LEN 1 >/dev/null
	forget
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
	local dev

	dev=$(disk $m1)
	[ $SHARE = 1 ] || dev=$(read_from "$1")
	inject "$dev" WRITE MEDIUM "$(sector "$dev")" 16
	summary "$($io -b "$1" write /dev/md0 $POS $LEN 1)"
	inject "$dev" none
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
	[ $SHARE != 1 ] || [ "$(scrub md0)" != 0 ] || echo equal
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

# for arrays with parity: another member is not there
degraded_read_error()
{
	local dev

	$io -b "$1" write /dev/md0 $POS $LEN 1 >/dev/null
	forget
	dev=$(read_from "$1")
	[ "$dev" = "$(disk $m0)" ] && fail md0 $m1 || fail md0 $m0
	inject "$dev" READ MEDIUM "$(sector "$dev")" 16
	summary "$($io -b "$1" read /dev/md0 $POS $LEN 1)"
	inject "$dev" none
	summary "$($io -b "$1" read /dev/md0 $POS $LEN 1) again"
}

# media SCENARIO KIND LEVEL [OPTIONS]: its summary. NO_LOG=1: no bad block log
media()
{
	local scenario=$1 kind=$2 level=$3

	shift 3
	# shellcheck disable=SC2086
	array md0 "$level" --size=32M "$@" -- $DEVS || return
	# shellcheck disable=SC2086
	case $NO_LOG in
	1) stop md0 && mdadm --assemble --quiet --update=no-bbl /dev/md0 $DEVS ;;
	esac
	$scenario "$kind" 2>&1
	# shellcheck disable=SC2086
	stop md0 $DEVS
}

# compare SCENARIO LEVEL [OPTIONS]: with ordinary buffers and with a dma-buf. The
# four reads and writes of most scenarios get or give the right data in the end.
compare()
{
	local scenario=$1 text="$*${NO_LOG:+, no bad block log}" ordinary dmabuf

	shift
	ordinary=$(media "$scenario" memory "$@")
	dmabuf=$(media "$scenario" udmabuf "$@")
	diag "$ordinary"
	if [ "$scenario" = both_write_error ] && [ $SHARE = 1 ]; then
		# what one member still has is left to it, and copied to others
		diag "$dmabuf"
		same "$text" "$(echo "$dmabuf" | grep -c '^EIO; degraded 0; .*; bad [^;]*;$') $(echo "$dmabuf" | grep -c equal)" "1 1"
	else
		same "$text" "$dmabuf" "$ordinary"
	fi
	case $scenario in
	both* | degraded*) ;;
	*) same "$text: data" "$(echo "$dmabuf" | grep -c '^ok')" 4 ;;
	esac
}
