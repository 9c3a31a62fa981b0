// SPDX-License-Identifier: GPL-2.0
/*
 * A dma-buf that is used for I/O: one object however many slots, rings and
 * processes have registered it, and one work that talks to its exporter.
 *
 * The exporter may hold its lock for ever.  Only the work takes that lock, or does
 * anything else that may wait for the exporter; all others wait for what the work
 * comes to, and for no longer than they want to.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/dma-buf.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "dma_buf_io."

#define DMA_BUF_IO_RETRY_MIN	1
#define DMA_BUF_IO_RETRY_MAX	(HZ / 50)

static unsigned int park_timeout_ms = 8000;
module_param(park_timeout_ms, uint, 0644);
MODULE_PARM_DESC(park_timeout_ms,
		 "How long I/O waits for an exporter to make a dma-buf reachable again");

/**
 * struct dma_buf_io_exporter - where the works of an exporter's buffers run
 * @node: entry in dma_buf_io_exporters
 * @wq: the queue.  A work that hangs keeps its place there; those of other exporters
 *	are not to wait behind it
 * @name: as the exporter calls itself
 *
 * There are few of them, and they stay: the last buffer would have to end its own
 * queue.
 */
struct dma_buf_io_exporter {
	struct list_head	node;
	struct workqueue_struct	*wq;
	char			name[];
};

static LIST_HEAD(dma_buf_io_exporters);
static DEFINE_MUTEX(dma_buf_io_exporters_lock);

static DEFINE_HASHTABLE(dma_buf_io_buffers, 8);
static DEFINE_SPINLOCK(dma_buf_io_buffers_lock);

unsigned long dma_buf_io_park_timeout(void)
{
	return msecs_to_jiffies(READ_ONCE(park_timeout_ms));
}

#if IS_ENABLED(CONFIG_DMA_BUF_IO_KUNIT_TEST)
/* For tests that do not want to wait for as long.  Returns what it was. */
unsigned int dma_buf_io_set_park_timeout(unsigned int ms)
{
	return xchg(&park_timeout_ms, ms);
}
#endif

unsigned long dma_buf_io_backoff(unsigned long delay)
{
	return clamp(delay * 2, DMA_BUF_IO_RETRY_MIN, DMA_BUF_IO_RETRY_MAX);
}

/*
 * A clock that stands still while the exporter waits for commands of ours: deadlines
 * do not count that time.  The lock of the buffer is held.
 */
unsigned long dma_buf_io_now(struct dma_buf_io_buffer *buffer)
{
	lockdep_assert_held(&buffer->lock);
	return (buffer->draining ? buffer->draining_since : jiffies) -
	       buffer->drained;
}

/* The work is about to call the exporter, or has.  The lock of the buffer is held. */
void dma_buf_io_busy(struct dma_buf_io_buffer *buffer, bool busy)
{
	buffer->busy = busy;
	buffer->busy_since = dma_buf_io_now(buffer);
}

/* Has that taken longer than anybody waits?  The lock of the buffer is held. */
bool dma_buf_io_stuck(struct dma_buf_io_buffer *buffer)
{
	return buffer->busy &&
	       time_after(dma_buf_io_now(buffer),
			  buffer->busy_since + dma_buf_io_park_timeout());
}

/*
 * Mappings count as locked memory of the user who has registered the dma-buf: what
 * the kernel allocates for them is not small, and any user may ask for it.  Limit
 * and privilege are those of the first registration.
 */
int dma_buf_io_charge(struct dma_buf_io_buffer *buffer, unsigned long pages)
{
	long now;

	if (!buffer->user)
		return 0;
	now = atomic_long_add_return(pages, &buffer->user->locked_vm);
	if (now <= buffer->max_pages)
		return 0;
	atomic_long_sub(pages, &buffer->user->locked_vm);
	return -ENOMEM;
}

void dma_buf_io_uncharge(struct dma_buf_io_buffer *buffer, unsigned long pages)
{
	if (buffer->user)
		atomic_long_sub(pages, &buffer->user->locked_vm);
}

static void dma_buf_io_queue(struct dma_buf_io_buffer *buffer,
			     unsigned long delay)
{
	refcount_inc(&buffer->ref);
	if (!queue_delayed_work(buffer->wq, &buffer->work, delay))
		refcount_dec(&buffer->ref);
}

/* There is something to do for the work.  The lock of the buffer is held. */
void dma_buf_io_kick(struct dma_buf_io_buffer *buffer)
{
	lockdep_assert_held(&buffer->lock);
	dma_buf_io_queue(buffer, buffer->delay);
}

