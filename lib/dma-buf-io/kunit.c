// SPDX-License-Identifier: GPL-2.0
/*
 * What the KUnit tests of the library share: see kunit.h.
 */
#include <kunit/device.h>
#include <linux/dma-fence.h>
#include <linux/iosys-map.h>
#include <linux/slab.h>

#include "kunit.h"

static int fake_attach(struct dma_buf *dmabuf,
		       struct dma_buf_attachment *attach)
{
	struct fixture *f = dmabuf->priv;

	if (f->attach_error)
		return f->attach_error;
	f->attaches[attach->peer2peer]++;
	atomic_inc(&f->attachments);
	return 0;
}

static void fake_detach(struct dma_buf *dmabuf,
			struct dma_buf_attachment *attach)
{
	struct fixture *f = dmabuf->priv;

	atomic_dec(&f->attachments);
}

static struct sg_table *fake_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir)
{
	struct fixture *f = attach->dmabuf->priv;

	f->map_calls++;
	if (f->map_error)
		return ERR_PTR(f->map_error);
	if (f->conflicts && (!f->p2p_conflicts || attach->peer2peer)) {
		f->conflicts--;
		dma_buf_invalidate_mappings(f->dmabuf);
	}
	f->mappings++;
	f->maps++;
	return &f->sgt;
}

static void fake_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct fixture *f = attach->dmabuf->priv;

	if (f->hold_unmap) {
		complete(&f->unmapping);
		wait_for_completion(&f->unmap_go);
	}
	f->mappings--;
}

static int fake_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct fixture *f = dmabuf->priv;

	iosys_map_set_vaddr(map, f->mem);
	return 0;
}

static void fake_release(struct dma_buf *dmabuf)
{
	struct fixture *f = dmabuf->priv;

	complete_all(&f->released);
}

static const struct dma_buf_ops fake_ops = {
	.attach		= fake_attach,
	.detach		= fake_detach,
	.map_dma_buf	= fake_map,
	.unmap_dma_buf	= fake_unmap,
	.vmap		= fake_vmap,
	.release	= fake_release,
};

static void fake_register(struct file *file, struct dma_buf_io_walk *walk)
{
	struct fixture *f = file->private_data;

	if (f->bind_cpu)
		dma_buf_io_bind_cpu(walk);
	dma_buf_io_bind(walk, &f->leaf);
	if (f->two)
		dma_buf_io_bind(walk, &f->other);
	if (f->refuse)
		dma_buf_io_walk_refuse(walk);
	if (f->change_topology)
		dma_buf_io_topology_changed();
	if (f->invalidate_bound)
		invalidate(f);
}

static const struct file_operations fake_fops = {
	.dma_buf_register	= fake_register,
};

/* The hardware is done with @f->map. */
void dma_buf_io_fixture_put(struct fixture *f)
{
	WRITE_ONCE(f->put, true);
	dma_buf_io_put(f->map);
}

static void put_work(struct work_struct *work)
{
	dma_buf_io_fixture_put(container_of(to_delayed_work(work),
					    struct fixture, put_work));
}

static const struct dma_buf_io_leaf_ops quiet_leaf_ops = {
};

static void init_leaf(struct kunit *test, struct dma_buf_io_leaf *leaf,
		      const char *name)
{
	struct device *dev = kunit_device_register(test, name);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
#ifdef CONFIG_SWIOTLB
	/* made-up addresses are no bounce buffers, wherever those are */
	dev->dma_io_tlb_mem = NULL;
#endif
	dma_buf_io_leaf_init(leaf, dev, &quiet_leaf_ops, ALIGN_MASK);
}

static void free_table(void *sgt)
{
	sg_free_table(sgt);
}

static void slow(void *ms)
{
	dma_buf_io_set_park_timeout((unsigned long)ms);
}

/* I/O waits for exporters no longer than @ms in this test. */
void dma_buf_io_fixture_fast(struct kunit *test, unsigned int ms)
{
	unsigned long old = dma_buf_io_set_park_timeout(ms);

	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, slow, (void *)old),
			0);
}

int dma_buf_io_fixture_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	KUNIT_ASSERT_NOT_NULL(test, f);
	init_leaf(test, &f->leaf, "dma-buf-io-leaf");
	init_leaf(test, &f->other, "dma-buf-io-other");

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&f->sgt, 1, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test,
			kunit_add_action_or_reset(test, free_table, &f->sgt),
			0);
	sg_dma_address(f->sgt.sgl) = FAKE_ADDR;
	sg_dma_len(f->sgt.sgl) = SZ_64K;

	init_completion(&f->unmapping);
	init_completion(&f->unmap_go);
	init_completion(&f->released);
	init_completion(&f->begin_go);
	f->file.f_op = &fake_fops;
	f->file.private_data = f;
	INIT_DELAYED_WORK(&f->put_work, put_work);
	f->ops = fake_ops;
	info.ops = &f->ops;
	info.size = SZ_64K;
	info.flags = O_RDWR;
	info.priv = f;
	f->dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->dmabuf);
	test->priv = f;
	return 0;
}

/* Nothing is left, and nobody will come back. */
void dma_buf_io_fixture_released(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (f->dmabuf)
		dma_buf_put(f->dmabuf);
	f->dmabuf = NULL;
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&f->released, TIMEOUT),
			0);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 0);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
	KUNIT_EXPECT_EQ(test, f->layouts, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->leaf.bindings));
	KUNIT_EXPECT_TRUE(test, list_empty(&f->other.bindings));
}

/* The dma-buf uses the fixture until it is released. */
void dma_buf_io_fixture_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	if (f->ctx)
		unreg(f);
	dma_buf_io_fixture_released(test);
}

static const char *fake_name(struct dma_fence *fence)
{
	return "dma-buf-io-kunit";
}

static const struct dma_fence_ops fake_fence_ops = {
	.get_driver_name	= fake_name,
	.get_timeline_name	= fake_name,
};

/* The exporter is moving the contents, until the test signals this fence. */
struct dma_fence *dma_buf_io_fixture_fence(struct kunit *test)
{
	struct dma_fence *fence = kzalloc_obj(*fence, GFP_KERNEL);
	struct fixture *f = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, fence);
	dma_fence_init(fence, &fake_fence_ops, NULL,
		       dma_fence_context_alloc(1), 1);
	hold(f);
	if (!dma_resv_reserve_fences(f->dmabuf->resv, 1))
		dma_resv_add_fence(f->dmabuf->resv, fence,
				   DMA_RESV_USAGE_KERNEL);
	else
		KUNIT_FAIL(test, "no memory");
	let_go(f);
	return fence;
}

static void wait_done(struct dma_buf_io_waiter *waiter, int error)
{
	struct wait *w = container_of(waiter, struct wait, access.waiter);

	w->error = error;
	w->calls++;
	w->task = current;
	complete(&w->called);
}

void dma_buf_io_wait_init(struct wait *w)
{
	memset(w, 0, sizeof(*w));
	init_completion(&w->called);
	w->access.waiter.done = wait_done;
}

static void async_work(struct work_struct *work)
{
	struct async *async = container_of(work, struct async, work);

	async->fn(async->f);
}

void dma_buf_io_async_start(struct async *async, struct fixture *f,
			    void (*fn)(struct fixture *f))
{
	async->f = f;
	async->fn = fn;
	INIT_WORK_ONSTACK(&async->work, async_work);
	queue_work(system_dfl_wq, &async->work);
}

void dma_buf_io_async_end(struct async *async)
{
	flush_work(&async->work);
	destroy_work_on_stack(&async->work);
}
