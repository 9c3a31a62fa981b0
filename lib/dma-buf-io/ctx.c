// SPDX-License-Identifier: GPL-2.0
/*
 * Registrations of a dma-buf for files.  A registration is handed down from the file
 * to every device that does the DMA, which meets it there: a walk.  Handing down does
 * not wait for the exporter; the end of the walk does, for all devices at once.
 */
#define pr_fmt(fmt) "dma-buf-io: " fmt

#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "internal.h"

/* how often a stacked device has changed what it consists of */
static atomic_t dma_buf_io_topology __read_mostly = ATOMIC_INIT(0);

/**
 * dma_buf_io_topology_changed - a stacked device got other devices under it
 *
 * Registrations are handed down again before their next I/O.  To be called once
 * the new devices are what a registration would be handed to.
 *
 * Context: any.
 */
void dma_buf_io_topology_changed(void)
{
	/* a reader that sees the new count sees the new devices */
	smp_mb__before_atomic();
	atomic_inc(&dma_buf_io_topology);
}
EXPORT_SYMBOL_GPL(dma_buf_io_topology_changed);

/* --- walks ---------------------------------------------------------------- */

/**
 * struct dma_buf_io_walk - a registration on its way down
 * @ctx: the registration
 * @entries: &struct dma_buf_io_entry of the devices that are waited for
 * @pending: how many of those have no answer yet, and one for the walk itself
 * @done: completed when they all have
 * @topology: dma_buf_io_topology before it began
 * @whole: it goes to all devices that I/O of the registration reaches
 * @fresh: see dma_buf_io_binding_wait()
 * @quiet: who refuses has been said
 * @optional: what is met now may refuse
 * @refused: somebody cannot carry a dma-buf, whoever exports it
 * @unsettled: and that may change in a moment
 * @waits: I/O to one of the devices may make its submitter wait
 * @mapped: at least one device has a mapping
 * @transient: at least one has none and may have one without a notice
 * @cancelled: it does not wait for answers that have not come yet
 * @error: the first error of a device that is not optional
 */
struct dma_buf_io_walk {
	struct dma_buf_io_ctx	*ctx;
	struct list_head	entries;
	atomic_t		pending;
	struct completion	done;
	int			topology;
	bool			whole;
	bool			fresh;
	bool			quiet;
	bool			optional;
	bool			refused;
	bool			unsettled;
	bool			waits;
	bool			mapped;
	bool			transient;
	bool			cancelled;
	int			error;
};

/**
 * struct dma_buf_io_entry - a device that a walk waits for
 * @waiter: does
 * @node: entry in &dma_buf_io_walk.entries
 * @walk: the walk
 * @binding: the device; the entry is one of its users
 * @optional: it may refuse
 * @error: its answer
 */
struct dma_buf_io_entry {
	struct dma_buf_io_waiter waiter;
	struct list_head	node;
	struct dma_buf_io_walk	*walk;
	struct dma_buf_io_binding *binding;
	bool			optional;
	int			error;
};

static void dma_buf_io_walk_put(struct dma_buf_io_walk *walk)
{
	if (atomic_dec_and_test(&walk->pending))
		complete(&walk->done);
}

static void dma_buf_io_entry_done(struct dma_buf_io_waiter *waiter, int error)
{
	struct dma_buf_io_entry *entry =
		container_of(waiter, struct dma_buf_io_entry, waiter);

	entry->error = error;
	dma_buf_io_walk_put(entry->walk);
}

static void dma_buf_io_walk_fail(struct dma_buf_io_walk *walk, bool optional,
				 int error)
{
	if (!optional && !walk->error)
		walk->error = error;
}

/**
 * dma_buf_io_bind - the device at the end of a walk
 * @walk: the walk
 * @leaf: the device; NULL is for dma_buf_io_bind_cpu()
 *
 * Context: process context, may sleep for memory.
 */
void dma_buf_io_bind(struct dma_buf_io_walk *walk, struct dma_buf_io_leaf *leaf)
{
	struct dma_buf_io_binding *binding = dma_buf_io_meet(walk->ctx, leaf);
	struct dma_buf_io_entry *entry;

	/* a device that is being removed: its I/O will tell */
	if (IS_ERR(binding) && leaf && READ_ONCE(leaf->dead))
		return;
	entry = IS_ERR(binding) ? NULL : kzalloc_obj(*entry, GFP_NOIO);
	if (!entry) {
		if (!IS_ERR(binding))
			dma_buf_io_binding_drop(binding);
		walk->transient = true;
		dma_buf_io_walk_fail(walk, walk->optional, -ENOMEM);
		return;
	}
	entry->waiter.ctx = walk->ctx;
	entry->waiter.done = dma_buf_io_entry_done;
	entry->walk = walk;
	entry->binding = binding;
	entry->optional = walk->optional;
	list_add_tail(&entry->node, &walk->entries);
	atomic_inc(&walk->pending);
	dma_buf_io_binding_wait(binding, &entry->waiter, walk->fresh);
}
EXPORT_SYMBOL_GPL(dma_buf_io_bind);

