// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the library: the lifetime of registrations and bindings.
 */
#include <linux/delay.h>

#include "kunit.h"

static void expect_mapped(struct kunit *test, bool leaf, bool other)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, mapped(f, &f->leaf), leaf);
	KUNIT_EXPECT_EQ(test, mapped(f, &f->other), other);
	KUNIT_EXPECT_EQ(test, f->mappings, leaf + other);
}

/* both devices have a mapping */
static void reg_two(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->two = true;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	expect_mapped(test, true, true);
}

/* what the work does soon */
static bool soon(struct fixture *f, int attachments)
{
	unsigned long end = jiffies + TIMEOUT;

	while (atomic_read(&f->attachments) != attachments) {
		if (time_after(jiffies, end))
			return false;
		msleep(20);
	}
	return true;
}

static void bind_twice(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	expect_mapped(test, true, false);
	dma_buf_io_topology_changed();
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 1);
	KUNIT_EXPECT_EQ(test, f->maps, 1);
}

static void bind_two_devices(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_buf_io_map *a, *b;

	reg_two(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 2);
	a = dma_buf_io_get(f->ctx, &f->leaf);
	b = dma_buf_io_get(f->ctx, &f->other);
	KUNIT_EXPECT_PTR_NE(test, a, b);
	if (a)
		dma_buf_io_put(a);
	if (b)
		dma_buf_io_put(b);

	/* the other one stays */
	dma_buf_io_leaf_remove(&f->other);
	expect_mapped(test, true, false);
	KUNIT_EXPECT_TRUE(test, soon(f, 1));
}

/* a device that is below the file no more is detached, and met again if I/O goes there */
static void device_leaves(struct kunit *test)
{
	struct fixture *f = test->priv;

	reg_two(test);
	f->two = false;
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	KUNIT_EXPECT_TRUE(test, soon(f, 1));
	expect_mapped(test, true, false);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->other.bindings));

	wait_for(f, &f->other, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
	expect_mapped(test, true, true);
}

/* a walk that has not seen all devices says nothing about those it has not met */
static void device_stays(struct kunit *test)
{
	struct fixture *f = test->priv;

	reg_two(test);
	f->two = false;
	f->refuse = true;
	KUNIT_EXPECT_EQ(test, revalidate(f), -EOPNOTSUPP);
	expect_mapped(test, true, true);
	f->refuse = false;
	f->change_topology = true;
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	flush(f);
	expect_mapped(test, true, true);
}

/* the exporter gets its mapping back when the command has ended */
static void device_leaves_during_command(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_buf_io_map *map;

	reg_two(test);
	map = dma_buf_io_get(f->ctx, &f->other);
	KUNIT_ASSERT_NOT_NULL(test, map);
	f->two = false;
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	msleep(50);
	KUNIT_EXPECT_EQ(test, f->mappings, 2);
	KUNIT_EXPECT_NULL(test, dma_buf_io_get(f->ctx, &f->other));
	dma_buf_io_put(map);
	KUNIT_EXPECT_TRUE(test, soon(f, 1));
}

static void get_and_put(struct kunit *test)
{
	struct dma_buf_io_map *map, *again;
	struct fixture *f = test->priv;
	u64 len;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	map = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_ASSERT_NOT_NULL(test, map);
	KUNIT_EXPECT_EQ(test, dma_buf_io_map_addr(map, SZ_4K, &len),
			FAKE_ADDR + SZ_4K);
	KUNIT_EXPECT_EQ(test, len, SZ_64K - SZ_4K);
	again = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_EXPECT_PTR_EQ(test, again, map);
	dma_buf_io_put(again);
	dma_buf_io_put(map);
	/* not met */
	KUNIT_EXPECT_NULL(test, dma_buf_io_get(f->ctx, &f->other));
}

