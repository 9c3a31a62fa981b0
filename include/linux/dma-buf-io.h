/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O of devices to and from a dma-buf, without pages and without bounce.
 *
 * A consumer (io_uring is one) registers a dma-buf for a file and gets a
 * &struct dma_buf_io_ctx.  An I/O request carries it, with a byte offset, through
 * any stack of remapping drivers.  Only the leaf driver, with a command in hand,
 * looks up the mapping of that dma-buf for its own device, holds it for as long
 * as the hardware owns the command, and drops it at completion.
 *
 * See Documentation/design.rst for the objects behind these calls, for their
 * states and for who waits for whom.
 */
#ifndef _LINUX_DMA_BUF_IO_H
#define _LINUX_DMA_BUF_IO_H

#include <linux/dma-direction.h>
#include <linux/list.h>
#include <linux/printk.h>
#include <linux/types.h>
#include <linux/wait.h>

struct device;
struct dma_buf;
struct dma_buf_io_binding;
struct dma_buf_io_ctx;
struct dma_buf_io_leaf;
struct dma_buf_io_walk;
struct file;
struct sg_table;

/**
 * struct dma_buf_io_waiter - something that waits for a mapping, or for the CPU
 * @node: where it waits; owned by the library until @done is called
 * @ctx: the registration that it waits for; the caller keeps it until then
 * @done: called once: with 0 when the wait is over, or with a negative errno that
 *	says why it was in vain.  Any context, no lock of the library held.  May
 *	free or reuse the waiter
 */
struct dma_buf_io_waiter {
	struct list_head	node;
	struct dma_buf_io_ctx	*ctx;
	void (*done)(struct dma_buf_io_waiter *waiter, int error);
};

/**
 * struct dma_buf_io_access - one access of the CPU to the data
 * @waiter: waits for it to begin, and to end
 * @dir: what the data is for, as the exporter sees it
 * @begin: it is to begin, not to end
 * @since: when it began to wait; of the library alone
 */
struct dma_buf_io_access {
	struct dma_buf_io_waiter waiter;
	enum dma_data_direction	dir;
	bool			begin;
	unsigned long		since;
};

/**
 * struct dma_buf_io_range - a run of contiguous DMA addresses
 * @offset: first byte of the run, counted from the start of the dma-buf
 * @addr: DMA address of that byte
 */
struct dma_buf_io_range {
	u64		offset;
	dma_addr_t	addr;
};

/**
 * struct dma_buf_io_map - a dma-buf as one device sees it, for its driver
 * @binding: what holds it
 * @sgt: the exporter's table, to hand back at unmap
 * @layout: the mapping in the device's own terms, see
 *	&dma_buf_io_leaf_ops.create_layout, or NULL
 * @pages: charged for it to the user who has registered the dma-buf
 * @nr_ranges: number of runs in @ranges, 0 if there is a @layout
 * @ranges: the runs in order of offset, and one past the last that holds the
 *	mapped size.  Runs start and end on &dma_buf_io_leaf.align_mask
 *	boundaries, in the dma-buf and in the device's address space
 */
struct dma_buf_io_map {
	struct dma_buf_io_binding *binding;
	struct sg_table		*sgt;
	void			*layout;
	unsigned long		pages;
	unsigned int		nr_ranges;
	struct dma_buf_io_range	ranges[];
};

/**
 * struct dma_buf_io_leaf_ops - what the library asks of a leaf driver
 * @reap: complete whatever the hardware has finished on queues that raise no
 *	interrupt, and return true if there are any such queues.  An exporter
 *	waits for those commands while it holds the reservation lock, and must not
 *	depend on user-space polling.  May be NULL.  Called from process context;
 *	may not sleep on I/O, allocate, or take a reservation lock
 * @create_layout: describe the first @size bytes of a mapping, which are @nr_ranges
 *	runs, in the hardware's own terms, so that a command has less to do.
 *	Returns what becomes &dma_buf_io_map.layout, with which the driver can
 *	find every address itself; NULL if the runs are better, or an ERR_PTR().
 *	May be NULL.  Called under the reservation lock; I/O may depend on it
 * @destroy_layout: undo that.  No command uses the mapping any more
 */
struct dma_buf_io_leaf_ops {
	bool (*reap)(struct dma_buf_io_leaf *leaf);
	void *(*create_layout)(struct dma_buf_io_leaf *leaf,
			       struct sg_table *sgt, u64 size,
			       unsigned int nr_ranges);
	void (*destroy_layout)(struct dma_buf_io_leaf *leaf, void *layout);
};

