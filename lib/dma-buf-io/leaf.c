// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that registrations are bound to: how they come, and how they go away.
 */
#include <linux/dma-buf-io.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/sched.h>

#include "internal.h"

static DEFINE_IDA(dma_buf_io_leaf_ida);

static atomic64_t dma_buf_io_leaf_serial = ATOMIC64_INIT(0);

/**
 * dma_buf_io_leaf_init - make a device able to bind registrations
 * @leaf: to initialize
 * @dev: device that masters the bus; valid until dma_buf_io_leaf_exit()
 * @ops: driver callbacks
 * @align_mask: alignment of the boundaries between runs of a mapping; a buffer
 *	that an exporter maps otherwise is refused
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int dma_buf_io_leaf_init(struct dma_buf_io_leaf *leaf, struct device *dev,
			 const struct dma_buf_io_leaf_ops *ops,
			 unsigned long align_mask)
{
	int id = ida_alloc(&dma_buf_io_leaf_ida, GFP_KERNEL);

	if (id < 0)
		return id;
	leaf->id = id;
	leaf->serial = atomic64_inc_return(&dma_buf_io_leaf_serial);
	leaf->dev = dev;
	leaf->ops = ops;
	leaf->align_mask = align_mask;
	leaf->dead = false;
	leaf->attaching = 0;
	spin_lock_init(&leaf->lock);
	INIT_LIST_HEAD(&leaf->bindings);
	return 0;
}
EXPORT_SYMBOL_GPL(dma_buf_io_leaf_init);

/**
 * dma_buf_io_leaf_remove - unmap and detach everything from a device
 * @leaf: the device, whose disks are dead and whose requests have all ended
 *
 * For a driver's remove method, before the device's DMA goes away.
 *
 * Context: process context, may sleep for the exporters.  The caller holds no
 * lock that completion of I/O needs.
 */
void dma_buf_io_leaf_remove(struct dma_buf_io_leaf *leaf)
{
	struct dma_buf_io_binding *binding;
	struct dma_buf_io_ctx *ctx;

	spin_lock(&leaf->lock);
	leaf->dead = true;
	while (leaf->attaching || !list_empty(&leaf->bindings)) {
		binding = list_first_entry_or_null(&leaf->bindings,
						   struct dma_buf_io_binding,
						   leaf_node);
		ctx = binding ? binding->ctx : NULL;
		if (!ctx || !kref_get_unless_zero(&ctx->ref)) {
			spin_unlock(&leaf->lock);
			schedule_timeout_uninterruptible(1);
			spin_lock(&leaf->lock);
			continue;
		}
		spin_unlock(&leaf->lock);

		mutex_lock(&ctx->lock);
		binding = xa_erase(&ctx->bindings, leaf->id);
		if (binding)
			dma_buf_io_binding_destroy(binding, false);
		mutex_unlock(&ctx->lock);
		dma_buf_io_ctx_put(ctx);
		spin_lock(&leaf->lock);
	}
	spin_unlock(&leaf->lock);
}
EXPORT_SYMBOL_GPL(dma_buf_io_leaf_remove);

/**
 * dma_buf_io_leaf_exit - undo dma_buf_io_leaf_init()
 * @leaf: device without bindings: never bound or removed
 *
 * Context: any.
 */
void dma_buf_io_leaf_exit(struct dma_buf_io_leaf *leaf)
{
	WARN_ON_ONCE(!list_empty(&leaf->bindings));
	ida_free(&dma_buf_io_leaf_ida, leaf->id);
}
EXPORT_SYMBOL_GPL(dma_buf_io_leaf_exit);
