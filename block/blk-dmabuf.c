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
#include <linux/init.h>
#include <linux/mempool.h>
#include <linux/part_stat.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "blk.h"
#include "blk-rq-qos.h"

#define CREATE_TRACE_POINTS
#include <trace/events/blk_dmabuf.h>

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

/* The device that does the DMA for @bdev, or NULL for one that cannot. */
static struct dma_buf_io_leaf *blk_dmabuf_leaf(struct block_device *bdev)
{
	const struct block_device_operations *fops = bdev->bd_disk->fops;

	return fops->dma_buf_leaf ? fops->dma_buf_leaf(bdev->bd_disk) : NULL;
}

/**
 * blk_dmabuf_register - hand a registration to a block device
 * @bdev: whole device or partition
 * @walk: the registration on its way down
 *
 * Binds the registration to the device, or to every device below if it is a stacked
 * one.  Says in the kernel log who refuses, and why.
 *
 * Context: process context; may sleep for memory, but not for the exporter.  @bdev
 * stays open until this returns.
 */
void blk_dmabuf_register(struct block_device *bdev,
			 struct dma_buf_io_walk *walk)
{
	const struct block_device_operations *fops = bdev->bd_disk->fops;
	struct dma_buf_io_leaf *leaf;
	blk_features_t features;

	if (fops->dma_buf_register) {
		fops->dma_buf_register(bdev, walk);
	} else if (!fops->dma_buf_leaf) {
		dma_buf_io_refuse(walk, "%pg: the driver has no dma-buf support\n",
				  bdev);
		return;
	}

	features = bdev_limits(bdev)->features;
	if (!(features & (BLK_FEAT_NOWAIT | BLK_FEAT_DMABUF_NOWAIT)))
		dma_buf_io_walk_waits(walk);
	if (!(features & BLK_FEAT_DMABUF)) {
		dma_buf_io_refuse(walk,
				  "%pg: cannot carry dma-buf I/O (zoned, metadata, a target)\n",
				  bdev);
		return;
	}
	if (fops->dma_buf_register)
		return;

	leaf = blk_dmabuf_leaf(bdev);
	if (leaf)
		dma_buf_io_bind(walk, leaf);
	else
		dma_buf_io_refuse(walk, "%pg: the transport has no dma-buf support\n",
				  bdev);
}
EXPORT_SYMBOL_GPL(blk_dmabuf_register);

/* file_operations method of block devices */
void blkdev_dmabuf_register(struct file *file, struct dma_buf_io_walk *walk)
{
	blk_dmabuf_register(I_BDEV(file->f_mapping->host), walk);
}

/* --- bios that wait for a mapping ----------------------------------------- */

/**
 * struct blk_dmabuf_batch - bios of one registration that wait at one device
 * @waiter: does, and is called when there is a mapping, or will be none
 * @bios: the bios, in order
 *
 * They hold neither a tag nor a mapping while they wait.
 */
struct blk_dmabuf_batch {
	struct dma_buf_io_waiter waiter;
	struct bio_list		bios;
};

/*
 * Bios that have just been put aside, from any context: blk_dmabuf_park_work makes
 * batches of them.  I/O of those that wait for memory may have to pass here: a batch
 * comes from the pool at worst, and each of those in use ends in bounded time.
 *
 * What has got its mapping is submitted again by a work of its queue, because that
 * may wait for the device's tags, or for its reset.
 *
 * The lock protects the list here, and those of the queues.
 */
static DEFINE_SPINLOCK(blk_dmabuf_lock);
static struct bio_list blk_dmabuf_parked = BIO_EMPTY_LIST;
static mempool_t *blk_dmabuf_batches;
static struct workqueue_struct *blk_dmabuf_park_wq, *blk_dmabuf_resume_wq;

#define BLK_DMABUF_MIN_BATCHES	16

static void blk_dmabuf_resume(struct work_struct *work)
{
	struct request_queue *q = container_of(work, struct request_queue,
					       dmabuf_resume_work);
	unsigned int noio = memalloc_noio_save();
	struct bio_list bios;
	struct blk_plug plug;
	struct bio *bio;

	spin_lock_irq(&blk_dmabuf_lock);
	bios = q->dmabuf_resumed;
	bio_list_init(&q->dmabuf_resumed);
	spin_unlock_irq(&blk_dmabuf_lock);
	blk_start_plug(&plug);
	while ((bio = bio_list_pop(&bios))) {
		trace_blk_dmabuf_resume(bio);
		/* this context may block where the submitter's could not */
		bio->bi_opf &= ~REQ_NOWAIT;
		blk_dmabuf_resubmit(bio);
	}
	blk_finish_plug(&plug);
	memalloc_noio_restore(noio);
}

void blk_dmabuf_init_queue(struct request_queue *q)
{
	bio_list_init(&q->dmabuf_resumed);
	INIT_WORK(&q->dmabuf_resume_work, blk_dmabuf_resume);
}

/* No bio is under way, but the work may not have returned from the last. */
void blk_dmabuf_exit_queue(struct request_queue *q)
{
	cancel_work_sync(&q->dmabuf_resume_work);
}

