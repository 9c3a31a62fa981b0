# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# The faults of the matrix: fault_NAME STACK runs while the stack carries I/O, and
# leaves what is to be repaired repaired. Called by cells.sh.
#
# A fault may set TIMES='' (what is written cannot be told any more), DEGRADED (as
# many members are lost on purpose), UNSOUND=1 (copies differ on purpose), SPENT=1
# (the stack is of no more use).

ESTALE=116
EBUSY=16
EINVAL=22

FAULTS="move-once move-loop move-short move-between revoke-1s revoke-for-ever lock-held-5s neighbour map-ebusy map-einval"
FAULTS="$FAULTS suspend-move reload reload-incapable pvmove lv-replace md-add md-replace md-re-add reshape"
FAULTS="$FAULTS incapable-member read-error write-error kill kill-parked ring-exit exec pressure cgroup"
FAULTS="$FAULTS reset subsystem-reset timeout remove-one remove-all"

# variant FAULT: of the stack that it needs
variant()
{
	case $1 in
	move-between) echo late ;;
	esac
}

# not_for STACK FAULT: why there is no such cell
not_for()
{
	case $1:$2 in
	raw:move-between) echo "a request has one fragment" ;;
	raid5:move-* | raid5:suspend-move) echo "the CPU's mapping pins the buffer" ;;
	raw:remove-all) echo "it has one disk" ;;
	raw:suspend-move) echo "a disk is not suspended" ;;
	linear:reload* | stripe:reload* | stripe-on-linear:reload*) ;;
	*:reload*) echo "no table of its own" ;;
	lv-raid1-on-raid0:pvmove | lv-raid1-on-raid0:lv-replace | lv-raid1-on-raid0:incapable-member) ;;
	*:pvmove | *:lv-replace) echo "no LVM" ;;
	raid1:md-* | raid10:md-* | raid5:md-* | raid5:reshape) ;;
	raid1:incapable-member | raid10:incapable-member | raid5:incapable-member) ;;
	*:md-* | *:incapable-member) echo "no redundancy of its own" ;;
	*:reshape) echo "not raid5" ;;
	*:cgroup)
		[ -e /sys/fs/cgroup/cgroup.controllers ] || echo "the kernel has no cgroups"
		;;
	*:timeout | *:remove-*)
		grep -qx qmp /sys/class/virtio-ports/*/name || echo "the VM has no way to the monitor"
		;;
	esac
}

park_timeout()
{
	echo "$1" >/sys/module/dma_buf_io/parameters/park_timeout_ms
}

# goes_on: until some requests have succeeded again
goes_on()
{
	local from i=0

	ask progress
	from=$REPLY
	while [ $i -lt 300 ]; do
		ask progress
		[ "$REPLY" -lt $((from + 96)) ] || return 0
		i=$((i + 1))
		sleep 0.1
	done
	note "no I/O any more"
	STUCK=1
}

# take the mappings away, and no more
invalidate()
{
	case $1 in
	raid5) ask revoke && ask unrevoke ;;
	*) ask move ;;
	esac
}

fault_move_once()
{
	ask move
}

fault_move_loop()
{
	ask moving 500
	sleep "${MATRIX_LOOP:-3}"
	ask moving 0
	[ "$REPLY" -gt 0 ] || note "no move succeeded"
}

# an exporter that is alive is not given up, however short the time is
fault_move_short()
{
	park_timeout 200
	fault_move_loop
}

fault_move_between()
{
	local i

	for i in 1 2 3; do
		dmsetup suspend --nolockfs --noflush late1
		sleep 0.3
		ask move
		ask move
		dmsetup resume late1
		goes_on
	done
}

fault_revoke_1s()
{
	ask revoke
	sleep 1
	ask unrevoke
}

fault_revoke_for_ever()
{
	park_timeout 1000
	ask revoke
	sleep 3
	FOREVER=1
}

fault_lock_held_5s()
{
	invalidate "$1"
	ask hold 5000
	sleep 5
}

# Somebody else's buffer, on the same volume, while this one's exporter has its lock.
fault_neighbour()
{
	local stall failed other

	TIMES=''
	# where the most is copied; md suspends the array to take the member out, and that
	# waits for all I/O there is
	if [ "$1" = raid5 ]; then
		fail md0 $m/2
		DEGRADED=1 SPENT=1
	fi
	{
		sleep 7
		echo stop
	} | /tests-bin/matrix/stream -b "${MATRIX_KIND:-test}" -p $((POS + 8388608)) "$DEV" \
		>/tmp/n.out 2>>/tmp/m.err 8>&- 9>&- &
	other=$!
	sleep 1
	fault_lock_held_5s "$1"
	wait $other
	stall=$(sed -n 's/.*stall_ms=\([0-9]*\).*/\1/p' /tmp/n.out)
	failed=$(sed -n 's/.*errno=\([^ ]*\).*mismatches=\([0-9]*\).*/\1 \2/p' /tmp/n.out)
	note "the other stalled for $stall ms"
	[ "$failed" = "none 0" ] || note "the other: $(tail -n 1 /tmp/n.out)"
	[ "$failed" = "none 0" ] && [ "${stall:-9999}" -le 3000 ] || ERRORS=1
}

