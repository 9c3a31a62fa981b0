// SPDX-License-Identifier: GPL-2.0
/*
 * Registrations of a dma-buf, the devices they are bound to, and how both go
 * away.
 *
 * A binding is taken out of a registration's table by its release, or by the
 * removal of its device, under the lock of the registration, and destroyed by
 * whoever took it out.  Removal holds a reference while it does that; where it
 * cannot get one, release is under way and removal waits for it.
 */
#define pr_fmt(fmt) "dma-buf-io: " fmt

#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <trace/events/dma_buf_io.h>

#include "internal.h"

/* how often a stacked device has changed what it consists of */
atomic_t dma_buf_io_topology __read_mostly = ATOMIC_INIT(0);
EXPORT_SYMBOL_GPL(dma_buf_io_topology);

/*
 * Waits for exporters.  Nothing that runs here waits for other work of this queue,
 * so any number of registrations may come and go at once.
 */
static struct workqueue_struct *dma_buf_io_wq;

/* What parked bios wait for is not behind those. */
static struct workqueue_struct *dma_buf_io_attach_wq;

/*
 * Empty the table, and take the CPU's mapping away.  No bio is under way.
 */
static void dma_buf_io_unbind_all(struct dma_buf_io_ctx *ctx)
{
	struct dma_buf_io_binding *binding;
	unsigned long id;

	mutex_lock(&ctx->lock);
	xa_for_each(&ctx->bindings, id, binding) {
		xa_erase(&ctx->bindings, id);
		dma_buf_io_binding_destroy(binding, true);
	}
	dma_buf_io_vunmap(ctx);
	mutex_unlock(&ctx->lock);
}

static void dma_buf_io_release_work(struct work_struct *work)
{
	struct dma_buf_io_ctx *ctx =
		container_of(work, struct dma_buf_io_ctx, release_work);

	dma_buf_io_unbind_all(ctx);
	dma_buf_io_vmap_exit(ctx);
	xa_destroy(&ctx->bindings);
	dma_buf_put(ctx->dmabuf);
	mutex_destroy(&ctx->lock);
	kfree(ctx);
}

static void dma_buf_io_ctx_release(struct kref *ref)
{
	struct dma_buf_io_ctx *ctx =
		container_of(ref, struct dma_buf_io_ctx, ref);

	queue_work(dma_buf_io_wq, &ctx->release_work);
}

void dma_buf_io_ctx_put(struct dma_buf_io_ctx *ctx)
{
	kref_put(&ctx->ref, dma_buf_io_ctx_release);
}

/*
 * The binding to a device, made if there is none.  Called with the lock of the
 * registration held.
 */
static struct dma_buf_io_binding *
dma_buf_io_get_binding(struct dma_buf_io_ctx *ctx, struct dma_buf_io_leaf *leaf)
{
	struct dma_buf_io_binding *binding;
	int ret;

	binding = xa_load(&ctx->bindings, leaf->id);
	if (binding)
		return binding;
	binding = dma_buf_io_binding_create(ctx, leaf);
	if (IS_ERR(binding))
		return binding;
	ret = xa_err(xa_store(&ctx->bindings, leaf->id, binding, GFP_KERNEL));
	if (ret) {
		dma_buf_io_binding_destroy(binding, true);
		return ERR_PTR(ret);
	}
	return binding;
}

static void dma_buf_io_attach_work(struct work_struct *work)
{
	struct dma_buf_io_ctx *ctx =
		container_of(work, struct dma_buf_io_ctx, attach_work);
	struct dma_buf_io_leaf *leaf = ctx->attach_leaf;
	unsigned int noio = memalloc_noio_save();
	int ret;

	mutex_lock(&ctx->lock);
	ret = PTR_ERR_OR_ZERO(dma_buf_io_get_binding(ctx, leaf));
	/* whoever needs it comes back */
	ctx->attach_leaf = NULL;
	if (!ret) {
		/* the others start to wait now */
		WRITE_ONCE(ctx->give_up_at, 0);
	} else if (!dma_buf_io_transient(ret)) {
		ctx->attach_refused = leaf->serial;
		ctx->attach_error = ret;
	}
	mutex_unlock(&ctx->lock);
	memalloc_noio_restore(noio);

	spin_lock(&leaf->lock);
	leaf->attaching--;
	spin_unlock(&leaf->lock);
	dma_buf_io_ctx_put(ctx);
}

/*
 * A registration that is bound to nothing.  Takes a reference to @dmabuf.
 */
struct dma_buf_io_ctx *dma_buf_io_ctx_create(struct dma_buf *dmabuf,
					     enum dma_data_direction dir)
{
	struct dma_buf_io_ctx *ctx;