/**
 * dma_buf_io_bind_cpu - the driver has to look at the data
 * @walk: the walk
 *
 * To be called before anything is handed to the devices below.  Not for exporters that
 * have no vmap: see dma_buf_io_has_vmap().
 *
 * Context: process context, may sleep for memory.
 */
void dma_buf_io_bind_cpu(struct dma_buf_io_walk *walk)
{
	dma_buf_io_bind(walk, NULL);
}
EXPORT_SYMBOL_GPL(dma_buf_io_bind_cpu);

/**
 * dma_buf_io_has_vmap - may the CPU have a mapping?
 * @walk: the walk
 *
 * Context: any.
 * Return: false if the exporter does not offer any.
 */
bool dma_buf_io_has_vmap(struct dma_buf_io_walk *walk)
{
	return walk->ctx->buffer->dmabuf->ops->vmap;
}
EXPORT_SYMBOL_GPL(dma_buf_io_has_vmap);

/**
 * dma_buf_io_walk_optional - may what is met now refuse?
 * @walk: the walk
 * @optional: true for devices that I/O can do without, such as spares
 *
 * Context: any.
 * Return: what it was, for the caller to set again.
 */
bool dma_buf_io_walk_optional(struct dma_buf_io_walk *walk, bool optional)
{
	return xchg(&walk->optional, optional);
}
EXPORT_SYMBOL_GPL(dma_buf_io_walk_optional);

/**
 * dma_buf_io_walk_waits - I/O to what is met now may make its submitter wait
 * @walk: the walk
 *
 * Context: any.
 */
void dma_buf_io_walk_waits(struct dma_buf_io_walk *walk)
{
	walk->waits = true;
}
EXPORT_SYMBOL_GPL(dma_buf_io_walk_waits);

/**
 * dma_buf_io_walk_unsettled - what is met now is about to change
 * @walk: the walk
 *
 * A refusal of this walk is not the last word: it is repeated.
 *
 * Context: any.
 */
void dma_buf_io_walk_unsettled(struct dma_buf_io_walk *walk)
{
	walk->unsettled = true;
}
EXPORT_SYMBOL_GPL(dma_buf_io_walk_unsettled);

/**
 * dma_buf_io_walk_refuse - refuse the registration
 * @walk: the walk
 *
 * Use dma_buf_io_refuse(), which says why.
 *
 * Context: any.
 * Return: true if the reason is to be logged.
 */
bool dma_buf_io_walk_refuse(struct dma_buf_io_walk *walk)
{
	if (walk->unsettled || walk->quiet) {
		walk->refused |= !walk->optional;
		return false;
	}
	if (walk->optional)
		return true;
	walk->refused = true;
	walk->quiet = true;
	return true;
}
EXPORT_SYMBOL_GPL(dma_buf_io_walk_refuse);

static void dma_buf_io_walk_cancel(struct dma_buf_io_walk *walk)
{
	struct dma_buf_io_entry *entry;

	walk->cancelled = true;
	list_for_each_entry(entry, &walk->entries, node)
		if (dma_buf_io_binding_unwait(entry->binding, &entry->waiter))
			dma_buf_io_entry_done(&entry->waiter, -EINTR);
	/* the others are being called right now */
	wait_for_completion(&walk->done);
}

/* Which device cannot have a mapping, and why: once, not with every request. */
static void dma_buf_io_walk_say(struct dma_buf_io_walk *walk,
				struct dma_buf_io_entry *entry)
{
	const char *why = entry->binding->why;

	if (walk->cancelled || xchg(&walk->quiet, true))
		return;
	if (!why)
		why = entry->binding->refused ? "the exporter refuses" :
						"the exporter stays busy";
	pr_notice_ratelimited("%s: the dma-buf cannot be mapped: %s (%pe)\n",
			      entry->binding->dev ?
			      dev_name(entry->binding->dev) : "CPU",
			      why, ERR_PTR(entry->error));
}

