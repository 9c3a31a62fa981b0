/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Block I/O to and from a dma-buf, without pages and without bounce.
 *
 * A consumer (io_uring is one) registers a dma-buf for a file and gets a
 * &struct dma_buf_io_ctx.  A bio carries the ctx and a byte offset through any
 * stack of remapping drivers.  Only the leaf driver, with a request in hand,
 * looks up the mapping of that dma-buf for its own device, holds it for as long
 * as the hardware owns the command, and drops it at completion.
 */
#ifndef _LINUX_DMA_BUF_IO_H
#define _LINUX_DMA_BUF_IO_H

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/completion.h>
#include <linux/dma-direction.h>
#include <linux/iosys-map.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

struct device;
struct dma_buf;
struct dma_buf_attachment;
struct dma_buf_io_leaf;
struct file;
struct sg_table;

/**
 * struct dma_buf_io_cpu_queue - bios whose next step may wait for the exporter
 * @ctx: the registration
 * @begins: CPU access is begun here, not ended
 * @lock: protects the fields below
 * @bios: bios to begin, or to end, CPU access for
 * @bio: the one that it is being done for, or NULL if that has been given up
 * @busy: @work is in a call of the exporter
 * @stuck: and has been for too long: no bio waits for it
 * @since: jiffies when the call began
 * @owed: ends of access, by READ and WRITE, whose bios have been given up
 * @work: does it
 * @timer: gives up
 */
struct dma_buf_io_cpu_queue {
	struct dma_buf_io_ctx	*ctx;
	bool			begins;
	spinlock_t		lock;	/* the fields below */
	struct bio_list		bios;
	struct bio		*bio;
	bool			busy;
	bool			stuck;
	unsigned long		since;
	unsigned int		owed[2];
	struct work_struct	work;
	struct timer_list	timer;
};

/**
 * struct dma_buf_io_ctx - one registration of a dma-buf
 * @dmabuf: the buffer; the ctx owns a reference
 * @dir: direction that every mapping is made for
 * @bindings: &struct dma_buf_io_binding by &dma_buf_io_leaf.id.  Read under RCU,
 *	changed under @lock
 * @lock: serializes bind, map and unbind of this registration.  Taken before the
 *	reservation lock of @dmabuf and never by the invalidation callback
 * @ref: owner, device removal and queued work
 * @invalidations: how often an exporter took a mapping away
 * @validated: what that was before all mappings were last there
 * @topology: what dma_buf_io_topology was when all devices were last bound
 * @tried: what it was when that was last tried
 * @quiet: who refuses has been said already, see dma_buf_io_notice()
 * @nowait: its I/O may be submitted where waiting is not allowed, even if the file
 *	does not say so for all I/O
 * @failing_until: until when attempts to bring the mappings back are repeated,
 *	once one has failed.  Not before @failed_at and another timeout does it
 *	start anew.  By dma_buf_io_now(), as all times here
 * @failed_at: when the last attempt failed
 * @drained: jiffies that the exporter has spent waiting for commands
 * @draining_since: dma_buf_io_now() of when it began to wait for those that it
 *	waits for now, or 0.  Both are changed under the reservation lock of
 *	@dmabuf
 * @attach_work: attaches @dmabuf to @attach_leaf
 * @attach_leaf: a device that had no binding when that could not be waited for,
 *	or NULL.  Changed under @lock, as the next two
 * @attach_refused: &dma_buf_io_leaf.serial of the last that could not be attached
 *	so, or 0
 * @attach_error: why
 * @parked_lock: protects @parked, @resuming and @retry_delay
 * @parked: bios of leaf devices that found no mapping, or no tag
 * @resuming: those on their way to their devices again, by device
 * @park_work: brings the mappings back and sends @parked on its way
 * @retry_delay: jiffies until the next attempt, 0 when none has failed
 * @give_up_at: when parked bios of devices without a binding are failed, or 0 if
 *	nothing has failed for them since one got its binding
 * @vmapped: there is a mapping for the CPU, see dma_buf_io_vmap().  Changed under
 *	@lock
 * @vmap: that mapping
 * @cpu_failed_at: jiffies when fences of the exporter were last waited for in vain
 * @cpu_begin: bios that are to be copied by the CPU
 * @cpu_end: bios that have been
 * @release_work: tears the registration down outside the caller's locks
 *
 * A bio holds no reference: whoever submits it keeps the ctx until it completes.
 */