	ctx = kzalloc_obj(*ctx, GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	get_dma_buf(dmabuf);
	ctx->dmabuf = dmabuf;
	ctx->dir = dir;
	/* before the devices are looked at: they change it after */
	ctx->topology = atomic_read(&dma_buf_io_topology);
	ctx->tried = ctx->topology;
	xa_init(&ctx->bindings);
	mutex_init(&ctx->lock);
	kref_init(&ctx->ref);
	INIT_WORK(&ctx->release_work, dma_buf_io_release_work);
	INIT_WORK(&ctx->attach_work, dma_buf_io_attach_work);
	dma_buf_io_park_init(ctx);
	dma_buf_io_vmap_init(ctx);
	return ctx;
}

/*
 * The device writes to the dma-buf when the file is read, and reads from it when
 * the file is written.
 */
static enum dma_data_direction dma_buf_io_dir(struct file *file,
					      struct dma_buf *dmabuf)
{
	bool from_device = (file->f_mode & FMODE_READ) &&
			   (dmabuf->file->f_mode & FMODE_WRITE);
	bool to_device = (file->f_mode & FMODE_WRITE) &&
			 (dmabuf->file->f_mode & FMODE_READ);

	if (from_device && to_device)
		return DMA_BIDIRECTIONAL;
	if (from_device)
		return DMA_FROM_DEVICE;
	if (to_device)
		return DMA_TO_DEVICE;
	return DMA_NONE;
}

/*
 * Hand a registration to @file.  What refuses it may be gone already, if devices
 * change meanwhile: then that says nothing.
 */
static int dma_buf_io_bind_file(struct dma_buf_io_ctx *ctx, struct file *file)
{
	int topology = atomic_read(&dma_buf_io_topology);
	int ret;

	/* before the devices are looked at */
	smp_rmb();
	ret = file->f_op->dma_buf_register(file, ctx);
	if (ret == -EOPNOTSUPP &&
	    topology != atomic_read(&dma_buf_io_topology))
		return -EAGAIN;
	return ret;
}

/*
 * Bind a registration that is new.  An exporter that is busy, because it moves
 * the buffer all the time for example, is asked again for as long as parked bios
 * would wait for it.
 */
static int dma_buf_io_first_bind(struct dma_buf_io_ctx *ctx, struct file *file)
{
	unsigned long give_up_at = dma_buf_io_give_up_at(ctx);
	unsigned long delay = 0;
	int ret;

	/* that other I/O of the task completes is no reason to stop */
	guard(no_notify_signal)();

	for (;;) {
		ret = dma_buf_io_bind_file(ctx, file);
		if (ret != -EBUSY && ret != -EAGAIN)
			return ret;
		if (signal_pending(current))
			return -EINTR;
		if (time_after(dma_buf_io_now(ctx), give_up_at)) {
			pr_notice_ratelimited("%pD: the exporter stays busy, or a volume suspended\n",
					      file);
			return -EBUSY;
		}
		delay = dma_buf_io_backoff(delay);
		schedule_timeout_interruptible(delay);
	}
}

/**
 * dma_buf_io_register - register a dma-buf for I/O to a file
 * @file: file opened with O_DIRECT, whose I/O will use the dma-buf
 * @dmabuf: the dma-buf; the registration takes a reference of its own
 *
 * Attaches the dma-buf to every device that I/O to @file reaches today, and maps
 * it there, so that what cannot work is refused now.  Devices that come later,
 * by a table reload for example, are bound at their first I/O.
 *
 * The caller holds @file for as long as it submits I/O, and keeps the
 * registration until all of that has completed.
 *
 * Context: process context, may sleep for the exporter, interruptibly.
 * Return: the registration, or an ERR_PTR(): -EOPNOTSUPP if @file or a device
 * under it cannot do this (one line in the kernel log names it), -EINVAL without
 * O_DIRECT, -EACCES if the access modes of the two leave no direction, -EINTR,
 * or what the exporter said.
 */
struct dma_buf_io_ctx *dma_buf_io_register(struct file *file,
					   struct dma_buf *dmabuf)
{
	struct dma_buf_io_ctx *ctx;
	enum dma_data_direction dir;
	int ret;

	if (!file->f_op->dma_buf_register) {
		pr_notice_ratelimited("%pD: not a block device\n", file);
		return ERR_PTR(-EOPNOTSUPP);
	}
	if (!(file->f_flags & O_DIRECT))
		return ERR_PTR(-EINVAL);
	dir = dma_buf_io_dir(file, dmabuf);
	if (dir == DMA_NONE)
		return ERR_PTR(-EACCES);

	ctx = dma_buf_io_ctx_create(dmabuf, dir);
	if (IS_ERR(ctx))
		return ctx;

