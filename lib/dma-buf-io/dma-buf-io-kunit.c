// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the library: the lifetime of registrations and bindings.
 * Nothing here does DMA: the exporter makes its addresses up.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

#include "internal.h"

#define ALIGN_MASK	(SZ_4K - 1)
#define TIMEOUT		(10 * HZ)

static const struct dma_buf_io_leaf_ops quiet_leaf_ops = {
};

static void free_table(void *sgt)
{
	sg_free_table(sgt);
}

/**
 * struct fixture - an exporter, a device, and one registration
 * @ctx: the registration
 * @leaf: the device
 * @other: a second one, see bind_other()
 * @binding: what a command holds, for @reap and @put_work
 * @put_work: the end of that command
 * @put: it has ended
 * @reaps: calls of the reap method
 * @file: what the registration is for
 * @invalidate_bound: take the mapping away as soon as the file has bound it
 * @dmabuf: the dma-buf
 * @sgt: its table
 * @attachments: live ones
 * @attach_error: what the next attachment fails with
 * @mappings: live ones
 * @maps: mappings so far
 * @map_error: what the next mapping fails with
 * @released: the dma-buf is gone
 */
struct fixture {
	struct dma_buf_io_ctx		*ctx;
	struct dma_buf_io_leaf		leaf;
	struct dma_buf_io_leaf		other;
	struct dma_buf_io_binding	*binding;
	struct delayed_work		put_work;
	bool				put;
	unsigned int			reaps;
	struct file			file;
	bool				invalidate_bound;

	struct dma_buf			*dmabuf;
	struct sg_table			sgt;
	atomic_t			attachments;
	int				attach_error;
	int				mappings;
	int				maps;
	int				map_error;
	int				layouts;
	int				layout_error;
	struct completion		released;
};

static int fake_attach(struct dma_buf *dmabuf,
		       struct dma_buf_attachment *attach)
{
	struct fixture *f = dmabuf->priv;

	if (f->attach_error)
		return f->attach_error;
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

	if (f->map_error)
		return ERR_PTR(f->map_error);
	f->mappings++;
	f->maps++;
	return &f->sgt;
}

static void fake_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct fixture *f = attach->dmabuf->priv;

	f->mappings--;
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
	.release	= fake_release,
};

static void put_binding(struct fixture *f)
{
	WRITE_ONCE(f->put, true);
	dma_buf_io_put(f->binding);
}

static void put_work(struct work_struct *work)
{
	put_binding(container_of(to_delayed_work(work), struct fixture,
				 put_work));
}

/* the command ends when it is looked for the third time */
static void fake_reap(struct dma_buf_io_leaf *leaf)
{
	struct fixture *f = container_of(leaf, struct fixture, leaf);

	if (++f->reaps == 3)
		put_binding(f);
}

static const struct dma_buf_io_leaf_ops reaping_leaf_ops = {
	.reap	= fake_reap,
};

static int bind(struct fixture *f)
{
	return dma_buf_io_bind(f->ctx, &f->leaf, DMA_BUF_IO_WAIT);
}

static int bind_try(struct fixture *f)
{
	return dma_buf_io_bind(f->ctx, &f->leaf, DMA_BUF_IO_TRY);
}

static void invalidate(struct fixture *f)
{
	dma_resv_lock(f->dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(f->dmabuf);
	dma_resv_unlock(f->dmabuf->resv);
}

static void unregister(struct fixture *f)
{
	dma_buf_io_unregister(f->ctx);
	f->ctx = NULL;
}

/* nothing is left, and nobody will come back */
static void expect_released(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&f->released, TIMEOUT),
			0);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 0);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->leaf.bindings));
}

static void remove_other(void *leaf)
{
	dma_buf_io_leaf_remove(leaf);
	dma_buf_io_leaf_exit(leaf);
}

