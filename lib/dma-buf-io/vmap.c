// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU's own way to a registered dma-buf, for drivers that cannot do without:
 * parity has to be computed from the data.
 *
 * Copies are bracketed as the exporter wants it, for each bio.  Both brackets may
 * wait for the exporter's lock, for as long as that may be, which no context that
 * other I/O depends on may do: a worker of the registration does it, and is given
 * up if it takes too long.
 */
#include <linux/bio.h>
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/iosys-map.h>
#include <linux/jiffies.h>
#include <linux/percpu.h>
#include <linux/sched/mm.h>
#include <linux/timer.h>

#include "internal.h"

/* what the CPU has copied, so that nobody needs to guess */
static DEFINE_PER_CPU(u64, dma_buf_io_copied);

/* bios wait for its work, and reclaim may wait for them */
struct workqueue_struct *dma_buf_io_cpu_wq;

/**
 * dma_buf_io_vmap - give the CPU a mapping of a registered dma-buf
 * @ctx: the registration
 * @wait: how long to wait for the exporter
 *
 * For drivers that have to copy data, on registration, so that what cannot work is
 * refused.  The mapping is made once and lasts as long as the registration.  It
 * pins the buffer: an exporter that could move it must leave it where it is until
 * then.
 *
 * Context: process context, may sleep.
 * Return: 0, -EOPNOTSUPP if the exporter does not offer it, -EINTR, or what the
 * exporter said.
 */
