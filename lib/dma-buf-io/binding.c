// SPDX-License-Identifier: GPL-2.0
/*
 * A buffer on one device: met, attached, mapped, and taken away again when the
 * exporter asks or the device goes.  See &enum dma_buf_io_state.
 *
 *	NEW --attach--> UNMAPPED --map--> MAPPING --fences--> MAPPED
 *	                   ^                 |                  |
 *	                   |                 v                  v
 *	                   +-----------------+<----unmap--- DRAINING
 *
 * The work of the buffer goes to the right, when there are waiters for MAPPED, and
 * ends bindings.  The exporter's callback goes to the left.  Both hold the
 * reservation lock of the dma-buf while they do, and the lock of the buffer for each
 * step.  There is at most one mapping of each attachment, because exporters may
 * keep its table there.
 */
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

static void dma_buf_io_active_release(struct percpu_ref *ref)
{
	struct dma_buf_io_binding *binding =
		container_of(ref, struct dma_buf_io_binding, active);

	complete(&binding->drained);
}

static void dma_buf_io_binding_free_rcu(struct rcu_head *rcu)
{
	struct dma_buf_io_binding *binding =
		container_of(rcu, struct dma_buf_io_binding, rcu);

	percpu_ref_exit(&binding->active);
	kfree(binding);
}

void dma_buf_io_binding_free(struct dma_buf_io_binding *binding)
{
	dma_buf_io_buffer_put(binding->buffer);
	put_device(binding->dev);
	call_rcu(&binding->rcu, dma_buf_io_binding_free_rcu);
}

static struct dma_buf_io_binding *
dma_buf_io_binding_create(struct dma_buf_io_buffer *buffer,
			  struct dma_buf_io_leaf *leaf)
{
	struct dma_buf_io_binding *binding;
	int ret;

	binding = kzalloc_obj(*binding, GFP_KERNEL_ACCOUNT);
	if (!binding)
		return ERR_PTR(-ENOMEM);
	ret = leaf ? percpu_ref_init(&binding->active,
				     dma_buf_io_active_release,
				     PERCPU_REF_INIT_DEAD, GFP_KERNEL) : 0;
	if (ret) {
		kfree(binding);
		return ERR_PTR(ret);
	}
	init_completion(&binding->drained);
	INIT_LIST_HEAD(&binding->leaf_node);
	INIT_LIST_HEAD(&binding->waiters);
	timer_setup(&binding->timer, dma_buf_io_timeout, 0);
	refcount_inc(&buffer->ref);
	binding->buffer = buffer;
	binding->users = 1;
	if (leaf) {
		binding->id = leaf->id;
		binding->dev = get_device(leaf->dev);
	}
	return binding;
}

/* Another user of the binding to a device, made if there is none. */
static struct dma_buf_io_binding *
dma_buf_io_binding_use(struct dma_buf_io_buffer *buffer,
		       struct dma_buf_io_leaf *leaf)
{
	unsigned long id = leaf ? leaf->id : 0;
	struct dma_buf_io_binding *binding;

	lockdep_assert_held(&buffer->meet_lock);

	spin_lock_irq(&buffer->lock);
	list_for_each_entry(binding, &buffer->bindings, node) {
		if (binding->id != id || binding->dead || !binding->users)
			continue;
		binding->users++;
		spin_unlock_irq(&buffer->lock);
		return binding;
	}
	spin_unlock_irq(&buffer->lock);

	binding = dma_buf_io_binding_create(buffer, leaf);
	if (IS_ERR(binding))
		return binding;
	if (leaf && !dma_buf_io_leaf_add(leaf, binding)) {
		dma_buf_io_binding_free(binding);
		return ERR_PTR(-ENODEV);
	}
	spin_lock_irq(&buffer->lock);
	binding->lost_at = dma_buf_io_now(buffer);
	/* the CPU first: that may move the buffer to where the CPU can see it */
	if (leaf)
		list_add_tail(&binding->node, &buffer->bindings);
	else
		list_add(&binding->node, &buffer->bindings);
	spin_unlock_irq(&buffer->lock);
	return binding;
}

/*
 * The binding of a registration to a device, or to the CPU if @leaf is NULL, made if
 * there is none.  The caller is a user of it, until dma_buf_io_binding_drop().  May sleep
 * for memory.
 */
