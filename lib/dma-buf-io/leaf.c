// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that buffers are bound to: how they come, and how they go away.
 */
#include <linux/atomic.h>
#include <linux/dma-buf-io.h>
#include <linux/export.h>

#include "internal.h"

static atomic_long_t dma_buf_io_leaf_id = ATOMIC_LONG_INIT(0);

/*
 * Protects the lists of all leaves, &dma_buf_io_leaf.dead and
 * &dma_buf_io_binding.leaf.  Taken before the lock of a buffer.
 */
static DEFINE_SPINLOCK(dma_buf_io_leaf_lock);

/**
 * dma_buf_io_leaf_init - make a device able to do I/O to registered dma-bufs
 * @leaf: to initialize
 * @dev: device that masters the bus
 * @ops: driver callbacks
 * @align_mask: alignment of the boundaries between runs of a mapping; a buffer
 *	that an exporter maps otherwise is refused
 *
 * There is nothing to undo but dma_buf_io_leaf_remove(), once bound.
 *
 * Context: any.
 */
void dma_buf_io_leaf_init(struct dma_buf_io_leaf *leaf, struct device *dev,
			  const struct dma_buf_io_leaf_ops *ops,
			  unsigned long align_mask)
{
	*leaf = (struct dma_buf_io_leaf) {
		.dev		= dev,
		.ops		= ops,
		.align_mask	= align_mask,
		.id		= atomic_long_inc_return(&dma_buf_io_leaf_id),
	};
	INIT_LIST_HEAD(&leaf->bindings);
	init_waitqueue_head(&leaf->unbound);
}
EXPORT_SYMBOL_GPL(dma_buf_io_leaf_init);

/* Returns false if the device is being removed. */
bool dma_buf_io_leaf_add(struct dma_buf_io_leaf *leaf,
			 struct dma_buf_io_binding *binding)
{
	bool dead;

	spin_lock_irq(&dma_buf_io_leaf_lock);
	dead = leaf->dead;
	if (!dead) {
		binding->leaf = leaf;
		list_add_tail(&binding->leaf_node, &leaf->bindings);
	}
	spin_unlock_irq(&dma_buf_io_leaf_lock);
	return !dead;
}

static void __dma_buf_io_leaf_del(struct dma_buf_io_binding *binding)
{
	list_del_init(&binding->leaf_node);
	binding->leaf = NULL;
}

/* @binding has no mapping any more: the device may go away. */
void dma_buf_io_leaf_del(struct dma_buf_io_binding *binding)
{
	struct dma_buf_io_leaf *leaf;

	spin_lock_irq(&dma_buf_io_leaf_lock);
	leaf = binding->leaf;
	if (leaf) {
		__dma_buf_io_leaf_del(binding);
		/* dma_buf_io_leaf_remove() takes the lock before it returns */
		wake_up(&leaf->unbound);
	}
	spin_unlock_irq(&dma_buf_io_leaf_lock);
}

/**
 * dma_buf_io_leaf_remove - unmap everything from a device that goes away
 * @leaf: the device, whose disks are dead and whose requests have all ended
 *
 * For a driver's remove method, before the device's DMA goes away.  Waits for the
 * exporters of buffers that are mapped, and for no others: attachments that are
 * left are detached later, and hold a reference to the device.
 *
 * Context: process context, may sleep for exporters.  The caller holds no
 * lock that completion of I/O needs.
 */
void dma_buf_io_leaf_remove(struct dma_buf_io_leaf *leaf)
{
	struct dma_buf_io_binding *binding, *next;

	spin_lock_irq(&dma_buf_io_leaf_lock);
	leaf->dead = true;
	list_for_each_entry_safe(binding, next, &leaf->bindings, leaf_node) {
		struct dma_buf_io_buffer *buffer = binding->buffer;

		spin_lock(&buffer->lock);
		binding->dead = true;
		dma_buf_io_kick(buffer);
		if (binding->state < DMA_BUF_IO_MAPPING)
			__dma_buf_io_leaf_del(binding);
		spin_unlock(&buffer->lock);
	}
	spin_unlock_irq(&dma_buf_io_leaf_lock);

	wait_event(leaf->unbound, list_empty_careful(&leaf->bindings));
	/* who has emptied it has let go of the lock, and of the leaf */
	spin_lock_irq(&dma_buf_io_leaf_lock);
	spin_unlock_irq(&dma_buf_io_leaf_lock);
}
EXPORT_SYMBOL_GPL(dma_buf_io_leaf_remove);
