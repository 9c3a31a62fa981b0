/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM blk_dmabuf

#if !defined(_TRACE_BLK_DMABUF_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_BLK_DMABUF_H

#include <linux/blkdev.h>
#include <linux/dma-buf-io.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(blk_dmabuf_bio,
	TP_PROTO(struct bio *bio),
	TP_ARGS(bio),
	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__field(dev_t,		dev)
		__field(sector_t,	sector)
		__field(unsigned int,	nr_sectors)
	),
	TP_fast_assign(
		__entry->ino = dma_buf_io_ino(bio->bi_dmabuf);
		__entry->dev = bio_dev(bio);
		__entry->sector = bio->bi_iter.bi_sector;
		__entry->nr_sectors = bio_sectors(bio);
	),
	TP_printk("dmabuf=%lu dev=%d,%d sector=%llu + %u", __entry->ino,
		  MAJOR(__entry->dev), MINOR(__entry->dev),
		  (unsigned long long)__entry->sector, __entry->nr_sectors)
);

/* A bio waits for a mapping, or for a tag */
DEFINE_EVENT(blk_dmabuf_bio, blk_dmabuf_park,
	TP_PROTO(struct bio *bio),
	TP_ARGS(bio)
);

/* It goes to the device again */
DEFINE_EVENT(blk_dmabuf_bio, blk_dmabuf_resume,
	TP_PROTO(struct bio *bio),
	TP_ARGS(bio)
);

/* It ends with BLK_STS_BUFFER */
DEFINE_EVENT(blk_dmabuf_bio, blk_dmabuf_give_up,
	TP_PROTO(struct bio *bio),
	TP_ARGS(bio)
);

#endif /* _TRACE_BLK_DMABUF_H */

#include <trace/define_trace.h>
