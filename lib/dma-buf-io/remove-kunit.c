// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the library: a device goes away, while all else goes on.
 */
#include <linux/delay.h>

#include "kunit.h"

static void remove_leaf(struct fixture *f)
{
	dma_buf_io_leaf_remove(&f->leaf);
}

static bool busy(struct async *async)
{
	msleep(100);
	return work_busy(&async->work);
}

/* what the test has asked for has ended, and nothing is left of the device */
static void expect_gone(struct kunit *test, struct async *async)
{
	struct fixture *f = test->priv;

	dma_buf_io_async_end(async);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->leaf.bindings));
}

static void removed(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	dma_buf_io_leaf_remove(&f->leaf);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);
	KUNIT_EXPECT_FALSE(test, mapped(f, &f->leaf));
	/* I/O fails for the device's sake, not for the buffer's */
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], 0), 0);
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	KUNIT_EXPECT_EQ(test, f->map_calls, 1);

	/* the same if it has never been met */
	unreg(f);
	KUNIT_EXPECT_EQ(test, reg(f), 0);
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], 0), 0);
	KUNIT_EXPECT_EQ(test, f->map_calls, 1);
}

/* nobody waits for an exporter that the device means nothing to yet */
static void remove_during_attach(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct async async;

	f->ctx = dma_buf_io_ctx_create(f->dmabuf);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->ctx);
	hold(f);
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], HZ / 10), -EINPROGRESS);
	dma_buf_io_async_start(&async, f, remove_leaf);
	KUNIT_EXPECT_FALSE(test, busy(&async));
	KUNIT_EXPECT_TRUE(test, list_empty(&f->leaf.bindings));
	let_go(f);
	dma_buf_io_async_end(&async);
	/* that ends a wait */
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
	KUNIT_EXPECT_EQ(test, f->map_calls, 0);
	flush(f);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->attachments), 0);
}

/* nor for one that has taken its mapping away */
static void remove_unmapped(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct async async;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	invalidate(f);
	hold(f);
	dma_buf_io_async_start(&async, f, remove_leaf);
	KUNIT_EXPECT_FALSE(test, busy(&async));
	let_go(f);
	expect_gone(test, &async);
}

/* but for one that maps it, or has */
static void remove_mapped(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct async async;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	hold(f);
	dma_buf_io_async_start(&async, f, remove_leaf);
	KUNIT_EXPECT_TRUE(test, busy(&async));
	KUNIT_EXPECT_EQ(test, f->mappings, 1);
	let_go(f);
	expect_gone(test, &async);
}

/* the exporter is on its way out of the mapping: the device stays until then */
static void remove_during_invalidate(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct async async, remove;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->hold_unmap = true;
	dma_buf_io_async_start(&async, f, invalidate);
	wait_for_completion(&f->unmapping);
	dma_buf_io_async_start(&remove, f, remove_leaf);
	KUNIT_EXPECT_TRUE(test, busy(&remove));
	KUNIT_EXPECT_FALSE(test, list_empty(&f->leaf.bindings));
	complete(&f->unmap_go);
	dma_buf_io_async_end(&async);
	expect_gone(test, &remove);
}

/* the same for the last registration, which no device waits for */
static void release_during_invalidate(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct async async;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->hold_unmap = true;
	dma_buf_io_async_start(&async, f, invalidate);
	wait_for_completion(&f->unmapping);
	unreg(f);
	msleep(100);
	KUNIT_EXPECT_FALSE(test, list_empty(&f->leaf.bindings));
	complete(&f->unmap_go);
	dma_buf_io_async_end(&async);
	dma_buf_io_fixture_released(test);
}

/* commands end, whatever waits for them */
static void remove_during_drain(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct async async, remove;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->map = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_ASSERT_NOT_NULL(test, f->map);
	dma_buf_io_async_start(&async, f, invalidate);
	while (mapped(f, &f->leaf))
		msleep(20);
	wait_for(f, &f->leaf, &f->w[0]);
	dma_buf_io_async_start(&remove, f, remove_leaf);
	KUNIT_EXPECT_TRUE(test, busy(&remove));
	dma_buf_io_fixture_put(f);
	dma_buf_io_async_end(&async);
	expect_gone(test, &remove);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
}

/*
 * Release and removal meet at a binding, and neither gets on until the
 * reservation lock is free.  The one that started first is ahead.
 */
static void remove_races(struct kunit *test, bool release_first)
{
	struct fixture *f = test->priv;
	struct async async;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	hold(f);
	if (release_first) {
		unreg(f);
		msleep(50);
	}
	dma_buf_io_async_start(&async, f, remove_leaf);
	msleep(50);
	if (!release_first) {
		unreg(f);
		msleep(50);
	}
	KUNIT_EXPECT_EQ(test, f->mappings, 1);
	let_go(f);
	/* the device may go away now */
	expect_gone(test, &async);
}

static void remove_during_release(struct kunit *test)
{
	remove_races(test, true);
}

static void release_during_remove(struct kunit *test)
{
	remove_races(test, false);
}

/**
 * struct last_wait - the registration ends with the wait
 * @waiter: who waits
 * @f: what for
 * @ended: it has
 */
struct last_wait {
	struct dma_buf_io_waiter waiter;
	struct fixture		*f;
	struct completion	ended;
};

static void last_done(struct dma_buf_io_waiter *waiter, int error)
{
	struct last_wait *last = container_of(waiter, struct last_wait, waiter);

	unreg(last->f);
	complete(&last->ended);
}

/* who is told that the device is gone may drop the registration at once */
static void remove_ends_registration(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct last_wait last = { .waiter.done = last_done, .f = f };

	init_completion(&last.ended);
	f->ctx = dma_buf_io_ctx_create(f->dmabuf);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->ctx);
	hold(f);
	dma_buf_io_wait(f->ctx, &f->leaf, &last.waiter);
	msleep(50);
	dma_buf_io_leaf_remove(&f->leaf);
	let_go(f);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&last.ended, TIMEOUT),
			0);
	dma_buf_io_fixture_released(test);
}

static struct kunit_case remove_cases[] = {
	KUNIT_CASE(removed),
	KUNIT_CASE(remove_during_attach),
	KUNIT_CASE(remove_unmapped),
	KUNIT_CASE(remove_mapped),
	KUNIT_CASE(remove_during_invalidate),
	KUNIT_CASE(release_during_invalidate),
	KUNIT_CASE(remove_during_drain),
	KUNIT_CASE(remove_during_release),
	KUNIT_CASE(release_during_remove),
	KUNIT_CASE(remove_ends_registration),
	{}
};

static struct kunit_suite remove_suite = {
	.name		= "dma-buf-io-remove",
	.init		= dma_buf_io_fixture_init,
	.exit		= dma_buf_io_fixture_exit,
	.test_cases	= remove_cases,
};

kunit_test_suite(remove_suite);