/* one attachment and one mapping, until the last of them leaves */
static void sharing(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_buf_io_ctx *first;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	first = f->ctx;
	f->two = true;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	KUNIT_EXPECT_PTR_NE(test, f->ctx, first);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 2);
	KUNIT_EXPECT_EQ(test, f->maps, 2);

	/* what it alone has used goes, and nothing else */
	swap(f->ctx, first);
	dma_buf_io_unregister(first);
	KUNIT_EXPECT_TRUE(test, soon(f, 1));
	expect_mapped(test, true, false);
	KUNIT_EXPECT_EQ(test, f->maps, 2);
	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));

	unreg(f);
	KUNIT_EXPECT_TRUE(test, soon(f, 0));
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
	/* and it starts afresh */
	f->two = false;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	expect_mapped(test, true, false);
}

static void invalidate_idle(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));
	invalidate(f);
	KUNIT_EXPECT_TRUE(test, dma_buf_io_stale(f->ctx));
	expect_mapped(test, false, false);
	/* nothing left to take away */
	invalidate(f);
	expect_mapped(test, false, false);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 1);
}

static void invalidate_waits(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->map = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_ASSERT_NOT_NULL(test, f->map);
	schedule_delayed_work(&f->put_work, HZ / 2);
	invalidate(f);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(f->put));
	flush_delayed_work(&f->put_work);
	expect_mapped(test, false, false);
}

/* no device starts a command while another one's are waited for */
static void invalidate_together(struct kunit *test)
{
	struct async async;
	struct fixture *f = test->priv;
	struct dma_buf_io_map *b;

	reg_two(test);
	f->map = dma_buf_io_get(f->ctx, &f->leaf);
	b = dma_buf_io_get(f->ctx, &f->other);
	KUNIT_ASSERT_NOT_NULL(test, f->map);
	KUNIT_ASSERT_NOT_NULL(test, b);
	dma_buf_io_async_start(&async, f, invalidate);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, mapped(f, &f->leaf));
	KUNIT_EXPECT_FALSE(test, mapped(f, &f->other));
	/* both are waited for */
	dma_buf_io_fixture_put(f);
	msleep(50);
	KUNIT_EXPECT_TRUE(test, work_busy(&async.work));
	dma_buf_io_put(b);
	dma_buf_io_async_end(&async);
	expect_mapped(test, false, false);
}

/* what is true for one is true for all; and all come back */
static void invalidate_one(struct kunit *test)
{
	struct dma_buf_attachment *attach;
	struct fixture *f = test->priv;

	reg_two(test);
	hold(f);
	attach = list_first_entry(&f->dmabuf->attachments,
				  struct dma_buf_attachment, node);
	attach->importer_ops->invalidate_mappings(attach);
	let_go(f);
	expect_mapped(test, false, false);
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	expect_mapped(test, true, true);
	KUNIT_EXPECT_EQ(test, f->maps, 4);
}

/* a device without interrupts: the command ends when it is looked for the third time */
static bool fake_reap(struct dma_buf_io_leaf *leaf)
{
	struct fixture *f = container_of(leaf, struct fixture, leaf);

	if (++f->reaps == 3)
		dma_buf_io_fixture_put(f);
	return true;
}

static const struct dma_buf_io_leaf_ops reaping_leaf_ops = {
	.reap	= fake_reap,
};

static void invalidate_reaps(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->leaf.ops = &reaping_leaf_ops;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->map = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_ASSERT_NOT_NULL(test, f->map);
	/* in case that nobody does */
	schedule_delayed_work(&f->put_work, TIMEOUT);
	invalidate(f);
	if (!cancel_delayed_work_sync(&f->put_work))
		KUNIT_FAIL(test, "not reaped");
	KUNIT_EXPECT_GE(test, f->reaps, 3);
	expect_mapped(test, false, false);
}

static void map_again(struct kunit *test)
{
	struct fixture *f = test->priv;
	int i;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	for (i = 1; i <= 3; i++) {
		KUNIT_EXPECT_EQ(test, f->maps, i);
		expect_mapped(test, true, false);
		KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 1);
		invalidate(f);
		wait_for(f, &f->leaf, &f->w[0]);
		KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
	}
}

