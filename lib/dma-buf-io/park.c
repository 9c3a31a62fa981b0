// SPDX-License-Identifier: GPL-2.0
/*
 * Bios that reached their device and found no mapping of the dma-buf there: the
 * exporter took it away a moment ago, or the device is new to the registration.
 * They hold neither a tag nor a mapping while they wait, and wait for as long as
 * the exporter has mappings made, and a bounded time after.
 *
 * Only bios of leaf devices wait here, so that sending them on depends on the
 * hardware and on nothing above it.
 */
#include <linux/blkdev.h>
#include <linux/dma-buf-io.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include <trace/events/dma_buf_io.h>

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "dma_buf_io."

#define DMA_BUF_IO_RETRY_MIN	1
#define DMA_BUF_IO_RETRY_MAX	(HZ / 50)

static unsigned int park_timeout_ms = 8000;
module_param(park_timeout_ms, uint, 0644);
MODULE_PARM_DESC(park_timeout_ms,
		 "How long I/O waits for an exporter to make a dma-buf reachable again");

/* the I/O of whoever waits for memory may have to pass here */
static struct workqueue_struct *dma_buf_io_park_wq;

/*
 * May the same attempt succeed later?  Everything else is the exporter's last
 * word: no route between the devices, for example.
 */
bool dma_buf_io_transient(int error)
{
	switch (error) {
	case -EAGAIN:
	case -EBUSY:
	case -EINTR:
	case -ENODEV:		/* revoked: may come back without a notice */
	case -ENOMEM:
	case -ERESTARTSYS:
		return true;
	}
	return false;
}

unsigned long dma_buf_io_park_timeout(void)
{
	return msecs_to_jiffies(READ_ONCE(park_timeout_ms));
}

/*
 * A clock that stands still while the exporter waits for commands of this
 * registration: nobody gives up on it for that.
 */
unsigned long dma_buf_io_now(struct dma_buf_io_ctx *ctx)
{
	unsigned long since, drained, now;

	do {
		since = READ_ONCE(ctx->draining_since);
		/* pairs with dma_buf_io_invalidate(): what is over is counted */
		smp_rmb();
		drained = READ_ONCE(ctx->drained);
		now = since ?: jiffies - drained;
		/* nor has anything ended since */
		smp_rmb();
	} while (drained != READ_ONCE(ctx->drained));
	return now;
}

unsigned long dma_buf_io_give_up_at(struct dma_buf_io_ctx *ctx)
{
	return dma_buf_io_now(ctx) + dma_buf_io_park_timeout();
}

unsigned long dma_buf_io_backoff(unsigned long delay)
{
	return clamp(delay * 2, DMA_BUF_IO_RETRY_MIN, DMA_BUF_IO_RETRY_MAX);
}

/*
 * An attempt has failed at @now, by dma_buf_io_now().  Is it time to give up?  The
 * first that fails starts the clock.  Those that come when it has run down do not
 * wait again, unless nothing has failed for as long.
 */
static bool dma_buf_io_time_is_up(unsigned long *give_up_at, unsigned long now)
{
	unsigned long timeout = dma_buf_io_park_timeout();
	unsigned long until = READ_ONCE(*give_up_at);

	if (!until || !time_in_range(now, until - timeout, until + timeout)) {
		WRITE_ONCE(*give_up_at, now + timeout ?: 1);
		return false;
	}
	if (!time_after(now, until))
		return false;
	WRITE_ONCE(*give_up_at, now ?: 1);
	return true;
}

/*
 * Try to get the mapping that bios of one device wait for.  Each device has a
 * clock of its own: one that the exporter has kept waiting says nothing about the
 * others.  Those that are yet to be attached share one, because they are attached
 * one after the other.
 *
 * Returns 0, -EAGAIN if it is to be tried again, or why the bios are failed.
 */
static int dma_buf_io_unpark(struct dma_buf_io_ctx *ctx,
			     struct dma_buf_io_leaf *leaf)
{
	unsigned long *give_up_at = &ctx->give_up_at;
	struct dma_buf_io_binding *binding;
	int ret;

	if (!leaf)
		return -EOPNOTSUPP;
	ret = dma_buf_io_bind(ctx, leaf, DMA_BUF_IO_TRY);
	/* the device goes away: let the bios fail as its other I/O does */
	if (ret == -ENXIO)
		ret = 0;