static struct workqueue_struct *dma_buf_io_exporter_wq(const char *name)
{
	struct dma_buf_io_exporter *exporter;

	guard(mutex)(&dma_buf_io_exporters_lock);
	list_for_each_entry(exporter, &dma_buf_io_exporters, node)
		if (!strcmp(exporter->name, name))
			return exporter->wq;
	exporter = kzalloc_flex(*exporter, name, strlen(name) + 1);
	if (!exporter)
		return NULL;
	memcpy(exporter->name, name, strlen(name));
	exporter->wq = alloc_workqueue("dma_buf_io_%s",
				       WQ_UNBOUND | WQ_MEM_RECLAIM,
				       WQ_MAX_ACTIVE, name);
	if (!exporter->wq) {
		kfree(exporter);
		return NULL;
	}
	list_add(&exporter->node, &dma_buf_io_exporters);
	return exporter->wq;
}

static struct dma_buf_io_buffer *dma_buf_io_buffer_find(struct dma_buf *dmabuf)
{
	struct dma_buf_io_buffer *buffer;

	lockdep_assert_held(&dma_buf_io_buffers_lock);

	hash_for_each_possible(dma_buf_io_buffers, buffer, hash,
			       (unsigned long)dmabuf) {
		if (buffer->dmabuf == dmabuf) {
			refcount_inc(&buffer->ref);
			return buffer;
		}
	}
	return NULL;
}

static void dma_buf_io_buffer_free(struct dma_buf_io_buffer *buffer)
{
	timer_shutdown_sync(&buffer->access_timer);
	dma_buf_put(buffer->dmabuf);
	if (buffer->user)
		free_uid(buffer->user);
	mem_cgroup_put(buffer->memcg);
	mutex_destroy(&buffer->meet_lock);
	kfree(buffer);
}

static struct dma_buf_io_buffer *
dma_buf_io_buffer_create(struct dma_buf *dmabuf)
{
	struct dma_buf_io_buffer *buffer;

	buffer = kzalloc_obj(*buffer, GFP_KERNEL_ACCOUNT);
	if (!buffer)
		return NULL;
	buffer->wq = dma_buf_io_exporter_wq(dmabuf->exp_name ?: "unnamed");
	if (!buffer->wq) {
		kfree(buffer);
		return NULL;
	}
	get_dma_buf(dmabuf);
	buffer->dmabuf = dmabuf;
	refcount_set(&buffer->ref, 1);
	mutex_init(&buffer->meet_lock);
	spin_lock_init(&buffer->lock);
	INIT_LIST_HEAD(&buffer->bindings);
	INIT_DELAYED_WORK(&buffer->work, dma_buf_io_work);
	dma_buf_io_cpu_init(buffer);
	buffer->memcg = get_mem_cgroup_from_mm(current->mm);
	if (!capable(CAP_IPC_LOCK)) {
		buffer->user = get_uid(current_user());
		buffer->max_pages = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	}
	return buffer;
}

/* The buffer of @dmabuf, which the caller holds.  NULL for lack of memory. */
struct dma_buf_io_buffer *dma_buf_io_buffer_get(struct dma_buf *dmabuf)
{
	struct dma_buf_io_buffer *buffer, *new;

	spin_lock(&dma_buf_io_buffers_lock);
	buffer = dma_buf_io_buffer_find(dmabuf);
	spin_unlock(&dma_buf_io_buffers_lock);
	if (buffer)
		return buffer;

	new = dma_buf_io_buffer_create(dmabuf);
	if (!new)
		return NULL;
	spin_lock(&dma_buf_io_buffers_lock);
	buffer = dma_buf_io_buffer_find(dmabuf);
	if (!buffer)
		hash_add(dma_buf_io_buffers, &new->hash, (unsigned long)dmabuf);
	spin_unlock(&dma_buf_io_buffers_lock);
	if (!buffer)
		return new;
	dma_buf_io_buffer_free(new);
	return buffer;
}

/* Process context. */
void dma_buf_io_buffer_put(struct dma_buf_io_buffer *buffer)
{
	if (!refcount_dec_and_lock(&buffer->ref, &dma_buf_io_buffers_lock))
		return;
	hash_del(&buffer->hash);
	spin_unlock(&dma_buf_io_buffers_lock);
	dma_buf_io_buffer_free(buffer);
}
