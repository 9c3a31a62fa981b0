// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the library: access by the CPU, to the dma-buf of an exporter that
 * need not be told.
 */
#include <kunit/test.h>
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/iosys-map.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

#include "internal.h"

#define TIMEOUT		(10 * HZ)

/**
 * struct access - one access, of which the test is told
 * @bio: what it is for
 * @task: who was told
 * @begun: that it was
 */
struct access {
	struct bio		bio;
	struct task_struct	*task;
	struct completion	begun;
};

static int fake_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	iosys_map_set_vaddr(map, dmabuf->priv);
	return 0;
}

static void fake_release(struct dma_buf *dmabuf)
{
	complete_all(dmabuf->priv);
}

static struct sg_table *fake_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir)
{
	return ERR_PTR(-EINVAL);
}

static void fake_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
}

static const struct dma_buf_ops fake_ops = {
	.map_dma_buf	= fake_map,
	.unmap_dma_buf	= fake_unmap,
	.release	= fake_release,
	.vmap		= fake_vmap,
};

static const char *fake_name(struct dma_fence *fence)
{
	return "dma-buf-io-kunit";
}

static const struct dma_fence_ops fake_fence_ops = {
	.get_driver_name	= fake_name,
	.get_timeline_name	= fake_name,
};

static void unregister(void *ctx)
{
	dma_buf_io_unregister(ctx);
}

static struct dma_buf_io_ctx *registration(struct kunit *test,
					   struct completion *released)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf_io_ctx *ctx;
	struct dma_buf *dmabuf;

	init_completion(released);
	info.ops = &fake_ops;
	info.size = SZ_64K;
	info.flags = O_RDWR;
	info.priv = released;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	ctx = dma_buf_io_ctx_create(dmabuf, DMA_BIDIRECTIONAL);
	dma_buf_put(dmabuf);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister, ctx),
			0);
	return ctx;
}

static void begun(struct bio *bio)
{
	struct access *access = container_of(bio, struct access, bio);

	access->task = current;
	complete(&access->begun);
}

static void begin(struct access *access, struct dma_buf_io_ctx *ctx)
{
	bio_init(&access->bio, NULL, NULL, 0, REQ_OP_WRITE);
	access->bio.bi_dmabuf = ctx;
	access->bio.bi_end_io = begun;
	access->task = NULL;
	init_completion(&access->begun);
	dma_buf_io_begin_cpu_access(&access->bio);
}

/* no lock of the exporter is needed */
static void access_at_once(struct kunit *test)
{
	struct access *access = kunit_kzalloc(test, sizeof(*access),
					      GFP_KERNEL);
	struct completion released;
	struct dma_buf_io_ctx *ctx;

	KUNIT_ASSERT_NOT_NULL(test, access);
	ctx = registration(test, &released);

	/* there is no mapping yet: somebody has to make it */
	begin(access, ctx);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&access->begun,
							  TIMEOUT), 0);
	KUNIT_EXPECT_PTR_NE(test, access->task, current);

	dma_resv_lock(ctx->dmabuf->resv, NULL);
	begin(access, ctx);
	KUNIT_EXPECT_PTR_EQ(test, access->task, current);
	dma_resv_unlock(ctx->dmabuf->resv);
	wait_for_completion(&access->begun);
	KUNIT_EXPECT_EQ(test, blk_status_to_errno(access->bio.bi_status),
			0);

	kunit_release_action(test, unregister, ctx);
	wait_for_completion(&released);
}

/* what the exporter is still moving is waited for */
static void access_after_fence(struct kunit *test)
{
	struct access *access = kunit_kzalloc(test, sizeof(*access),
					      GFP_KERNEL);
	struct dma_fence *fence = kzalloc_obj(*fence, GFP_KERNEL);
	struct completion released;
	struct dma_buf_io_ctx *ctx;

	KUNIT_ASSERT_NOT_NULL(test, access);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	ctx = registration(test, &released);
	KUNIT_ASSERT_EQ(test, dma_buf_io_vmap(ctx, DMA_BUF_IO_WAIT), 0);

	dma_fence_init(fence, &fake_fence_ops, NULL,
		       dma_fence_context_alloc(1), 1);
	dma_resv_lock(ctx->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(ctx->dmabuf->resv, 1), 0);
	dma_resv_add_fence(ctx->dmabuf->resv, fence, DMA_RESV_USAGE_KERNEL);
	dma_resv_unlock(ctx->dmabuf->resv);

	begin(access, ctx);
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&access->begun,
							  HZ / 10), 0);
	dma_fence_signal(fence);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&access->begun,
							  TIMEOUT), 0);
	KUNIT_EXPECT_EQ(test, blk_status_to_errno(access->bio.bi_status),
			0);
	dma_fence_put(fence);

	kunit_release_action(test, unregister, ctx);
	wait_for_completion(&released);
}

/* other exporters hold up as many works as there may be at a time */
static void access_without_worker(struct kunit *test)
{
	struct completion released[2];
	struct dma_buf_io_ctx *ctx[2];
	struct access *access;

	access = kunit_kcalloc(test, 2, sizeof(*access), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, access);
	ctx[0] = registration(test, &released[0]);
	ctx[1] = registration(test, &released[1]);
	workqueue_set_max_active(dma_buf_io_cpu_wq, 1);

	/* the first one needs the lock, to make a mapping */
	dma_resv_lock(ctx[0]->dmabuf->resv, NULL);
	begin(&access[0], ctx[0]);
	begin(&access[1], ctx[1]);
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&access[1].begun,
							  HZ / 10), 0);
	/* as if it had waited for as long as bios do */
	spin_lock_irq(&ctx[1]->cpu_begin.lock);
	ctx[1]->cpu_begin.since -= dma_buf_io_park_timeout();
	mod_timer(&ctx[1]->cpu_begin.timer, jiffies);
	spin_unlock_irq(&ctx[1]->cpu_begin.lock);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&access[1].begun,
							  HZ), 0);
	KUNIT_EXPECT_EQ(test, blk_status_to_errno(access[1].bio.bi_status),
			-ESTALE);
	/* nor does the next one wait */
	begin(&access[1], ctx[1]);
	KUNIT_EXPECT_TRUE(test, completion_done(&access[1].begun));
	dma_resv_unlock(ctx[0]->dmabuf->resv);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&access[0].begun,
							  TIMEOUT), 0);
	KUNIT_EXPECT_EQ(test, blk_status_to_errno(access[0].bio.bi_status),
			0);

	/* when the work has been there all is as it was */
	flush_workqueue(dma_buf_io_cpu_wq);
	workqueue_set_max_active(dma_buf_io_cpu_wq, WQ_DFL_ACTIVE);
	begin(&access[1], ctx[1]);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&access[1].begun,
							  TIMEOUT), 0);
	KUNIT_EXPECT_EQ(test, blk_status_to_errno(access[1].bio.bi_status),
			0);

	for (int i = 0; i < 2; i++) {
		kunit_release_action(test, unregister, ctx[i]);
		wait_for_completion(&released[i]);
	}
}

static struct kunit_case vmap_cases[] = {
	KUNIT_CASE(access_at_once),
	KUNIT_CASE(access_after_fence),
	KUNIT_CASE(access_without_worker),
	{}
};

static struct kunit_suite vmap_suite = {
	.name		= "dma-buf-io-vmap",
	.test_cases	= vmap_cases,
};

kunit_test_suite(vmap_suite);