	rcu_read_lock();
	binding = xa_load(&ctx->bindings, leaf->id);
	if (binding)
		give_up_at = &binding->give_up_at;
	if (!dma_buf_io_transient(ret) || ret == -EAGAIN)
		WRITE_ONCE(*give_up_at, 0);
	else if (dma_buf_io_time_is_up(give_up_at, dma_buf_io_now(ctx)))
		ret = -ETIMEDOUT;
	else
		ret = -EAGAIN;
	rcu_read_unlock();
	return ret;
}

/*
 * Bios of one device on their way.  Submitting them may wait for its tags, or for
 * its reset: the devices must not wait for each other.
 */
struct dma_buf_io_resume {
	struct work_struct	work;
	struct list_head	node;
	struct dma_buf_io_ctx	*ctx;
	struct dma_buf_io_leaf	*leaf;
	struct bio_list		bios;	/* under the lock of the parked ones */
};

static void dma_buf_io_submit(struct dma_buf_io_ctx *ctx, struct bio_list *bios)
{
	struct blk_plug plug;
	struct bio *bio;

	blk_start_plug(&plug);
	while ((bio = bio_list_pop(bios))) {
		trace_dma_buf_io_resume(ctx, bio);
		/* this context may block where the submitter's could not */
		bio->bi_opf &= ~REQ_NOWAIT;
		blk_dmabuf_resubmit(bio);
	}
	blk_finish_plug(&plug);
}

static void dma_buf_io_resume_work(struct work_struct *work)
{
	struct dma_buf_io_resume *resume =
		container_of(work, struct dma_buf_io_resume, work);
	struct dma_buf_io_ctx *ctx = resume->ctx;
	unsigned int noio = memalloc_noio_save();
	struct bio_list bios;

	for (;;) {
		spin_lock_irq(&ctx->parked_lock);
		bios = resume->bios;
		bio_list_init(&resume->bios);
		if (bio_list_empty(&bios))
			list_del(&resume->node);
		spin_unlock_irq(&ctx->parked_lock);
		if (bio_list_empty(&bios))
			break;
		dma_buf_io_submit(ctx, &bios);
	}
	memalloc_noio_restore(noio);
	kfree(resume);
	dma_buf_io_ctx_put(ctx);
}

/* Joins those of the device that are on their way, if there are any. */
static bool dma_buf_io_resume_join(struct dma_buf_io_ctx *ctx,
				   struct dma_buf_io_leaf *leaf,
				   struct bio_list *bios)
{
	struct dma_buf_io_resume *resume;
	bool found = false;

	spin_lock_irq(&ctx->parked_lock);
	list_for_each_entry(resume, &ctx->resuming, node) {
		if (resume->leaf != leaf)
			continue;
		bio_list_merge_init(&resume->bios, bios);
		found = true;
		break;
	}
	spin_unlock_irq(&ctx->parked_lock);
	return found;
}

/* Called by the work alone, so nobody else adds to the list meanwhile. */
static void dma_buf_io_resume(struct dma_buf_io_ctx *ctx,
			      struct dma_buf_io_leaf *leaf,
			      struct bio_list *bios)
{
	struct dma_buf_io_resume *resume;

	if (dma_buf_io_resume_join(ctx, leaf, bios))
		return;
	resume = kmalloc_obj(*resume, GFP_NOWAIT);
	if (!resume) {
		dma_buf_io_submit(ctx, bios);
		return;
	}
	INIT_WORK(&resume->work, dma_buf_io_resume_work);
	resume->ctx = ctx;
	resume->leaf = leaf;
	resume->bios = *bios;
	bio_list_init(bios);
	kref_get(&ctx->ref);
	spin_lock_irq(&ctx->parked_lock);
	list_add(&resume->node, &ctx->resuming);
	spin_unlock_irq(&ctx->parked_lock);
	queue_work(dma_buf_io_park_wq, &resume->work);
}

static void dma_buf_io_fail(struct dma_buf_io_ctx *ctx, struct bio_list *bios)
{
	struct bio *bio;

	while ((bio = bio_list_pop(bios))) {
		trace_dma_buf_io_give_up(ctx, bio);
		bio_endio_status(bio, BLK_STS_BUFFER);
	}
}

