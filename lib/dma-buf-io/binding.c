// SPDX-License-Identifier: GPL-2.0
/*
 * A dma-buf on one device: attach, map, let go when the exporter asks.
 *
 * All of a binding's changes happen under the reservation lock of its dma-buf,
 * which the exporter holds when it asks.  There is at most one map at a time,
 * because exporters may keep its table in the attachment.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <trace/events/dma_buf_io.h>

#include "internal.h"

/*
 * How long an attempt that bios depend on waits, reservation lock in hand, for
 * the exporter's own copy engine to finish moving the buffer.  It comes back if
 * that was not enough.  All others wait until it is, or a signal arrives.
 */
#define DMA_BUF_IO_FENCE_TIMEOUT	(HZ / 10)

static void dma_buf_io_active_release(struct percpu_ref *ref)
{
	struct dma_buf_io_binding *binding =
		container_of(ref, struct dma_buf_io_binding, active);

	complete(&binding->drained);
}

/*
 * Commands that end without an interrupt, on behalf of the exporter who waits.
 * For lockdep that is the signalling of a fence: see dma_buf_io_binding_unmap().
 */
static void dma_buf_io_reap(struct dma_buf_io_leaf *leaf)
{
	bool cookie;

	if (!leaf->ops->reap)
		return;
	cookie = dma_fence_begin_signalling();
	leaf->ops->reap(leaf);
	dma_fence_end_signalling(cookie);
}

/* No more commands from now on.  Those on the hardware go on. */
static void dma_buf_io_binding_kill(struct dma_buf_io_binding *binding)
{
	if (!percpu_ref_is_dying(&binding->active))
		percpu_ref_kill(&binding->active);
}

/*
 * Take the map away.  New commands find @active dead; what is on the hardware
 * is waited for, which takes as long as the device takes and depends on nothing
 * else: completion neither allocates nor takes the reservation lock, and queues
 * that raise no interrupt are reaped here.  That makes this the wait for a
 * fence, and lockdep is told so: exporters call it where they wait for fences,
 * and what ends a command must keep to what may signal one.
 *
 * @idle says that no command can be using the map, nor come.
 */
static void dma_buf_io_binding_unmap(struct dma_buf_io_binding *binding,
				     bool idle)
{
	struct dma_buf_io_map *map = binding->map;

	dma_resv_assert_held(binding->ctx->dmabuf->resv);

	if (!map)
		return;
	if (!idle) {
		__dma_fence_might_wait();
		dma_buf_io_binding_kill(binding);
		while (!wait_for_completion_timeout(&binding->drained, 1))
			dma_buf_io_reap(binding->leaf);
	}
	binding->map = NULL;
	dma_buf_unmap_attachment(binding->attach, map->sgt, binding->ctx->dir);
	dma_buf_io_map_free(binding->leaf, map);
}

static void dma_buf_io_invalidate(struct dma_buf_attachment *attach)
{
	struct dma_buf_io_binding *other, *binding = attach->importer_priv;
	struct dma_buf_io_ctx *ctx = binding->ctx;
	unsigned long id, since = jiffies;
	ktime_t start = ktime_get();

	/*
	 * The exporter asks for one attachment after the other, and each wait has
	 * a grace period in it: let it be the same one for all.
	 */
	rcu_read_lock();
	xa_for_each(&ctx->bindings, id, other)
		if (other->map)
			dma_buf_io_binding_kill(other);
	rcu_read_unlock();

	/* who finds this counted finds them dead: dma_buf_io_revalidate_once() */
	smp_mb__before_atomic();
	atomic_inc(&ctx->invalidations);
	if (binding->map) {
		WRITE_ONCE(ctx->draining_since, dma_buf_io_now(ctx) ?: 1);
		dma_buf_io_binding_unmap(binding, false);
		WRITE_ONCE(ctx->drained, ctx->drained + (jiffies - since));
		/* pairs with dma_buf_io_now() */
		smp_wmb();
		WRITE_ONCE(ctx->draining_since, 0);
		WRITE_ONCE(binding->unmapped_at, dma_buf_io_now(ctx));
	}
	trace_dma_buf_io_invalidate(binding, ktime_get() - start);
}

static const struct dma_buf_attach_ops dma_buf_io_attach_ops = {
	.allow_peer2peer	= true,
	.invalidate_mappings	= dma_buf_io_invalidate,
};

static int dma_buf_io_binding_map_locked(struct dma_buf_io_binding *binding,
					 enum dma_buf_io_wait wait)
{
	long timeout = wait == DMA_BUF_IO_TRY ? DMA_BUF_IO_FENCE_TIMEOUT :
						MAX_SCHEDULE_TIMEOUT;
	struct dma_buf *dmabuf = binding->ctx->dmabuf;
	struct dma_buf_io_map *map;
	struct sg_table *sgt;
	long left;
	int ret;

	if (binding->map)
		return 0;

	sgt = dma_buf_map_attachment(binding->attach, binding->ctx->dir);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

	/* the exporter may still be moving the contents to their new place */
	left = dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_KERNEL,
				     wait == DMA_BUF_IO_WAIT, timeout);
	if (left <= 0) {
		ret = left ?: -EBUSY;
		goto unmap;
	}

	map = dma_buf_io_map_create(binding->leaf, sgt, dmabuf->size);
	if (IS_ERR(map)) {
		ret = PTR_ERR(map);
		goto unmap;
	}

	reinit_completion(&binding->drained);
	binding->map = map;
	trace_dma_buf_io_map(binding);
	/* pairs with dma_buf_io_get(): the map is there before the reference */
	smp_wmb();
	percpu_ref_reinit(&binding->active);
	return 0;

unmap:
	dma_buf_unmap_attachment(binding->attach, sgt, binding->ctx->dir);
	return ret;
}

