#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# In the VM: every stack in turn, and the loads on it, as the BENCH_ variables that
# bench/run sets say. Prints what load does.
. /tests/include/tap.sh
. /tests/include/md.sh
set -e

m=/dev/member

for dev in $m/*; do
	echo none >"/sys/block/$(disk "$dev")/queue/scheduler"
done

# devs N: the first N members
devs()
{
	seq 0 $(($1 - 1)) | sed "s|^|$m/|"
}

# remove NAME: the ring of a program that has exited lets go of its file a moment later
remove()
{
	local i=0

	until dmsetup remove "$1" 2>/tmp/remove; do
		i=$((i + 1))
		[ $i -lt 100 ] || { cat /tmp/remove >&2; return 1; }
		sleep 0.05
	done
}

# load STACK DEVICE MEMBERS OP BYTES COUNT OPTIONS...: with each buffer
load()
{
	local stack=$1 device=$2 members=$3 op=$4 bytes=$5 count=$6 buffer flag='' disks='' dev

	shift 6
	case " $ops " in
	*" $op:$bytes "*) ;;
	*) return 0 ;;
	esac
	for dev in $(devs "$members"); do
		disks="$disks $(disk "$dev")"
	done
	[ "$BENCH_LAYOUT" = scattered ] || flag=-c
	for buffer in $BENCH_BUFFERS; do
		# Few instructions want more requests to be seen in.
		case $buffer:$few:$op in
		*:0:*) count=1 ;;
		dmabuf:1:read) count=$((count * 8)) ;;
		dmabuf:1:write) count=$((count * 4)) ;;
		esac
		# shellcheck disable=SC2086
		/put/load -t "$buffer" $flag -s "$bytes" -n $((count * BENCH_SCALE)) \
			-W "$BENCH_WINDOWS" "$@" -l "$stack $members $buffer $op $bytes" "$device" $disks
	done
}

# loads STACK DEVICE MEMBERS
loads()
{
	local writes

	load "$1" "$2" "$3" randread 4096 1024 -r -d 32 -b "$BENCH_BATCH"
	writes=1024
	[ "$1" != raid5 ] || writes=256
	load "$1" "$2" "$3" randwrite 4096 $writes -r -d 32 -b "$BENCH_BATCH" -w
	load "$1" "$2" "$3" read 1048576 8 -d 1 -b 1
	load "$1" "$2" "$3" read 8388608 2 -d 1 -b 1
	# copied, and slow
	[ "$1" != raid5 ] || return 0
	load "$1" "$2" "$3" write 1048576 8 -d 1 -b 1 -w
	load "$1" "$2" "$3" write 8388608 2 -d 1 -b 1 -w
}

# only OP:BYTES: this operation alone, if it is one of those to be done
only()
{
	case " $BENCH_OPS " in
	*" $1 "*) ops=$1 ;;
	*) ops='' ;;
	esac
}

# on_md STACK LEVEL MEMBERS OPTIONS...: nothing is resynchronized, because all
# members hold zeros, and so do the buffers
on_md()
{
	local stack=$1 level=$2 n=$3

	shift 3
	# shellcheck disable=SC2046
	array md0 "$level" "$@" -- $(devs "$n")
	[ ! -e /sys/block/md0/md/safe_mode_delay ] || echo 0 >/sys/block/md0/md/safe_mode_delay
	loads "$stack" /dev/md0 "$n"
	# shellcheck disable=SC2046
	stop md0 $(devs "$n")
}

# kib SIZE: without its letter
kib()
{
	case $1 in
	*m) echo $((${1%m} * 1024)) ;;
	*) echo "${1%k}" ;;
	esac
}

one_stack()
{
	local stack=$1 chunk n=4

	ops=$BENCH_OPS
	few=1
	case $stack in
	raw)
		loads raw $m/0 1
		;;
	linear)
		linear lin $m/0
		loads linear /dev/mapper/lin 1
		remove lin
		;;
	stripe-on-linear)
		linear l0 $m/0 $m/1
		linear l1 $m/2 $m/3
		stripe st 128 /dev/mapper/l0 /dev/mapper/l1
		loads "$stack" /dev/mapper/st 4
		remove st
		remove l0
		remove l1
		;;
	stripe-*)	# CHUNK, or CHUNKxMEMBERS
		chunk=${stack#stripe-}
		case $chunk in
		4k | 1m)
			only read:8388608
			few=0
			;;
		*x*)
			only randread:4096
			n=${chunk#*x}
			chunk=${chunk%x*}
			;;
		esac
		# shellcheck disable=SC2046
		stripe st $(($(kib "$chunk") * 2)) $(devs "$n")
		loads "stripe-$chunk" /dev/mapper/st "$n"
		remove st
		;;
	raid0-*)
		chunk=${stack#raid0-}
		case $chunk in
		4k | 1m)
			only read:8388608
			few=0
			;;
		esac
		on_md "$stack" raid0 4 --chunk="$(kib "$chunk")"
		;;
	raid1)
		on_md raid1 raid1 2 --assume-clean
		;;
	raid10)
		on_md raid10 raid10 4 --chunk=512 --assume-clean
		;;
	raid5)
		on_md raid5 raid5 4 --chunk=512 --assume-clean
		;;
	*)
		echo "what is $stack?" >&2
		exit 1
		;;
	esac
}

for stack in $BENCH_STACKS; do
	one_stack "$stack"
done
