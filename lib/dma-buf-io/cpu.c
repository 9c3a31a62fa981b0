// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU's own way to a registered dma-buf, for drivers that cannot do without:
 * parity has to be computed from the data.
 *
 * The CPU is one more binding of the buffer, whose mapping is dma_buf_vmap()'s.  It
 * pins the buffer: an exporter that could move it must leave it where it is.  Copies
 * are bracketed as the exporter wants it, one access for each bio.  Both brackets may
 * wait for the exporter's lock, so the work of the buffer makes the calls, and a
 * timer gives up who waits for them.
 */
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/iosys-map.h>
#include <linux/jiffies.h>
#include <linux/percpu.h>

#include "internal.h"

/* how many accesses the work begins and ends before it looks at something else */
#define DMA_BUF_IO_ACCESSES	64

/* bytes that the CPU has copied, for debugfs */
static DEFINE_PER_CPU(u64, dma_buf_io_copied);

/**
 * dma_buf_io_copy_from - copy from a registered dma-buf
 * @ctx: the registration, between begin and end of CPU access
 * @offset: first byte in the dma-buf
 * @to: where to
 * @len: bytes
 *
 * Context: any.
 */
void dma_buf_io_copy_from(struct dma_buf_io_ctx *ctx, u64 offset, void *to,
			  size_t len)
{
	iosys_map_memcpy_from(to, &ctx->buffer->vmap, offset, len);
	this_cpu_add(dma_buf_io_copied, len);
}
EXPORT_SYMBOL_GPL(dma_buf_io_copy_from);

/**
 * dma_buf_io_copy_to - copy to a registered dma-buf
 * @ctx: the registration, between begin and end of CPU access
 * @offset: first byte in the dma-buf
 * @from: where from
 * @len: bytes
 *
 * Context: any.
 */
void dma_buf_io_copy_to(struct dma_buf_io_ctx *ctx, u64 offset,
			const void *from, size_t len)
{
	iosys_map_memcpy_to(&ctx->buffer->vmap, offset, from, len);
	this_cpu_add(dma_buf_io_copied, len);
}
EXPORT_SYMBOL_GPL(dma_buf_io_copy_to);

/* --- who waits ------------------------------------------------------------ */

/* An end of access whose waiter has been given up.  The lock of the buffer is held. */
static void dma_buf_io_owe(struct dma_buf_io_buffer *buffer,
			   enum dma_data_direction dir)
{
	buffer->owed[dir == DMA_TO_DEVICE]++;
	dma_buf_io_kick(buffer);
}

/* Has @access waited for as long as I/O does?  The lock of the buffer is held. */
static long dma_buf_io_access_left(struct dma_buf_io_buffer *buffer,
				   const struct dma_buf_io_access *access)
{
	return access->since + dma_buf_io_park_timeout() -
	       dma_buf_io_now(buffer);
}

/*
 * Take the next access of @ctx, or if that is NULL the next that has waited for too
 * long.  The call that the exporter does not return from is left to find out, and the
 * end of an access is owed to the exporter.  The lock of the buffer is held.
 */
static struct dma_buf_io_access *
dma_buf_io_take_access(struct dma_buf_io_buffer *buffer,
		       struct dma_buf_io_ctx *ctx)
{
	struct dma_buf_io_access *access = buffer->accessing;

	if (access && (ctx ? access->waiter.ctx == ctx :
			     dma_buf_io_access_left(buffer, access) <= 0)) {
		buffer->accessing = NULL;
		return access;
	}
	list_for_each_entry(access, &buffer->accesses, waiter.node) {
		if (ctx ? access->waiter.ctx != ctx :
			  dma_buf_io_access_left(buffer, access) > 0)
			continue;
		list_del_init(&access->waiter.node);
		if (!access->begin)
			dma_buf_io_owe(buffer, access->dir);
		return access;
	}
	return NULL;
}

static void dma_buf_io_give_up_accesses(struct dma_buf_io_buffer *buffer,
					struct dma_buf_io_ctx *ctx, int error)
{
	struct dma_buf_io_access *access;

	lockdep_assert_held(&buffer->lock);

	while ((access = dma_buf_io_take_access(buffer, ctx))) {
		spin_unlock_irq(&buffer->lock);
		access->waiter.done(&access->waiter, error);
		spin_lock_irq(&buffer->lock);
	}
}

void dma_buf_io_cpu_cancel(struct dma_buf_io_ctx *ctx)
{
	struct dma_buf_io_buffer *buffer = ctx->buffer;

	spin_lock_irq(&buffer->lock);
	dma_buf_io_give_up_accesses(buffer, ctx, -ECANCELED);
	spin_unlock_irq(&buffer->lock);
}

/*
 * The exporter holds its lock for longer than I/O waits, or the work does not get to
 * run, and the bios that wait may hold up an array that the exporter depends on.
 */