/* those that somebody has wanted since, but no others */
static void map_others(struct kunit *test)
{
	struct fixture *f = test->priv;

	reg_two(test);
	invalidate(f);
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
	flush(f);
	expect_mapped(test, true, true);
	invalidate(f);
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
	flush(f);
	expect_mapped(test, true, false);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 2);
}

static void revalidate_maps_again(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	invalidate(f);
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));
	KUNIT_EXPECT_EQ(test, f->maps, 2);
	expect_mapped(test, true, false);

	/* for good: does not wait for better times, and is asked again by the next one */
	invalidate(f);
	f->map_error = -EINVAL;
	KUNIT_EXPECT_EQ(test, revalidate(f), -ESTALE);
	KUNIT_EXPECT_EQ(test, f->map_calls, 3);
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), -EINVAL);
	KUNIT_EXPECT_EQ(test, f->map_calls, 4);
}

/* what goes away while mappings are brought back is not forgotten */
static void revalidate_is_overtaken(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->invalidate_bound = true;
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	KUNIT_EXPECT_TRUE(test, dma_buf_io_stale(f->ctx));
	f->invalidate_bound = false;
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));
}

/* handed down again when a stacked device has changed, and only then */
static void revalidate_new_topology(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));
	f->two = true;
	dma_buf_io_topology_changed();
	KUNIT_EXPECT_TRUE(test, dma_buf_io_stale(f->ctx));
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));
	expect_mapped(test, true, true);
	KUNIT_EXPECT_EQ(test, f->maps, 2);
}

/* one device of two can reach the buffer: I/O is left to find out which */
static void revalidate_some(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->two = true;
	f->map_error = -EINVAL;
	dma_buf_io_topology_changed();
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	expect_mapped(test, true, false);
	/* that is remembered until something changes */
	KUNIT_EXPECT_FALSE(test, dma_buf_io_stale(f->ctx));
	f->map_error = 0;
	invalidate(f);
	KUNIT_EXPECT_TRUE(test, dma_buf_io_stale(f->ctx));
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	expect_mapped(test, true, true);
}

/* the exporter moves the buffer to where it suits the one that maps it */
static void conflict_once(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->conflicts = 2;
	reg_two(test);
	KUNIT_EXPECT_EQ(test, f->maps, 3);
	KUNIT_EXPECT_EQ(test, f->attaches[false], 0);
}

/* and stops doing so when there is nothing to be gained */
static void conflict_p2p(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->conflicts = INT_MAX;
	f->p2p_conflicts = true;
	reg_two(test);
	KUNIT_EXPECT_EQ(test, f->attaches[true], 2);
	KUNIT_EXPECT_EQ(test, f->attaches[false], 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 2);
}

/* or does not, and the registration is refused */
static void conflict_always(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->two = true;
	f->conflicts = INT_MAX;
	KUNIT_EXPECT_EQ(test, reg(f), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, f->attaches[false], 2);
	KUNIT_EXPECT_LT(test, f->map_calls, 20);
	KUNIT_EXPECT_TRUE(test, soon(f, 0));
}

static void map_fails(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->map_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, reg(f), -ENOMEM);
	KUNIT_EXPECT_EQ(test, f->map_calls, 1);
	/* nor is there anything to invalidate */
	invalidate(f);
	f->map_error = 0;
	KUNIT_EXPECT_EQ(test, reg(f), 0);
}

static void attach_fails(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->attach_error = -ENXIO;
	KUNIT_EXPECT_EQ(test, reg(f), -ENXIO);
	KUNIT_EXPECT_EQ(test, f->map_calls, 0);
	f->attach_error = 0;
	KUNIT_EXPECT_EQ(test, reg(f), 0);
}

/* others ask again, whatever the first have been told */
static void refusal_is_not_shared(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_buf_io_ctx *ctx;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	ctx = f->ctx;
	invalidate(f);
	f->map_error = -EINVAL;
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), -EINVAL);
	f->map_error = 0;
	KUNIT_EXPECT_EQ(test, reg(f), 0);
	expect_mapped(test, true, false);
	dma_buf_io_unregister(ctx);
}

