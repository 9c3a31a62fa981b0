// SPDX-License-Identifier: GPL-2.0
/*
 * What is done to a dma-buf of the test exporter when a test asks for it.
 */
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/sync_file.h>
#include <linux/wordpart.h>

#include "buffer.h"

/*
 * Make the importers let go, and measure how long they take.  Those who have
 * been told and hold on to a mapping are broken; those who cannot be told are
 * only in the way.
 */
int dmabuf_test_invalidate(struct dma_buf *dmabuf, u64 *wait)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;
	struct dma_buf_attachment *attach;
	ktime_t start = ktime_get();
	long left;

	dma_buf_invalidate_mappings(dmabuf);
	left = dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP,
				     false, MAX_SCHEDULE_TIMEOUT);
	*wait = ktime_to_ns(ktime_sub(ktime_get(), start));
	buf->worst_wait = max(buf->worst_wait, *wait);
	if (left < 0)
		return left;

	list_for_each_entry(attach, &dmabuf->attachments, node)
		WARN_ON_ONCE(attach->priv && attach->importer_ops &&
			     attach->importer_ops->invalidate_mappings);
	return dmabuf_test_mappings(dmabuf) ? -EBUSY : 0;
}

/*
 * Swap @pages for those of the buffer.  Nobody has a mapping; the caller frees
 * what was swapped.
 */
void dmabuf_test_copy(struct dma_buf *dmabuf, struct page ***pages)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;
	unsigned long i;

	/* the CPU must not write any more, either */
	unmap_mapping_range(dmabuf->file->f_mapping, 0, 0, 1);
	for (i = 0; i < buf->nr_pages; i++) {
		copy_highpage((*pages)[i], buf->pages[i]);
		/* who still reads here shall notice */
		memset(page_address(buf->pages[i]), DMABUF_TEST_POISON,
		       PAGE_SIZE);
	}
	swap(buf->pages, *pages);
}

static int dmabuf_test_move(struct dma_buf *dmabuf, u64 *wait)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;
	struct page **pages;
	int ret;

	pages = dmabuf_test_alloc_pages(buf->nr_pages, buf->flags);
	if (!pages)
		return -ENOMEM;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		goto free;
	ret = dmabuf->vmapping_counter ? -EBUSY :
					 dmabuf_test_invalidate(dmabuf, wait);
	if (!ret) {
		dmabuf_test_copy(dmabuf, &pages);
		buf->moves++;
	}
	dma_resv_unlock(dmabuf->resv);
free:
	dmabuf_test_free_pages(pages, buf->nr_pages);
	return ret;
}

/* Tell one importer alone, as for a device that goes to sleep. */
static int dmabuf_test_invalidate_one(struct dma_buf *dmabuf,
				      const char *device, u64 *wait)
{
	struct dma_buf_attachment *attach;
	ktime_t start = ktime_get();
	int ret = -ENOENT;
	long left;

	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (strcmp(device, dev_name(attach->dev)) ||
		    !attach->importer_ops ||
		    !attach->importer_ops->invalidate_mappings)
			continue;
		attach->importer_ops->invalidate_mappings(attach);
		left = dma_resv_wait_timeout(dmabuf->resv,
					     DMA_RESV_USAGE_BOOKKEEP, false,
					     MAX_SCHEDULE_TIMEOUT);
		if (left < 0)
			return left;
		WARN_ON_ONCE(attach->priv);
		ret = 0;
	}
	*wait = ktime_to_ns(ktime_sub(ktime_get(), start));
	return ret;
}

static int dmabuf_test_add_fence(struct dma_buf *dmabuf, int fd,
				 enum dma_resv_usage usage)
{
	struct dma_fence *fence = sync_file_get_fence(fd);
	int ret;

	if (!fence)
		return -EINVAL;
	ret = dma_resv_reserve_fences(dmabuf->resv, 1);
	if (!ret)
		dma_resv_add_fence(dmabuf->resv, fence, usage);
	dma_fence_put(fence);
	return ret;
}