static void dma_buf_io_walk_collect(struct dma_buf_io_walk *walk)
{
	struct dma_buf_io_entry *entry;

	list_for_each_entry(entry, &walk->entries, node) {
		struct dma_buf_io_binding *binding = entry->binding;

		/* it has lost its mapping to a device that was met later */
		if (!entry->error && binding->refused && !binding->dead)
			entry->error = binding->error;
		if (!entry->error)
			walk->mapped |= binding->dev && !binding->dead;
		else
			dma_buf_io_walk_fail(walk, entry->optional,
					     entry->error);
		if (entry->error && !binding->refused)
			walk->transient = true;
		if (entry->error && !entry->optional &&
		    (binding->refused || walk->fresh))
			dma_buf_io_walk_say(walk, entry);
	}
}

static bool dma_buf_io_walk_met(struct dma_buf_io_walk *walk,
				struct dma_buf_io_binding *binding)
{
	struct dma_buf_io_entry *entry;

	list_for_each_entry(entry, &walk->entries, node)
		if (entry->binding == binding)
			return true;
	return false;
}

/*
 * Part from devices that the walk has not met: they have left, a removed member of an
 * array for example.  I/O that goes to one of them after all meets it again.
 */
static void dma_buf_io_walk_part(struct dma_buf_io_walk *walk)
{
	struct dma_buf_io_ctx *ctx = walk->ctx;
	struct dma_buf_io_binding *binding;
	unsigned long id;

	guard(mutex)(&ctx->buffer->meet_lock);
	/* 0 is the CPU, which stays: accesses are under way that no walk knows of */
	xa_for_each_start(&ctx->bindings, id, binding, 1)
		if (!dma_buf_io_walk_met(walk, binding))
			dma_buf_io_part(ctx, binding);
}

static void dma_buf_io_walk_end(struct dma_buf_io_walk *walk)
{
	struct dma_buf_io_entry *entry, *next;

	if (walk->whole && !walk->refused && !walk->transient &&
	    !walk->cancelled &&
	    walk->topology == atomic_read(&dma_buf_io_topology))
		dma_buf_io_walk_part(walk);
	list_for_each_entry_safe(entry, next, &walk->entries, node) {
		dma_buf_io_binding_drop(entry->binding);
		kfree(entry);
	}
}

/*
 * One walk.  Waits for the answers in @state, but not where the registration is
 * refused whatever they are.  Returns 0 or -EINTR; the rest is in @walk.
 */
static int dma_buf_io_walk_once(struct dma_buf_io_walk *walk,
				void (*hand_down)(struct dma_buf_io_walk *walk,
						  void *data),
				void *data, unsigned int state)
{
	int ret = 0;

	INIT_LIST_HEAD(&walk->entries);
	atomic_set(&walk->pending, 1);
	init_completion(&walk->done);
	walk->topology = atomic_read(&dma_buf_io_topology);
	/* before the devices are looked at: what changes is counted after */
	smp_rmb();
	hand_down(walk, data);
	dma_buf_io_walk_put(walk);
	if (!walk->refused)
		ret = wait_for_completion_state(&walk->done, state);
	if (ret || walk->refused)
		dma_buf_io_walk_cancel(walk);
	dma_buf_io_walk_collect(walk);
	dma_buf_io_walk_end(walk);
	return ret ? -EINTR : 0;
}

static void dma_buf_io_hand_to_file(struct dma_buf_io_walk *walk, void *data)
{
	struct file *file = data;

	file->f_op->dma_buf_register(file, walk);
}

/*
 * Hand a registration to @file, again and again as long as what refuses it may be gone
 * already: devices change meanwhile, or are about to.
 */
static int dma_buf_io_walk_file(struct dma_buf_io_walk *walk, struct file *file,
				unsigned int state)
{
	unsigned long give_up_at = jiffies + dma_buf_io_park_timeout();
	struct dma_buf_io_walk again = *walk;
	unsigned long delay = 0;
	int ret;

	for (;;) {
		ret = dma_buf_io_walk_once(walk, dma_buf_io_hand_to_file, file,
					   state);
		if (ret || !walk->refused ||
		    (!walk->unsettled &&
		     walk->topology == atomic_read(&dma_buf_io_topology))) {
			WRITE_ONCE(walk->ctx->nowait, !walk->waits);
			return ret;
		}
		if (time_after(jiffies, give_up_at))
			return 0;
		delay = dma_buf_io_backoff(delay);
		set_current_state(state);
		schedule_timeout(delay);
		if (signal_pending_state(state, current))
			return -EINTR;
		again.quiet = walk->quiet;
		*walk = again;
	}
}

/* --- registrations -------------------------------------------------------- */

/* A registration that has met nobody.  The caller holds @dmabuf. */
struct dma_buf_io_ctx *dma_buf_io_ctx_create(struct dma_buf *dmabuf)
{
	struct dma_buf_io_ctx *ctx;