/**
 * struct dma_buf_io_leaf - a device that can do DMA to a registered dma-buf
 * @dev: the device that masters the bus
 * @ops: driver callbacks
 * @align_mask: alignment that the hardware needs at every boundary between runs
 * @id: of this device and no other, not even after it is gone; never 0
 * @bindings: every binding of this device
 * @dead: the device is on its way out, nothing may bind any more
 * @unbound: woken when a binding leaves a dead device
 *
 * Embedded in the driver's own device structure.  Namespaces and partitions of
 * a controller share it, and with it one attachment for each dma-buf.
 */
struct dma_buf_io_leaf {
	struct device				*dev;
	const struct dma_buf_io_leaf_ops	*ops;
	unsigned long				align_mask;
	unsigned long				id;
	struct list_head			bindings;
	bool					dead;
	wait_queue_head_t			unbound;
};

#ifdef CONFIG_DMA_BUF_IO
/* Consumers: one registration */
struct dma_buf_io_ctx *dma_buf_io_register(struct file *file,
					   struct dma_buf *dmabuf);
void dma_buf_io_unregister(struct dma_buf_io_ctx *ctx);
bool dma_buf_io_stale(struct dma_buf_io_ctx *ctx);
int dma_buf_io_revalidate(struct dma_buf_io_ctx *ctx, struct file *file);
bool dma_buf_io_nowait(struct dma_buf_io_ctx *ctx);
void dma_buf_io_cancel(struct dma_buf_io_ctx *ctx);
unsigned long dma_buf_io_ino(struct dma_buf_io_ctx *ctx);

/* Drivers between consumer and leaf: a walk hands a registration down */
void dma_buf_io_bind(struct dma_buf_io_walk *walk, struct dma_buf_io_leaf *leaf);
bool dma_buf_io_has_vmap(struct dma_buf_io_walk *walk);
void dma_buf_io_bind_cpu(struct dma_buf_io_walk *walk);
bool dma_buf_io_walk_optional(struct dma_buf_io_walk *walk, bool optional);
void dma_buf_io_walk_waits(struct dma_buf_io_walk *walk);
void dma_buf_io_walk_unsettled(struct dma_buf_io_walk *walk);
bool dma_buf_io_walk_refuse(struct dma_buf_io_walk *walk);
int dma_buf_io_prepare(struct dma_buf_io_ctx *ctx,
		       void (*hand_down)(struct dma_buf_io_walk *walk, void *data),
		       void *data);
void dma_buf_io_topology_changed(void);

/*
 * Refuse the registration that is handed down, with -EOPNOTSUPP, and say who does
 * so and why: one line in the kernel log for each walk.
 */
#define dma_buf_io_refuse(walk, fmt, ...)				\
do {									\
	if (dma_buf_io_walk_refuse(walk))				\
		pr_notice_ratelimited(fmt, ##__VA_ARGS__);		\
} while (0)

/* Leaf drivers: one device, and its commands */
void dma_buf_io_leaf_init(struct dma_buf_io_leaf *leaf, struct device *dev,
			  const struct dma_buf_io_leaf_ops *ops,
			  unsigned long align_mask);
void dma_buf_io_leaf_remove(struct dma_buf_io_leaf *leaf);
struct dma_buf_io_map *dma_buf_io_get(struct dma_buf_io_ctx *ctx,
				      struct dma_buf_io_leaf *leaf);
void dma_buf_io_put(struct dma_buf_io_map *map);
dma_addr_t dma_buf_io_map_addr(const struct dma_buf_io_map *map, u64 offset,
			       u64 *len);

/* Who found no mapping: wait for one */
void dma_buf_io_wait(struct dma_buf_io_ctx *ctx, struct dma_buf_io_leaf *leaf,
		     struct dma_buf_io_waiter *waiter);

/* Drivers that have to look at the data: the CPU's own mapping */
void dma_buf_io_begin_cpu_access(struct dma_buf_io_ctx *ctx,
				 struct dma_buf_io_access *access);
void dma_buf_io_end_cpu_access(struct dma_buf_io_ctx *ctx,
			       struct dma_buf_io_access *access);
void dma_buf_io_copy_from(struct dma_buf_io_ctx *ctx, u64 offset, void *to,
			  size_t len);
void dma_buf_io_copy_to(struct dma_buf_io_ctx *ctx, u64 offset,
			const void *from, size_t len);
#else /* !CONFIG_DMA_BUF_IO */
static inline void dma_buf_io_topology_changed(void)
{
}
#endif /* CONFIG_DMA_BUF_IO */
#endif /* _LINUX_DMA_BUF_IO_H */