struct dma_buf_io_binding *dma_buf_io_meet(struct dma_buf_io_ctx *ctx,
					   struct dma_buf_io_leaf *leaf)
{
	struct dma_buf_io_buffer *buffer = ctx->buffer;
	unsigned long id = leaf ? leaf->id : 0;
	struct dma_buf_io_binding *binding;
	unsigned int noio;
	int ret;

	/* I/O waits for this, too, and may be what reclaim waits for */
	noio = memalloc_noio_save();
	mutex_lock(&buffer->meet_lock);
	binding = xa_load(&ctx->bindings, id);
	if (!binding) {
		binding = dma_buf_io_binding_use(buffer, leaf);
		ret = PTR_ERR_OR_ZERO(binding);
		if (!ret)
			ret = xa_err(xa_store(&ctx->bindings, id, binding,
					      GFP_KERNEL_ACCOUNT));
		if (ret && !IS_ERR(binding)) {
			dma_buf_io_binding_drop(binding);
			binding = ERR_PTR(ret);
		}
		if (!ret)
			rcu_assign_pointer(ctx->near[id % DMA_BUF_IO_NEAR],
					   binding);
	}
	if (!IS_ERR(binding)) {
		spin_lock_irq(&buffer->lock);
		binding->users++;
		spin_unlock_irq(&buffer->lock);
	}
	mutex_unlock(&buffer->meet_lock);
	memalloc_noio_restore(noio);
	return binding;
}

/* The registration is no user of @binding any more.  dma_buf_io_buffer.meet_lock is held. */
void dma_buf_io_part(struct dma_buf_io_ctx *ctx,
		     struct dma_buf_io_binding *binding)
{
	struct dma_buf_io_binding __rcu **near =
		&ctx->near[binding->id % DMA_BUF_IO_NEAR];

	lockdep_assert_held(&ctx->buffer->meet_lock);

	xa_erase(&ctx->bindings, binding->id);
	if (rcu_access_pointer(*near) == binding)
		RCU_INIT_POINTER(*near, NULL);
	dma_buf_io_binding_drop(binding);
}

/* One user less.  With the last of them the binding ends. */
void dma_buf_io_binding_drop(struct dma_buf_io_binding *binding)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	bool free = false;

	spin_lock_irq(&buffer->lock);
	if (!--binding->users) {
		free = binding->state == DMA_BUF_IO_ENDED;
		dma_buf_io_kick(buffer);
	}
	spin_unlock_irq(&buffer->lock);
	if (free)
		dma_buf_io_binding_free(binding);
}

/*
 * Commands that end without an interrupt, on behalf of the exporter, which waits.
 * For lockdep that is the signalling of a fence: see dma_buf_io_drain().
 */
static bool dma_buf_io_reap(struct dma_buf_io_leaf *leaf)
{
	bool cookie, again;

	if (!leaf->ops->reap)
		return false;
	cookie = dma_fence_begin_signalling();
	again = leaf->ops->reap(leaf);
	dma_fence_end_signalling(cookie);
	return again;
}

/*
 * Wait for the commands on the hardware.  That takes as long as the device takes and
 * depends on nothing else: completion neither allocates nor takes the reservation
 * lock, and queues that raise no interrupt are reaped here.  That makes this the
 * wait for a fence, and lockdep is told so: exporters call it where they wait for
 * fences, and what ends a command must keep to what may signal one.
 */
static void dma_buf_io_drain(struct dma_buf_io_binding *binding)
{
	__dma_fence_might_wait();
	while (dma_buf_io_reap(binding->leaf))
		if (wait_for_completion_timeout(&binding->drained, 1))
			return;
	wait_for_completion(&binding->drained);
}

/* The reservation lock is held, and no new command uses the mapping. */
void dma_buf_io_unmap(struct dma_buf_io_binding *binding)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	struct dma_buf_io_map *map = binding->map;

	dma_resv_assert_held(buffer->dmabuf->resv);

	if (binding->state == DMA_BUF_IO_DRAINING)
		dma_buf_io_drain(binding);
	dma_buf_unmap_attachment(binding->attach, map->sgt, DMA_BIDIRECTIONAL);
	dma_buf_io_map_free(binding, map);

	/* last: without a map the device may go, see dma_buf_io_end() */
	spin_lock_irq(&buffer->lock);
	binding->map = NULL;
	binding->state = DMA_BUF_IO_UNMAPPED;
	binding->lost_at = dma_buf_io_now(buffer);
	spin_unlock_irq(&buffer->lock);
}