/* until the end of the test, or sooner */
static void bind_other(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "dma-buf-io-other");
	struct fixture *f = test->priv;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_EQ(test, dma_buf_io_leaf_init(&f->other, dev,
						   &quiet_leaf_ops,
						   ALIGN_MASK), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, remove_other,
							&f->other), 0);
	KUNIT_EXPECT_EQ(test,
			dma_buf_io_bind(f->ctx, &f->other, DMA_BUF_IO_WAIT), 0);
}

/* the file that the registration is for, and that hands it down to the leaf */
static int fake_register(struct file *file, struct dma_buf_io_ctx *ctx)
{
	struct fixture *f = file->private_data;
	int ret = dma_buf_io_bind(ctx, &f->leaf, DMA_BUF_IO_WAIT);

	if (f->invalidate_bound)
		invalidate(f);
	return ret;
}

static const struct file_operations fake_fops = {
	.dma_buf_register	= fake_register,
};

static int fixture_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct device *dev;

	KUNIT_ASSERT_NOT_NULL(test, f);
	dev = kunit_device_register(test, "dma-buf-io-leaf");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&f->sgt, 1, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test,
			kunit_add_action_or_reset(test, free_table, &f->sgt),
			0);
	sg_dma_address(f->sgt.sgl) = 0x10000;
	sg_dma_len(f->sgt.sgl) = SZ_64K;

	init_completion(&f->released);
	f->file.f_op = &fake_fops;
	f->file.private_data = f;
	INIT_DELAYED_WORK(&f->put_work, put_work);
	info.ops = &fake_ops;
	info.size = SZ_64K;
	info.flags = O_RDWR;
	info.priv = f;
	f->dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->dmabuf);
	f->ctx = dma_buf_io_ctx_create(f->dmabuf, DMA_BIDIRECTIONAL);
	/* the registration keeps it from now on */
	dma_buf_put(f->dmabuf);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->ctx);
	KUNIT_ASSERT_EQ(test,
			dma_buf_io_leaf_init(&f->leaf, dev, &quiet_leaf_ops,
					     ALIGN_MASK), 0);
	test->priv = f;
	return 0;
}

/* the dma-buf uses the fixture until it is released */
static void fixture_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	if (f->ctx)
		unregister(f);
	expect_released(test);
	dma_buf_io_leaf_exit(&f->leaf);
}

static void bind_twice(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_NULL(test, dma_buf_io_get(f->ctx, &f->leaf));
	KUNIT_EXPECT_EQ(test, bind(f), 0);
	KUNIT_EXPECT_EQ(test, bind(f), 0);
	KUNIT_EXPECT_EQ(test, bind_try(f), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 1);
	KUNIT_EXPECT_EQ(test, f->maps, 1);
}

static void bind_two_devices(struct kunit *test)
{
	struct dma_buf_io_binding *a, *b;
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, bind(f), 0);
	bind_other(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 2);
	KUNIT_EXPECT_EQ(test, f->mappings, 2);

	a = dma_buf_io_get(f->ctx, &f->leaf);
	b = dma_buf_io_get(f->ctx, &f->other);
	KUNIT_EXPECT_NOT_NULL(test, a);
	KUNIT_EXPECT_NOT_NULL(test, b);
	KUNIT_EXPECT_PTR_NE(test, a, b);
	if (a)
		dma_buf_io_put(a);
	if (b)
		dma_buf_io_put(b);

	/* the other one stays */
	kunit_release_action(test, remove_other, &f->other);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 1);
	KUNIT_EXPECT_EQ(test, f->mappings, 1);
	a = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_EXPECT_NOT_NULL(test, a);
	if (a)
		dma_buf_io_put(a);
}

static void get_and_put(struct kunit *test)
{
	struct dma_buf_io_binding *binding, *again;
	struct fixture *f = test->priv;
	u64 len;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	binding = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_ASSERT_NOT_NULL(test, binding);
	KUNIT_EXPECT_EQ(test, dma_buf_io_map_addr(binding->map, SZ_4K, &len),
			0x11000);
	KUNIT_EXPECT_EQ(test, len, SZ_64K - SZ_4K);
	again = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_EXPECT_PTR_EQ(test, again, binding);
	dma_buf_io_put(again);
	dma_buf_io_put(binding);
}