fault_map_ebusy()
{
	ask fail 3 $EBUSY
	invalidate "$1"
}

fault_map_einval()
{
	ask fail 1000000 $EINVAL
	invalidate "$1"
	sleep 1
	ask fail 0 $EINVAL
}

fault_suspend_move()
{
	local i

	for i in 1 2 3; do
		case $DEV in
		/dev/md*) echo 1048576 >/sys/block/md0/md/suspend_hi ;;
		*) dmsetup suspend --nolockfs "$DEV" ;;
		esac
		ask move
		sleep 0.5
		ask move
		case $DEV in
		/dev/md*) echo 0 >/sys/block/md0/md/suspend_hi ;;
		*) dmsetup resume "$DEV" ;;
		esac
		goes_on
	done
}

# media STACK OP: errors of member 1, while the buffer moves
media_errors()
{
	local dev start=64

	TIMES='' SPENT=1 UNSOUND=1
	dev=$(disk $m/1)
	# as many as there come, on a fast machine
	[ ! -e /sys/block/md0/md/max_read_errors ] ||
		echo 1000000 >/sys/block/md0/md/max_read_errors
	[ -z "$ARRAY" ] || start=$(($(cat "/sys/block/md0/md/dev-$dev/offset") + 512))
	case $1 in
	lv-*) start=$(($(cat "/sys/block/md1/md/dev-$dev/offset") + 3072)) ;;
	raid0) start=$(($(cat "/sys/block/md0/md/dev-$dev/offset") + 512)) ;;
	esac
	[ "$1" = raid5 ] || ask moving 2000
	inject "$dev" "$2" MEDIUM "$start" 2048
	sleep 2
	inject "$dev" none
	ask moving 0
	[ -z "$ARRAY" ] || settle md0
}

fault_read_error()
{
	media_errors "$1" READ
}

fault_write_error()
{
	media_errors "$1" WRITE
}

# after STACK: what a stream left behind that was ended
after()
{
	local begin=$1

	RELEASE_MS=$(($(ms) - begin))
	[ "$(wait_detached)" = 0 ] || note "still attached"
	start_stream -e
}

kill_stream()
{
	local begin

	begin=$(ms)
	kill -9 $STREAM
	wait $STREAM 2>/dev/null
	after "$begin"
	TIMES=''
}

fault_kill()
{
	kill_stream
}

fault_kill_parked()
{
	park_timeout 3000
	ask revoke
	sleep 0.3
	kill_stream
}

fault_ring_exit()
{
	local i

	park_timeout 2000
	for i in 1 2 3; do
		ask ring-exit
		goes_on
	done
	ask revoke
	sleep 0.3
	ask ring-exit
	TIMES=''
}

fault_exec()
{
	ask exec sleep 30
	sleep 1
	[ "$(wait_detached)" = 0 ] || note "attached after exec"
	kill $STREAM
	wait $STREAM 2>/dev/null
	start_stream -e
	TIMES=''
}

# Writeback to the same device, page by page, while requests wait for the exporter:
# in a small memory cgroup, with next to no free memory. A large VM would take long to
# fill; the cgroup is enough there.
fault_pressure()
{
	local begin took size free

	TIMES=''
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		echo +memory >/sys/fs/cgroup/cgroup.subtree_control
		mkdir -p /sys/fs/cgroup/small
		echo $((16 << 20)) >/sys/fs/cgroup/small/memory.max
	fi
	free=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
	[ "$free" -gt 1024 ] ||
		dd if=/dev/zero of=/dev/shm/hog bs=1M count=$((free - 48)) 2>/dev/null
	size=$(($(blockdev --getsize64 "$DEV") / 1048576))
	[ $size -lt 40 ] || size=40
	# writeback alone takes up to a minute there
	! debug_kernel || park_timeout 60000
	ask revoke
	begin=$(ms)
	# shellcheck disable=SC2016
	sh -c '[ ! -d /sys/fs/cgroup/small ] || echo $$ >/sys/fs/cgroup/small/cgroup.procs
		for i in 1 2 3; do
			dd if=/dev/zero of="$1" bs=1M seek=8 count=$(($2 - 8)) conv=notrunc,fsync
		done' sh "$DEV" $size >/tmp/m.cmd 2>&1 || note "writeback: $(tail -n 1 /tmp/m.cmd)"
	took=$(($(ms) - begin))
	[ $took -lt 6000 ] || note "writeback took $took ms"
	ask unrevoke
	park_timeout 8000
	rm -f /dev/shm/hog
	[ ! -d /sys/fs/cgroup/small ] || rmdir /sys/fs/cgroup/small
}

