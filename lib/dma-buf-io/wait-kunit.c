// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the library: who waits for an exporter, for how long, and what ends
 * that.  "Held" is an exporter that does not let go of its lock.
 */
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>
#include <linux/uidgid.h>

#include "kunit.h"

/* a machine that is busy, or emulated, may be that late */
#define SLACK		(HZ)

static int wait_init(struct kunit *test)
{
	int ret = dma_buf_io_fixture_init(test);

	if (!ret)
		dma_buf_io_fixture_fast(test, 300);
	return ret;
}

/* what @error says to those that register, and whether that is said at once */
static bool comes_back(int error)
{
	return error == -EAGAIN || error == -EBUSY || error == -EINTR ||
	       error == -ERESTARTSYS;
}

/* all that a kernel function may return, as far as user space is not to see it */
static int next_errno(int error)
{
	return error == -133 ? -512 : error - 1;
}

static void register_errnos(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long start, took;
	int error, ret;

	for (error = -1; error >= -531; error = next_errno(error)) {
		f->map_error = error;
		f->map_calls = 0;
		start = jiffies;
		ret = reg(f);
		took = jiffies - start;
		KUNIT_EXPECT_LT_MSG(test, ret, 0, "errno %d", error);
		KUNIT_EXPECT_GE_MSG(test, ret, -133, "errno %d", error);
		KUNIT_EXPECT_LT_MSG(test, took,
				    dma_buf_io_park_timeout() + SLACK,
				    "errno %d", error);
		if (!comes_back(error)) {
			KUNIT_EXPECT_EQ_MSG(test, f->map_calls, 1, "errno %d",
					    error);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, ret, -EBUSY, "errno %d", error);
		KUNIT_EXPECT_GE_MSG(test, took, dma_buf_io_park_timeout(),
				    "errno %d", error);
		/* no more than one each jiffy, and fewer later */
		KUNIT_EXPECT_GT_MSG(test, f->map_calls, 0, "errno %d", error);
		KUNIT_EXPECT_LT_MSG(test, f->map_calls, 50, "errno %d", error);
	}
	/* that was not the last word */
	f->map_error = 0;
	KUNIT_EXPECT_EQ(test, reg(f), 0);
}

/* I/O to a buffer that was there: exporters take it away with -ENODEV, or -ENOMEM */
static void wait_errnos(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long start, took;
	int error, ret;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	for (error = -1; error >= -531; error = next_errno(error)) {
		f->map_error = error;
		f->map_calls = 0;
		invalidate(f);
		start = jiffies;
		wait_for(f, &f->leaf, &f->w[0]);
		ret = result(&f->w[0], TIMEOUT);
		took = jiffies - start;
		KUNIT_EXPECT_EQ_MSG(test, ret, error, "errno %d", error);
		if (comes_back(error) || error == -ENODEV || error == -ENOMEM) {
			KUNIT_EXPECT_GE_MSG(test, took,
					    dma_buf_io_park_timeout(),
					    "errno %d", error);
			KUNIT_EXPECT_LT_MSG(test, took,
					    dma_buf_io_park_timeout() + SLACK,
					    "errno %d", error);
			KUNIT_EXPECT_LT_MSG(test, f->map_calls, 50, "errno %d",
					    error);
		} else {
			KUNIT_EXPECT_EQ_MSG(test, f->map_calls, 1, "errno %d",
					    error);
		}
		/* all is as it was */
		f->map_error = 0;
		invalidate(f);
		wait_for(f, &f->leaf, &f->w[0]);
		KUNIT_EXPECT_EQ_MSG(test, result(&f->w[0], TIMEOUT), 0,
				    "errno %d", error);
	}
}

/* nor does any of them mean something else to the consumer */
static void revalidate_errnos(struct kunit *test)
{
	struct fixture *f = test->priv;
	int error;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	for (error = -1; error >= -531; error = next_errno(error)) {
		if (comes_back(error) || error == -ENODEV || error == -ENOMEM)
			continue;
		f->map_error = error;
		invalidate(f);
		KUNIT_EXPECT_EQ_MSG(test, revalidate(f), -ESTALE, "errno %d",
				    error);
	}
}

/* the exporter comes back in time */
static void wait_comes_back(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	invalidate(f);
	f->map_error = -ENODEV;
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], HZ / 10), -EINPROGRESS);
	f->map_error = 0;
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
	KUNIT_EXPECT_TRUE(test, mapped(f, &f->leaf));
}

/**
 * struct registering - a task that registers the dma-buf
 * @f: where
 * @done: it has returned
 * @ret: with what
 */