static void dma_buf_io_access_timeout(struct timer_list *timer)
{
	struct dma_buf_io_buffer *buffer =
		timer_container_of(buffer, timer, access_timer);
	struct dma_buf_io_access *access;

	spin_lock_irq(&buffer->lock);
	dma_buf_io_give_up_accesses(buffer, NULL, -ETIMEDOUT);
	access = buffer->accessing ?:
		 list_first_entry_or_null(&buffer->accesses,
					  struct dma_buf_io_access, waiter.node);
	if (access)
		mod_timer(&buffer->access_timer, jiffies +
			  max(dma_buf_io_access_left(buffer, access), 1));
	spin_unlock_irq(&buffer->lock);
}

static void dma_buf_io_queue_access(struct dma_buf_io_ctx *ctx,
				    struct dma_buf_io_access *access)
{
	struct dma_buf_io_buffer *buffer = ctx->buffer;
	unsigned long flags;
	int error = 0;

	spin_lock_irqsave(&buffer->lock, flags);
	if (READ_ONCE(ctx->cancelled))
		error = -ECANCELED;
	else if (dma_buf_io_stuck(buffer))
		error = -ETIMEDOUT;
	if (!error) {
		access->since = dma_buf_io_now(buffer);
		list_add_tail(&access->waiter.node, &buffer->accesses);
		dma_buf_io_kick(buffer);
		if (!timer_pending(&buffer->access_timer))
			mod_timer(&buffer->access_timer,
				  jiffies + dma_buf_io_park_timeout());
	} else if (!access->begin) {
		dma_buf_io_owe(buffer, access->dir);
	}
	spin_unlock_irqrestore(&buffer->lock, flags);
	if (error)
		access->waiter.done(&access->waiter, error);
}

/* Is there no exporter to be asked, and nothing to be waited for? */
static bool dma_buf_io_cpu_ready(struct dma_buf_io_ctx *ctx)
{
	struct dma_buf *dmabuf = ctx->buffer->dmabuf;
	struct dma_buf_io_binding *cpu;

	if (dmabuf->ops->begin_cpu_access)
		return false;
	cpu = xa_load(&ctx->bindings, 0);
	/* pairs with dma_buf_io_map(): a reader that sees MAPPED sees the address */
	if (!cpu || smp_load_acquire(&cpu->state) != DMA_BUF_IO_MAPPED)
		return false;
	return dma_resv_test_signaled(dmabuf->resv, DMA_RESV_USAGE_KERNEL);
}

/**
 * dma_buf_io_begin_cpu_access - get data ready for the CPU
 * @ctx: the registration
 * @access: the access, with &dma_buf_io_waiter.done and @access->dir set by the
 *	caller: %DMA_FROM_DEVICE if the CPU is going to read, %DMA_TO_DEVICE if it is
 *	going to write
 *
 * Calls done() with 0 when the data is ready, from here where the exporter need not be
 * asked; a dma_buf_io_end_cpu_access() has to follow.  Calls it with an error
 * otherwise, after park_timeout_ms at the latest, whatever the exporter does.
 *
 * Fences of the dma-buf are waited for as for DMA: those of the exporter itself
 * (%DMA_RESV_USAGE_KERNEL).  All others are for user space to order.
 *
 * Context: any.
 */
void dma_buf_io_begin_cpu_access(struct dma_buf_io_ctx *ctx,
				 struct dma_buf_io_access *access)
{
	access->waiter.ctx = ctx;
	access->begin = true;
	if (dma_buf_io_cpu_ready(ctx))
		access->waiter.done(&access->waiter, 0);
	else
		dma_buf_io_queue_access(ctx, access);
}
EXPORT_SYMBOL_GPL(dma_buf_io_begin_cpu_access);

/**
 * dma_buf_io_end_cpu_access - the CPU has done its part
 * @ctx: the registration
 * @access: as for dma_buf_io_begin_cpu_access(); done() may be another one
 *
 * Calls done() when the exporter knows, from here where it need not be told; with an
 * error if it has not let itself be told for park_timeout_ms: it will be.
 *
 * Context: any.
 */
void dma_buf_io_end_cpu_access(struct dma_buf_io_ctx *ctx,
			       struct dma_buf_io_access *access)
{
	access->waiter.ctx = ctx;
	access->begin = false;
	if (ctx->buffer->dmabuf->ops->end_cpu_access)
		dma_buf_io_queue_access(ctx, access);
	else
		access->waiter.done(&access->waiter, 0);
}
EXPORT_SYMBOL_GPL(dma_buf_io_end_cpu_access);

/* --- what the work does --------------------------------------------------- */

/*
 * The exporter's own fences, for as long as I/O waits.  One buffer waits once, not with
 * every access.
 */
static int dma_buf_io_cpu_fences(struct dma_buf_io_buffer *buffer)
{
	unsigned long timeout = dma_buf_io_park_timeout();
	unsigned long failed_at = buffer->fences_failed_at;
	long left;

	if (failed_at && time_in_range(jiffies, failed_at, failed_at + timeout))
		timeout = 1;
	left = dma_resv_wait_timeout(buffer->dmabuf->resv,
				     DMA_RESV_USAGE_KERNEL, false, timeout);
	if (left > 0)
		buffer->fences_failed_at = 0;
	else if (!failed_at || timeout > 1)
		buffer->fences_failed_at = jiffies ?: 1;
	return left > 0 ? 0 : left ?: -EBUSY;
}

