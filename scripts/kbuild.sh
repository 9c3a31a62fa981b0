# SPDX-License-Identifier: GPL-2.0
# Sourced: running the kernel's own build on $LINUX.
# shellcheck shell=bash

# Symbols that exist only once the patches that add them do.
OURS='^CONFIG_(DMA_BUF_IO|BLK_DMABUF|IO_URING_DMABUF|NVME_DMABUF|MD_DMABUF|DM_DMABUF)(_[A-Z0-9_]+)?$'

# The same bytes whoever builds, wherever: that is what the compiler cache needs.
setup_compiler()
{
	export CCACHE_DIR=${CCACHE_DIR:-$CACHE/ccache}
	export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-10G}
	export CCACHE_SLOPPINESS=include_file_mtime,include_file_ctime,time_macros
	export CCACHE_COMPRESSLEVEL=1
	# What is not in the cache is compiled without being preprocessed first: half the
	# time of a first build. Configurations share less for it.
	export CCACHE_DEPEND=1
	export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026'
	export KBUILD_BUILD_USER=dmabuf-stack KBUILD_BUILD_HOST=localhost KBUILD_BUILD_VERSION=1
	mkdir -p "$CCACHE_DIR"
}

kmake()
{
	local out=$1
	shift
	# LOCALVERSION: no "+" for being a git tree above its tag.
	make -C "$LINUX" O="$out" CC="ccache gcc" HOSTCC="ccache gcc" LOCALVERSION= "$@"
}

# What the configuration depends on: the fragments, and Kconfig files of ours.
config_hash()
{
	{
		cat "$@"
		git -C "$LINUX" diff base -- ':(glob)**/Kconfig*'
		git -C "$LINUX" rev-parse base
	} | sha256sum | cut -d' ' -f1
}

# Does the tree read this Kconfig file? One of ours may be there before the patch
# that sources it.
tree_reads()
{
	local by

	git -C "$LINUX" cat-file -e "base:$1" 2>/dev/null && return 0
	while IFS= read -r by; do
		tree_reads "$by" && return 0
	done < <(cd "$LINUX" && grep -rlF --include='Kconfig*' "source \"$1\"" . | sed 's|^\./||')
	return 1
}

# known_to_tree SYMBOL
known_to_tree()
{
	local file

	while IFS= read -r file; do
		tree_reads "$file" && return 0
	done < <(grep -rlE --include='Kconfig*' "^[[:space:]]*(menu)?config ${1#CONFIG_}\$" "$LINUX" |
			sed "s|^$LINUX/||")
	return 1
}

# Every line of the fragments has to have taken effect.
verify_config()
{
	local config=$1 line symbol want got bad=()
	shift

	while IFS= read -r line; do
		symbol=${line#\# }
		symbol=${symbol%%[= ]*}
		want=${line#*=}
		got=$(sed -n "s/^$symbol=//p" "$config")
		case $line in
		*'is not set') want=n ;;
		esac
		[ "${got:-n}" = "$want" ] && continue
		if [[ $symbol =~ $OURS ]] && ! known_to_tree "$symbol"; then
			continue
		fi
		bad+=("$symbol: wanted $want, got ${got:-n}$(known_to_tree "$symbol" || printf ' (no such symbol)')")
	done < <(cat "$@" | tac | grep -E '^(# )?CONFIG_[A-Z0-9a-z_]+(=| is not set)' |
		awk '{ s = $0; sub(/^# /, "", s); sub(/[= ].*/, "", s) } !seen[s]++')
	[ ${#bad[@]} -eq 0 ] ||
		die "the kernel configuration did not take:" "${bad[@]}" \
			"a dependency is missing from configs/, or the symbol was renamed"
}

# configure OUT FRAGMENT...: OUT/.config from tinyconfig and the fragments.
configure()
{
	local out=$1 new=$1.config hash log
	shift

	log=$BUILD/config-$(basename "$out").log
	hash=$(config_hash "$@")
	if [ -f "$out/.config" ] && [ "$hash" = "$(cat "$out/.config.stamp" 2>/dev/null)" ]; then
		return 0
	fi
	mkdir -p "$out" "$new"
	{
		kmake "$new" -s tinyconfig
		(cd "$LINUX" && KCONFIG_CONFIG=$new/.config scripts/kconfig/merge_config.sh -m -O "$new" \
			"$new/.config" "$@")
		kmake "$new" -s olddefconfig
	} >"$log" 2>&1 ||
		die "configuring $(basename "$out") failed:" "$(tail -n 15 "$log")" "the whole log is $log"
	verify_config "$new/.config" "$@"
	# An unchanged file keeps its time: nothing is built again for it.
	cmp -s "$new/.config" "$out/.config" || cp "$new/.config" "$out/.config"
	printf '%s\n' "$hash" >"$out/.config.stamp"
	rm -rf "$new"
}
