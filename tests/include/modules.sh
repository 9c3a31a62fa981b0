# SPDX-License-Identifier: GPL-2.0
# For test scripts on the modular kernel; source tap.sh first.

# refused MODULE...: names of those that can be unloaded after all
refused()
{
	local mod

	for mod in "$@"; do
		rmmod "$mod" 2>/dev/null && echo "$mod"
	done
	:
}

# unload MODULE: its last user may be on its way out
unload()
{
	local i=0

	until rmmod "$1" 2>/tmp/rmmod; do
		i=$((i + 1))
		[ $i -lt 100 ] || { cat /tmp/rmmod /proc/modules; return 1; }
		sleep 0.05
	done
}

# unload_all: nothing needs the rest, and none of it is in use any more
unload_all()
{
	local i=0 mod

	while [ -s /proc/modules ]; do
		i=$((i + 1))
		[ $i -lt 100 ] || { cat /proc/modules; return 1; }
		for mod in $(awk '$3 == 0 { print $1 }' /proc/modules); do
			rmmod "$mod" 2>/dev/null
		done
		sleep 0.05
	done
}

# load_all: whatever the kernel has been built with
load_all()
{
	local mod

	for mod in $(sed -n 's|^[^:]*/\([^/:]*\)\.ko:.*|\1|p' /lib/modules/*/modules.dep); do
		modprobe "$mod" || return
	done
}

# wait_disks: until there are as many as the VM has members
wait_disks()
{
	local i=0 nr

	while :; do
		nr=0
		while [ -b /dev/nvme${nr}n1 ]; do nr=$((nr + 1)); done
		[ $nr -lt "$RIG_MEMBERS" ] || return 0
		i=$((i + 1))
		[ $i -lt 200 ] || { ls /dev/nvme*; return 1; }
		sleep 0.1
	done
}

# load_disks: and wait for them
load_disks()
{
	modprobe nvme && wait_disks
}

# unbind PCI-DEVICE: the driver lets go of it
unbind()
{
	echo "$1" >/sys/bus/pci/drivers/nvme/unbind
}

# bind PCI-DEVICE NUMBER: and finds it again, as the disk of that number. That may be
# in use for a moment.
bind()
{
	local i=0 j

	while [ $i -lt 10 ]; do
		echo "$1" >/sys/bus/pci/drivers/nvme/bind || return
		j=0
		while [ $j -lt 40 ]; do
			[ ! -b "/dev/nvme$2n1" ] || return 0
			j=$((j + 1))
			sleep 0.1
		done
		unbind "$1"
		i=$((i + 1))
	done
	ls /dev/nvme*
	return 1
}
