// SPDX-License-Identifier: GPL-2.0
/*
 * What the work of a buffer does: attach, map and detach, device by device.  All of that
 * may wait for the exporter, for as long as the exporter likes.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>

#include "internal.h"
#include "trace.h"

/* how long the work waits for fences before it looks for something else to do */
#define DMA_BUF_IO_FENCE_TIMEOUT	(HZ / 10)

/*
 * The one place where an exporter's errno decides anything: may the same attempt
 * succeed later?  Exporters revoke with -ENODEV and give back without a notice, and
 * memory comes and goes: for a buffer that has been mapped, these say "not now".
 * Everything else is the exporter's last word to those who wait; the next one has it
 * asked again.
 */
static bool dma_buf_io_transient(const struct dma_buf_io_buffer *buffer,
				 int error)
{
	switch (error) {
	case -EAGAIN:
	case -EBUSY:
	case -EINTR:
	case -ERESTARTSYS:
		return true;
	case -ENODEV:
	case -ENOMEM:
		return buffer->was_mapped;
	}
	return false;
}

/* Does @binding have no mapping for commands, and may it have one? */
static bool dma_buf_io_wanted(struct dma_buf_io_binding *binding)
{
	lockdep_assert_held(&binding->buffer->lock);
	return binding->users && !binding->dead &&
	       binding->state < DMA_BUF_IO_MAPPED;
}

static void dma_buf_io_call(struct dma_buf_io_buffer *buffer)
{
	spin_lock_irq(&buffer->lock);
	dma_buf_io_busy(buffer, true);
	spin_unlock_irq(&buffer->lock);
}

/* Unmap a device, or the CPU, if it is mapped. */
static void dma_buf_io_take_map(struct dma_buf_io_binding *binding)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	bool mapped;

	/* the work alone makes mappings: without one there is no need for a lock */
	spin_lock_irq(&buffer->lock);
	mapped = binding->dev ? !!binding->map :
				binding->state == DMA_BUF_IO_MAPPED;
	spin_unlock_irq(&buffer->lock);
	if (!mapped)
		return;
	dma_buf_io_call(buffer);
	dma_resv_lock(buffer->dmabuf->resv, NULL);
	if (!binding->dev) {
		dma_buf_vunmap(buffer->dmabuf, &buffer->vmap);
	} else if (binding->map) {
		spin_lock_irq(&buffer->lock);
		dma_buf_io_kill(binding);
		spin_unlock_irq(&buffer->lock);
		dma_buf_io_unmap(binding);
	}
	dma_resv_unlock(buffer->dmabuf->resv);
}

static void dma_buf_io_detach(struct dma_buf_io_binding *binding)
{
	if (!binding->attach)
		return;
	dma_buf_io_call(binding->buffer);
	dma_buf_detach(binding->buffer->dmabuf, binding->attach);
	binding->attach = NULL;
}

static void dma_buf_io_end(struct dma_buf_io_binding *binding)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	bool free;

	dma_buf_io_take_map(binding);
	dma_buf_io_leaf_del(binding);
	dma_buf_io_detach(binding);
	timer_shutdown_sync(&binding->timer);

	spin_lock_irq(&buffer->lock);
	list_del(&binding->node);
	binding->state = DMA_BUF_IO_ENDED;
	/* with users, the last of them frees it: perhaps while waiters are called */
	free = !binding->users;
	dma_buf_io_finish(binding, 0);
	spin_unlock_irq(&buffer->lock);
	if (free)
		dma_buf_io_binding_free(binding);
}

static struct dma_buf_io_binding *
dma_buf_io_first_to_end(struct dma_buf_io_buffer *buffer)
{
	struct dma_buf_io_binding *binding, *found = NULL;

	spin_lock_irq(&buffer->lock);
	list_for_each_entry(binding, &buffer->bindings, node) {
		if (binding->users && !binding->dead)
			continue;
		found = binding;
		break;
	}
	spin_unlock_irq(&buffer->lock);
	return found;
}

/* Unmap and detach what has no users, or no device. */
static void dma_buf_io_end_bindings(struct dma_buf_io_buffer *buffer)
{
	struct dma_buf_io_binding *binding;

	while ((binding = dma_buf_io_first_to_end(buffer)))
		dma_buf_io_end(binding);
}

/*
 * The exporter has said no, or the library for it, in which case @why says why.  The
 * lock of the buffer is held, and dropped for a while.
 */
static void dma_buf_io_failed(struct dma_buf_io_binding *binding, int error,
			      bool final)
{
	binding->error = error;
	binding->refused = final;
	if (final)
		binding->asked = false;
	if (final || binding->gave_up)
		dma_buf_io_finish(binding, error);
}

static const struct dma_buf_attach_ops dma_buf_io_attach_ops = {
	.allow_peer2peer	= true,
	.invalidate_mappings	= dma_buf_io_invalidate,
};

static const struct dma_buf_attach_ops dma_buf_io_attach_ops_no_p2p = {
	.invalidate_mappings	= dma_buf_io_invalidate,
};