static void invalidate_idle(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));
	invalidate(f);
	KUNIT_EXPECT_TRUE(test, dma_buf_io_stale(f->ctx));
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
	KUNIT_EXPECT_NULL(test, dma_buf_io_get(f->ctx, &f->leaf));
	/* nothing left to take away */
	invalidate(f);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 1);
}

static void invalidate_waits(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long clock;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	f->binding = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_ASSERT_NOT_NULL(test, f->binding);
	schedule_delayed_work(&f->put_work, HZ / 2);
	clock = dma_buf_io_now(f->ctx);
	invalidate(f);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(f->put));
	/* nobody gives up on the exporter for that */
	KUNIT_EXPECT_LT(test, dma_buf_io_now(f->ctx) - clock, HZ / 4);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
	KUNIT_EXPECT_NULL(test, dma_buf_io_get(f->ctx, &f->leaf));
	flush_delayed_work(&f->put_work);
}

struct put_both {
	struct delayed_work		work;
	struct fixture			*f;
	struct dma_buf_io_binding	*a, *b;
	bool				more;
};

static void put_both(struct work_struct *work)
{
	struct put_both *both = container_of(to_delayed_work(work),
					     struct put_both, work);

	both->more = dma_buf_io_get(both->f->ctx, &both->f->leaf) ||
		     dma_buf_io_get(both->f->ctx, &both->f->other);
	dma_buf_io_put(both->a);
	dma_buf_io_put(both->b);
}

/* no device starts a command while another one's are waited for */
static void invalidate_together(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct put_both both = { .f = f };

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	bind_other(test);
	both.a = dma_buf_io_get(f->ctx, &f->leaf);
	both.b = dma_buf_io_get(f->ctx, &f->other);
	KUNIT_ASSERT_NOT_NULL(test, both.a);
	KUNIT_ASSERT_NOT_NULL(test, both.b);
	INIT_DELAYED_WORK_ONSTACK(&both.work, put_both);
	schedule_delayed_work(&both.work, HZ / 5);
	invalidate(f);
	flush_delayed_work(&both.work);
	destroy_delayed_work_on_stack(&both.work);
	KUNIT_EXPECT_FALSE(test, both.more);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
}

/* a device without interrupts, whose commands nobody else completes */
static void invalidate_reaps(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->leaf.ops = &reaping_leaf_ops;
	KUNIT_ASSERT_EQ(test, bind(f), 0);
	f->binding = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_ASSERT_NOT_NULL(test, f->binding);
	/* in case that nobody does */
	schedule_delayed_work(&f->put_work, TIMEOUT);
	invalidate(f);
	if (!cancel_delayed_work_sync(&f->put_work))
		KUNIT_FAIL(test, "not reaped");
	KUNIT_EXPECT_GE(test, f->reaps, 3);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
}

static void bind_maps_again(struct kunit *test)
{
	struct dma_buf_io_binding *binding;
	struct fixture *f = test->priv;
	int i;

	for (i = 1; i <= 3; i++) {
		KUNIT_EXPECT_EQ(test, bind(f), 0);
		KUNIT_EXPECT_EQ(test, f->maps, i);
		KUNIT_EXPECT_EQ(test, f->mappings, 1);
		KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 1);
		binding = dma_buf_io_get(f->ctx, &f->leaf);
		KUNIT_EXPECT_NOT_NULL(test, binding);
		if (binding)
			dma_buf_io_put(binding);
		invalidate(f);
	}
}

/* those that are in use, but no others */
static void bind_maps_others(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	bind_other(test);
	invalidate(f);
	KUNIT_EXPECT_EQ(test, bind(f), 0);
	KUNIT_EXPECT_EQ(test, f->mappings, 2);
	invalidate(f);
	KUNIT_EXPECT_EQ(test, bind(f), 0);
	KUNIT_EXPECT_EQ(test, f->mappings, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 2);
}