fault_cgroup()
{
	local dev cg=/sys/fs/cgroup/limited

	echo +io >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p $cg
	for dev in $LEAVES $(disk "$DEV"); do
		echo "$(cat "/sys/block/$dev/dev") rbps=33554432 wbps=33554432 wiops=2000" >$cg/io.max
		echo "$(cat "/sys/block/$dev/dev") target=50000" >$cg/io.latency 2>/dev/null
	done
	echo $STREAM >$cg/cgroup.procs
	[ "$1" = raid5 ] || ask moving 2000
	sleep 2
	ask moving 0
	ask revoke
	sleep 0.5
	ask unrevoke
	goes_on
	echo $STREAM >/sys/fs/cgroup/cgroup.procs
}

fault_reset()
{
	local i ctrl

	ctrl=$(disk $m/1)
	[ "$1" = raid5 ] || ask moving 5000
	for i in 1 2 3; do
		echo 1 >"/sys/class/nvme/${ctrl%n*}/reset_controller"
		sleep 0.5
	done
	ask moving 0
	TIMES=''
}

fault_subsystem_reset()
{
	local ctrl

	ctrl=$(disk $m/1)
	/tests-bin/matrix/subsystem-reset "/dev/${ctrl%n*}" || SKIP="the emulated disk has none"
	sleep 1
	TIMES=''
}

# throttle MEMBER IOPS
throttle()
{
	iops "$1" "$2" >/tmp/m.cmd || note "throttle: $(cat /tmp/m.cmd)"
}

fault_timeout()
{
	local dev i=0

	TIMES=''
	dev=$(disk $m/1)
	echo 1000 >"/sys/block/$dev/queue/io_timeout"
	throttle 1 1
	[ "$1" = raid5 ] || ask moving 5000
	while ! dmesg | grep -q 'timeout, aborting' && [ $i -lt 100 ]; do
		i=$((i + 1))
		sleep 0.1
	done
	throttle 1 0
	echo 30000 >"/sys/block/$dev/queue/io_timeout"
	[ $i -lt 100 ] || note "no command has timed out"
	ask moving 0
}

# pull MEMBER: out of its slot, as far as the machine can tell
pull()
{
	local i=0 pci

	pci=$(pci $m/"$1")
	qmp "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"nvme$1\"}}" >/tmp/m.cmd ||
		note "device_del: $(cat /tmp/m.cmd)"
	while [ -e "/sys/bus/pci/devices/$pci" ] && [ $i -lt 150 ]; do
		i=$((i + 1))
		sleep 0.1
	done
	[ ! -e "/sys/bus/pci/devices/$pci" ] || note "member $1 is still there"
}

# plug MEMBER: back in
plug()
{
	local i=0 ctrl

	# the namespace of old still has the old drive
	hmp "drive_add 0 if=none,id=back$1,file.driver=file,file.filename=$RIG_DIR/member$1.0,file.locking=off,format=raw,cache=unsafe" >/dev/null
	qmp "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"nvme\",\"id\":\"nvme$1\",\"bus\":\"slot$1\",\"serial\":\"member$1\",\"mdts\":9,\"dbcs\":false,\"drive\":\"back$1\"}}" >/tmp/m.cmd ||
		note "device_add: $(cat /tmp/m.cmd)"
	while [ $i -lt 150 ]; do
		for ctrl in /sys/class/nvme/nvme*; do
			[ "$(cat "$ctrl/serial" 2>/dev/null | tr -d ' ')" = "member$1" ] || continue
			[ -b "/dev/${ctrl##*/}n1" ] || continue
			ln -sf "/dev/${ctrl##*/}n1" $m/"$1"
			return
		done
		i=$((i + 1))
		sleep 0.1
	done
	note "member $1 did not come back"
}

fault_remove_one()
{
	TIMES='' SPENT=1 UNSOUND=1 DEGRADED=1 PLUG=1
	[ "$1" = raid5 ] || ask moving 5000
	pull 1
	ask moving 0
	sleep 1
}

fault_remove_all()
{
	local i

	TIMES='' SPENT=1 UNSOUND=1 DEGRADED=9 PLUG=''
	[ "$1" = raid5 ] || ask moving 5000
	for i in 0 1 2 3; do
		[ -e $m/$i ] || continue
		case " $LEAVES" in
		*" $(disk $m/$i) "*) pull $i; PLUG="$PLUG $i" ;;
		esac
	done
	ask moving 0
	sleep 1
}