/* The device that the first of @from is for, and its bios, in order. */
static struct dma_buf_io_leaf *dma_buf_io_take(struct bio_list *from,
					       struct bio_list *bios)
{
	struct dma_buf_io_leaf *leaf =
		bdev_dma_buf_leaf(bio_list_peek(from)->bi_bdev);
	struct bio_list others = BIO_EMPTY_LIST;
	struct bio *bio;

	while ((bio = bio_list_pop(from)))
		bio_list_add(bdev_dma_buf_leaf(bio->bi_bdev) == leaf ?
			     bios : &others, bio);
	*from = others;
	return leaf;
}

static void dma_buf_io_park_work(struct work_struct *work)
{
	struct dma_buf_io_ctx *ctx = container_of(to_delayed_work(work),
						  struct dma_buf_io_ctx,
						  park_work);
	struct bio_list parked, again = BIO_EMPTY_LIST;
	unsigned int noio = memalloc_noio_save();
	bool progress = false;

	spin_lock_irq(&ctx->parked_lock);
	parked = ctx->parked;
	bio_list_init(&ctx->parked);
	spin_unlock_irq(&ctx->parked_lock);

	while (!bio_list_empty(&parked)) {
		struct bio_list bios = BIO_EMPTY_LIST;
		struct dma_buf_io_leaf *leaf;
		int ret;

		leaf = dma_buf_io_take(&parked, &bios);
		ret = dma_buf_io_unpark(ctx, leaf);
		if (!ret) {
			dma_buf_io_resume(ctx, leaf, &bios);
			progress = true;
		} else if (ret == -EAGAIN) {
			bio_list_merge(&again, &bios);
		} else {
			dma_buf_io_fail(ctx, &bios);
		}
	}

	spin_lock_irq(&ctx->parked_lock);
	if (bio_list_empty(&again)) {
		ctx->retry_delay = 0;
	} else {
		ctx->retry_delay = dma_buf_io_backoff(progress ?
						      0 : ctx->retry_delay);
		/* they were here first */
		bio_list_merge_head(&ctx->parked, &again);
		kref_get(&ctx->ref);
		if (!queue_delayed_work(dma_buf_io_park_wq, &ctx->park_work,
					ctx->retry_delay))
			dma_buf_io_ctx_put(ctx);
	}
	spin_unlock_irq(&ctx->parked_lock);

	memalloc_noio_restore(noio);
	dma_buf_io_ctx_put(ctx);
}

void dma_buf_io_park_init(struct dma_buf_io_ctx *ctx)
{
	spin_lock_init(&ctx->parked_lock);
	bio_list_init(&ctx->parked);
	INIT_LIST_HEAD(&ctx->resuming);
	INIT_DELAYED_WORK(&ctx->park_work, dma_buf_io_park_work);
}

/**
 * dma_buf_io_park - let bios wait for a mapping, then submit them again
 * @ctx: registration that the bios carry
 * @bios: bios of leaf devices, in order; empty on return
 *
 * Bios whose buffer stays out of reach end with BLK_STS_BUFFER.
 *
 * Context: any.
 */
void dma_buf_io_park(struct dma_buf_io_ctx *ctx, struct bio_list *bios)
{
	unsigned long flags;

	if (trace_dma_buf_io_park_enabled()) {
		struct bio *bio;

		bio_list_for_each(bio, bios)
			trace_call__dma_buf_io_park(ctx, bio);
	}

	spin_lock_irqsave(&ctx->parked_lock, flags);
	bio_list_merge_init(&ctx->parked, bios);
	/* the bios hold the ctx, the work may outlive them */
	kref_get(&ctx->ref);
	if (!queue_delayed_work(dma_buf_io_park_wq, &ctx->park_work,
				ctx->retry_delay))
		dma_buf_io_ctx_put(ctx);
	spin_unlock_irqrestore(&ctx->parked_lock, flags);
}
EXPORT_SYMBOL_GPL(dma_buf_io_park);

static int __init dma_buf_io_park_wq_init(void)
{
	dma_buf_io_park_wq = alloc_workqueue("dma_buf_io_park",
					     WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return dma_buf_io_park_wq ? 0 : -ENOMEM;
}
subsys_initcall(dma_buf_io_park_wq_init);
