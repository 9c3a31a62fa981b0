/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_buf_io

#if !defined(_TRACE_DMA_BUF_IO_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_DMA_BUF_IO_H

#include <linux/blkdev.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/tracepoint.h>

/* What became of an attempt to bind a registration to a device and map it there */
TRACE_EVENT(dma_buf_io_bind,
	TP_PROTO(struct dma_buf_io_ctx *ctx, struct dma_buf_io_leaf *leaf,
		 int ret),
	TP_ARGS(ctx, leaf, ret),
	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__string(dev,		dev_name(leaf->dev))
		__field(int,		ret)
	),
	TP_fast_assign(
		__entry->ino = file_inode(ctx->dmabuf->file)->i_ino;
		__assign_str(dev);
		__entry->ret = ret;
	),
	TP_printk("dmabuf=%lu dev=%s ret=%d", __entry->ino, __get_str(dev),
		  __entry->ret)
);

/* A new mapping; no runs if the driver has its own layout */
TRACE_EVENT(dma_buf_io_map,
	TP_PROTO(struct dma_buf_io_binding *binding),
	TP_ARGS(binding),
	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__string(dev,		dev_name(binding->leaf->dev))
		__field(u64,		size)
		__field(unsigned int,	nr_ranges)
	),
	TP_fast_assign(
		__entry->ino = file_inode(binding->ctx->dmabuf->file)->i_ino;
		__assign_str(dev);
		__entry->size = binding->ctx->dmabuf->size;
		__entry->nr_ranges = binding->map->nr_ranges;
	),
	TP_printk("dmabuf=%lu dev=%s size=%llu runs=%u", __entry->ino,
		  __get_str(dev), __entry->size, __entry->nr_ranges)
);

/* The exporter took a mapping back, and waited that long for the hardware */
TRACE_EVENT(dma_buf_io_invalidate,
	TP_PROTO(struct dma_buf_io_binding *binding, u64 waited),
	TP_ARGS(binding, waited),
	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__string(dev,		dev_name(binding->leaf->dev))
		__field(u64,		waited)
	),
	TP_fast_assign(
		__entry->ino = file_inode(binding->ctx->dmabuf->file)->i_ino;
		__assign_str(dev);
		__entry->waited = waited;
	),
	TP_printk("dmabuf=%lu dev=%s waited_ns=%llu", __entry->ino,
		  __get_str(dev), __entry->waited)
);

DECLARE_EVENT_CLASS(dma_buf_io_bio,
	TP_PROTO(struct dma_buf_io_ctx *ctx, struct bio *bio),
	TP_ARGS(ctx, bio),
	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__field(dev_t,		dev)
		__field(sector_t,	sector)
		__field(unsigned int,	nr_sectors)
	),
	TP_fast_assign(
		__entry->ino = file_inode(ctx->dmabuf->file)->i_ino;
		__entry->dev = bio_dev(bio);
		__entry->sector = bio->bi_iter.bi_sector;
		__entry->nr_sectors = bio_sectors(bio);
	),
	TP_printk("dmabuf=%lu dev=%d,%d sector=%llu + %u", __entry->ino,
		  MAJOR(__entry->dev), MINOR(__entry->dev),
		  (unsigned long long)__entry->sector, __entry->nr_sectors)
);

/* A bio waits for a mapping, or for a tag */
DEFINE_EVENT(dma_buf_io_bio, dma_buf_io_park,
	TP_PROTO(struct dma_buf_io_ctx *ctx, struct bio *bio),
	TP_ARGS(ctx, bio)
);

/* It goes to the device again */
DEFINE_EVENT(dma_buf_io_bio, dma_buf_io_resume,
	TP_PROTO(struct dma_buf_io_ctx *ctx, struct bio *bio),
	TP_ARGS(ctx, bio)
);

/* It ends with BLK_STS_BUFFER */
DEFINE_EVENT(dma_buf_io_bio, dma_buf_io_give_up,
	TP_PROTO(struct dma_buf_io_ctx *ctx, struct bio *bio),
	TP_ARGS(ctx, bio)
);

#endif /* _TRACE_DMA_BUF_IO_H */

#include <trace/define_trace.h>