int dma_buf_io_vmap(struct dma_buf_io_ctx *ctx, enum dma_buf_io_wait wait)
{
	struct dma_buf *dmabuf = ctx->dmabuf;
	int ret = 0;

	if (!dmabuf->ops->vmap)
		return -EOPNOTSUPP;
	/* pairs with the release below: whoever sees it, sees the address */
	if (smp_load_acquire(&ctx->vmapped))
		return 0;
	if (wait == DMA_BUF_IO_TRY) {
		if (!mutex_trylock(&ctx->lock))
			return -EBUSY;
	} else if (mutex_lock_interruptible(&ctx->lock)) {
		return -EINTR;
	}
	if (ctx->vmapped)
		goto unlock;

	if (wait == DMA_BUF_IO_TRY)
		ret = dma_resv_trylock(dmabuf->resv) ? 0 : -EBUSY;
	else
		ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		goto unlock;
	ret = dma_buf_vmap(dmabuf, &ctx->vmap);
	dma_resv_unlock(dmabuf->resv);
	/* which means something else in dma_buf_io_bind() */
	if (ret == -EAGAIN)
		ret = -EBUSY;
	if (ret)
		goto unlock;
	/* pairs with the load above */
	smp_store_release(&ctx->vmapped, true);
unlock:
	mutex_unlock(&ctx->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_buf_io_vmap);

/* With the lock of the registration held, and none of its bios under way. */
void dma_buf_io_vunmap(struct dma_buf_io_ctx *ctx)
{
	lockdep_assert_held(&ctx->lock);

	if (!ctx->vmapped)
		return;
	ctx->vmapped = false;
	dma_buf_vunmap_unlocked(ctx->dmabuf, &ctx->vmap);
}

/**
 * dma_buf_io_copy_from - copy from a registered dma-buf
 * @ctx: the registration, between begin and end of CPU access
 * @offset: first byte in the dma-buf
 * @to: where to
 * @len: bytes
 *
 * Context: any.
 */
void dma_buf_io_copy_from(struct dma_buf_io_ctx *ctx, u64 offset, void *to,
			  size_t len)
{
	iosys_map_memcpy_from(to, &ctx->vmap, offset, len);
	this_cpu_add(dma_buf_io_copied, len);
}
EXPORT_SYMBOL_GPL(dma_buf_io_copy_from);

/**
 * dma_buf_io_copy_to - copy to a registered dma-buf
 * @ctx: the registration, between begin and end of CPU access
 * @offset: first byte in the dma-buf
 * @from: where from
 * @len: bytes
 *
 * Context: any.
 */
void dma_buf_io_copy_to(struct dma_buf_io_ctx *ctx, u64 offset,
			const void *from, size_t len)
{
	iosys_map_memcpy_to(&ctx->vmap, offset, from, len);
	this_cpu_add(dma_buf_io_copied, len);
}
EXPORT_SYMBOL_GPL(dma_buf_io_copy_to);

/*
 * As the exporters see it: they get the caches ready for data that comes from a
 * device and is read by the CPU, or for data that is on its way to a device.
 */
static enum dma_data_direction dma_buf_io_cpu_dir(const struct bio *bio)
{
	return bio_data_dir(bio) == WRITE ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
}

static int dma_buf_io_do_begin(struct dma_buf_io_ctx *ctx,
			       enum dma_data_direction dir)
{
	struct dma_buf *dmabuf = ctx->dmabuf;
	unsigned long failed_at = READ_ONCE(ctx->cpu_failed_at);
	unsigned long timeout = dma_buf_io_park_timeout();
	bool waited = time_in_range(jiffies, failed_at, failed_at + timeout);
	long left;
	int ret;

	/* one registration waits once, not with every bio */
	if (waited)
		timeout = 1;
	/* dma_buf_begin_cpu_access() would wait for ever */
	left = dma_resv_wait_timeout(dmabuf->resv,
				     dma_resv_usage_rw(dir == DMA_TO_DEVICE),
				     false, timeout);
	if (left <= 0) {
		if (!waited)
			WRITE_ONCE(ctx->cpu_failed_at, jiffies);
		return left ?: -EBUSY;
	}
	if (waited)
		WRITE_ONCE(ctx->cpu_failed_at, jiffies - MAX_JIFFY_OFFSET);
	/* the bio may be older than what there is to copy for */
	ret = dma_buf_io_vmap(ctx, DMA_BUF_IO_WAIT);
	if (ret)
		return ret;
	return dma_buf_begin_cpu_access(dmabuf, dir);
}

/*
 * The next step of @bio is done, or given up.  What a write was to copy has been
 * copied when its access ends.
 */
static void dma_buf_io_cpu_done(struct dma_buf_io_cpu_queue *queue,
				struct bio *bio, int error)
{
	if (error && !bio->bi_status &&
	    (queue->begins || bio_data_dir(bio) == READ))
		bio->bi_status = BLK_STS_BUFFER;
	bio->bi_end_io(bio);
}

/* The lock of the queue is held. */
static void dma_buf_io_cpu_queue_work(struct dma_buf_io_cpu_queue *queue)
{
	/* the bios hold the ctx, the work may outlive them */
	kref_get(&queue->ctx->ref);
	if (!queue_work(dma_buf_io_cpu_wq, &queue->work))
		dma_buf_io_ctx_put(queue->ctx);
}

/* An access that was begun for a bio that had been given up has to be ended. */
static void dma_buf_io_cpu_owe(struct dma_buf_io_cpu_queue *queue,
			       enum dma_data_direction dir)
{
	spin_lock_irq(&queue->lock);
	queue->owed[dir == DMA_TO_DEVICE ? READ : WRITE]++;
	dma_buf_io_cpu_queue_work(queue);
	spin_unlock_irq(&queue->lock);
}

/*
 * One call of the exporter, for @bio or, if that is NULL, for one that has been
 * given up.  The lock of the queue is held, but not during the call.
 */
static void dma_buf_io_cpu_call(struct dma_buf_io_cpu_queue *queue,
				struct bio *bio, enum dma_data_direction dir)
{
	struct dma_buf_io_ctx *ctx = queue->ctx;
	int ret = 0;

	queue->busy = true;
	queue->bio = bio;
	queue->since = jiffies;
	spin_unlock_irq(&queue->lock);

	if (queue->begins)
		ret = dma_buf_io_do_begin(ctx, dir);
	else
		dma_buf_end_cpu_access(ctx->dmabuf, dir);

	spin_lock_irq(&queue->lock);
	bio = queue->bio;
	queue->bio = NULL;
	queue->busy = false;
	queue->stuck = false;
	/* for those behind it */
	queue->since = jiffies;
	spin_unlock_irq(&queue->lock);
	if (bio)
		dma_buf_io_cpu_done(queue, bio, ret);
	else if (queue->begins && !ret)
		dma_buf_io_cpu_owe(&ctx->cpu_end, dir);
	spin_lock_irq(&queue->lock);
}

static void dma_buf_io_cpu_work(struct work_struct *work)
{
	struct dma_buf_io_cpu_queue *queue =
		container_of(work, struct dma_buf_io_cpu_queue, work);
	unsigned int noio = memalloc_noio_save();
	struct bio *bio;

	spin_lock_irq(&queue->lock);
	for (;;) {
		if (queue->owed[READ]) {
			queue->owed[READ]--;
			dma_buf_io_cpu_call(queue, NULL, DMA_TO_DEVICE);
		} else if (queue->owed[WRITE]) {
			queue->owed[WRITE]--;
			dma_buf_io_cpu_call(queue, NULL, DMA_FROM_DEVICE);
		} else {
			bio = bio_list_pop(&queue->bios);
			if (!bio)
				break;
			dma_buf_io_cpu_call(queue, bio,
					    dma_buf_io_cpu_dir(bio));
		}
	}
	/* what it was called for may have been given up */
	queue->stuck = false;
	spin_unlock_irq(&queue->lock);
	memalloc_noio_restore(noio);
	dma_buf_io_ctx_put(queue->ctx);
}

/*
 * The exporter holds its lock for longer than bios wait, or too many works are held
 * up for this one to begin, and the bios may hold up the array, on which the
 * exporter may depend: they are given up.  The work is left to find out.
 */
static void dma_buf_io_cpu_timeout(struct timer_list *timer)
{
	struct dma_buf_io_cpu_queue *queue =
		timer_container_of(queue, timer, timer);
	struct bio_list bios = BIO_EMPTY_LIST;
	unsigned long flags, until;
	struct bio *bio;

	spin_lock_irqsave(&queue->lock, flags);
	until = queue->since + dma_buf_io_park_timeout();
	if (queue->stuck ||
	    (!queue->busy && bio_list_empty(&queue->bios))) {
		/* there is nobody to give up on */
	} else if (time_before(jiffies, until)) {
		mod_timer(&queue->timer, until);
	} else {
		queue->stuck = true;
		bios = queue->bios;
		bio_list_init(&queue->bios);
		if (!queue->begins)
			bio_list_for_each(bio, &bios)
				queue->owed[bio_data_dir(bio)]++;
		if (queue->bio)
			bio_list_add_head(&bios, queue->bio);
		queue->bio = NULL;
	}
	spin_unlock_irqrestore(&queue->lock, flags);

	while ((bio = bio_list_pop(&bios)))
		dma_buf_io_cpu_done(queue, bio, -EBUSY);
}

static void dma_buf_io_cpu_queue_bio(struct dma_buf_io_cpu_queue *queue,
				     struct bio *bio)
{
	unsigned long flags;
	bool stuck;

	spin_lock_irqsave(&queue->lock, flags);
	stuck = queue->stuck;
	if (!stuck) {
		if (!queue->busy && bio_list_empty(&queue->bios))
			queue->since = jiffies;
		bio_list_add(&queue->bios, bio);
		dma_buf_io_cpu_queue_work(queue);
		if (!timer_pending(&queue->timer))
			mod_timer(&queue->timer,
				  jiffies + dma_buf_io_park_timeout());
	} else if (!queue->begins) {
		queue->owed[bio_data_dir(bio)]++;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	if (stuck)
		dma_buf_io_cpu_done(queue, bio, -EBUSY);
}

/* Is there no exporter to be asked, and nothing to be waited for? */
static bool dma_buf_io_cpu_ready(struct dma_buf_io_ctx *ctx,
				 enum dma_data_direction dir)
{
	struct dma_buf *dmabuf = ctx->dmabuf;

	if (dmabuf->ops->begin_cpu_access)
		return false;
	/* pairs with the release in dma_buf_io_vmap() */
	if (!smp_load_acquire(&ctx->vmapped))
		return false;
	return dma_resv_test_signaled(dmabuf->resv,
				      dma_resv_usage_rw(dir == DMA_TO_DEVICE));
}

/**
 * dma_buf_io_begin_cpu_access - get the data of a bio ready for the CPU
 * @bio: dma-buf bio that is going to be copied from, if it is a write, or to
 *
 * Calls @bio->bi_end_io when it is: from here, where the exporter need not be asked,
 * or from a worker.  That takes a dma_buf_io_end_cpu_access() then.  If it fails,
 * calls it with BLK_STS_BUFFER in @bio->bi_status, from any context, after as long
 * as parked bios would wait, whatever the exporter does, or at once if another bio
 * of the registration has just waited in vain.
 *
 * Context: any.
 */
void dma_buf_io_begin_cpu_access(struct bio *bio)
{
	if (dma_buf_io_cpu_ready(bio->bi_dmabuf, dma_buf_io_cpu_dir(bio)))
		bio->bi_end_io(bio);
	else
		dma_buf_io_cpu_queue_bio(&bio->bi_dmabuf->cpu_begin, bio);
}
EXPORT_SYMBOL_GPL(dma_buf_io_begin_cpu_access);

/**
 * dma_buf_io_end_cpu_access - the CPU has done its part of a bio
 * @bio: the bio
 *
 * Calls @bio->bi_end_io when the exporter knows, from a worker if it wants to, or
 * has not let itself be told for as long as parked bios would wait: with
 * BLK_STS_BUFFER in @bio->bi_status then if it is a read.
 *
 * Context: any.
 */
void dma_buf_io_end_cpu_access(struct bio *bio)
{
	if (bio->bi_dmabuf->dmabuf->ops->end_cpu_access)
		dma_buf_io_cpu_queue_bio(&bio->bi_dmabuf->cpu_end, bio);
	else
		bio->bi_end_io(bio);
}
EXPORT_SYMBOL_GPL(dma_buf_io_end_cpu_access);

static void dma_buf_io_cpu_queue_init(struct dma_buf_io_cpu_queue *queue,
				      struct dma_buf_io_ctx *ctx, bool begins)
{
	queue->ctx = ctx;
	queue->begins = begins;
	spin_lock_init(&queue->lock);
	bio_list_init(&queue->bios);
	INIT_WORK(&queue->work, dma_buf_io_cpu_work);
	timer_setup(&queue->timer, dma_buf_io_cpu_timeout, 0);
}

void dma_buf_io_vmap_init(struct dma_buf_io_ctx *ctx)
{
	dma_buf_io_cpu_queue_init(&ctx->cpu_begin, ctx, true);
	dma_buf_io_cpu_queue_init(&ctx->cpu_end, ctx, false);
	ctx->cpu_failed_at = jiffies - MAX_JIFFY_OFFSET;
}

/* No work is left. */
void dma_buf_io_vmap_exit(struct dma_buf_io_ctx *ctx)
{
	timer_shutdown_sync(&ctx->cpu_begin.timer);
	timer_shutdown_sync(&ctx->cpu_end.timer);
}

static int dma_buf_io_copied_get(void *data, u64 *val)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(&dma_buf_io_copied, cpu));
	*val = sum;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(dma_buf_io_copied_fops, dma_buf_io_copied_get, NULL,
			 "%llu\n");

static int __init dma_buf_io_cpu_init(void)
{
	dma_buf_io_cpu_wq = alloc_workqueue("dma_buf_io_cpu",
					    WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!dma_buf_io_cpu_wq)
		return -ENOMEM;
	debugfs_create_file_unsafe("copied_bytes", 0444,
				   debugfs_create_dir("dma_buf_io", NULL), NULL,
				   &dma_buf_io_copied_fops);
	return 0;
}
subsys_initcall(dma_buf_io_cpu_init);