/*
 * dma_buf_begin_cpu_access() would wait for all fences, for ever, so the exporter is
 * called without it.  The I/O may be older than what the CPU has to copy for: then the
 * CPU has no mapping yet.
 */
static int dma_buf_io_cpu_begin(struct dma_buf_io_binding *cpu,
				enum dma_data_direction dir)
{
	struct dma_buf_io_buffer *buffer = cpu->buffer;
	struct dma_buf *dmabuf = buffer->dmabuf;
	int ret;

	if (cpu->state != DMA_BUF_IO_MAPPED)
		dma_buf_io_map_bindings(buffer);
	if (cpu->state != DMA_BUF_IO_MAPPED)
		return cpu->error ?: -EBUSY;
	spin_lock_irq(&buffer->lock);
	dma_buf_io_busy(buffer, true);
	spin_unlock_irq(&buffer->lock);
	ret = dma_buf_io_cpu_fences(buffer);
	if (!ret && dmabuf->ops->begin_cpu_access)
		ret = dmabuf->ops->begin_cpu_access(dmabuf, dir);
	return ret;
}

/*
 * One call of the exporter, for @access or, if that is NULL, for an end that is owed.
 * The lock of the buffer is held, but not during the call, when @access may be given
 * up; and its registration may end, which is why the CPU is met before.
 */
static void dma_buf_io_cpu_call(struct dma_buf_io_buffer *buffer,
				struct dma_buf_io_access *access,
				enum dma_data_direction dir)
{
	struct dma_buf_io_binding *cpu = NULL;
	bool begin = access && access->begin;
	int ret = 0;

	if (begin) {
		spin_unlock_irq(&buffer->lock);
		cpu = dma_buf_io_meet(access->waiter.ctx, NULL);
		/* it stays for as long as this work, which alone ends bindings */
		if (!IS_ERR(cpu))
			dma_buf_io_binding_drop(cpu);
		spin_lock_irq(&buffer->lock);
		if (READ_ONCE(access->waiter.ctx->cancelled))
			cpu = ERR_PTR(-ECANCELED);
		if (!IS_ERR(cpu))
			cpu->asked = true;
	}
	buffer->accessing = access;
	if (access && !timer_pending(&buffer->access_timer))
		mod_timer(&buffer->access_timer, jiffies +
			  max(dma_buf_io_access_left(buffer, access), 1));
	dma_buf_io_busy(buffer, true);
	spin_unlock_irq(&buffer->lock);

	if (!begin)
		dma_buf_end_cpu_access(buffer->dmabuf, dir);
	else if (IS_ERR(cpu))
		ret = PTR_ERR(cpu);
	else
		ret = dma_buf_io_cpu_begin(cpu, dir);

	spin_lock_irq(&buffer->lock);
	dma_buf_io_busy(buffer, false);
	access = buffer->accessing;
	buffer->accessing = NULL;
	if (access) {
		spin_unlock_irq(&buffer->lock);
		access->waiter.done(&access->waiter, ret);
		spin_lock_irq(&buffer->lock);
	} else if (begin && !ret) {
		dma_buf_io_owe(buffer, dir);
	}
}

/*
 * Begin and end what is to be begun and ended; but not for ever, because devices may wait
 * for the work, too.
 */
void dma_buf_io_cpu_calls(struct dma_buf_io_buffer *buffer)
{
	static const enum dma_data_direction dirs[] = {
		DMA_FROM_DEVICE, DMA_TO_DEVICE
	};
	struct dma_buf_io_access *access;
	int i;

	spin_lock_irq(&buffer->lock);
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		for (; buffer->owed[i]; buffer->owed[i]--)
			dma_buf_io_cpu_call(buffer, NULL, dirs[i]);
	}
	for (i = 0; i < DMA_BUF_IO_ACCESSES; i++) {
		access = list_first_entry_or_null(&buffer->accesses,
						  struct dma_buf_io_access,
						  waiter.node);
		if (!access)
			break;
		list_del_init(&access->waiter.node);
		dma_buf_io_cpu_call(buffer, access, access->dir);
	}
	if (!list_empty(&buffer->accesses))
		dma_buf_io_kick(buffer);
	spin_unlock_irq(&buffer->lock);
}

void dma_buf_io_cpu_init(struct dma_buf_io_buffer *buffer)
{
	INIT_LIST_HEAD(&buffer->accesses);
	timer_setup(&buffer->access_timer, dma_buf_io_access_timeout, 0);
}

static int dma_buf_io_copied_get(void *data, u64 *val)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(&dma_buf_io_copied, cpu));
	*val = sum;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(dma_buf_io_copied_fops, dma_buf_io_copied_get, NULL,
			 "%llu\n");

static int __init dma_buf_io_cpu_debugfs(void)
{
	debugfs_create_file_unsafe("copied_bytes", 0444,
				   debugfs_create_dir("dma_buf_io", NULL), NULL,
				   &dma_buf_io_copied_fops);
	return 0;
}
late_initcall(dma_buf_io_cpu_debugfs);
