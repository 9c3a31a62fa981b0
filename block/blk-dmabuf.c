// SPDX-License-Identifier: GPL-2.0
/*
 * Bios whose data is in a registered dma-buf: who may get them, where they are
 * split and merged, and how they wait for a mapping.
 */
#define pr_fmt(fmt) "dma-buf-io: " fmt

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/dma-buf-io.h>
#include <linux/export.h>
#include <linux/part_stat.h>

#include "blk.h"
#include "blk-rq-qos.h"

/*
 * bio_split_io_at() for a bio without bvecs, see there.  Exporters map whole
 * pages, so the alignment of the offset is that of the address.  REQ_NOWAIT is
 * no obstacle: the parts do not fail with -EAGAIN, see blk_dmabuf_park_bio().
 */
int blk_dmabuf_split_at(struct bio *bio, const struct queue_limits *lim,
			unsigned int *segs, unsigned int max_bytes,
			unsigned int len_align_mask)
{
	unsigned int bytes = bio->bi_iter.bi_size;

	/* the device may have changed while the bio waited to be let in */
	if (!(lim->features & BLK_FEAT_DMABUF))
		return -EINVAL;
	if ((bio->bi_iter.bi_dmabuf_offset & lim->dma_alignment) ||
	    (bytes & len_align_mask))
		return -EINVAL;

	*segs = bytes ? 1 : 0;
	bio->bi_bvec_gap_bit = 0;
	if (bytes <= max_bytes)
		return 0;

	bytes = ALIGN_DOWN(max_bytes, lim->logical_block_size);
	if (!bytes || (bio->bi_opf & REQ_ATOMIC))
		return -EINVAL;
	bio_clear_polled(bio);
	return bytes >> SECTOR_SHIFT;
}

/*
 * Bios of one registration may share a request, and only with each other.  Does
 * the data of @next, put behind that of @prev, leave a forbidden gap?
 */
bool blk_dmabuf_will_gap(struct request_queue *q, struct bio *prev,
			 struct bio *next)
{
	u64 end = prev->bi_iter.bi_dmabuf_offset + prev->bi_iter.bi_size;
	u64 start = next->bi_iter.bi_dmabuf_offset;

	if (bio_is_dmabuf(prev) != bio_is_dmabuf(next) ||
	    prev->bi_dmabuf != next->bi_dmabuf)
		return true;
	if (end == start)
		return false;
	return (end | start) & q->limits.dmabuf_boundary_mask;
}

/**
 * blk_dmabuf_register - hand a registration to a block device
 * @bdev: whole device or partition
 * @ctx: the registration
 * @wait: wait until the exporter lets go of its lock, or a signal arrives
 *
 * Binds @ctx to the device, or to every device below if it is a stacked one.
 * Says in the kernel log who refuses, and why.  May be repeated, to bind what is
 * new and bring back what was invalidated.
 *
 * Context: process context, may sleep for the exporter.  The caller holds @bdev
 * open, and neither locks nor SRCU that I/O to it may wait for.
 * Return: 0, -EOPNOTSUPP if the device or one below cannot take a dma-buf, or
 * what the exporter said.
 */
int blk_dmabuf_register(struct block_device *bdev, struct dma_buf_io_ctx *ctx,
			bool wait)
{
	const struct block_device_operations *fops = bdev->bd_disk->fops;
	struct dma_buf_io_leaf *leaf;
	int ret;

	if (fops->dma_buf_register) {
		ret = fops->dma_buf_register(bdev, ctx, wait);
		if (ret)
			return ret;
	} else if (!fops->dma_buf_leaf) {
		dma_buf_io_notice(ctx, "%pg: the driver has no dma-buf support\n",
				  bdev);
		return -EOPNOTSUPP;
	}

	if (!blk_queue_dmabuf(bdev_get_queue(bdev))) {
		dma_buf_io_notice(ctx,
				  "%pg: cannot carry dma-buf I/O (zoned, metadata, a member)\n",
				  bdev);
		return -EOPNOTSUPP;
	}
	if (fops->dma_buf_register)
		return 0;

	leaf = fops->dma_buf_leaf(bdev->bd_disk);
	if (!leaf) {
		dma_buf_io_notice(ctx, "%pg: the transport has no dma-buf support\n",
				  bdev);
		return -EOPNOTSUPP;
	}
	ret = dma_buf_io_bind(ctx, leaf,
			      wait ? DMA_BUF_IO_WAIT : DMA_BUF_IO_TRY);
	/* not where the same may work a moment later */
	if (ret && wait && ret != -EINTR && ret != -ERESTARTSYS &&
	    ret != -EBUSY && ret != -EAGAIN)
		dma_buf_io_notice(ctx, "%pg: the dma-buf cannot be mapped for %s (%pe)\n",
				  bdev, dev_name(leaf->dev), ERR_PTR(ret));
	return ret;
}
EXPORT_SYMBOL_GPL(blk_dmabuf_register);