static void revalidate_maps_again(struct kunit *test)
{
	struct dma_buf_io_binding *binding;
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	invalidate(f);
	KUNIT_EXPECT_EQ(test, dma_buf_io_revalidate(f->ctx, &f->file), 0);
	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));
	KUNIT_EXPECT_EQ(test, f->maps, 2);
	binding = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_EXPECT_NOT_NULL(test, binding);
	if (binding)
		dma_buf_io_put(binding);

	/* for good: does not wait for better times */
	invalidate(f);
	f->map_error = -EINVAL;
	KUNIT_EXPECT_EQ(test, dma_buf_io_revalidate(f->ctx, &f->file), -ESTALE);
	KUNIT_EXPECT_TRUE(test, dma_buf_io_stale(f->ctx));
}

/* what goes away while mappings are brought back is not forgotten */
static void revalidate_is_overtaken(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	invalidate(f);
	f->invalidate_bound = true;
	KUNIT_EXPECT_EQ(test, dma_buf_io_revalidate(f->ctx, &f->file), 0);
	KUNIT_EXPECT_TRUE(test, dma_buf_io_stale(f->ctx));
	f->invalidate_bound = false;
	KUNIT_EXPECT_EQ(test, dma_buf_io_revalidate(f->ctx, &f->file), 0);
	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));
}

/* handed down again when a stacked device has changed, and only then */
static void revalidate_new_topology(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));
	dma_buf_io_topology_changed();
	KUNIT_EXPECT_TRUE(test, dma_buf_io_stale(f->ctx));
	KUNIT_EXPECT_EQ(test, dma_buf_io_revalidate(f->ctx, &f->file), 0);
	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 1);
	KUNIT_EXPECT_EQ(test, f->maps, 1);
}

/* one device of two can reach the buffer: I/O is left to find out which */
static void revalidate_some(struct kunit *test)
{
	struct fixture *f = test->priv;

	bind_other(test);
	f->map_error = -EINVAL;
	dma_buf_io_topology_changed();
	KUNIT_EXPECT_EQ(test, dma_buf_io_revalidate(f->ctx, &f->file), 0);
	/* and looked for again the next time */
	KUNIT_EXPECT_TRUE(test, dma_buf_io_stale(f->ctx));
	KUNIT_EXPECT_NULL(test, dma_buf_io_get(f->ctx, &f->leaf));
}

static void bind_map_fails(struct kunit *test)
{
	struct dma_buf_io_binding *binding;
	struct fixture *f = test->priv;

	f->map_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, bind(f), -ENOMEM);
	KUNIT_EXPECT_NULL(test, dma_buf_io_get(f->ctx, &f->leaf));
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
	/* nor is there anything to invalidate */
	invalidate(f);

	f->map_error = 0;
	KUNIT_EXPECT_EQ(test, bind(f), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 1);
	binding = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_EXPECT_NOT_NULL(test, binding);
	if (binding)
		dma_buf_io_put(binding);
}

/* the exporter maps it in a way that the hardware cannot address */
static void bind_layout_fails(struct kunit *test)
{
	struct fixture *f = test->priv;

	sg_dma_address(f->sgt.sgl) = 0x10200;
	KUNIT_EXPECT_EQ(test, bind(f), -EINVAL);
	KUNIT_EXPECT_NULL(test, dma_buf_io_get(f->ctx, &f->leaf));
	KUNIT_EXPECT_EQ(test, f->maps, 1);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
}

static void *fake_create_layout(struct dma_buf_io_leaf *leaf,
				struct sg_table *sgt, u64 size,
				unsigned int nr_ranges)
{
	struct fixture *f = container_of(leaf, struct fixture, leaf);

	if (f->layout_error)
		return ERR_PTR(f->layout_error);
	f->layouts++;
	return f;
}

static void fake_destroy_layout(struct dma_buf_io_leaf *leaf, void *layout)
{
	struct fixture *f = container_of(leaf, struct fixture, leaf);

	if (layout == f)
		f->layouts--;
}

