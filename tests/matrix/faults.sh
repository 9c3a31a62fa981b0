# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# The faults of the matrix: fault_NAME STACK runs while the stack carries I/O, and
# leaves what is to be repaired repaired. Called by cells.sh.
#
# A fault may set TIMES='' (what is written cannot be told any more), DEGRADED (as
# many members are lost on purpose), UNSOUND=1 (copies differ on purpose), INJECTED=1
# (members have had errors), SPENT=1 (the stack is of no more use).

ESTALE=116
EBUSY=16
EINVAL=22

FAULTS="move-once move-loop move-short move-between revoke-1s revoke-for-ever lock-held-5s neighbour map-ebusy map-einval map-slow"
FAULTS="$FAULTS suspend-move reload reload-incapable pvmove lv-replace md-add md-replace md-re-add reshape"
FAULTS="$FAULTS incapable-member read-error write-error kill kill-parked ring-exit exec exec-parked pressure cgroup"
FAULTS="$FAULTS reset subsystem-reset timeout remove-one remove-all"

# variant STACK FAULT: of the stack that it needs
variant()
{
	case $1:$2 in
	*:move-between) echo late ;;
	# md does not suspend it for anybody
	raid0:suspend-move) echo volume ;;
	esac
}

# not_for STACK FAULT: why there is no such cell
not_for()
{
	case $1:$2 in
	raw:move-between) echo "a request has one fragment" ;;
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

# Move the buffer. With raid5, whose CPU has it mapped, it cannot be: revoke it and
# take that back at once.
invalidate()
{
	case $1 in
	raid5) ask revoke && ask unrevoke ;;
	*) ask move ;;
	esac
}

# moving STACK MICROSECONDS: the same, again and again until still
moving()
{
	case ${MATRIX_KIND:-$1} in
	memory) return ;;
	raid5) ask revoking "$2" ;;
	*) ask moving "$2" ;;
	esac
	MOVES=$REPLY
}

still()
{
	local i=0

	[ "$MATRIX_KIND" != memory ] || return
	# the first may still be waiting for commands
	until ask moving 0 && [ "$REPLY" -gt "$MOVES" ]; do
		i=$((i + 1))
		[ $i -lt 100 ] || { miss "no move succeeded"; return; }
		sleep 0.1
	done
}

fault_move_once()
{
	invalidate "$1"
}

fault_move_loop()
{
	moving "$1" 500
	sleep "${MATRIX_LOOP:-3}"
	still
}

# an exporter that is alive is not given up, however short the time is
fault_move_short()
{
	park_timeout 200
	fault_move_loop "$1"
}

fault_move_between()
{
	local i

	for i in 1 2 3; do
		dmsetup suspend --nolockfs --noflush late1 || miss "late1 is not suspended"
		sleep 0.3
		invalidate "$1"
		invalidate "$1"
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
		fail md0 $m/2 || miss "the array is not degraded"
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
	local i=0

	ask fail 3 $EBUSY
	invalidate "$1"
	while ask to-come && [ "$REPLY" != 0 ] && [ $i -lt 50 ]; do
		i=$((i + 1))
		sleep 0.1
	done
	[ "$REPLY" = 0 ] || miss "$REPLY mappings have not failed"
}

fault_map_slow()
{
	local nr

	# each device has its own
	nr=$(echo "$LEAVES" | wc -w)
	ask delay "$nr" 500
	invalidate "$1"
	sleep $((1 + nr / 2))
	ask to-come
	[ "$REPLY" = 0 ] || miss "$REPLY mappings have not been slow"
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
		esac || miss "not suspended"
		invalidate "$1"
		sleep 0.5
		invalidate "$1"
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

	TIMES='' SPENT=1 INJECTED=1
	[ "$2" = READ ] || UNSOUND=1
	dev=$(disk $m/1)
	# as many as there come, on a fast machine
	[ ! -e /sys/block/md0/md/max_read_errors ] ||
		echo 1000000 >/sys/block/md0/md/max_read_errors
	[ -z "$ARRAY" ] || start=$(($(cat "/sys/block/md0/md/dev-$dev/offset") + 512))
	case $1 in
	lv-*) start=$(($(cat "/sys/block/md1/md/dev-$dev/offset") + 5632)) ;;
	raid0) start=$(($(cat "/sys/block/md0/md/dev-$dev/offset") + 512)) ;;
	esac
	moving "$1" 2000
	inject "$dev" "$2" MEDIUM "$start" 2048
	sleep 2
	inject "$dev" none
	still
	dmesg | grep -q "$dev.*inject\|inject.*$dev" || miss "no error of $dev"
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
	[ $RELEASE_MS -le "$(patient 1000)" ] || miss "it did not go at once"
	[ "$(wait_detached)" = 0 ] || miss "still attached"
	start_stream -e || miss "no stream any more"
}