static void dma_buf_io_attach(struct dma_buf_io_binding *binding)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	const struct dma_buf_attach_ops *ops =
		buffer->no_p2p ? &dma_buf_io_attach_ops_no_p2p :
				 &dma_buf_io_attach_ops;
	struct dma_buf_attachment *attach;
	int ret;

	dma_buf_io_busy(buffer, true);
	spin_unlock_irq(&buffer->lock);
	attach = dma_buf_dynamic_attach(buffer->dmabuf, binding->dev, ops,
					binding);
	ret = PTR_ERR_OR_ZERO(attach);
	if (ret)
		trace_dma_buf_io_bind(binding, ret);
	spin_lock_irq(&buffer->lock);
	if (!ret) {
		binding->attach = attach;
		binding->state = DMA_BUF_IO_UNMAPPED;
	} else {
		binding->why = NULL;
		dma_buf_io_failed(binding, ret,
				  !dma_buf_io_transient(buffer, ret));
	}
}

/* Attach the devices that somebody waits for. */
static void dma_buf_io_attach_bindings(struct dma_buf_io_buffer *buffer)
{
	struct dma_buf_io_binding *binding;

	spin_lock_irq(&buffer->lock);
	/* only the work removes entries, so this may drop the lock on the way */
	list_for_each_entry(binding, &buffer->bindings, node)
		if (dma_buf_io_wanted(binding) && binding->dev &&
		    binding->state == DMA_BUF_IO_NEW &&
		    (!list_empty(&binding->waiters) || binding->asked))
			dma_buf_io_attach(binding);
	spin_unlock_irq(&buffer->lock);
}

/*
 * Make a mapping, or look at the one that waits for fences.  The reservation lock is
 * held.  Returns 1 if it is there for commands to use, 0 if its fences have not
 * signaled, or a negative errno.
 */
static int dma_buf_io_map_device(struct dma_buf_io_binding *binding)
{
	struct dma_buf *dmabuf = binding->buffer->dmabuf;
	struct sg_table *sgt;
	int ret;

	if (!binding->map) {
		sgt = dma_buf_map_attachment(binding->attach,
					     DMA_BIDIRECTIONAL);
		if (IS_ERR(sgt))
			return PTR_ERR(sgt);
		ret = dma_buf_io_map_create(binding, sgt);
		if (ret) {
			dma_buf_unmap_attachment(binding->attach, sgt,
						 DMA_BIDIRECTIONAL);
			return ret;
		}
	}
	/* the exporter may still be moving the contents to their new place */
	if (!dma_resv_test_signaled(dmabuf->resv, DMA_RESV_USAGE_KERNEL))
		return 0;
	trace_dma_buf_io_map(binding);
	reinit_completion(&binding->drained);
	/* pairs with dma_buf_io_get(): the map is there before the reference */
	smp_wmb();
	percpu_ref_reinit(&binding->active);
	return 1;
}

static int dma_buf_io_map_cpu(struct dma_buf_io_buffer *buffer)
{
	return dma_buf_vmap(buffer->dmabuf, &buffer->vmap) ?: 1;
}

/*
 * The locks of reservation and buffer are held; the latter is dropped for a while.
 * Returns what dma_buf_io_map_device() does.
 */
static int dma_buf_io_map(struct dma_buf_io_binding *binding)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	int ret;

	binding->why = NULL;
	binding->state = DMA_BUF_IO_MAPPING;
	buffer->mapping = binding;
	spin_unlock_irq(&buffer->lock);
	ret = binding->dev ? dma_buf_io_map_device(binding) :
			     dma_buf_io_map_cpu(buffer);
	trace_dma_buf_io_bind(binding, min(ret, 0));
	spin_lock_irq(&buffer->lock);
	buffer->mapping = NULL;
	if (ret > 0) {
		/* pairs with dma_buf_io_cpu_ready() */
		smp_store_release(&binding->state, DMA_BUF_IO_MAPPED);
		buffer->was_mapped = true;
		binding->error = 0;
		binding->refused = false;
		binding->gave_up = false;
		/* they are told when no other device has taken it away again */
		binding->asked = !list_empty(&binding->waiters);
	} else if (ret < 0) {
		binding->state = binding->dev ? DMA_BUF_IO_UNMAPPED :
						DMA_BUF_IO_NEW;
		dma_buf_io_failed(binding, ret, binding->why ||
				  !dma_buf_io_transient(buffer, ret));
	}
	return ret;
}

/* All that somebody waits for, and others that have been asked for since. */
static bool dma_buf_io_map_round(struct dma_buf_io_buffer *buffer, bool *fences)
{
	struct dma_buf_io_binding *binding;
	bool progress = false;
	int ret;

	buffer->conflict = false;
	list_for_each_entry(binding, &buffer->bindings, node) {
		if (!dma_buf_io_wanted(binding) ||
		    (binding->dev && binding->state == DMA_BUF_IO_NEW) ||
		    (list_empty(&binding->waiters) && !binding->asked))
			continue;
		ret = dma_buf_io_map(binding);
		*fences |= !ret;
		progress |= ret > 0;
	}
	return progress;
}