/*
 * The rest of the devices, while the exporter is willing: it may have the lock
 * next, to move the buffer again, and device by device they would never all have
 * a map.  A device that nobody has asked for since does without.
 */
static void dma_buf_io_map_others(struct dma_buf_io_binding *binding,
				  enum dma_buf_io_wait wait)
{
	struct dma_buf_io_binding *other;
	unsigned long id;

	xa_for_each(&binding->ctx->bindings, id, other) {
		if (other == binding || !READ_ONCE(other->asked))
			continue;
		WRITE_ONCE(other->asked, false);
		dma_buf_io_binding_map_locked(other, wait);
	}
}

/*
 * Make sure that there is a map.  It may be gone again on return.  Called with
 * the lock of the registration held.
 */
int dma_buf_io_binding_map(struct dma_buf_io_binding *binding,
			   enum dma_buf_io_wait wait)
{
	struct dma_resv *resv = binding->ctx->dmabuf->resv;
	int ret;

	lockdep_assert_held(&binding->ctx->lock);

	if (wait == DMA_BUF_IO_TRY) {
		if (!dma_resv_trylock(resv))
			return -EBUSY;
	} else {
		ret = dma_resv_lock_interruptible(resv, NULL);
		if (ret)
			return ret;
	}
	ret = dma_buf_io_binding_map_locked(binding, wait);
	if (!ret)
		dma_buf_io_map_others(binding, wait);
	dma_resv_unlock(resv);
	return ret;
}

/*
 * Has the device had a map, no longer ago than I/O waits for one?  The exporter
 * may then move the buffer too often for this I/O, but is no reason to give up.
 */
bool dma_buf_io_binding_lost_lately(struct dma_buf_io_binding *binding)
{
	unsigned long unmapped_at = READ_ONCE(binding->unmapped_at);

	return time_in_range(dma_buf_io_now(binding->ctx), unmapped_at,
			     unmapped_at + dma_buf_io_park_timeout());
}

/*
 * Attach the dma-buf of @ctx to the device of @leaf.  The caller holds the lock
 * of the registration and puts the binding in its table.
 */
struct dma_buf_io_binding *dma_buf_io_binding_create(struct dma_buf_io_ctx *ctx,
						     struct dma_buf_io_leaf *leaf)
{
	struct dma_buf_io_binding *binding;
	int ret;

	binding = kzalloc_obj(*binding, GFP_KERNEL_ACCOUNT);
	if (!binding)
		return ERR_PTR(-ENOMEM);
	binding->ctx = ctx;
	binding->leaf = leaf;
	binding->asked = true;
	binding->unmapped_at = dma_buf_io_now(ctx) - MAX_JIFFY_OFFSET;
	init_completion(&binding->drained);
	ret = percpu_ref_init(&binding->active, dma_buf_io_active_release,
			      PERCPU_REF_INIT_DEAD, GFP_KERNEL);
	if (ret)
		goto free;

	binding->attach = dma_buf_dynamic_attach(ctx->dmabuf, leaf->dev,
						 &dma_buf_io_attach_ops,
						 binding);
	if (IS_ERR(binding->attach)) {
		ret = PTR_ERR(binding->attach);
		goto exit_ref;
	}

	spin_lock(&leaf->lock);
	if (leaf->dead)
		ret = -ENXIO;
	else
		list_add_tail(&binding->leaf_node, &leaf->bindings);
	spin_unlock(&leaf->lock);
	if (ret)
		goto detach;
	return binding;

detach:
	dma_buf_detach(ctx->dmabuf, binding->attach);
exit_ref:
	percpu_ref_exit(&binding->active);
free:
	kfree(binding);
	return ERR_PTR(ret);
}

static void dma_buf_io_binding_free_rcu(struct rcu_head *rcu)
{
	struct dma_buf_io_binding *binding =
		container_of(rcu, struct dma_buf_io_binding, rcu);

	percpu_ref_exit(&binding->active);
	kfree(binding);
}

/*
 * Unmap and detach a binding that has left the table of its registration.
 * @idle says that no bio of the registration is under way.  Called with the
 * lock of the registration held.
 */
void dma_buf_io_binding_destroy(struct dma_buf_io_binding *binding, bool idle)
{
	struct dma_buf_io_leaf *leaf = binding->leaf;
	struct dma_buf *dmabuf = binding->ctx->dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_io_binding_unmap(binding, idle);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, binding->attach);

	/* last: a device that waits for its list to empty may then go away */
	spin_lock(&leaf->lock);
	list_del(&binding->leaf_node);
	spin_unlock(&leaf->lock);

	call_rcu(&binding->rcu, dma_buf_io_binding_free_rcu);
}

/**
 * dma_buf_io_get - look up and hold a mapping for a command
 * @ctx: registration that the bios of the command carry
 * @leaf: device that the command goes to
 *
 * The mapping stays until dma_buf_io_put(), and the exporter waits for that
 * with its reservation lock held.  Hold it for no longer than the hardware owns
 * the command.
 *
 * Context: any.
 * Return: the binding, with a valid &dma_buf_io_binding.map, or NULL if there is
 * no mapping at the moment: park the bios then.
 */
struct dma_buf_io_binding *dma_buf_io_get(struct dma_buf_io_ctx *ctx,
					  struct dma_buf_io_leaf *leaf)
{
	struct dma_buf_io_binding *binding;

	rcu_read_lock();
	binding = xa_load(&ctx->bindings, leaf->id);
	if (binding && !percpu_ref_tryget_live_rcu(&binding->active))
		binding = NULL;
	rcu_read_unlock();

	/* pairs with dma_buf_io_binding_map_locked() */
	smp_rmb();
	return binding;
}
EXPORT_SYMBOL_GPL(dma_buf_io_get);
