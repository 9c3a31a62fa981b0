#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# In the VM: every stack in turn, and the loads on it. BENCH_BUFFERS, _LAYOUTS,
# _OPS and _STACKS say which, BENCH_SCALE multiplies the number of requests.
. /tests/include/tap.sh
. /tests/include/md.sh
set -e

m=/dev/member

for dev in $m/*; do
	echo none >"/sys/block/$(disk "$dev")/queue/scheduler"
	# nothing but the load is to be seen on the CPU
	echo 0 >"/sys/block/$(disk "$dev")/queue/add_random" 2>/dev/null || :
done

# devs N: the first N members
devs()
{
	seq -f "$m/%g" 0 $(($1 - 1)) 2>/dev/null || seq 0 $(($1 - 1)) | sed "s|^|$m/|"
}

# load STACK DEVICE OP COUNT OPTIONS...: with each buffer and layout. The name of
# the operation, its size and the options of load(1) are what OP stands for.
load()
{
	local stack=$1 device=$2 members=$3 op=$4 bytes=$5 count=$6 buffer layout flag disks='' dev

	shift 6
	case " $BENCH_OPS " in
	*" $op:$bytes "*) ;;
	*) return 0 ;;
	esac
	for dev in $(devs "$members"); do
		disks="$disks $(disk "$dev")"
	done
	for layout in $BENCH_LAYOUTS; do
		flag=''
		[ "$layout" = scattered ] || flag=-c
		for buffer in $BENCH_BUFFERS; do
			# shellcheck disable=SC2086
			/put/load -t "$buffer" $flag -s "$bytes" -n $((count * ${BENCH_SCALE:-1})) "$@" \
				-l "$stack $members $buffer $layout $op $bytes" "$device" $disks
		done
	done
}

# loads STACK DEVICE MEMBERS
loads()
{
	load "$1" "$2" "$3" randread 4096 1024 -r
	load "$1" "$2" "$3" randwrite 4096 1024 -r -w
	load "$1" "$2" "$3" read 1048576 32 -d 4 -b 1
	load "$1" "$2" "$3" write 1048576 32 -w -d 4 -b 1
	load "$1" "$2" "$3" read 8388608 6 -d 1 -b 1
	load "$1" "$2" "$3" write 8388608 6 -w -d 1 -b 1
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

one_stack()
{
	local stack=$1 chunk n

	case $stack in
	raw)
		loads raw $m/0 1
		;;
	linear)
		linear lin $m/0
		loads linear /dev/mapper/lin 1
		dmsetup remove lin
		;;
	stripe-on-linear)
		linear l0 $m/0 $m/1
		linear l1 $m/2 $m/3
		stripe st 128 /dev/mapper/l0 /dev/mapper/l1
		loads "$stack" /dev/mapper/st 4
		dmsetup remove st
		dmsetup remove l0
		dmsetup remove l1
		;;
	stripe-*)	# stripe-CHUNKk, stripe-CHUNKkxMEMBERS
		chunk=${stack#stripe-}
		n=4
		case $chunk in
		*x*) n=${chunk#*x}; chunk=${chunk%x*} ;;
		esac
		# shellcheck disable=SC2046
		stripe st $((${chunk%k} * 2)) $(devs "$n")
		loads "stripe-$chunk" /dev/mapper/st "$n"
		dmsetup remove st
		;;
	raid0-*)
		chunk=${stack#raid0-}
		on_md "$stack" raid0 4 --chunk="${chunk%k}"
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