	ctx = kzalloc_obj(*ctx, GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	ctx->buffer = dma_buf_io_buffer_get(dmabuf);
	if (!ctx->buffer) {
		kfree(ctx);
		return ERR_PTR(-ENOMEM);
	}
	xa_init_flags(&ctx->bindings, XA_FLAGS_ACCOUNT);
	return ctx;
}

/*
 * What user space gets to see of an exporter's errno: some of those that the kernel
 * keeps to itself mean something else to the caller.
 */
static int dma_buf_io_user_error(int error)
{
	switch (error) {
	case -EINTR:
	case -ERESTARTSYS:
	case -EAGAIN:
	case -ETIMEDOUT:
		return -EBUSY;
	case -ENOTSUPP:
		return -EOPNOTSUPP;
	}
	return error > -ERESTARTSYS ? error : -EIO;
}

/**
 * dma_buf_io_register - register a dma-buf for I/O to a file
 * @file: file whose I/O will use the dma-buf; its f_op has dma_buf_register()
 * @dmabuf: the dma-buf; the registration takes a reference of its own
 *
 * Attaches the dma-buf to every device that I/O to @file reaches today, and maps
 * it there, for both directions, so that what cannot work is refused now.  Devices
 * that come later, by a table reload for example, are met at their first I/O.
 * Registrations of the same dma-buf share attachments and mappings.
 *
 * The caller holds @file for as long as it submits I/O, and keeps the
 * registration until all of that has completed.
 *
 * Context: process context, may sleep for the exporter; a signal ends that.
 * Return: the registration, or an ERR_PTR(): -EOPNOTSUPP if @file or a device
 * under it cannot do this (one line in the kernel log names it), -EINTR, -ENOMEM
 * (RLIMIT_MEMLOCK is too small, among others), -EBUSY if the exporter has stayed busy,
 * or what the exporter said.
 */
struct dma_buf_io_ctx *dma_buf_io_register(struct file *file,
					   struct dma_buf *dmabuf)
{
	struct dma_buf_io_ctx *ctx = dma_buf_io_ctx_create(dmabuf);
	struct dma_buf_io_walk walk = { .ctx = ctx, .fresh = true };
	int ret, invalidations;

	if (IS_ERR(ctx))
		return ctx;