	ret = dma_buf_io_first_bind(ctx, file);
	if (ret) {
		/* nothing of a refused registration is left behind on return */
		dma_buf_io_unbind_all(ctx);
		dma_buf_io_ctx_put(ctx);
		if (ret == -ERESTARTSYS)
			ret = -EINTR;
		return ERR_PTR(ret);
	}
	ctx->quiet = 1;
	return ctx;
}
EXPORT_SYMBOL_GPL(dma_buf_io_register);

/**
 * dma_buf_io_unregister - drop a registration
 * @ctx: registration, none of whose bios is under way
 *
 * Attachments go away soon after, from a workqueue: callers may hold locks that
 * the exporter cannot wait for.
 *
 * Context: any that may not be interrupted by the caller's own I/O; does not
 * sleep.
 */
void dma_buf_io_unregister(struct dma_buf_io_ctx *ctx)
{
	dma_buf_io_ctx_put(ctx);
}
EXPORT_SYMBOL_GPL(dma_buf_io_unregister);

/*
 * An attempt has failed, the @first or a later one of a caller that waits until
 * @give_up_at.  Is it time to give up?  One registration waits once, however many
 * requests do: those that come later find the time used up.  While the exporter
 * itself waits for commands of ours it does not count.
 */
static bool dma_buf_io_give_up(struct dma_buf_io_ctx *ctx,
			       unsigned long give_up_at, bool first)
{
	unsigned long until = READ_ONCE(ctx->failing_until);
	unsigned long now = dma_buf_io_now(ctx);

	/* nobody else is trying, or was a short time ago */
	if (first && (!until || time_after(now, READ_ONCE(ctx->failed_at) +
						(give_up_at - now)))) {
		until = give_up_at ?: 1;
		WRITE_ONCE(ctx->failing_until, until);
	}
	WRITE_ONCE(ctx->failed_at, now);
	return time_after(now, give_up_at) || (until && time_after(now, until));
}

/**
 * dma_buf_io_retry - try something until an exporter lets it succeed
 * @ctx: the registration that it is done for
 * @attempt: returns 0 or a negative errno
 * @data: for @attempt
 * @interruptible: a signal ends it
 *
 * Attempts that may succeed later are repeated, with back-off, for as long as
 * parked bios would wait, counted from the first that failed for @ctx.  Those
 * that fail with -EAGAIN do not count.
 * Everything is tried in a memalloc_noio scope, because bios that wait for this
 * may be what reclaim waits for.
 *
 * Context: process context, may sleep.
 * Return: 0, -EINTR, or what the last attempt said.
 */
int dma_buf_io_retry(struct dma_buf_io_ctx *ctx, int (*attempt)(void *data),
		     void *data, bool interruptible)
{
	unsigned long give_up_at = dma_buf_io_give_up_at(ctx);
	unsigned long delay = 0;
	bool counted = false;
	unsigned int noio;
	int ret;

	for (;;) {
		noio = memalloc_noio_save();
		ret = attempt(data);
		memalloc_noio_restore(noio);

		/* see dma_buf_io_bind() for the latter */
		if (!ret || ret == -EAGAIN)
			WRITE_ONCE(ctx->failing_until, 0);
		if (!ret)
			return 0;
		if (interruptible && signal_pending(current))
			return -EINTR;
		if (!dma_buf_io_transient(ret))
			return ret;
		if (ret != -EAGAIN) {
			if (dma_buf_io_give_up(ctx, give_up_at, !counted))
				return ret;
			counted = true;
		}
		delay = dma_buf_io_backoff(delay);
		if (interruptible)
			schedule_timeout_interruptible(delay);
		else
			schedule_timeout_uninterruptible(delay);
	}
}
EXPORT_SYMBOL_GPL(dma_buf_io_retry);

struct dma_buf_io_revalidation {
	struct dma_buf_io_ctx	*ctx;
	struct file		*file;
};

static int dma_buf_io_revalidate_once(void *data)
{
	struct dma_buf_io_revalidation *r = data;
	struct dma_buf_io_ctx *ctx = r->ctx;
	int topology, invalidations, ret;

	topology = atomic_read(&dma_buf_io_topology);
	invalidations = atomic_read(&ctx->invalidations);
	/* before the devices and their maps are looked at: what changes is counted */
	smp_rmb();
	WRITE_ONCE(ctx->quiet, READ_ONCE(ctx->tried) == topology);
	WRITE_ONCE(ctx->tried, topology);
	ret = dma_buf_io_bind_file(ctx, r->file);
	if (!ret) {
		WRITE_ONCE(ctx->topology, topology);
		WRITE_ONCE(ctx->validated, invalidations);
	}
	return ret;
}

/* Does any device have a mapping? */
static bool dma_buf_io_mapped(struct dma_buf_io_ctx *ctx)
{
	struct dma_buf_io_binding *binding;
	bool mapped = false;
	unsigned long id;

	rcu_read_lock();
	xa_for_each(&ctx->bindings, id, binding)
		mapped |= !percpu_ref_is_dying(&binding->active);
	rcu_read_unlock();
	return mapped;
}

/**
 * dma_buf_io_revalidate - bring mappings back, and bind devices that are new
 * @ctx: the registration
 * @file: the file that it was made for
 *
 * For consumers, before they build a bio: a wait here holds no bio, tag or
 * mempool element, and a signal ends it.
 *
 * Where only some of the devices cannot reach the buffer, I/O may still succeed
 * on the others, and is left to find out; and to fail as it does without a dma-buf
 * where a device is being removed.
 *
 * Context: process context, may sleep.
 * Return: 0, -EINTR, -ESTALE if the exporter does not give the buffer back, or
 * -EOPNOTSUPP if a device that is new cannot take dma-bufs.
 */
int dma_buf_io_revalidate(struct dma_buf_io_ctx *ctx, struct file *file)
{
	struct dma_buf_io_revalidation r = { .ctx = ctx, .file = file };
	int ret = dma_buf_io_retry(ctx, dma_buf_io_revalidate_once, &r, true);

	if (!ret || ret == -EINTR || ret == -EOPNOTSUPP)
		return ret;
	if (ret == -ENXIO)
		return 0;
	return dma_buf_io_mapped(ctx) ? 0 : -ESTALE;
}
EXPORT_SYMBOL_GPL(dma_buf_io_revalidate);

/*
 * To attach takes the exporter's lock, for as long as that may be, so those that
 * must not wait for it leave it to a work and come back.  One device at a time.
 * A refusal is final for them; those that can wait ask again.  Called with the
 * lock of the registration held.
 */
static int dma_buf_io_attach_later(struct dma_buf_io_ctx *ctx,
				   struct dma_buf_io_leaf *leaf)
{
	bool dead;