# what the stream that is about to end has seen
so_far()
{
	ask failures
	ERRORS=$((ERRORS + REPLY))
}

kill_stream()
{
	local begin

	so_far
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
	park_timeout "$(patient 3000)"
	ask revoke
	sleep 0.3
	kill_stream
}

fault_ring_exit()
{
	local i copies=1

	# a read that one cannot do is tried with another
	case $1 in
	raid1 | raid10 | lv-*) copies=2 ;;
	esac
	park_timeout 2000
	for i in 1 2 3; do
		ask ring-exit
		[ "$REPLY" -le "$(patient 1000)" ] || miss "attached for $REPLY ms"
		goes_on
	done
	ask revoke
	sleep 0.3
	ask ring-exit
	note "attached for $REPLY ms"
	# for as long as requests wait for the exporter
	[ "$REPLY" -le $((copies * 2000 + $(patient 1000))) ] || miss "for too long"
	TIMES=''
}

fault_exec()
{
	so_far
	ask exec sleep 30
	sleep 1
	[ "$(wait_detached)" = 0 ] || miss "attached after exec"
	[ "$(cat /proc/$STREAM/comm)" != stream ] || miss "no exec"
	kill $STREAM
	wait $STREAM 2>/dev/null
	start_stream -e || miss "no stream any more"
	TIMES=''
}

# exec waits for requests, and those for the exporter
fault_exec_parked()
{
	park_timeout 2000
	ask revoke
	sleep 0.3
	fault_exec
}

# pages NAME: of /proc/vmstat, all that begin so
pages()
{
	awk -v name="^$1" '$1 ~ name { n += $2 } END { print n }' /proc/vmstat
}

# Writeback to the same device, page by page, while requests wait for the exporter:
# with next to no free memory, and in a small memory cgroup where there are any.
fault_pressure()
{
	local begin took size free stolen leave=40 group=/sys/fs/cgroup/small

	TIMES=''
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		echo +memory >/sys/fs/cgroup/cgroup.subtree_control
		mkdir -p $group
		echo $((8 << 20)) >$group/memory.max
	fi
	! debug_kernel || leave=160
	free=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
	echo $(((free - leave) / 2)) >/proc/sys/vm/nr_hugepages
	free=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
	[ "$free" -le $((leave * 2)) ] || miss "still $free MiB free"
	size=$(($(blockdev --getsize64 "$DEV") / 1048576))
	[ $size -lt 40 ] || size=40
	# writeback alone takes up to a minute there
	! debug_kernel || park_timeout 60000
	stolen=$(pages pgsteal_)
	ask revoke
	begin=$(ms)
	# shellcheck disable=SC2016
	sh -c '[ ! -d "$3" ] || echo $$ >"$3/cgroup.procs"
		for i in 1 2 3; do
			# what fills the cache is another disk
			dd if="$4" of=/dev/null bs=1M count=64 2>/dev/null &&
				dd if=/dev/zero of="$1" bs=1M seek=8 count=$(($2 - 8)) conv=notrunc,fsync || exit
		done' sh "$DEV" $size $group $m/4 >/tmp/m.cmd 2>&1 || miss "writeback: $(tail -n 1 /tmp/m.cmd)"
	took=$(($(ms) - begin))
	stolen=$(($(pages pgsteal_) - stolen))
	[ $stolen -gt 1000 ] || miss "memory was not short: $stolen pages reclaimed"
	[ $took -lt 6000 ] || note "writeback took $took ms"
	ask unrevoke
	park_timeout 8000
	echo 0 >/proc/sys/vm/nr_hugepages
	[ -d $group ] || return
	[ "$(sed -n 's/^max //p' $group/memory.events)" -gt 0 ] || miss "the cgroup was large enough"
	rmdir $group
}