static const struct dma_buf_io_leaf_ops layout_leaf_ops = {
	.create_layout	= fake_create_layout,
	.destroy_layout	= fake_destroy_layout,
};

static void driver_layout(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_buf_io_binding *binding;

	f->leaf.ops = &layout_leaf_ops;
	f->layout_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, bind(f), -ENOMEM);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);

	f->layout_error = 0;
	KUNIT_ASSERT_EQ(test, bind(f), 0);
	KUNIT_EXPECT_EQ(test, f->layouts, 1);
	binding = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_ASSERT_NOT_NULL(test, binding);
	KUNIT_EXPECT_PTR_EQ(test, binding->map->layout, (void *)f);
	KUNIT_EXPECT_EQ(test, binding->map->nr_ranges, 0);
	dma_buf_io_put(binding);

	invalidate(f);
	KUNIT_EXPECT_EQ(test, f->layouts, 0);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
}

static void bind_try_does_not_wait(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->map_error = -EAGAIN;
	KUNIT_EXPECT_EQ(test, bind(f), -EBUSY);
	dma_resv_lock(f->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, bind_try(f), -EBUSY);
	dma_resv_unlock(f->dmabuf->resv);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
}

/* nor for the exporter to attach a device that is new */
static void bind_try_attaches_later(struct kunit *test)
{
	struct fixture *f = test->priv;
	int i;

	dma_resv_lock(f->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, bind_try(f), -EBUSY);
	msleep(50);
	KUNIT_EXPECT_EQ(test, bind_try(f), -EBUSY);
	KUNIT_EXPECT_EQ(test, f->leaf.attaching, 1);
	dma_resv_unlock(f->dmabuf->resv);
	for (i = 0; i < 1000 && bind_try(f); i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, bind_try(f), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 1);
}

struct remove_work {
	struct work_struct	work;
	struct fixture		*f;
};

static void remove_work(struct work_struct *work)
{
	struct remove_work *rw = container_of(work, struct remove_work, work);

	dma_buf_io_leaf_remove(&rw->f->leaf);
}

/* a refusal is final for who must not wait, and no more than that */
static void bind_try_attach_refused(struct kunit *test)
{
	struct fixture *f = test->priv;
	int i;

	f->attach_error = -EOPNOTSUPP;
	for (i = 0; i < 1000 && bind_try(f) == -EBUSY; i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, bind_try(f), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, f->leaf.attaching, 0);
	f->attach_error = 0;
	KUNIT_EXPECT_EQ(test, bind(f), 0);
	invalidate(f);
	KUNIT_EXPECT_EQ(test, bind_try(f), 0);
}

/* who removes the device waits for that */
static void remove_during_attach(struct kunit *test)
{
	struct remove_work rw = { .f = test->priv };
	struct fixture *f = test->priv;

	INIT_WORK_ONSTACK(&rw.work, remove_work);
	dma_resv_lock(f->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, bind_try(f), -EBUSY);
	queue_work(system_dfl_wq, &rw.work);
	msleep(50);
	KUNIT_EXPECT_TRUE(test, work_busy(&rw.work));
	dma_resv_unlock(f->dmabuf->resv);
	flush_work(&rw.work);
	destroy_work_on_stack(&rw.work);
	KUNIT_EXPECT_EQ(test, f->leaf.attaching, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 0);
	KUNIT_EXPECT_EQ(test, bind_try(f), -ENXIO);
}

/* nor needs a lock for what is there */
static void bind_try_mapped(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	dma_resv_lock(f->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, bind_try(f), 0);
	dma_resv_unlock(f->dmabuf->resv);
	mutex_lock(&f->ctx->lock);
	KUNIT_EXPECT_EQ(test, bind_try(f), 0);
	mutex_unlock(&f->ctx->lock);
	KUNIT_EXPECT_EQ(test, f->maps, 1);
}