/* a layer above says no when some devices have a mapping already, and some do not */
static void refused_after_bind(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_buf_io_ctx *ctx;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	ctx = f->ctx;
	f->two = true;
	f->refuse = true;
	KUNIT_EXPECT_EQ(test, reg(f), -EOPNOTSUPP);
	KUNIT_EXPECT_PTR_EQ(test, f->ctx, ctx);
	flush(f);
	KUNIT_EXPECT_TRUE(test, soon(f, 1));
	expect_mapped(test, true, false);
}

/* the exporter maps it in a way that the hardware cannot address */
static void layout_fails(struct kunit *test)
{
	struct fixture *f = test->priv;

	sg_dma_address(f->sgt.sgl) = FAKE_ADDR + 0x200;
	KUNIT_EXPECT_EQ(test, reg(f), -EINVAL);
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
	struct dma_buf_io_map *map;

	f->leaf.ops = &layout_leaf_ops;
	f->layout_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, reg(f), -ENOMEM);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);

	f->layout_error = 0;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	KUNIT_EXPECT_EQ(test, f->layouts, 1);
	map = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_ASSERT_NOT_NULL(test, map);
	KUNIT_EXPECT_PTR_EQ(test, map->layout, (void *)f);
	KUNIT_EXPECT_EQ(test, map->nr_ranges, 0);
	dma_buf_io_put(map);

	invalidate(f);
	KUNIT_EXPECT_EQ(test, f->layouts, 0);
	expect_mapped(test, false, false);
}

static void released(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	unreg(f);
	dma_buf_io_fixture_released(test);
}

static void released_invalid(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	invalidate(f);
	unreg(f);
	dma_buf_io_fixture_released(test);
}

/* nobody waits for the exporter, whose lock the caller may hold */
static void released_held(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	hold(f);
	unreg(f);
	msleep(50);
	KUNIT_EXPECT_EQ(test, f->mappings, 1);
	let_go(f);
	dma_buf_io_fixture_released(test);
}

static struct kunit_case dma_buf_io_cases[] = {
	KUNIT_CASE(bind_twice),
	KUNIT_CASE(bind_two_devices),
	KUNIT_CASE(device_leaves),
	KUNIT_CASE(device_stays),
	KUNIT_CASE(device_leaves_during_command),
	KUNIT_CASE(get_and_put),
	KUNIT_CASE(sharing),
	KUNIT_CASE(invalidate_idle),
	KUNIT_CASE(invalidate_waits),
	KUNIT_CASE(invalidate_together),
	KUNIT_CASE(invalidate_one),
	KUNIT_CASE(invalidate_reaps),
	KUNIT_CASE(map_again),
	KUNIT_CASE(map_others),
	KUNIT_CASE(revalidate_maps_again),
	KUNIT_CASE(revalidate_is_overtaken),
	KUNIT_CASE(revalidate_new_topology),
	KUNIT_CASE(revalidate_some),
	KUNIT_CASE(conflict_once),
	KUNIT_CASE(conflict_p2p),
	KUNIT_CASE(conflict_always),
	KUNIT_CASE(map_fails),
	KUNIT_CASE(attach_fails),
	KUNIT_CASE(refusal_is_not_shared),
	KUNIT_CASE(refused_after_bind),
	KUNIT_CASE(layout_fails),
	KUNIT_CASE(driver_layout),
	KUNIT_CASE(released),
	KUNIT_CASE(released_invalid),
	KUNIT_CASE(released_held),
	{}
};

static struct kunit_suite dma_buf_io_suite = {
	.name		= "dma-buf-io",
	.init		= dma_buf_io_fixture_init,
	.exit		= dma_buf_io_fixture_exit,
	.test_cases	= dma_buf_io_cases,
};

kunit_test_suite(dma_buf_io_suite);
