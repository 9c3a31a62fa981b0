// SPDX-License-Identifier: GPL-2.0
/*
 * Those who wait for a mapping: parked I/O, tasks that register or bring a registration
 * up to date, mirrors that want all of their members.  They wait for a binding, and for a
 * bounded time, which a timer keeps: the work may be with the exporter.
 */
#include <linux/export.h>
#include <linux/jiffies.h>

#include "internal.h"

/* those that come shortly after others have waited in vain wait this long */
#define DMA_BUF_IO_GRACE		(HZ / 10)

/*
 * All who wait now have their answer.  The lock of the buffer is held, and dropped
 * for each call.
 */
void dma_buf_io_finish(struct dma_buf_io_binding *binding, int error)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	struct dma_buf_io_waiter *waiter;
	LIST_HEAD(waiters);

	list_splice_init(&binding->waiters, &waiters);
	while ((waiter = list_first_entry_or_null(&waiters,
						  struct dma_buf_io_waiter,
						  node))) {
		list_del_init(&waiter->node);
		spin_unlock_irq(&buffer->lock);
		waiter->done(waiter, error);
		spin_lock_irq(&buffer->lock);
	}
}

/*
 * The time of those who wait is up.  What has been without a mapping for as long is
 * no better: requests that are tried on another device next must not wait there for
 * as long again.
 */
static void dma_buf_io_give_up(struct dma_buf_io_binding *binding)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	unsigned long now = dma_buf_io_now(buffer);
	unsigned long since = now - dma_buf_io_park_timeout();
	struct dma_buf_io_binding *other;

	list_for_each_entry(other, &buffer->bindings, node) {
		if (other->state >= DMA_BUF_IO_MAPPED ||
		    (other != binding && (!list_empty(&other->waiters) ||
					  time_after(other->lost_at, since))))
			continue;
		other->gave_up = true;
		other->gave_up_at = now;
	}
	dma_buf_io_finish(binding, binding->error ?: -ETIMEDOUT);
}

void dma_buf_io_timeout(struct timer_list *timer)
{
	struct dma_buf_io_binding *binding =
		timer_container_of(binding, timer, timer);
	struct dma_buf_io_buffer *buffer = binding->buffer;
	long left;

	spin_lock_irq(&buffer->lock);
	left = binding->give_up_at - dma_buf_io_now(buffer);
	if (list_empty(&binding->waiters))
		;	/* no waiter is left */
	else if (binding->state == DMA_BUF_IO_MAPPED)
		/* the work is still busy with another device */
		dma_buf_io_finish(binding, 0);
	else if (left > 0)
		mod_timer(&binding->timer, jiffies + left);
	else
		dma_buf_io_give_up(binding);
	spin_unlock_irq(&buffer->lock);
}

/*
 * Somebody begins to wait.  The first of them starts the clock.  When some have been
 * given up, those that come within as long again get one short attempt, or none if
 * the exporter has not even returned from the last; unless they are @fresh.
 * Returns false if there is nothing to wait for.
 */
static bool dma_buf_io_start_clock(struct dma_buf_io_binding *binding,
				   bool fresh)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	unsigned long timeout = dma_buf_io_park_timeout();
	unsigned long now = dma_buf_io_now(buffer);

	if (binding->gave_up && !fresh &&
	    time_in_range(now, binding->gave_up_at,
			  binding->gave_up_at + timeout)) {
		if (dma_buf_io_stuck(buffer))
			return false;
		timeout = min(timeout, DMA_BUF_IO_GRACE);
		if (!list_empty(&binding->waiters))
			return true;
	} else if (binding->gave_up) {
		binding->gave_up = false;
	} else if (!list_empty(&binding->waiters)) {
		return true;
	}
	binding->error = 0;
	binding->give_up_at = now + timeout;
	mod_timer(&binding->timer, jiffies + timeout);
	return true;
}

/*
 * Call @waiter when there is a mapping, or when it is vain to wait for one; perhaps
 * from here.  The device may go away meanwhile, which ends the wait without an
 * error: it is for the I/O to find out.  A @fresh waiter has all the time there is,
 * also if others have waited in vain.  Any context.
 */