struct registering {
	struct fixture		*f;
	struct completion	done;
	int			ret;
};

static int registering(void *data)
{
	struct registering *r = data;

	allow_signal(SIGINT);
	r->ret = reg(r->f);
	kthread_complete_and_exit(&r->done, 0);
}

/* a signal ends it, and nothing is left when the exporter lets go */
static void register_signal(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct registering r = { .f = f };
	struct task_struct *task;

	dma_buf_io_set_park_timeout(60000);
	init_completion(&r.done);
	hold(f);
	task = kthread_create(registering, &r, "dma-buf-io-kunit");
	if (IS_ERR(task)) {
		let_go(f);
		KUNIT_FAIL_AND_ABORT(test, "no thread");
	}
	get_task_struct(task);
	wake_up_process(task);
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&r.done, HZ / 5), 0);
	send_sig(SIGINT, task, 1);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&r.done, TIMEOUT), 0);
	KUNIT_EXPECT_EQ(test, r.ret, -EINTR);
	put_task_struct(task);
	let_go(f);
	dma_buf_io_fixture_released(test);
}

/* and for no longer than all others, if there is none */
static void register_held(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long start;

	hold(f);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, reg(f), -EBUSY);
	KUNIT_EXPECT_LT(test, jiffies - start,
			dma_buf_io_park_timeout() + SLACK);
	KUNIT_EXPECT_EQ(test, f->map_calls, 0);
	let_go(f);
	dma_buf_io_fixture_released(test);
}

/* those that come later have the same deadline */
static void one_deadline(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long start;

	dma_buf_io_set_park_timeout(2000);
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	invalidate(f);
	hold(f);
	start = jiffies;
	wait_for(f, &f->leaf, &f->w[0]);
	msleep(1000);
	wait_for(f, &f->leaf, &f->w[1]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), -ETIMEDOUT);
	KUNIT_EXPECT_GE(test, jiffies - start, 2 * HZ);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], TIMEOUT), -ETIMEDOUT);
	KUNIT_EXPECT_LT(test, jiffies - start, 3 * HZ);
	let_go(f);
	KUNIT_EXPECT_EQ(test, f->w[0].calls, 1);
}

/* nobody waits for who has not even returned from what others have waited for */
static void late_while_stuck(struct kunit *test)
{
	struct fixture *f = test->priv;

	dma_buf_io_set_park_timeout(1000);
	f->two = true;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	invalidate(f);
	hold(f);
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), -ETIMEDOUT);
	msleep(300);
	wait_for(f, &f->leaf, &f->w[1]);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], 0), -ETIMEDOUT);
	/* nor on a device that has been without a mapping for as long */
	wait_for(f, &f->other, &f->w[2]);
	KUNIT_EXPECT_EQ(test, result(&f->w[2], 0), -ETIMEDOUT);
	let_go(f);
	flush(f);
	/* and all is well when the lock is free */
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	KUNIT_EXPECT_TRUE(test, mapped(f, &f->leaf));
	KUNIT_EXPECT_TRUE(test, mapped(f, &f->other));
}

/* if it has returned, there is one short attempt, however many ask for it */
static void late_comers(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long start;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->map_error = -EAGAIN;
	invalidate(f);
	dma_buf_io_set_park_timeout(3000);
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), -EAGAIN);
	flush(f);

	hold(f);
	start = jiffies;
	wait_for(f, &f->leaf, &f->w[1]);
	wait_for(f, &f->leaf, &f->w[2]);
	msleep(20);
	wait_for(f, &f->leaf, &f->w[3]);
	KUNIT_EXPECT_LT(test, result(&f->w[1], TIMEOUT), 0);
	KUNIT_EXPECT_LT(test, result(&f->w[2], TIMEOUT), 0);
	KUNIT_EXPECT_LT(test, result(&f->w[3], TIMEOUT), 0);
	KUNIT_EXPECT_LT(test, jiffies - start, 2 * HZ);
	let_go(f);
	flush(f);

	/* which may be successful */
	f->map_error = 0;
	wait_for(f, &f->leaf, &f->w[1]);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], TIMEOUT), 0);
}

/* an exporter that waits for commands of ours is not to blame */
static void clock_stands_still(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct async async;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->map = dma_buf_io_get(f->ctx, &f->leaf);
	KUNIT_ASSERT_NOT_NULL(test, f->map);
	dma_buf_io_async_start(&async, f, invalidate);
	while (mapped(f, &f->leaf))
		msleep(20);
	wait_for(f, &f->leaf, &f->w[0]);
	/* four times as long as anybody waits for an exporter */
	KUNIT_EXPECT_EQ(test, result(&f->w[0], 4 * dma_buf_io_park_timeout()),
			-EINPROGRESS);
	dma_buf_io_fixture_put(f);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
	dma_buf_io_async_end(&async);
	KUNIT_EXPECT_TRUE(test, mapped(f, &f->leaf));
}