# done_in SECONDS: requests
done_in()
{
	local from

	ask progress
	from=$REPLY
	sleep "$1"
	ask progress
	echo $((REPLY - from))
}

fault_cgroup()
{
	local dev before after cg=/sys/fs/cgroup/limited

	echo +io >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p $cg
	before=$(done_in 2)
	for dev in $LEAVES; do
		echo "$(cat "/sys/block/$dev/dev") target=50000" >$cg/io.latency || miss "no io.latency"
	done
	echo "$(cat "/sys/block/$(disk "$DEV")/dev") riops=60 wiops=60" >$cg/io.max || miss "no io.max"
	echo $STREAM >$cg/cgroup.procs
	moving "$1" 2000
	# what has been sent before
	sleep 1
	after=$(done_in 2)
	[ "$after" -lt $((before * 2 / 3)) ] || miss "no limit: $before requests before, $after then"
	still
	ask revoke
	sleep 0.5
	ask unrevoke
	goes_on
	echo $STREAM >/sys/fs/cgroup/cgroup.procs
	echo "$(cat "/sys/block/$(disk "$DEV")/dev") riops=max wiops=max" >$cg/io.max
}

fault_reset()
{
	local i ctrl

	ctrl=$(disk $m/1)
	moving "$1" 5000
	for i in 1 2 3; do
		echo 1 >"/sys/class/nvme/${ctrl%n*}/reset_controller" || miss "no reset"
		sleep 0.5
	done
	still
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
	iops "$1" "$2" >/tmp/m.cmd || miss "throttle: $(cat /tmp/m.cmd)"
}

fault_timeout()
{
	local dev i=0

	TIMES=''
	dev=$(disk $m/1)
	echo 1000 >"/sys/block/$dev/queue/io_timeout"
	throttle 1 1
	moving "$1" 5000
	while ! dmesg | grep -q 'timeout, aborting' && [ $i -lt 100 ]; do
		i=$((i + 1))
		sleep 0.1
	done
	throttle 1 0
	echo 30000 >"/sys/block/$dev/queue/io_timeout"
	[ $i -lt 100 ] || miss "no command has timed out"
	still
}

# pull MEMBER: out of its slot, as far as the machine can tell
pull()
{
	local i=0 pci

	pci=$(pci $m/"$1")
	qmp "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"nvme$1\"}}" >/tmp/m.cmd ||
		miss "device_del: $(cat /tmp/m.cmd)"
	while [ -e "/sys/bus/pci/devices/$pci" ] && [ $i -lt 150 ]; do
		i=$((i + 1))
		sleep 0.1
	done
	[ ! -e "/sys/bus/pci/devices/$pci" ] || miss "member $1 is still there"
}

# plug MEMBER: back in
plug()
{
	local i=0 ctrl

	# the namespace of old still has the old drive
	hmp "drive_add 0 if=none,id=back$1,file.driver=file,file.filename=$RIG_DIR/member$1.0,file.locking=off,format=raw,cache=unsafe" >/dev/null
	qmp "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"nvme\",\"id\":\"nvme$1\",\"bus\":\"slot$1\",\"serial\":\"member$1\",\"mdts\":9,\"dbcs\":false,\"drive\":\"back$1\"}}" >/tmp/m.cmd ||
		miss "device_add: $(cat /tmp/m.cmd)"
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
	miss "member $1 did not come back"
}

fault_remove_one()
{
	TIMES='' SPENT=1 UNSOUND=1 DEGRADED=1 PLUG=1
	moving "$1" 5000
	pull 1
	still
	sleep 1
}

fault_remove_all()
{
	local i

	TIMES='' SPENT=1 UNSOUND=1 DEGRADED=9 PLUG=''
	moving "$1" 5000
	for i in 0 1 2 3; do
		[ -e $m/$i ] || continue
		case " $LEAVES" in
		*" $(disk $m/$i) "*) pull $i; PLUG="$PLUG $i" ;;
		esac
	done
	still
	sleep 1
}