void dma_buf_io_binding_wait(struct dma_buf_io_binding *binding,
			     struct dma_buf_io_waiter *waiter, bool fresh)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	unsigned long flags;
	bool wait = false;
	int error = 0;

	INIT_LIST_HEAD(&waiter->node);
	spin_lock_irqsave(&buffer->lock, flags);
	binding->asked = true;
	if (READ_ONCE(waiter->ctx->cancelled))
		error = -ECANCELED;
	else if (binding->dead || binding->state == DMA_BUF_IO_MAPPED)
		error = 0;
	else if (binding->refused && binding->why && !fresh)
		/* what the library refuses itself stands until the buffer moves */
		error = binding->error;
	else if (!dma_buf_io_start_clock(binding, fresh))
		error = binding->error ?: -ETIMEDOUT;
	else
		wait = true;
	if (wait) {
		list_add_tail(&waiter->node, &binding->waiters);
		dma_buf_io_kick(buffer);
	}
	spin_unlock_irqrestore(&buffer->lock, flags);

	if (!wait)
		waiter->done(waiter, error);
}

/* Returns false if @waiter has been called, or is about to be. */
bool dma_buf_io_binding_unwait(struct dma_buf_io_binding *binding,
			       struct dma_buf_io_waiter *waiter)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	bool waits;

	spin_lock_irq(&buffer->lock);
	waits = !list_empty(&waiter->node);
	list_del_init(&waiter->node);
	spin_unlock_irq(&buffer->lock);
	return waits;
}

/**
 * dma_buf_io_wait - wait for the mapping that a command did not find
 * @ctx: the registration
 * @leaf: the device that the command is for
 * @waiter: called when it is worth to try again, with 0, or when it is not, with
 *	the reason: perhaps before this returns, and at the latest after
 *	park_timeout_ms
 *
 * Meets the device if it is new to the registration.
 *
 * Context: process context, may sleep for memory, but not for the exporter.
 */
void dma_buf_io_wait(struct dma_buf_io_ctx *ctx, struct dma_buf_io_leaf *leaf,
		     struct dma_buf_io_waiter *waiter)
{
	struct dma_buf_io_binding *binding = dma_buf_io_meet(ctx, leaf);

	waiter->ctx = ctx;
	if (!IS_ERR(binding)) {
		dma_buf_io_binding_wait(binding, waiter, false);
		dma_buf_io_binding_drop(binding);
	} else if (leaf->dead) {
		waiter->done(waiter, 0);
	} else {
		waiter->done(waiter, PTR_ERR(binding));
	}
}
EXPORT_SYMBOL_GPL(dma_buf_io_wait);

/**
 * dma_buf_io_cancel - nothing waits for a mapping any more
 * @ctx: the registration
 *
 * Fails what waits for the exporter on behalf of @ctx, and what would do so until
 * the next dma_buf_io_revalidate().  For consumers whose user is being killed.
 *
 * Context: process context.
 */
void dma_buf_io_cancel(struct dma_buf_io_ctx *ctx)
{
	struct dma_buf_io_buffer *buffer = ctx->buffer;
	struct dma_buf_io_waiter *waiter, *next;
	struct dma_buf_io_binding *binding;
	LIST_HEAD(waiters);

	spin_lock_irq(&buffer->lock);
	WRITE_ONCE(ctx->cancelled, true);
	/* stale, see dma_buf_io_stale() */
	WRITE_ONCE(ctx->validated, atomic_read(&buffer->invalidations) - 1);
	list_for_each_entry(binding, &buffer->bindings, node)
		list_for_each_entry_safe(waiter, next, &binding->waiters, node)
			if (waiter->ctx == ctx)
				list_move_tail(&waiter->node, &waiters);
	while ((waiter = list_first_entry_or_null(&waiters,
						  struct dma_buf_io_waiter,
						  node))) {
		list_del_init(&waiter->node);
		spin_unlock_irq(&buffer->lock);
		waiter->done(waiter, -ECANCELED);
		spin_lock_irq(&buffer->lock);
	}
	spin_unlock_irq(&buffer->lock);
	dma_buf_io_cpu_cancel(ctx);
}
EXPORT_SYMBOL_GPL(dma_buf_io_cancel);