/* file_operations method of block devices */
int blkdev_dmabuf_register(struct file *file, struct dma_buf_io_ctx *ctx)
{
	struct block_device *bdev = I_BDEV(file->f_mapping->host);
	int ret = blk_dmabuf_register(bdev, ctx, true);

	/* after the device has had a look at what it consists of */
	WRITE_ONCE(ctx->nowait,
		   bdev_limits(bdev)->features & BLK_FEAT_DMABUF_NOWAIT);
	return ret;
}

/**
 * bdev_dma_buf_leaf - the device that does the DMA for a block device
 * @bdev: whole device or partition
 *
 * Context: any, while @bdev is open.
 * Return: the leaf, or NULL for a stacked device or one that cannot.
 */
struct dma_buf_io_leaf *bdev_dma_buf_leaf(struct block_device *bdev)
{
	const struct block_device_operations *fops = bdev->bd_disk->fops;

	return fops->dma_buf_leaf ? fops->dma_buf_leaf(bdev->bd_disk) : NULL;
}

static void blk_dmabuf_park_one(struct bio *bio)
{
	struct bio_list list;

	bio_list_init(&list);
	bio_list_add(&list, bio);
	dma_buf_io_park(bio->bi_dmabuf, &list);
}

/* What @bio waited for it has got, but not what it was for: no time to measure. */
static void blk_dmabuf_qos_undo(struct bio *bio)
{
	blk_status_t status = bio->bi_status;

	bio->bi_status = BLK_STS_AGAIN;
	rq_qos_done_bio(bio);
	bio->bi_status = status;
}

/* @rq ends without having been at the device: nothing to count */
static void blk_dmabuf_account_parked(struct request *rq)
{
	if ((rq->rq_flags & (RQF_IO_STAT | RQF_FLUSH_SEQ)) == RQF_IO_STAT) {
		part_stat_lock();
		bdev_dec_in_flight(rq->part, req_op(rq));
		part_stat_unlock();
		rq->rq_flags &= ~RQF_IO_STAT;
	}
}

/*
 * A bio found no tag, or a frozen queue, and may not wait.  Let it wait without
 * its submitter: -EAGAIN would have all of a request repeated of which this may
 * be a part.  Returns false if the bio is not a dma-buf bio.
 */
bool blk_dmabuf_park_bio(struct bio *bio)
{
	if (!bio_is_dmabuf(bio) || !bio_sectors(bio))
		return false;
	blk_dmabuf_qos_undo(bio);
	bio_clear_flag(bio, BIO_QOS_THROTTLED);
	bio_clear_flag(bio, BIO_QOS_MERGED);
	bio_clear_polled(bio);
	blk_dmabuf_park_one(bio);
	return true;
}

/**
 * blk_mq_dmabuf_park - take a request's bios off it until there is a mapping
 * @rq: request that has not been started, with dma-buf bios
 *
 * For a driver's queue_rq method, when dma_buf_io_get() finds nothing.  The
 * bios are submitted again later, or end with BLK_STS_BUFFER; they hold no tag
 * and do not keep the queue from being frozen.  @rq is ended without them.
 *
 * If @rq was the last of a batch, the driver must still tell the hardware about
 * the ones before it.
 *
 * Context: any that queue_rq is called in.
 * Return: what queue_rq is to return.
 */
blk_status_t blk_mq_dmabuf_park(struct request *rq)
{
	struct dma_buf_io_ctx *ctx = rq->bio->bi_dmabuf;
	struct bio_list list;
	struct bio *bio;

	/*
	 * Somebody else waits for the completion of this request and would take
	 * it for that of the data: he gets the request back to try again.
	 */
	if (rq->end_io && !(rq->rq_flags & RQF_FLUSH_SEQ))
		return BLK_STS_RESOURCE;

	bio_list_init(&list);
	/* before the flags that say what is to be undone are cleared */
	__rq_for_each_bio(bio, rq)
		blk_dmabuf_qos_undo(bio);
	blk_steal_bios(&list, rq);
	blk_dmabuf_account_parked(rq);
	/* it has taken no time, for I/O schedulers that measure latency */
	if (!rq->io_start_time_ns)
		rq->io_start_time_ns = blk_time_get_ns();
	blk_mq_end_request(rq, BLK_STS_OK);
	dma_buf_io_park(ctx, &list);
	return BLK_STS_OK;
}
EXPORT_SYMBOL_GPL(blk_mq_dmabuf_park);

/**
 * blk_dmabuf_resubmit - submit a bio again whose device has put it off
 * @bio: dma-buf bio that submit_bio() has brought there
 *
 * Unlike submit_bio_noacct(), which checks and throttles: that has been done, and a
 * cgroup's limit of I/Os is for what users ask for.  Statistics of cgroups count
 * another I/O, but no more bytes.
 *
 * Context: process context, may sleep.
 */
void blk_dmabuf_resubmit(struct bio *bio)
{
	submit_bio_noacct_nocheck(bio, false);
}
EXPORT_SYMBOL_GPL(blk_dmabuf_resubmit);
