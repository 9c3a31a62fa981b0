#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What scripts/rooms makes of files that know more than they should.
# host
# kernel: none

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0

# rooms WANTED TEXT FILE [LINE [CALL]]: a complaint, or none, about our file with LINE
# added, and about an object that calls CALL
rooms()
{
	local wanted=$1 text=$2 file=$3 rc=0 got want_rc=0

	mkdir -p "$dir/src/${file%/*}" "$dir/obj/${file%/*}"
	cp "$ROOT/$file" "$dir/src/$file" 2>/dev/null || : >"$dir/src/$file"
	printf '%s\n' "${4:-}" >>"$dir/src/$file"
	printf '%s\n' "void ${5:-f}(void); void g(void); void g(void) { ${5:-f}(); }" >"$dir/object.c"
	gcc -c -o "$dir/obj/${file%.*}.o" "$dir/object.c"
	[ -z "$wanted" ] || wanted="$file: $wanted" want_rc=1
	got=$("$ROOT/scripts/rooms" "$dir/src" "$dir/obj" "$file" 2>/dev/null) || rc=$?
	n=$((n + 1))
	if [ "$got" = "$wanted" ] && [ $rc = $want_rc ]; then
		echo "ok $n - ${file##*/}: $text"
	else
		echo "not ok $n - ${file##*/}: $text"
		printf '# status %s, "%s", wanted "%s"\n' "$rc" "$got" "$wanted"
	fi
}

# where the rooms are, with nothing added
while read -r file; do
	rooms '' "as it is" "$file"
done < <(cd "$ROOT" && find include lib block io_uring drivers -name '*.[ch]' | sort)

lib=lib/dma-buf-io/binding.c
rooms 'includes linux/blk-mq.h' "a header of block" $lib '#include <linux/blk-mq.h>'
rooms 'includes ../../block/blk.h' "a private one" $lib '# include "../../block/blk.h"'
rooms 'includes linux/io_uring_types.h' "a header of io_uring" $lib '#include <linux/io_uring_types.h>'
rooms 'knows struct bio' "a bio" $lib 'struct bio;'
rooms 'knows request_queue' "a queue" $lib 'struct request_queue *q;'
rooms 'has a reference to bio_endio' "a call that only the object has" $lib '' bio_endio
rooms '' "in a comment" $lib '/* struct bio */'
rooms '' "in a string" $lib 'static const char *s = "struct bio \" submit_bio()";'
rooms 'knows REQ_NOWAIT' "a flag in its header" lib/dma-buf-io/internal.h '#define X REQ_NOWAIT'
rooms 'includes linux/dma-buf.h' "dma-buf's header for everybody" include/linux/dma-buf-io.h '#include <linux/dma-buf.h>'

rooms 'includes linux/dma-buf.h' "dma-buf's header" block/blk-dmabuf.c '#include <linux/dma-buf.h>'
rooms 'includes ../lib/dma-buf-io/internal.h' "lib's private header" block/blk-dmabuf.c '#include "../lib/dma-buf-io/internal.h"'
rooms 'has a reference to dma_buf_detach' "an attachment" block/blk-dmabuf.c '' dma_buf_detach
rooms 'has a reference to dma_buf_io_get' "a map" block/blk-dmabuf.c '' dma_buf_io_get
rooms 'calls dma_buf_io_map_addr' "an address" block/blk-dmabuf.c 'int a(void) { return dma_buf_io_map_addr (); }'
rooms '' "waiting" block/blk-dmabuf.c '' dma_buf_io_wait

rooms 'includes linux/dma-resv.h' "reservations" drivers/nvme/host/pci-dmabuf.c '#include <linux/dma-resv.h>'
rooms 'has a reference to dma_buf_io_wait' "waiting" drivers/nvme/host/pci-dmabuf.c '' dma_buf_io_wait
rooms '' "a map" drivers/nvme/host/pci-dmabuf.c '' dma_buf_io_get

rooms 'has a reference to dma_buf_io_get' "a map" drivers/md/md-dmabuf.c '' dma_buf_io_get
rooms 'has a reference to dma_buf_io_leaf_init' "a leaf" drivers/md/dm-dmabuf.c '' dma_buf_io_leaf_init
rooms 'includes linux/dma-buf.h' "dma-buf's header" drivers/md/raid5-dmabuf.c '#include <linux/dma-buf.h>'

rooms 'includes linux/blkdev.h' "a header of block" io_uring/dma-buf.c '#include <linux/blkdev.h>'
rooms 'knows bio_is_dmabuf' "a bio" io_uring/dma-buf.h 'bool a = bio_is_dmabuf;'
rooms 'has a reference to dma_buf_io_leaf_remove' "a leaf" io_uring/dma-buf.c '' dma_buf_io_leaf_remove
rooms 'has a reference to dma_buf_vmap' "dma-buf itself" io_uring/dma-buf.c '' dma_buf_vmap
rooms '' "dma-buf's descriptors" io_uring/dma-buf.c '' dma_buf_get

rooms 'belongs to no room, see scripts/rooms' "a file nobody has thought of" drivers/gpu/new.c
echo "1..$n"
