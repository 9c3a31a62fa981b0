/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _DMA_BUF_IO_INTERNAL_H
#define _DMA_BUF_IO_INTERNAL_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/dma-buf-io.h>
#include <linux/iosys-map.h>
#include <linux/percpu-refcount.h>
#include <linux/refcount.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

struct dma_buf_attachment;

/**
 * struct dma_buf_io_buffer - a dma-buf that is used for I/O
 * @dmabuf: the dma-buf; the buffer owns a reference
 * @ref: registrations, bindings, and @work while it is queued
 * @hash: entry in the table of all buffers
 * @meet_lock: held while a registration meets a device or parts from it; never while
 *	the exporter is called
 * @lock: protects what follows it, but for what the work alone uses (@vmap,
 *	@fences_failed_at) and what does not change (@user, @max_pages, @memcg); and the
 *	fields of a binding that say so.  May be taken in any context
 * @bindings: every binding; @work alone removes entries
 * @wq: where @work runs: one for each exporter
 * @work: the only context that calls the exporter.  The exporter may hold it up
 *	for ever, so tasks and bios wait for its results, with a deadline
 * @delay: jiffies until @work tries again, 0 if the last attempt did not fail
 * @busy: @work is in a call of the exporter, or waits for its fences
 * @busy_since: dma_buf_io_now() when that began
 * @mapping: the binding that the exporter maps right now, with the reservation
 *	lock held by @work
 * @conflict: mapping one device has taken the mapping of another one away
 * @no_p2p: nobody asks for peer-to-peer any more, because of that
 * @was_mapped: some device has had a mapping
 * @drained: jiffies that the exporter has spent waiting for commands
 * @draining: it waits now
 * @draining_since: jiffies when that began
 * @invalidations: how often the exporter took mappings away
 * @user: whom mappings are charged to, or NULL
 * @max_pages: how many pages may be charged to @user
 * @memcg: what the kernel allocates for the buffer is charged to
 * @vmap: the CPU's mapping, while the binding without a device is MAPPED
 * @accesses: accesses of the CPU to begin or to end, in order
 * @accessing: the one that @work calls the exporter for
 * @access_timer: gives up those that have waited for too long
 * @owed: ends of access whose waiters have been given up: reads by the CPU, writes
 * @fences_failed_at: jiffies when an access waited for fences in vain
 */
struct dma_buf_io_buffer {
	struct dma_buf		*dmabuf;
	refcount_t		ref;
	struct hlist_node	hash;
	struct mutex		meet_lock;	/* see above */
	struct workqueue_struct	*wq;

	spinlock_t		lock;		/* see above */
	struct list_head	bindings;
	struct delayed_work	work;
	unsigned long		delay;
	bool			busy;
	unsigned long		busy_since;
	struct dma_buf_io_binding *mapping;
	bool			conflict;
	bool			no_p2p;
	bool			was_mapped;
	unsigned long		drained;
	bool			draining;
	unsigned long		draining_since;
	atomic_t		invalidations;

	struct user_struct	*user;
	unsigned long		max_pages;
	struct mem_cgroup	*memcg;

	struct iosys_map	vmap;
	struct list_head	accesses;
	struct dma_buf_io_access *accessing;
	struct timer_list	access_timer;
	unsigned int		owed[2];
	unsigned long		fences_failed_at;
};

/**
 * enum dma_buf_io_state - what a binding has
 * @DMA_BUF_IO_NEW: nothing: the device has been met
 * @DMA_BUF_IO_UNMAPPED: an attachment.  A mapping is made when somebody waits
 * @DMA_BUF_IO_MAPPING: the exporter is making a mapping, or has made one and its
 *	fences have not signaled: no command may use it yet
 * @DMA_BUF_IO_MAPPED: a mapping for commands to use
 * @DMA_BUF_IO_DRAINING: a mapping for the commands on the hardware, no new ones
 * @DMA_BUF_IO_ENDED: nothing, for good
 */
enum dma_buf_io_state {
	DMA_BUF_IO_NEW,
	DMA_BUF_IO_UNMAPPED,
	DMA_BUF_IO_MAPPING,
	DMA_BUF_IO_MAPPED,
	DMA_BUF_IO_DRAINING,
	DMA_BUF_IO_ENDED,
};

/**
 * struct dma_buf_io_binding - a buffer on a device, or on the CPU
 * @active: commands on the hardware, and nothing else.  Live in MAPPED
 * @map: the mapping; set while the state is MAPPING, MAPPED or DRAINING.  Changed
 *	with the reservation lock of the dma-buf held.  Who has a reference to
 *	@active may use it
 * @buffer: the buffer; the binding owns a reference
 * @leaf: the device, until the binding has left it; NULL for the CPU.  Changed
 *	under the locks of leaf and buffer
 * @dev: the device, with a reference; NULL for the CPU
 * @id: &dma_buf_io_leaf.id, or 0 for the CPU
 * @node: entry in &dma_buf_io_buffer.bindings
 * @leaf_node: entry in &dma_buf_io_leaf.bindings, under its lock
 * @attach: the attachment, or NULL.  Of the work alone, as the next
 * @drained: completed when the last of @active has gone after a kill
 * @timer: gives up waiters at @give_up_at
 * @users: registrations that have met the device, and tasks that look at the binding.
 *	The lock of the buffer protects this and all below
 * @state: see &enum dma_buf_io_state
 * @dead: the device is being removed
 * @asked: somebody has wanted a mapping since the last one was made
 * @waiters: &struct dma_buf_io_waiter of those that wait for MAPPED
 * @error: why the exporter's last answer was no mapping, or 0
 * @why: in words, where the refusal is the library's own, or NULL
 * @refused: @error was its last word
 * @lost_at: dma_buf_io_now() when the binding was made, or last lost its mapping
 * @give_up_at: dma_buf_io_now() when the present waiters are given up
 * @gave_up: waiters have been given up, and there has been no mapping since
 * @gave_up_at: dma_buf_io_now() of the last time
 * @rcu: dma_buf_io_get() may still look at it
 */
