// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU's own way to a registered dma-buf, for drivers that cannot do without:
 * parity has to be computed from the data.
 *
 * Copies are bracketed as the exporter wants it, for each bio.  Both brackets may
 * wait for the exporter's lock, which no context that other I/O depends on may
 * do: those hand the bio to a worker of its registration.
 */
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

#include "internal.h"

/* what the CPU has copied, so that nobody needs to guess */
static DEFINE_PER_CPU(u64, dma_buf_io_copied);

/* bios wait for its work, and reclaim may wait for them */
static struct workqueue_struct *dma_buf_io_cpu_wq;

/**
 * dma_buf_io_vmap - give the CPU a mapping of a registered dma-buf
 * @ctx: the registration
 * @wait: how long to wait for the exporter
 *
 * For drivers that have to copy data, on registration.  The mapping is made once
 * and lasts as long as the registration.  It pins the buffer: an exporter that
 * could move it must leave it where it is until then.
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
	if (dma_buf_io_vmapped(ctx))
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
	/* pairs with dma_buf_io_vmapped() */
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

static int dma_buf_io_do_begin(struct bio *bio)
{
	struct dma_buf_io_ctx *ctx = bio->bi_dmabuf;
	struct dma_buf *dmabuf = ctx->dmabuf;
	enum dma_data_direction dir = dma_buf_io_cpu_dir(bio);
	unsigned long failed_at = READ_ONCE(ctx->cpu_failed_at);
	unsigned long timeout = dma_buf_io_park_timeout();
	bool waited = time_in_range(jiffies, failed_at, failed_at + timeout);
	unsigned int noio;
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
	noio = memalloc_noio_save();
	ret = dma_buf_begin_cpu_access(dmabuf, dir);
	memalloc_noio_restore(noio);
	return ret;
}

struct dma_buf_io_begin {
	struct work_struct	work;
	struct bio		*bio;
	int			ret;
};

static void dma_buf_io_begin_one(struct work_struct *work)
{
	struct dma_buf_io_begin *begin =
		container_of(work, struct dma_buf_io_begin, work);

	begin->ret = dma_buf_io_do_begin(begin->bio);
}

/**
 * dma_buf_io_begin_cpu_access - get the data of a bio ready for the CPU
 * @bio: dma-buf bio that is going to be copied from, if it is a write, or to
 *
 * Every success needs a dma_buf_io_end_cpu_access().
 *
 * Context: process context, may sleep: for as long as parked bios would for the
 * exporter's fences, no longer if another bio of the registration just has, and
 * for its lock.
 * Return: 0, -EOPNOTSUPP if there is no mapping for the CPU, -EBUSY, or what the
 * exporter said.
 */
int dma_buf_io_begin_cpu_access(struct bio *bio)
{
	struct dma_buf_io_begin begin = { .bio = bio };
	int ret;

	if (!dma_buf_io_vmapped(bio->bi_dmabuf))
		return -EOPNOTSUPP;
	ret = dma_buf_io_do_begin(bio);
	if (ret != -EINTR && ret != -ERESTARTSYS)
		return ret;

	/*
	 * A signal for the submitter, which may as well be a mere request to
	 * run task work, is no reason to fail the bio.
	 */
	INIT_WORK_ONSTACK(&begin.work, dma_buf_io_begin_one);
	queue_work(dma_buf_io_cpu_wq, &begin.work);
	flush_work(&begin.work);
	destroy_work_on_stack(&begin.work);
	return begin.ret;
}
EXPORT_SYMBOL_GPL(dma_buf_io_begin_cpu_access);

static void dma_buf_io_cpu_queue_work(struct work_struct *work)
{
	struct dma_buf_io_cpu_queue *queue =
		container_of(work, struct dma_buf_io_cpu_queue, work);
	struct dma_buf_io_ctx *ctx = queue->ctx;
	unsigned int noio = memalloc_noio_save();
	struct bio *bio;

	for (;;) {
		spin_lock_irq(&queue->lock);
		bio = bio_list_pop(&queue->bios);
		spin_unlock_irq(&queue->lock);
		if (!bio)
			break;
		if (queue == &ctx->cpu_end)
			dma_buf_end_cpu_access(ctx->dmabuf,
					       dma_buf_io_cpu_dir(bio));
		else if (dma_buf_io_do_begin(bio))
			bio->bi_status = BLK_STS_BUFFER;
		bio->bi_end_io(bio);
	}
	memalloc_noio_restore(noio);
	dma_buf_io_ctx_put(ctx);
}

static void dma_buf_io_cpu_queue_bio(struct dma_buf_io_cpu_queue *queue,
				     struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	bio_list_add(&queue->bios, bio);
	/* the bios hold the ctx, the work may outlive them */
	kref_get(&queue->ctx->ref);
	if (!queue_work(dma_buf_io_cpu_wq, &queue->work))
		dma_buf_io_ctx_put(queue->ctx);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * dma_buf_io_begin_cpu_access_async - get a bio ready for the CPU, elsewhere
 * @bio: dma-buf bio of a registration with a mapping for the CPU
 *
 * Like dma_buf_io_begin_cpu_access(), for those who may not wait.  Calls
 * @bio->bi_end_io from a worker then, with BLK_STS_BUFFER in @bio->bi_status if
 * that failed.
 *
 * Context: any.
 */
void dma_buf_io_begin_cpu_access_async(struct bio *bio)
{
	dma_buf_io_cpu_queue_bio(&bio->bi_dmabuf->cpu_begin, bio);
}
EXPORT_SYMBOL_GPL(dma_buf_io_begin_cpu_access_async);

/**
 * dma_buf_io_end_cpu_access - the CPU has done its part of a bio
 * @bio: the bio
 *
 * Calls @bio->bi_end_io when the exporter knows, from a worker if it wants to.
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
				      struct dma_buf_io_ctx *ctx)
{
	queue->ctx = ctx;
	spin_lock_init(&queue->lock);
	bio_list_init(&queue->bios);
	INIT_WORK(&queue->work, dma_buf_io_cpu_queue_work);
}

void dma_buf_io_vmap_init(struct dma_buf_io_ctx *ctx)
{
	dma_buf_io_cpu_queue_init(&ctx->cpu_begin, ctx);
	dma_buf_io_cpu_queue_init(&ctx->cpu_end, ctx);
	ctx->cpu_failed_at = jiffies - MAX_JIFFY_OFFSET;
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
