# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What a cell may show; sourced in the VM and on the host.

# field NAME LINE: of a cell's line of JSON
field()
{
	printf '%s\n' "$2" | sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

# judge LINE FILE FACTOR: say what is worse than documented in FILE; times count FACTOR
# times
judge()
{
	local stack fault outcome what wait stall least=0 f s o w t but

	stack=$(field stack "$1") fault=$(field fault "$1") outcome=$(field outcome "$1")
	case $outcome in
	n/a*) return 0 ;;
	esac
	while read -r f s o w t but; do
		case $f in '#'* | '') continue ;; esac
		# shellcheck disable=SC2254	# patterns
		case $fault in $f) ;; *) continue ;; esac
		# shellcheck disable=SC2254
		case $stack in $s) break ;; esac
	done <"$2"
	case "|$o|" in
	*"|$outcome|"*) ;;
	*) echo "$outcome instead of $o" ;;
	esac
	for what in mismatches duplicates kicked splats leaks; do
		case "$(field $what "$1"): $but " in
		0:* | null:* | *" $what "*) ;;
		*) echo "$what $(field $what "$1")" ;;
		esac
	done
	wait=$(field exporter_wait_ms "$1") stall=$(field stall_ms "$1")
	[ "${wait%.*}" -le $((w * $3)) ] || echo "the exporter waited $wait ms"
	[ "${stall:-0}" -le $((t * $3)) ] || echo "I/O stalled for $stall ms"
	case $but in
	*least=*)
		least=${but##*least=}
		least=${least%% *}
		;;
	esac
	[ "${stall:-0}" -ge "$least" ] || echo "I/O stalled for $stall ms: has it happened?"
}
