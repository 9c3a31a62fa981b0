#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vm: --members 6 --size 160M --mem 3G --timeout 1200
# kernel: lean
#
# The life of a volume as LVM lives it, with writes and reads through one registration all
# the time, every one of them compared.
. /tests/include/tap.sh
. /tests/include/md.sh

steady=/tests-bin/data/steady
hold=/tests-bin/data/hold
lv=/dev/vg/lv
p()
{
	echo "/dev/member/$1"
}

# in_sync: until it is
cat >/tmp/in_sync <<'EOF'
i=0
while [ $i -lt 1200 ]; do
	case "$(lvs --noheadings -o sync_percent vg/lv | tr -d ' ')$(lvs --noheadings -o raid_sync_action vg/lv | tr -d ' ')" in
	'' | idle | 100.00 | 100.00idle) exit 0 ;;
	esac
	i=$((i + 1))
	sleep 0.1
done
exit 1
EOF

# then it is the same volume, with the same data on all of its legs
whole()
{
	case $(lvs --noheadings -o segtype vg/lv | tr -d ' ') in
	raid1 | raid10* | raid4 | raid5* | raid6*)
		lvchange -qq --syncaction check vg/lv
		sleep 0.3
		sh /tmp/in_sync
		same "$1: mismatches" "$(lvs --noheadings -o raid_mismatch_count vg/lv | tr -d ' ')" 0
		;;
	esac
	same "$1: health" "$(lvs --noheadings -o lv_health_status vg/lv | tr -d ' ')" ""
}

# lives TEXT TYPE COMMAND: and is a TYPE afterwards
lives()
{
	local text=$1 type=$2

	check "$text" $steady $lv -- sh -c "( $3 ) >/tmp/lvm 2>&1 || { cat /tmp/lvm; exit 1; }; sh /tmp/in_sync"
	same "$text: type" "$(lvs --noheadings -o segtype vg/lv | tr -d ' ' | sort -u)" "$type"
	whole "$text"
}

# shellcheck disable=SC2046
vgcreate -qq vg $(for n in 0 1 2 3 4 5; do p $n; done) 2>/dev/null

lvcreate -qq -y -Wn -Zn -n lv -L 32M vg "$(p 0)"
lives "linear" linear true
lives "linear, larger" linear "lvextend -qq -y -L 48M vg/lv"
lives "linear to raid1" raid1 "lvconvert -qq -y --type raid1 -m1 vg/lv"
lives "raid1, larger" raid1 "lvextend -qq -y -L 64M vg/lv"
lives "raid1, a third leg" raid1 "lvconvert -qq -y -m2 vg/lv"
lives "raid1, write-mostly" raid1 "lvchange -qq -y --writemostly $(p 0):y vg/lv"
lives "raid1, not write-mostly" raid1 "lvchange -qq -y --writemostly $(p 0):n vg/lv"
lives "raid1, checked" raid1 "lvchange -qq --syncaction check vg/lv"
lives "raid1, repaired" raid1 "lvchange -qq --syncaction repair vg/lv"
lives "raid1, refreshed" raid1 "lvchange -qq --refresh vg/lv"
lives "raid1, a leg moved" raid1 "pvmove -qq -n lv $(p 0) $(p 5)"
lives "raid1, a leg split off, changes noted" raid1 \
	"lvconvert -qq -y --splitmirrors 1 --trackchanges vg/lv; sleep 1"
lives "raid1, merged again" raid1 \
	"lvconvert -qq -y --merge vg/\$(lvs --noheadings -o lv_name vg | tr -d ' ' | grep rimage)"
lives "raid1, a leg split off" raid1 "lvconvert -qq -y --splitmirrors 1 -n off vg/lv"
check "raid1, what was split off" $hold -i /dev/vg/off -- true
lvremove -qq -y vg/off
lives "raid1, renamed and back" raid1 "lvm lvrename -qq vg lv other; lvm lvrename -qq vg other lv"
lives "raid1 to raid5" raid5 "lvconvert -qq -y --type raid5 vg/lv"
lives "raid5, stripes added" raid5 "lvconvert -qq -y --stripes 3 vg/lv"
lvremove -qq -y vg/lv

lvcreate -qq -y -Wn -Zn -n lv --type raid5 -i 3 -L 48M vg
sh /tmp/in_sync
lives "raid5" raid5 true
lives "raid5 to raid6" raid6_ls_6 "lvconvert -qq -y --type raid6 vg/lv"
lives "raid6, larger" raid6_ls_6 "lvextend -qq -y -L 72M vg/lv"
lvremove -qq -y vg/lv

lvcreate -qq -y -Wn -Zn -n lv --type striped -i 2 -L 32M vg
lives "striped" striped true
lives "striped to raid0" raid0 "lvconvert -qq -y --type raid0 vg/lv"
lives "raid0 to raid10" raid10 "lvconvert -qq -y --type raid10 vg/lv"
lives "raid10, larger" raid10 "lvextend -qq -y -L 48M vg/lv"
lives "raid10, a leg moved" raid10 "pvmove -qq -n lv $(p 1) $(p 5)"
lives "raid10 to raid0" raid0 "lvconvert -qq -y --type raid0 vg/lv"
lives "raid0 to striped" striped "lvconvert -qq -y --type striped vg/lv"
lvremove -qq -y vg/lv

# Not in use: away and back, smaller.
lvcreate -qq -y -Wn -Zn -n lv --type raid1 -m1 -L 32M vg
sh /tmp/in_sync
check "activated again" sh -c "lvchange -qq -an vg/lv && lvchange -qq -ay vg/lv"
check "activated again: I/O" $hold -i $lv -- true
check "smaller" lvm lvreduce -qq -y -f -L 16M vg/lv
lives "raid1, smaller" raid1 true

# A disk is lost, and replaced.
dev=$(lvs --noheadings -o devices vg/lv_rimage_0 -a | tr -d ' ' | cut -d'(' -f1)
lives "raid1, a disk lost and replaced" raid1 \
	"pvchange -qq -xn $dev; lvconvert -qq -y --replace $dev vg/lv"
lvremove -qq -y vg/lv
vgremove -qq -y vg
same "nothing attached afterwards" "$(wait_detached)" 0
done_testing
