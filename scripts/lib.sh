# SPDX-License-Identifier: GPL-2.0
# Sourced by the other scripts: places, messages, progress.
# shellcheck shell=bash disable=SC2034

# An error inside $(...) is one outside, too.
shopt -s inherit_errexit

# Variables given to our make are not meant for the kernel's.
unset MAKEFLAGS MFLAGS MAKELEVEL

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=$ROOT/build
LINUX=$BUILD/linux
CACHE=${DMABUF_STACK_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/dmabuf-stack}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
JOBS=${JOBS:-$(nproc)}

# Folders whose files are whole new kernel files; tests/exporter is one more,
# seen by the kernel as EXPORTER_IN_KERNEL.
OVERLAY_DIRS=(include lib block io_uring drivers)
# New files that patches make: what they move out of the kernel's own files.
MADE_BY_PATCHES=(drivers/nvme/host/pci.h)
EXPORTER_IN_KERNEL=lib/dma-buf-io/test

# shellcheck source=/dev/null
. "$ROOT/pin"

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	local line

	printf 'error: %s\n' "$1" >&2
	shift
	for line in "$@"; do
		printf '       %s\n' "$line" >&2
	done
	exit 1
}

# take_lock NAME: one user of build/NAME at a time, held until the script ends.
take_lock()
{
	mkdir -p "$BUILD"
	exec 9>"$BUILD/.$1.lock"
	if ! flock -n 9; then
		say "waiting for another run that uses build/ ($1)"
		flock 9
	fi
}

# scratch_base: where a VM's files are short-lived; memory if there is enough of it.
scratch_base()
{
	local free

	free=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
	if [ -w /dev/shm ] && [ "${free:-0}" -ge 2097152 ]; then
		printf '/dev/shm\n'
	else
		printf '%s\n' "${TMPDIR:-/tmp}"
	fi
}

elapsed()
{
	printf '%d:%02d' $(((SECONDS - $1) / 60)) $(((SECONDS - $1) % 60))
}

# watched LABEL LOG COUNTER COMMAND...: run a long command with its output in
# LOG and say how far it is: at once on a terminal, every ten seconds elsewhere.
# COUNTER is a function that prints a few words; it gets LOG as argument.
watched()
{
	local label=$1 log=$2 counter=$3 start=$SECONDS last=$SECONDS pid rc=0
	shift 3

	mkdir -p "$(dirname "$log")"
	: >"$log"
	set -m	# a process group, to end it as one, and before the lock is given up
	"$@" </dev/null >>"$log" 2>&1 9>&- &
	pid=$!
	set +m
	# shellcheck disable=SC2064
	trap "kill -- -$pid 2>/dev/null || :; wait $pid || :" EXIT
	while kill -0 "$pid" 2>/dev/null; do
		if [ -t 2 ]; then
			printf '\r\033[K%s: %s, %s' "$label" "$("$counter" "$log")" "$(elapsed "$start")" >&2
			sleep 1
		else
			if ((SECONDS - last >= 10)); then
				last=$SECONDS
				say "$label: $("$counter" "$log"), $(elapsed "$start")"
			fi
			sleep 0.2
		fi
	done
	wait "$pid" || rc=$?
	trap - EXIT
	if [ -t 2 ]; then
		printf '\r\033[K' >&2
	fi
	WATCHED_TIME=$(elapsed "$start")
	return $rc
}

count_lines()
{
	printf '%s lines of log' "$(wc -l <"$1")"
}

# need_tools PROGRAM...: quick check; installs what is missing.
need_tools()
{
	local tool

	for tool in "$@"; do
		if ! command -v "$tool" >/dev/null; then
			"$ROOT/scripts/deps"
			hash -r
			break
		fi
	done
	for tool in "$@"; do
		command -v "$tool" >/dev/null ||
			die "$tool is not installed, and scripts/deps did not bring it" \
				"install it by hand and run this again"
	done
}