	lockdep_assert_held(&ctx->lock);

	if (ctx->attach_refused == leaf->serial)
		return ctx->attach_error;
	if (ctx->attach_leaf)
		return -EBUSY;
	spin_lock(&leaf->lock);
	dead = leaf->dead;
	if (!dead)
		leaf->attaching++;
	spin_unlock(&leaf->lock);
	if (dead)
		return -ENXIO;
	ctx->attach_leaf = leaf;
	kref_get(&ctx->ref);
	queue_work(dma_buf_io_attach_wq, &ctx->attach_work);
	return -EBUSY;
}

/**
 * dma_buf_io_bind - bind a registration to a device and map it there
 * @ctx: the registration
 * @leaf: the device
 * @wait: how long to wait for the exporter
 *
 * Does nothing where that is done already.
 *
 * Context: process context, may sleep.
 * Return: 0, -ENXIO if the device is being removed, -EAGAIN if it cannot be done
 * now but could be a short time ago, -EBUSY if it may be worth another attempt,
 * or a negative errno.
 */
int dma_buf_io_bind(struct dma_buf_io_ctx *ctx, struct dma_buf_io_leaf *leaf,
		    enum dma_buf_io_wait wait)
{
	bool mapped = false, lately = false;
	struct dma_buf_io_binding *binding;
	int ret;

	/* the locks are hard to get where many want them */
	rcu_read_lock();
	binding = xa_load(&ctx->bindings, leaf->id);
	if (binding) {
		WRITE_ONCE(binding->asked, true);
		mapped = !percpu_ref_is_dying(&binding->active);
		lately = dma_buf_io_binding_lost_lately(binding);
	}
	rcu_read_unlock();
	if (mapped)
		return 0;

	if (wait == DMA_BUF_IO_TRY)
		ret = mutex_trylock(&ctx->lock) ? 0 : -EBUSY;
	else
		ret = mutex_lock_interruptible(&ctx->lock);
	if (ret)
		goto out;

	if (wait == DMA_BUF_IO_TRY && !xa_load(&ctx->bindings, leaf->id)) {
		ret = dma_buf_io_attach_later(ctx, leaf);
	} else {
		binding = dma_buf_io_get_binding(ctx, leaf);
		ret = IS_ERR(binding) ? PTR_ERR(binding) :
					dma_buf_io_binding_map(binding, wait);
	}
	mutex_unlock(&ctx->lock);
out:
	if (ret == -EAGAIN)
		ret = -EBUSY;
	if (lately && (ret == -EBUSY || ret == -ENODEV || ret == -ENOMEM))
		ret = -EAGAIN;
	trace_dma_buf_io_bind(ctx, leaf, ret);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_buf_io_bind);

static int __init dma_buf_io_init(void)
{
	dma_buf_io_wq = alloc_workqueue("dma_buf_io", WQ_UNBOUND, 0);
	dma_buf_io_attach_wq = alloc_workqueue("dma_buf_io_attach",
					       WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return dma_buf_io_wq && dma_buf_io_attach_wq ? 0 : -ENOMEM;
}
subsys_initcall(dma_buf_io_init);