struct dma_buf_io_binding {
	struct percpu_ref		active;
	struct dma_buf_io_map		*map;
	struct dma_buf_io_buffer	*buffer;
	struct dma_buf_io_leaf		*leaf;
	struct device			*dev;
	unsigned long			id;
	struct list_head		node;
	struct list_head		leaf_node;
	struct dma_buf_attachment	*attach;
	struct completion		drained;
	struct timer_list		timer;

	unsigned int			users;
	enum dma_buf_io_state		state;
	bool				dead;
	bool				asked;
	struct list_head		waiters;
	int				error;
	const char			*why;
	bool				refused;
	unsigned long			lost_at;
	unsigned long			give_up_at;
	bool				gave_up;
	unsigned long			gave_up_at;
	struct rcu_head			rcu;
};

#define DMA_BUF_IO_NEAR	8

/**
 * struct dma_buf_io_ctx - one registration of a buffer
 * @buffer: the buffer; the registration owns a reference
 * @bindings: &struct dma_buf_io_binding of the devices that it has met, by
 *	&dma_buf_io_binding.id: the registration is one of their users.  Changed under
 *	&dma_buf_io_buffer.meet_lock
 * @near: some of @bindings, at their id modulo DMA_BUF_IO_NEAR, where each command
 *	looks first
 * @validated: &dma_buf_io_buffer.invalidations before all of them were last mapped
 * @topology: dma_buf_io_topology before that
 * @tried: what that was when it was last tried: who refuses has been said then
 * @nowait: its I/O may be submitted where waiting is not allowed, even if the file
 *	does not say so for all I/O
 * @incomplete: some of them had no mapping when that was last tried
 * @cancelled: nothing waits for a mapping until the next dma_buf_io_revalidate()
 *
 * A request holds no reference: whoever submits it keeps the registration until it
 * completes.
 */
struct dma_buf_io_ctx {
	struct dma_buf_io_buffer *buffer;
	struct xarray		bindings;
	struct dma_buf_io_binding __rcu *near[DMA_BUF_IO_NEAR];
	int			validated;
	int			topology;
	int			tried;
	bool			nowait;
	bool			incomplete;
	bool			cancelled;
};

/* buffer.c */
struct dma_buf_io_buffer *dma_buf_io_buffer_get(struct dma_buf *dmabuf);
void dma_buf_io_buffer_put(struct dma_buf_io_buffer *buffer);
void dma_buf_io_kick(struct dma_buf_io_buffer *buffer);
unsigned long dma_buf_io_now(struct dma_buf_io_buffer *buffer);
unsigned long dma_buf_io_park_timeout(void);
unsigned int dma_buf_io_set_park_timeout(unsigned int ms);
unsigned long dma_buf_io_backoff(unsigned long delay);
void dma_buf_io_busy(struct dma_buf_io_buffer *buffer, bool busy);
bool dma_buf_io_stuck(struct dma_buf_io_buffer *buffer);
int dma_buf_io_charge(struct dma_buf_io_buffer *buffer, unsigned long pages);
void dma_buf_io_uncharge(struct dma_buf_io_buffer *buffer, unsigned long pages);

/* work.c */
void dma_buf_io_work(struct work_struct *work);
bool dma_buf_io_map_bindings(struct dma_buf_io_buffer *buffer);

/* binding.c */
struct dma_buf_io_binding *dma_buf_io_meet(struct dma_buf_io_ctx *ctx,
					   struct dma_buf_io_leaf *leaf);
void dma_buf_io_part(struct dma_buf_io_ctx *ctx,
		     struct dma_buf_io_binding *binding);
void dma_buf_io_binding_drop(struct dma_buf_io_binding *binding);
void dma_buf_io_binding_free(struct dma_buf_io_binding *binding);
void dma_buf_io_kill(struct dma_buf_io_binding *binding);
void dma_buf_io_unmap(struct dma_buf_io_binding *binding);
void dma_buf_io_invalidate(struct dma_buf_attachment *attach);

/* wait.c */
void dma_buf_io_binding_wait(struct dma_buf_io_binding *binding,
			     struct dma_buf_io_waiter *waiter, bool fresh);
bool dma_buf_io_binding_unwait(struct dma_buf_io_binding *binding,
			       struct dma_buf_io_waiter *waiter);
void dma_buf_io_finish(struct dma_buf_io_binding *binding, int error);
void dma_buf_io_timeout(struct timer_list *timer);

/* leaf.c */
bool dma_buf_io_leaf_add(struct dma_buf_io_leaf *leaf,
			 struct dma_buf_io_binding *binding);
void dma_buf_io_leaf_del(struct dma_buf_io_binding *binding);

/* map.c */
int dma_buf_io_map_create(struct dma_buf_io_binding *binding,
			  struct sg_table *sgt);
void dma_buf_io_map_free(struct dma_buf_io_binding *binding,
			 struct dma_buf_io_map *map);

/* cpu.c */
void dma_buf_io_cpu_init(struct dma_buf_io_buffer *buffer);
void dma_buf_io_cpu_calls(struct dma_buf_io_buffer *buffer);
void dma_buf_io_cpu_cancel(struct dma_buf_io_ctx *ctx);

/* ctx.c */
struct dma_buf_io_ctx *dma_buf_io_ctx_create(struct dma_buf *dmabuf);

#endif /* _DMA_BUF_IO_INTERNAL_H */