/*
 * No more commands from now on.  Those on the hardware go on.  The locks of
 * reservation and buffer are held.
 */
void dma_buf_io_kill(struct dma_buf_io_binding *binding)
{
	if (binding->state != DMA_BUF_IO_MAPPED)
		return;
	percpu_ref_kill(&binding->active);
	binding->state = DMA_BUF_IO_DRAINING;
}

static struct dma_buf_io_binding *
dma_buf_io_first_to_unmap(struct dma_buf_io_buffer *buffer)
{
	struct dma_buf_io_binding *binding;

	list_for_each_entry(binding, &buffer->bindings, node)
		if (binding->map)
			return binding;
	return NULL;
}

/*
 * The exporter takes the buffer away: &dma_buf_attach_ops.invalidate_mappings, with
 * the reservation lock held.  It asks for one attachment after the other, but what
 * it says is true for all, and each wait has a grace period in it: let it be the
 * same one for all, and nothing have a mapping when this returns.
 *
 * The exporter may do so while it maps the buffer for the work: then another device
 * has lost its mapping to that one.
 */
void dma_buf_io_invalidate(struct dma_buf_attachment *attach)
{
	struct dma_buf_io_binding *binding = attach->importer_priv;
	struct dma_buf_io_buffer *buffer = binding->buffer;
	ktime_t start = ktime_get();
	struct dma_buf_io_binding *b;

	spin_lock_irq(&buffer->lock);
	list_for_each_entry(b, &buffer->bindings, node) {
		if (!b->map)
			continue;
		if (buffer->mapping) {
			b->asked = true;
			buffer->conflict = true;
		}
		dma_buf_io_kill(b);
	}
	/* a reader that sees the new count sees @active dead: dma_buf_io_stale() */
	smp_mb__before_atomic();
	atomic_inc(&buffer->invalidations);
	buffer->draining_since = jiffies;
	buffer->draining = true;
	while ((b = dma_buf_io_first_to_unmap(buffer))) {
		spin_unlock_irq(&buffer->lock);
		dma_buf_io_unmap(b);
		spin_lock_irq(&buffer->lock);
	}
	buffer->draining = false;
	buffer->drained += jiffies - buffer->draining_since;
	list_for_each_entry(b, &buffer->bindings, node) {
		b->refused = false;
		b->error = 0;
		if (!list_empty(&b->waiters))
			dma_buf_io_kick(buffer);
	}
	spin_unlock_irq(&buffer->lock);
	trace_dma_buf_io_invalidate(binding, ktime_get() - start);
}

/**
 * dma_buf_io_get - look up and hold a mapping for a command
 * @ctx: registration that the command's data is in
 * @leaf: device that the command goes to
 *
 * The mapping stays until dma_buf_io_put(), and the exporter waits for that
 * with its reservation lock held.  Hold it for no longer than the hardware owns
 * the command.
 *
 * Context: any.
 * Return: the mapping, or NULL if there is none at the moment: dma_buf_io_wait()
 * for one then, without the command.
 */
struct dma_buf_io_map *dma_buf_io_get(struct dma_buf_io_ctx *ctx,
				      struct dma_buf_io_leaf *leaf)
{
	struct dma_buf_io_binding *binding;
	struct dma_buf_io_map *map = NULL;

	rcu_read_lock();
	binding = rcu_dereference(ctx->near[leaf->id % DMA_BUF_IO_NEAR]);
	if (unlikely(!binding || binding->id != leaf->id))
		binding = xa_load(&ctx->bindings, leaf->id);
	if (binding && percpu_ref_tryget_live_rcu(&binding->active)) {
		/* pairs with dma_buf_io_map_device() */
		smp_rmb();
		map = binding->map;
	}
	rcu_read_unlock();
	return map;
}
EXPORT_SYMBOL_GPL(dma_buf_io_get);

/**
 * dma_buf_io_put - the hardware is done with a command
 * @map: mapping from dma_buf_io_get()
 *
 * Context: any.
 */
void dma_buf_io_put(struct dma_buf_io_map *map)
{
	percpu_ref_put(&map->binding->active);
}
EXPORT_SYMBOL_GPL(dma_buf_io_put);
