# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC3045
# QEMU's monitor from within the VM; for scripts whose VM has --qmp.

# qmp JSON: send a command; what it returns. Fails if that is an error.
qmp()
{
	local port line

	if [ -z "$QMP_OPEN" ]; then
		port=$(grep -lx qmp /sys/class/virtio-ports/*/name) || return
		port=${port%/name}
		exec 7<>"/dev/${port##*/}"
		QMP_OPEN=1
		qmp '{"execute":"qmp_capabilities"}' >/dev/null || return
	fi
	echo "$1" >&7
	while read -r -t 20 line <&7; do
		case $line in
		*'"return":'*) echo "$line"; return 0 ;;
		*'"error":'*) echo "$line"; return 1 ;;
		esac
	done
	return 1
}

# iops MEMBER N: what the emulated disk does in a second; 0: all it can
iops()
{
	qmp "{\"execute\":\"block_set_io_throttle\",\"arguments\":{\"device\":\"drive$1.0\",\"bps\":0,\"bps_rd\":0,\"bps_wr\":0,\"iops\":$2,\"iops_rd\":0,\"iops_wr\":0}}"
}

# hmp COMMAND: the same for the human monitor
hmp()
{
	qmp "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"$1\"}}"
}