/* what waits for one registration ends, and nothing of it waits until asked to */
static void cancelled(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_buf_io_ctx *ctx;

	dma_buf_io_set_park_timeout(60000);
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	ctx = f->ctx;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	invalidate(f);
	hold(f);
	wait_for(f, &f->leaf, &f->w[0]);
	swap(f->ctx, ctx);
	wait_for(f, &f->leaf, &f->w[1]);
	dma_buf_io_cancel(f->ctx);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], 0), -ECANCELED);
	wait_for(f, &f->leaf, &f->w[1]);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], 0), -ECANCELED);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], 0), -EINPROGRESS);
	let_go(f);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);

	invalidate(f);
	KUNIT_EXPECT_TRUE(test, dma_buf_io_stale(f->ctx));
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	invalidate(f);
	wait_for(f, &f->leaf, &f->w[1]);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], TIMEOUT), 0);
	dma_buf_io_unregister(ctx);
}

/* the contents are still being moved: no command yet; and they may move again */
static void map_fences(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_fence *fence;

	dma_buf_io_set_park_timeout(60000);
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	invalidate(f);
	fence = dma_buf_io_fixture_fence(test);
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], HZ / 2), -EINPROGRESS);
	KUNIT_EXPECT_EQ(test, f->maps, 2);
	KUNIT_EXPECT_FALSE(test, mapped(f, &f->leaf));
	invalidate(f);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], HZ / 2), -EINPROGRESS);
	KUNIT_EXPECT_EQ(test, f->maps, 3);
	KUNIT_EXPECT_EQ(test, f->mappings, 1);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
	KUNIT_EXPECT_EQ(test, f->maps, 3);
	KUNIT_EXPECT_TRUE(test, mapped(f, &f->leaf));
	dma_fence_put(fence);
}

/* mappings are locked memory of the user who has registered the dma-buf */
static void charged(struct kunit *test)
{
	struct user_struct *user = alloc_uid(KUIDT_INIT(54321));
	struct fixture *f = test->priv;
	struct dma_buf_io_ctx *ctx;
	long pages;

	KUNIT_ASSERT_NOT_NULL(test, user);
	ctx = dma_buf_io_ctx_create(f->dmabuf);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx);
	if (ctx->buffer->user)
		free_uid(ctx->buffer->user);
	/* the buffer puts it */
	ctx->buffer->user = get_uid(user);
	ctx->buffer->max_pages = 1;
	KUNIT_EXPECT_EQ(test, reg(f), -ENOMEM);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&user->locked_vm), 0);
	KUNIT_EXPECT_EQ(test, f->mappings, 0);

	ctx->buffer->max_pages = 2;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	pages = atomic_long_read(&user->locked_vm);
	KUNIT_EXPECT_EQ(test, pages, 2);
	/* one more registration takes nothing */
	dma_buf_io_unregister(ctx);
	ctx = f->ctx;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&user->locked_vm), pages);
	dma_buf_io_unregister(ctx);
	/* nor does what is not mapped */
	invalidate(f);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&user->locked_vm), 0);
	KUNIT_EXPECT_EQ(test, revalidate(f), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&user->locked_vm), pages);
	unreg(f);
	dma_buf_io_fixture_released(test);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&user->locked_vm), 0);
	free_uid(user);
}

static struct kunit_case wait_cases[] = {
	KUNIT_CASE_SLOW(register_errnos),
	KUNIT_CASE_SLOW(wait_errnos),
	KUNIT_CASE(revalidate_errnos),
	KUNIT_CASE(wait_comes_back),
	KUNIT_CASE(register_signal),
	KUNIT_CASE(register_held),
	KUNIT_CASE_SLOW(one_deadline),
	KUNIT_CASE_SLOW(late_while_stuck),
	KUNIT_CASE_SLOW(late_comers),
	KUNIT_CASE_SLOW(clock_stands_still),
	KUNIT_CASE(cancelled),
	KUNIT_CASE(map_fences),
	KUNIT_CASE(charged),
	{}
};

static struct kunit_suite wait_suite = {
	.name		= "dma-buf-io-wait",
	.init		= wait_init,
	.exit		= dma_buf_io_fixture_exit,
	.test_cases	= wait_cases,
};

kunit_test_suite(wait_suite);