/* an exporter that has let the device have a mapping is not given up soon */
static void bind_lost_lately(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	invalidate(f);
	dma_resv_lock(f->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, bind_try(f), -EAGAIN);
	dma_resv_unlock(f->dmabuf->resv);
	f->map_error = -ENODEV;
	KUNIT_EXPECT_EQ(test, bind(f), -EAGAIN);
	f->map_error = -EINVAL;
	KUNIT_EXPECT_EQ(test, bind(f), -EINVAL);

	f->map_error = -ENODEV;
	f->binding = xa_load(&f->ctx->bindings, f->leaf.id);
	KUNIT_ASSERT_NOT_NULL(test, f->binding);
	f->binding->unmapped_at -= dma_buf_io_park_timeout() + 1;
	KUNIT_EXPECT_EQ(test, bind(f), -ENODEV);
}

static void leaf_removed(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	dma_buf_io_leaf_remove(&f->leaf);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 0);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
	KUNIT_EXPECT_NULL(test, dma_buf_io_get(f->ctx, &f->leaf));
	KUNIT_EXPECT_EQ(test, bind(f), -ENXIO);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 0);
	/* I/O fails for the device's sake, not for the buffer's */
	KUNIT_EXPECT_EQ(test, dma_buf_io_revalidate(f->ctx, &f->file), 0);
}

/*
 * Release and removal meet at a binding, and neither gets on until the
 * reservation lock is free.  The one that started first is ahead.
 */
static void remove_races(struct kunit *test, bool release_first)
{
	struct remove_work rw = { .f = test->priv };
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	INIT_WORK_ONSTACK(&rw.work, remove_work);
	dma_resv_lock(f->dmabuf->resv, NULL);
	if (release_first) {
		unregister(f);
		msleep(50);
	}
	queue_work(system_dfl_wq, &rw.work);
	msleep(50);
	if (!release_first) {
		unregister(f);
		msleep(50);
	}
	KUNIT_EXPECT_EQ(test, f->mappings, 1);
	dma_resv_unlock(f->dmabuf->resv);

	/* the device may go away now */
	flush_work(&rw.work);
	destroy_work_on_stack(&rw.work);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 0);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->leaf.bindings));
}

static void remove_during_release(struct kunit *test)
{
	remove_races(test, true);
}

static void release_during_remove(struct kunit *test)
{
	remove_races(test, false);
}

static void released(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	unregister(f);
	expect_released(test);
}

static void released_invalid(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, bind(f), 0);
	invalidate(f);
	unregister(f);
	expect_released(test);
}

static struct kunit_case dma_buf_io_cases[] = {
	KUNIT_CASE(bind_twice),
	KUNIT_CASE(bind_two_devices),
	KUNIT_CASE(get_and_put),
	KUNIT_CASE(invalidate_idle),
	KUNIT_CASE(invalidate_waits),
	KUNIT_CASE(invalidate_together),
	KUNIT_CASE(invalidate_reaps),
	KUNIT_CASE(bind_maps_again),
	KUNIT_CASE(bind_maps_others),
	KUNIT_CASE(revalidate_maps_again),
	KUNIT_CASE(revalidate_is_overtaken),
	KUNIT_CASE(revalidate_new_topology),
	KUNIT_CASE(revalidate_some),
	KUNIT_CASE(bind_map_fails),
	KUNIT_CASE(bind_layout_fails),
	KUNIT_CASE(driver_layout),
	KUNIT_CASE(bind_try_does_not_wait),
	KUNIT_CASE(bind_try_attaches_later),
	KUNIT_CASE(bind_try_attach_refused),
	KUNIT_CASE(bind_try_mapped),
	KUNIT_CASE(bind_lost_lately),
	KUNIT_CASE(leaf_removed),
	KUNIT_CASE(remove_during_attach),
	KUNIT_CASE(remove_during_release),
	KUNIT_CASE(release_during_remove),
	KUNIT_CASE(released),
	KUNIT_CASE(released_invalid),
	{}
};

static struct kunit_suite dma_buf_io_suite = {
	.name		= "dma-buf-io",
	.init		= fixture_init,
	.exit		= fixture_exit,
	.test_cases	= dma_buf_io_cases,
};

kunit_test_suite(dma_buf_io_suite);