struct dma_buf_io_ctx {
	struct dma_buf		*dmabuf;
	enum dma_data_direction	dir;
	struct xarray		bindings;
	struct mutex		lock;	/* bind, map and unbind */
	struct kref		ref;
	atomic_t		invalidations;
	int			validated;
	int			topology;
	int			tried;
	unsigned int		quiet;
	bool			nowait;
	unsigned long		failing_until;
	unsigned long		failed_at;
	unsigned long		drained;
	unsigned long		draining_since;
	struct work_struct	attach_work;
	struct dma_buf_io_leaf	*attach_leaf;
	u64			attach_refused;
	int			attach_error;

	spinlock_t		parked_lock;	/* the fields below */
	struct bio_list		parked;
	struct list_head	resuming;
	struct delayed_work	park_work;
	unsigned long		retry_delay;
	unsigned long		give_up_at;

	bool			vmapped;
	struct iosys_map	vmap;
	unsigned long		cpu_failed_at;
	struct dma_buf_io_cpu_queue cpu_begin;
	struct dma_buf_io_cpu_queue cpu_end;

	struct work_struct	release_work;
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
 * struct dma_buf_io_map - a dma-buf as one device sees it
 * @sgt: the exporter's table, to hand back at unmap
 * @layout: the mapping in the device's own terms, see
 *	&dma_buf_io_leaf_ops.create_layout, or NULL
 * @nr_ranges: number of runs in @ranges, 0 if there is a @layout
 * @ranges: the runs in order of offset, and one past the last that holds the
 *	mapped size.  Runs start and end on &dma_buf_io_leaf.align_mask
 *	boundaries, in the dma-buf and in the device's address space
 */
struct dma_buf_io_map {
	struct sg_table		*sgt;
	void			*layout;
	unsigned int		nr_ranges;
	struct dma_buf_io_range	ranges[];
};

/**
 * struct dma_buf_io_binding - a registration on a leaf device
 * @active: commands on the hardware, and nothing else.  Live while there is a
 *	map; whoever got it from dma_buf_io_get() may use @map until it puts it
 * @drained: completed when the last of @active has gone after a kill
 * @map: the mapping, or NULL.  Changed under the reservation lock of the
 *	dma-buf, and only while @active is dead and drained
 * @ctx: the registration
 * @leaf: the device
 * @leaf_node: entry in &dma_buf_io_leaf.bindings, under its lock
 * @attach: the one attachment of this dma-buf to this device
 * @asked: for this device by name, since another brought its mapping back
 * @unmapped_at: when a mapping was last taken away, by dma_buf_io_now()
 * @give_up_at: when parked bios that still have no mapping are failed, or 0 if the
 *	last attempt for them has not failed.  When some have been: when an attempt
 *	last failed.  Changed by the work that makes them
 * @rcu: the I/O path may still look at a binding that has left the table
 */
struct dma_buf_io_binding {
	struct percpu_ref		active;
	struct completion		drained;
	struct dma_buf_io_map		*map;
	struct dma_buf_io_ctx		*ctx;
	struct dma_buf_io_leaf		*leaf;
	struct list_head		leaf_node;
	struct dma_buf_attachment	*attach;
	bool				asked;
	unsigned long			unmapped_at;
	unsigned long			give_up_at;
	struct rcu_head			rcu;
};

/**
 * struct dma_buf_io_leaf_ops - what the library asks of a leaf driver
 * @reap: complete whatever the hardware has finished on queues that raise no
 *	interrupt.  An exporter waits for those commands while it holds the
 *	reservation lock, and must not depend on user-space polling.  May be
 *	NULL.  Called from process context; may not sleep on I/O, allocate, or
 *	take a reservation lock
 * @create_layout: describe the first @size bytes of a mapping, which are @nr_ranges
 *	runs, in the hardware's own terms, so that a command has less to do.
 *	Returns what becomes &dma_buf_io_map.layout, with which the driver can
 *	find every address itself; NULL if the runs are better, or an ERR_PTR().
 *	May be NULL.  Called under the reservation lock; bios may depend on it
 * @destroy_layout: undo that.  No command uses the mapping any more
 */
struct dma_buf_io_leaf_ops {
	void (*reap)(struct dma_buf_io_leaf *leaf);
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
 * @id: index into every &dma_buf_io_ctx.bindings
 * @serial: of this device and no other, not even after it is gone
 * @lock: protects the fields below
 * @bindings: every binding of this device
 * @dead: the device is on its way out, nothing may bind any more
 * @attaching: registrations whose &dma_buf_io_ctx.attach_work is under way for it
 *
 * Embedded in the driver's own device structure.  Namespaces and partitions of
 * a controller share it, and with it one attachment for each dma-buf.
 */
struct dma_buf_io_leaf {
	struct device				*dev;
	const struct dma_buf_io_leaf_ops	*ops;
	unsigned long				align_mask;
	u32					id;
	u64					serial;
	spinlock_t				lock;	/* the fields below */
	struct list_head			bindings;
	bool					dead;
	unsigned int				attaching;
};

/**
 * enum dma_buf_io_wait - how long to wait for the exporter
 * @DMA_BUF_IO_WAIT: until it lets go of its lock and has moved the contents, or a
 *	signal arrives
 * @DMA_BUF_IO_TRY: not for its lock; for work that bios depend on
 */
enum dma_buf_io_wait {
	DMA_BUF_IO_WAIT,
	DMA_BUF_IO_TRY,
};

#ifdef CONFIG_DMA_BUF_IO
/* Registration: for consumers */
struct dma_buf_io_ctx *dma_buf_io_register(struct file *file,
					   struct dma_buf *dmabuf);
void dma_buf_io_unregister(struct dma_buf_io_ctx *ctx);
int dma_buf_io_revalidate(struct dma_buf_io_ctx *ctx, struct file *file);

extern atomic_t dma_buf_io_topology;

/**
 * dma_buf_io_stale - may a device lack a mapping of this registration?
 * @ctx: the registration
 *
 * A hint, for those that want to wait for the exporter where waiting is cheap:
 * consumers before they build a bio, see dma_buf_io_revalidate(), and drivers
 * that send the same data to several devices.
 *
 * Return: true if an exporter has invalidated a mapping since all of them were
 * there, or if a stacked device has changed what it consists of.
 */
static inline bool dma_buf_io_stale(struct dma_buf_io_ctx *ctx)
{
	return READ_ONCE(ctx->validated) != atomic_read(&ctx->invalidations) ||
	       READ_ONCE(ctx->topology) != atomic_read(&dma_buf_io_topology);
}

/*
 * Say in the kernel log who refuses a registration, and why: once, not for every
 * device that does, nor again with every request that meets the same devices.
 */
#define dma_buf_io_notice(ctx, fmt, ...)				\
do {									\
	if (!xchg(&(ctx)->quiet, 1))					\
		pr_notice_ratelimited(fmt, ##__VA_ARGS__);		\
} while (0)

/* Stacked devices: for their drivers */
int dma_buf_io_retry(struct dma_buf_io_ctx *ctx, int (*attempt)(void *data),
		     void *data, bool interruptible);

/**
 * dma_buf_io_topology_changed - a stacked device got other devices under it
 *
 * Registrations are handed down again before their next I/O.  To be called once
 * the new devices are what a registration would be handed to.
 *
 * Context: any.
 */
static inline void dma_buf_io_topology_changed(void)
{
	/* who finds this counted finds the devices */
	smp_mb__before_atomic();
	atomic_inc(&dma_buf_io_topology);
}

/* Devices: for leaf drivers */
int dma_buf_io_leaf_init(struct dma_buf_io_leaf *leaf, struct device *dev,
			 const struct dma_buf_io_leaf_ops *ops,
			 unsigned long align_mask);
void dma_buf_io_leaf_remove(struct dma_buf_io_leaf *leaf);
void dma_buf_io_leaf_exit(struct dma_buf_io_leaf *leaf);
int dma_buf_io_bind(struct dma_buf_io_ctx *ctx, struct dma_buf_io_leaf *leaf,
		    enum dma_buf_io_wait wait);

/* The I/O path: for leaf drivers and the block layer */
struct dma_buf_io_binding *dma_buf_io_get(struct dma_buf_io_ctx *ctx,
					  struct dma_buf_io_leaf *leaf);
dma_addr_t dma_buf_io_map_addr(const struct dma_buf_io_map *map, u64 offset,
			       u64 *len);
void dma_buf_io_park(struct dma_buf_io_ctx *ctx, struct bio_list *bios);

/* The CPU's way to the data: for drivers that have to look at it */
int dma_buf_io_vmap(struct dma_buf_io_ctx *ctx, enum dma_buf_io_wait wait);
void dma_buf_io_begin_cpu_access(struct bio *bio);
void dma_buf_io_end_cpu_access(struct bio *bio);
void dma_buf_io_copy_from(struct dma_buf_io_ctx *ctx, u64 offset, void *to,
			  size_t len);
void dma_buf_io_copy_to(struct dma_buf_io_ctx *ctx, u64 offset,
			const void *from, size_t len);

/**
 * dma_buf_io_put - the hardware is done with a command
 * @binding: binding from dma_buf_io_get()
 *
 * Context: any.
 */
static inline void dma_buf_io_put(struct dma_buf_io_binding *binding)
{
	percpu_ref_put(&binding->active);
}
#else /* !CONFIG_DMA_BUF_IO */
static inline void dma_buf_io_topology_changed(void)
{
}
#endif /* CONFIG_DMA_BUF_IO */
#endif /* _LINUX_DMA_BUF_IO_H */