static int dmabuf_test_fail(struct dmabuf_test_buf *buf, u32 calls,
			    const struct dmabuf_test_op *op)
{
	u32 error = lower_32_bits(op->arg);
	unsigned int i;

	if (!error || error > MAX_ERRNO || !calls ||
	    calls >> DMABUF_TEST_NR_CALLS)
		return -EINVAL;
	guard(spinlock)(&buf->fail_lock);
	for (i = 0; i < DMABUF_TEST_NR_CALLS; i++) {
		struct dmabuf_test_failure *fail = &buf->fail[i];

		if (!(calls & BIT(i)))
			continue;
		fail->error = -error;
		fail->nr = upper_32_bits(op->arg);
		strscpy(fail->device, op->device);
	}
	return 0;
}

static int dmabuf_test_reach(struct dmabuf_test_buf *buf, const char *device)
{
	if (!*device || buf->nr_reach == DMABUF_TEST_NR_REACH)
		return -EINVAL;
	strscpy(buf->reach[buf->nr_reach++], device);
	return 0;
}

int dmabuf_test_do_op(struct dma_buf *dmabuf, struct dmabuf_test_op *op)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;
	int ret;

	op->result = 0;
	if (op->op == DMABUF_TEST_MOVE)
		return dmabuf_test_move(dmabuf, &op->result);

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	switch (op->op) {
	case DMABUF_TEST_REVOKE:
		buf->revoked = true;
		ret = dmabuf_test_invalidate(dmabuf, &op->result);
		break;
	case DMABUF_TEST_UNREVOKE:
		buf->revoked = false;
		break;
	case DMABUF_TEST_FAIL_MAPS:
		ret = dmabuf_test_fail(buf, DMABUF_TEST_CALL_MAP, op);
		break;
	case DMABUF_TEST_FAIL_CALLS:
		ret = dmabuf_test_fail(buf, op->calls, op);
		break;
	case DMABUF_TEST_DELAY_MAPS:
		buf->delay_ms = lower_32_bits(op->arg);
		buf->delay_maps = upper_32_bits(op->arg);
		break;
	case DMABUF_TEST_HOLD:
		if (schedule_timeout_interruptible(msecs_to_jiffies(op->arg)))
			ret = -EINTR;
		break;
	case DMABUF_TEST_FENCE:
		ret = dmabuf_test_add_fence(dmabuf, op->arg,
					    DMA_RESV_USAGE_KERNEL);
		break;
	case DMABUF_TEST_FENCE_WRITE:
		ret = dmabuf_test_add_fence(dmabuf, op->arg,
					    DMA_RESV_USAGE_WRITE);
		break;
	case DMABUF_TEST_REACHES:
		ret = dmabuf_test_reach(buf, op->device);
		break;
	case DMABUF_TEST_INVALIDATE_MAPS:
		buf->invalidate_maps = op->arg;
		break;
	case DMABUF_TEST_INVALIDATE_ONE:
		ret = dmabuf_test_invalidate_one(dmabuf, op->device,
						 &op->result);
		break;
	default:
		ret = -EINVAL;
	}
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

int dmabuf_test_do_stats(struct dma_buf *dmabuf,
			 struct dmabuf_test_stats *stats)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;
	unsigned int i;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	stats->attachments = list_count_nodes(&dmabuf->attachments);
	stats->mappings = dmabuf_test_mappings(dmabuf);
	stats->to_come = buf->delay_maps + buf->invalidate_maps;
	spin_lock(&buf->fail_lock);
	for (i = 0; i < DMABUF_TEST_NR_CALLS; i++)
		if (buf->fail[i].nr != DMABUF_TEST_FOR_EVER)
			stats->to_come += buf->fail[i].nr;
	spin_unlock(&buf->fail_lock);
	stats->maps = buf->maps;
	stats->moves = buf->moves;
	stats->places = buf->places;
	stats->worst_wait_ns = buf->worst_wait;
	dma_resv_unlock(dmabuf->resv);
	return 0;
}
