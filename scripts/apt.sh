# SPDX-License-Identifier: GPL-2.0
# Sourced: packages out of a Debian suite that the machine itself may not use.
# The mirror is the machine's own; lists and cache are ours; the archive keyring
# of the machine verifies everything.
# shellcheck shell=bash

# Prints the URI under which this machine gets Debian's main component.
debian_mirror()
{
	# shellcheck disable=SC2016
	local fmt='$(ORIGIN)|$(LABEL)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)|$(RELEASE)|$(CREATED_BY)'
	local codename uri

	codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")
	# apt parses its sources in all their forms. Origin and label are known
	# only where an update has run; else the suite's name has to do.
	uri=$(apt-get indextargets --format "$fmt" |
		awk -F'|' '$1 == "Debian" && $2 == "Debian" && $4 == "main" && $7 == "Packages" { print $5; exit }')
	if [ -z "$uri" ]; then
		uri=$(apt-get indextargets --format "$fmt" |
			awk -F'|' -v c="$codename" \
				'$4 == "main" && $7 == "Packages" && ($6 == c || $6 ~ /^(stable|testing|unstable|sid)$/) { print $5; exit }')
	fi
	[ -n "$uri" ] ||
		die "no Debian mirror found among this machine's apt sources" \
			"the kernel source and the emulator come through apt" \
			"add a source with Debian's main component, or give KERNEL_SRC=DIR"
	printf '%s\n' "$uri"
}

# suite_setup SUITE [own|source]: fills APT_OPTS so that apt sees SUITE; with "own",
# beside the machine's own sources (for installing); with "source", its source
# packages alone.
suite_setup()
{
	local suite=$1 kind=${2:-} dir=$CACHE/apt/$1${2:+-$2} type=deb uri

	[ -r "$KEYRING" ] ||
		die "no $KEYRING" "it verifies what apt fetches" \
			"install the package debian-archive-keyring"
	uri=$(debian_mirror)
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/parts"
	# other working copies use the same: one at a time, until the script ends
	exec 7>"$dir/lock"
	flock 7
	rm -f "$dir"/parts/*
	[ "$kind" != source ] || type=deb-src
	if [ "$kind" = own ]; then
		cp /etc/apt/sources.list.d/* "$dir/parts/" 2>/dev/null || :
		if [ -s /etc/apt/sources.list ]; then
			cp /etc/apt/sources.list "$dir/parts/machine.list"
		fi
	fi
	cat >"$dir/parts/dmabuf-stack-$suite.sources" <<-EOF
	Types: $type
	URIs: $uri
	Suites: $suite
	Components: main
	Signed-By: $KEYRING
	EOF
	APT_OPTS=(
		-o Dir::Etc::sourcelist=/dev/null
		-o Dir::Etc::sourceparts="$dir/parts"
		-o Dir::State::lists="$dir/lists"
		-o Dir::Cache="$dir/cache"
		-o APT::Sandbox::User=root
		-o Acquire::Languages=none
		-o Acquire::Retries=3
		-o DPkg::Lock::Timeout=600
	)
}

# suite_update: refresh the lists of the last suite_setup, one run at a time.
suite_update()
{
	local log=$CACHE/apt/update.log

	if ! flock "$CACHE/apt/update.lock" apt-get "${APT_OPTS[@]}" -q update >"$log" 2>&1; then
		cat "$log" >&2
		die "apt cannot read the package lists (see above)" \
			"check the network and this machine's apt sources, then run this again"
	fi
}

# may_install WHAT...: say so where nothing can be
may_install()
{
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
		die "only root can install, and there is no sudo" \
			"install these by hand, then run this again: $*"
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}