/*
 * Tell those whose device has a mapping; with the exporter's lock held where that is
 * possible, or it may have taken it away again.
 */
static void dma_buf_io_finish_mapped(struct dma_buf_io_buffer *buffer)
{
	struct dma_buf_io_binding *binding;

	list_for_each_entry(binding, &buffer->bindings, node)
		if (binding->state == DMA_BUF_IO_MAPPED)
			dma_buf_io_finish(binding, 0);
}

/*
 * Devices cannot have mappings at the same time: some reach the memory where the
 * exporter would like to have the buffer and some do not, and each map moves it.  No
 * one asks for peer-to-peer any more, then.  If that does not help, those that
 * are left without are refused.
 */
static void dma_buf_io_settle(struct dma_buf_io_buffer *buffer)
{
	struct dma_buf_io_binding *binding;

	if (buffer->no_p2p) {
		list_for_each_entry(binding, &buffer->bindings, node) {
			if (!dma_buf_io_wanted(binding) || !binding->asked ||
			    binding->map)
				continue;
			binding->why = "it has lost the buffer to another device";
			dma_buf_io_failed(binding, -EOPNOTSUPP, true);
		}
		return;
	}
	buffer->no_p2p = true;
	atomic_inc(&buffer->invalidations);
	list_for_each_entry(binding, &buffer->bindings, node) {
		if (!binding->dev || binding->state == DMA_BUF_IO_NEW)
			continue;
		spin_unlock_irq(&buffer->lock);
		dma_buf_io_take_map(binding);
		dma_buf_io_detach(binding);
		spin_lock_irq(&buffer->lock);
		binding->state = DMA_BUF_IO_NEW;
		binding->asked = true;
	}
}

/*
 * Map the buffer for all that wait, with the reservation lock taken once: the
 * exporter may have it next, to move the buffer again, and device by device they
 * would never all have a mapping.  Returns true if there is one more.
 */
bool dma_buf_io_map_bindings(struct dma_buf_io_buffer *buffer)
{
	struct dma_resv *resv = buffer->dmabuf->resv;
	bool progress = false, fences = false, any = false;
	struct dma_buf_io_binding *binding;
	int round = 0;

	spin_lock_irq(&buffer->lock);
	list_for_each_entry(binding, &buffer->bindings, node)
		any |= dma_buf_io_wanted(binding) &&
		       (!list_empty(&binding->waiters) ||
			(!binding->dev && binding->asked));
	if (any) {
		dma_buf_io_busy(buffer, true);
		spin_unlock_irq(&buffer->lock);
		dma_resv_lock(resv, NULL);
		spin_lock_irq(&buffer->lock);
		do {
			progress |= dma_buf_io_map_round(buffer, &fences);
		} while (buffer->conflict && ++round < 3);
		if (!buffer->conflict)
			dma_buf_io_finish_mapped(buffer);
		spin_unlock_irq(&buffer->lock);
		dma_resv_unlock(resv);
		spin_lock_irq(&buffer->lock);
		if (buffer->conflict) {
			dma_buf_io_settle(buffer);
			dma_buf_io_finish_mapped(buffer);
		}
	}
	dma_buf_io_busy(buffer, fences);
	spin_unlock_irq(&buffer->lock);

	if (fences) {
		dma_resv_wait_timeout(resv, DMA_RESV_USAGE_KERNEL, false,
				      DMA_BUF_IO_FENCE_TIMEOUT);
		spin_lock_irq(&buffer->lock);
		dma_buf_io_busy(buffer, false);
		spin_unlock_irq(&buffer->lock);
	}
	return progress;
}

/* &dma_buf_io_buffer.work */
void dma_buf_io_work(struct work_struct *work)
{
	struct dma_buf_io_buffer *buffer =
		container_of(to_delayed_work(work), struct dma_buf_io_buffer,
			     work);
	/* I/O that waits for this may be what reclaim waits for */
	unsigned int noio = memalloc_noio_save();
	struct mem_cgroup *memcg = set_active_memcg(buffer->memcg);
	struct dma_buf_io_binding *binding;
	bool again = false, progress;

	dma_buf_io_end_bindings(buffer);
	dma_buf_io_attach_bindings(buffer);
	progress = dma_buf_io_map_bindings(buffer);
	dma_buf_io_cpu_calls(buffer);

	spin_lock_irq(&buffer->lock);
	list_for_each_entry(binding, &buffer->bindings, node)
		again |= dma_buf_io_wanted(binding) &&
			 !list_empty(&binding->waiters);
	if (again) {
		buffer->delay = dma_buf_io_backoff(progress ? 0 :
						   buffer->delay);
		dma_buf_io_kick(buffer);
	} else {
		buffer->delay = 0;
	}
	spin_unlock_irq(&buffer->lock);

	set_active_memcg(memcg);
	memalloc_noio_restore(noio);
	dma_buf_io_buffer_put(buffer);
}