/* &dma_buf_io_waiter.done */
static void blk_dmabuf_batch_done(struct dma_buf_io_waiter *waiter, int error)
{
	struct blk_dmabuf_batch *batch =
		container_of(waiter, struct blk_dmabuf_batch, waiter);
	struct bio_list bios = batch->bios;
	struct request_queue *q;
	unsigned long flags;
	struct bio *bio;

	mempool_free(batch, blk_dmabuf_batches);
	if (!error) {
		q = bdev_get_queue(bio_list_peek(&bios)->bi_bdev);
		spin_lock_irqsave(&blk_dmabuf_lock, flags);
		bio_list_merge(&q->dmabuf_resumed, &bios);
		queue_work(blk_dmabuf_resume_wq, &q->dmabuf_resume_work);
		spin_unlock_irqrestore(&blk_dmabuf_lock, flags);
		return;
	}
	while ((bio = bio_list_pop(&bios))) {
		trace_blk_dmabuf_give_up(bio);
		bio_endio_status(bio, BLK_STS_BUFFER);
	}
}

/*
 * The first of @bios and those right behind it that wait for the same: the bios of a
 * request mostly.
 */
static void blk_dmabuf_batch_start(struct bio_list *bios)
{
	struct bio *first = bio_list_peek(bios), *bio;
	struct request_queue *q = bdev_get_queue(first->bi_bdev);
	struct dma_buf_io_ctx *ctx = first->bi_dmabuf;
	struct blk_dmabuf_batch *batch;
	struct dma_buf_io_leaf *leaf;

	batch = mempool_alloc(blk_dmabuf_batches, GFP_NOIO);
	batch->waiter.done = blk_dmabuf_batch_done;
	bio_list_init(&batch->bios);
	leaf = blk_dmabuf_leaf(first->bi_bdev);
	while ((bio = bio_list_peek(bios)) && bio->bi_dmabuf == ctx &&
	       bdev_get_queue(bio->bi_bdev) == q)
		bio_list_add(&batch->bios, bio_list_pop(bios));
	if (leaf)
		dma_buf_io_wait(ctx, leaf, &batch->waiter);
	else
		blk_dmabuf_batch_done(&batch->waiter, -EOPNOTSUPP);
}

static void blk_dmabuf_park_bios(struct work_struct *work)
{
	unsigned int noio = memalloc_noio_save();
	struct bio_list bios;

	spin_lock_irq(&blk_dmabuf_lock);
	bios = blk_dmabuf_parked;
	bio_list_init(&blk_dmabuf_parked);
	spin_unlock_irq(&blk_dmabuf_lock);
	while (!bio_list_empty(&bios))
		blk_dmabuf_batch_start(&bios);
	memalloc_noio_restore(noio);
}

static DECLARE_WORK(blk_dmabuf_park_work, blk_dmabuf_park_bios);

/*
 * Let bios of leaf devices wait for a mapping, then submit them again; or end them
 * with BLK_STS_BUFFER.  Any context.
 */
static void blk_dmabuf_park(struct bio_list *bios)
{
	unsigned long flags;
	struct bio *bio;

	if (trace_blk_dmabuf_park_enabled())
		bio_list_for_each(bio, bios)
			trace_call__blk_dmabuf_park(bio);

	spin_lock_irqsave(&blk_dmabuf_lock, flags);
	bio_list_merge(&blk_dmabuf_parked, bios);
	spin_unlock_irqrestore(&blk_dmabuf_lock, flags);
	queue_work(blk_dmabuf_park_wq, &blk_dmabuf_park_work);
}

/* @bio has waited for rq_qos policies and not been to the device: nothing to measure. */
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
	struct bio_list list;

	if (!bio_is_dmabuf(bio) || !bio_sectors(bio))
		return false;
	blk_dmabuf_qos_undo(bio);
	bio_clear_flag(bio, BIO_QOS_THROTTLED);
	bio_clear_flag(bio, BIO_QOS_MERGED);
	bio_clear_polled(bio);
	bio_list_init(&list);
	bio_list_add(&list, bio);
	blk_dmabuf_park(&list);
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
	struct bio_list list;
	struct bio *bio;

	/*
	 * The owner of @rq->end_io would take the completion of this request for that
	 * of the data: the block layer tries the request again.
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
	blk_dmabuf_park(&list);
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

static int __init blk_dmabuf_init(void)
{
	blk_dmabuf_batches = mempool_create_kmalloc_pool(BLK_DMABUF_MIN_BATCHES,
							 sizeof(struct blk_dmabuf_batch));
	blk_dmabuf_park_wq = alloc_workqueue("blk_dmabuf_park",
					     WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	blk_dmabuf_resume_wq = alloc_workqueue("blk_dmabuf_resume",
					       WQ_UNBOUND | WQ_MEM_RECLAIM,
					       WQ_MAX_ACTIVE);
	return blk_dmabuf_batches && blk_dmabuf_park_wq &&
	       blk_dmabuf_resume_wq ? 0 : -ENOMEM;
}
subsys_initcall(blk_dmabuf_init);