	invalidations = atomic_read(&ctx->buffer->invalidations);
	/* that other I/O of the task completes is no reason to stop */
	scoped_guard(no_notify_signal)
		ret = dma_buf_io_walk_file(&walk, file, TASK_INTERRUPTIBLE);
	if (!ret && walk.refused && walk.unsettled) {
		pr_notice_ratelimited("%pD: a volume stays suspended that may not carry it\n",
				      file);
		ret = -EBUSY;
	} else if (!ret) {
		ret = walk.refused ? -EOPNOTSUPP :
				     dma_buf_io_user_error(walk.error);
	}
	if (ret) {
		dma_buf_io_unregister(ctx);
		return ERR_PTR(ret);
	}
	ctx->validated = invalidations;
	ctx->topology = walk.topology;
	ctx->tried = walk.topology;
	return ctx;
}
EXPORT_SYMBOL_GPL(dma_buf_io_register);

/**
 * dma_buf_io_unregister - drop a registration
 * @ctx: registration, none of whose I/O is under way
 *
 * Attachments that nobody else uses go away soon after, from a work: callers may
 * hold locks that the exporter cannot wait for.
 *
 * Context: process context; does not wait for the exporter.
 */
void dma_buf_io_unregister(struct dma_buf_io_ctx *ctx)
{
	struct dma_buf_io_binding *binding;
	unsigned long id;

	xa_for_each(&ctx->bindings, id, binding)
		dma_buf_io_binding_drop(binding);
	xa_destroy(&ctx->bindings);
	dma_buf_io_buffer_put(ctx->buffer);
	kfree(ctx);
}
EXPORT_SYMBOL_GPL(dma_buf_io_unregister);

/**
 * dma_buf_io_stale - may a device lack a mapping of this registration?
 * @ctx: the registration
 *
 * A hint, for those that want to wait for the exporter where waiting is cheap:
 * consumers before they build a request, see dma_buf_io_revalidate(), and drivers
 * that send the same data to several devices, see dma_buf_io_prepare().
 *
 * Context: any.
 * Return: true if an exporter has invalidated mappings since all of them were
 * there, or if a stacked device has changed what it consists of.
 */
bool dma_buf_io_stale(struct dma_buf_io_ctx *ctx)
{
	return READ_ONCE(ctx->validated) !=
	       atomic_read(&ctx->buffer->invalidations) ||
	       READ_ONCE(ctx->topology) != atomic_read(&dma_buf_io_topology);
}
EXPORT_SYMBOL_GPL(dma_buf_io_stale);

/**
 * dma_buf_io_nowait - may I/O be submitted where waiting is not allowed?
 * @ctx: the registration
 *
 * Context: any.
 * Return: true if what is below the file promises that for dma-buf I/O.
 */
bool dma_buf_io_nowait(struct dma_buf_io_ctx *ctx)
{
	return READ_ONCE(ctx->nowait);
}
EXPORT_SYMBOL_GPL(dma_buf_io_nowait);

/**
 * dma_buf_io_ino - a name for the dma-buf
 * @ctx: the registration
 *
 * Context: any.
 * Return: its inode number, which user space can find out as well.
 */
unsigned long dma_buf_io_ino(struct dma_buf_io_ctx *ctx)
{
	return file_inode(ctx->buffer->dmabuf->file)->i_ino;
}
EXPORT_SYMBOL_GPL(dma_buf_io_ino);

/**
 * dma_buf_io_revalidate - bring mappings back, and meet devices that are new
 * @ctx: the registration
 * @file: the file that it was made for
 *
 * For consumers, before they build a request: a wait here holds no bio, tag or
 * mempool element, and can be killed.
 *
 * Where only some of the devices cannot reach the buffer, I/O may still succeed
 * on the others, and is left to find out; and to fail as it does without a dma-buf
 * where a device is being removed.
 *
 * Context: process context, may sleep.
 * Return: 0, -EINTR if the task is being killed or the registration has been cancelled,
 * -ESTALE if the exporter does not give the buffer back within park_timeout_ms, or
 * -EOPNOTSUPP if a device that is new cannot take dma-bufs.
 */
int dma_buf_io_revalidate(struct dma_buf_io_ctx *ctx, struct file *file)
{
	struct dma_buf_io_walk walk = { .ctx = ctx, .whole = true };
	int invalidations, ret;

	/* what is left of a task that is being killed does not undo the cancel */
	if (fatal_signal_pending(current))
		return -EINTR;
	WRITE_ONCE(ctx->cancelled, false);
	invalidations = atomic_read(&ctx->buffer->invalidations);
	/* before the mappings are looked at: what changes is counted after */
	smp_rmb();
	walk.quiet = READ_ONCE(ctx->tried) == atomic_read(&dma_buf_io_topology);
	WRITE_ONCE(ctx->tried, atomic_read(&dma_buf_io_topology));
	ret = dma_buf_io_walk_file(&walk, file, TASK_KILLABLE);
	if (ret)
		return ret;
	/* what is suspended lets I/O wait, too */
	if (walk.refused)
		return walk.unsettled ? 0 : -EOPNOTSUPP;
	/* refusals are remembered until something changes */
	WRITE_ONCE(ctx->incomplete, walk.error);
	if (!walk.transient) {
		WRITE_ONCE(ctx->validated, invalidations);
		WRITE_ONCE(ctx->topology, walk.topology);
	}
	if (!walk.error || walk.mapped)
		return 0;
	return READ_ONCE(ctx->cancelled) ? -EINTR : -ESTALE;
}
EXPORT_SYMBOL_GPL(dma_buf_io_revalidate);

/**
 * dma_buf_io_prepare - make sure that several devices have a mapping
 * @ctx: the registration
 * @hand_down: hands a walk to those devices
 * @data: for @hand_down
 *
 * For drivers that send the same data to several devices, before the first of them
 * gets it.  Mostly that is a comparison.  The mappings are not held, an exporter must
 * never wait for such a driver: what meets a gap after all waits as always.
 *
 * Context: process context, may sleep, for park_timeout_ms at most.
 * Return: 0; a negative errno if one of them has none, or if the task is being killed.
 */
int dma_buf_io_prepare(struct dma_buf_io_ctx *ctx,
		       void (*hand_down)(struct dma_buf_io_walk *walk,
					 void *data),
		       void *data)
{
	struct dma_buf_io_walk walk = { .ctx = ctx, .quiet = true };
	int ret;

	if (likely(!dma_buf_io_stale(ctx) && !READ_ONCE(ctx->incomplete)))
		return 0;
	ret = dma_buf_io_walk_once(&walk, hand_down, data, TASK_KILLABLE);
	if (!ret && walk.refused)
		ret = -EOPNOTSUPP;
	return ret ?: walk.error;
}
EXPORT_SYMBOL_GPL(dma_buf_io_prepare);
