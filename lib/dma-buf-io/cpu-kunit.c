// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the library: access by the CPU.
 */
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/sched.h>

#include "kunit.h"

static int fake_begin(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct fixture *f = dmabuf->priv;

	f->begins[dir == DMA_TO_DEVICE]++;
	if (f->hold_begin)
		wait_for_completion(&f->begin_go);
	return f->begin_error;
}

static int fake_end(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct fixture *f = dmabuf->priv;

	f->ends[dir == DMA_TO_DEVICE]++;
	return 0;
}

/* an exporter that has to be told of each access */
static int told_init(struct kunit *test)
{
	struct fixture *f;
	int ret = dma_buf_io_fixture_init(test);

	if (ret)
		return ret;
	f = test->priv;
	f->ops.begin_cpu_access = fake_begin;
	f->ops.end_cpu_access = fake_end;
	return 0;
}

static void begin(struct fixture *f, struct wait *w, enum dma_data_direction dir)
{
	dma_buf_io_wait_init(w);
	w->access.dir = dir;
	dma_buf_io_begin_cpu_access(f->ctx, &w->access);
}

static void end(struct fixture *f, struct wait *w, enum dma_data_direction dir)
{
	dma_buf_io_wait_init(w);
	w->access.dir = dir;
	dma_buf_io_end_cpu_access(f->ctx, &w->access);
}

/* --- an exporter that need not be told ----------------------------------- */

/* no lock of the exporter is needed */
static void access_at_once(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct wait *w = &f->w[0];

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	/* there is no mapping yet: somebody has to make it */
	begin(f, w, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(w, TIMEOUT), 0);
	KUNIT_EXPECT_PTR_NE(test, w->task, current);

	hold(f);
	begin(f, w, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(w, 0), 0);
	KUNIT_EXPECT_PTR_EQ(test, w->task, current);
	end(f, w, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(w, 0), 0);
	KUNIT_EXPECT_PTR_EQ(test, w->task, current);
	let_go(f);
}

/* the registration has asked for it; all of them share one */
static void bound(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_buf_io_ctx *ctx;
	char data[] = "data", back[sizeof(data)];
	int i;

	f->bind_cpu = true;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	KUNIT_EXPECT_EQ(test, f->dmabuf->vmapping_counter, 1);
	ctx = f->ctx;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	KUNIT_EXPECT_EQ(test, f->dmabuf->vmapping_counter, 1);
	dma_buf_io_unregister(ctx);

	hold(f);
	begin(f, &f->w[0], DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], 0), 0);
	let_go(f);
	dma_buf_io_copy_to(f->ctx, 3, data, sizeof(data));
	KUNIT_EXPECT_MEMEQ(test, f->mem + 3, data, sizeof(data));
	dma_buf_io_copy_from(f->ctx, 3, back, sizeof(back));
	KUNIT_EXPECT_MEMEQ(test, back, data, sizeof(data));

	/* the exporter takes the devices' mappings away, not this */
	invalidate(f);
	KUNIT_EXPECT_EQ(test, f->dmabuf->vmapping_counter, 1);
	unreg(f);
	for (i = 0; i < 500 && READ_ONCE(f->dmabuf->vmapping_counter); i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, f->dmabuf->vmapping_counter, 0);
}

/* what the exporter is still moving is waited for */
static void access_after_fence(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_fence *fence;

	f->bind_cpu = true;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	fence = dma_buf_io_fixture_fence(test);
	begin(f, &f->w[0], DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], HZ / 10), -EINPROGRESS);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
	dma_fence_put(fence);
}

/* but not for ever, and not for each access again */
static void access_fence_hangs(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_fence *fence;
	unsigned long start;

	dma_buf_io_fixture_fast(test, 2000);
	f->bind_cpu = true;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	fence = dma_buf_io_fixture_fence(test);
	start = jiffies;
	begin(f, &f->w[0], DMA_FROM_DEVICE);
	KUNIT_EXPECT_LT(test, result(&f->w[0], TIMEOUT), 0);
	KUNIT_EXPECT_GE(test, jiffies - start, 2 * HZ - 1);
	KUNIT_EXPECT_LT(test, jiffies - start, 3 * HZ);
	flush(f);
	start = jiffies;
	begin(f, &f->w[0], DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), -EBUSY);
	KUNIT_EXPECT_LT(test, jiffies - start, HZ);
	dma_fence_signal(fence);
	begin(f, &f->w[0], DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
	dma_fence_put(fence);
}

static void hold_worker(struct work_struct *work)
{
	struct async *async = container_of(work, struct async, work);

	wait_for_completion(&async->f->begin_go);
}

/* other buffers hold up as many works as an exporter may have at a time */
static void access_without_worker(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct async async = { .f = f };
	struct workqueue_struct *wq;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	dma_buf_io_fixture_fast(test, 500);
	flush(f);
	wq = f->ctx->buffer->wq;
	workqueue_set_max_active(wq, 1);
	INIT_WORK_ONSTACK(&async.work, hold_worker);
	queue_work(wq, &async.work);
	begin(f, &f->w[0], DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], HZ / 10), -EINPROGRESS);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, f->dmabuf->vmapping_counter, 0);
	complete(&f->begin_go);
	flush(f);
	destroy_work_on_stack(&async.work);
	workqueue_set_max_active(wq, WQ_MAX_ACTIVE);

	/* when the work has been there all is as it was */
	KUNIT_EXPECT_EQ(test, f->w[0].calls, 1);
	begin(f, &f->w[0], DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
}

static struct kunit_case cpu_cases[] = {
	KUNIT_CASE(access_at_once),
	KUNIT_CASE(bound),
	KUNIT_CASE(access_after_fence),
	KUNIT_CASE_SLOW(access_fence_hangs),
	KUNIT_CASE(access_without_worker),
	{}
};

static struct kunit_suite cpu_suite = {
	.name		= "dma-buf-io-cpu",
	.init		= dma_buf_io_fixture_init,
	.exit		= dma_buf_io_fixture_exit,
	.test_cases	= cpu_cases,
};

/* --- and one that has to be ---------------------------------------------- */

static void begin_and_end(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct wait *w = &f->w[0];
	int i;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	for (i = 0; i < 2; i++) {
		enum dma_data_direction dir = i ? DMA_TO_DEVICE :
						  DMA_FROM_DEVICE;

		begin(f, w, dir);
		KUNIT_EXPECT_EQ(test, result(w, TIMEOUT), 0);
		KUNIT_EXPECT_PTR_NE(test, w->task, current);
		KUNIT_EXPECT_EQ(test, f->begins[i], 1);
		KUNIT_EXPECT_EQ(test, f->ends[i], 0);
		end(f, w, dir);
		KUNIT_EXPECT_EQ(test, result(w, TIMEOUT), 0);
		KUNIT_EXPECT_EQ(test, f->ends[i], 1);
	}
	KUNIT_EXPECT_EQ(test, f->begins[0], 1);
}

/* what has not begun does not end */
static void begin_fails(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->begin_error = -EIO;
	begin(f, &f->w[0], DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), -EIO);
	flush(f);
	KUNIT_EXPECT_EQ(test, f->ends[0], 0);
	f->begin_error = 0;
	begin(f, &f->w[0], DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
}

static void let_begin(struct kunit *test, int read_ends, int write_ends)
{
	struct fixture *f = test->priv;
	int i;

	f->hold_begin = false;
	complete(&f->begin_go);
	for (i = 0; i < 500 && f->ends[0] + f->ends[1] < read_ends + write_ends;
	     i++)
		msleep(20);
	flush(f);
	KUNIT_EXPECT_EQ(test, f->ends[0], read_ends);
	KUNIT_EXPECT_EQ(test, f->ends[1], write_ends);
}

/* the exporter does not return: it is owed the end of what it has begun */
static void begin_hangs(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long start;

	dma_buf_io_fixture_fast(test, 1000);
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	begin(f, &f->w[0], DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);

	f->hold_begin = true;
	start = jiffies;
	begin(f, &f->w[1], DMA_TO_DEVICE);
	begin(f, &f->w[2], DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], TIMEOUT), -ETIMEDOUT);
	KUNIT_EXPECT_GE(test, jiffies - start, HZ);
	KUNIT_EXPECT_EQ(test, result(&f->w[2], TIMEOUT), -ETIMEDOUT);
	KUNIT_EXPECT_LT(test, jiffies - start, 2 * HZ);
	msleep(300);
	/* nobody waits for that again */
	begin(f, &f->w[3], DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[3], 0), -ETIMEDOUT);
	end(f, &f->w[0], DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], 0), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, f->begins[1], 1);

	let_begin(test, 1, 1);
	KUNIT_EXPECT_EQ(test, f->w[1].calls, 1);
	begin(f, &f->w[1], DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], TIMEOUT), 0);
	end(f, &f->w[1], DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], TIMEOUT), 0);
}

/* the same where the CPU has had no mapping: the first that meets such an exporter */
static void first_begin_hangs(struct kunit *test)
{
	struct fixture *f = test->priv;

	dma_buf_io_fixture_fast(test, 500);
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->hold_begin = true;
	begin(f, &f->w[0], DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), -ETIMEDOUT);
	msleep(200);
	begin(f, &f->w[1], DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], 0), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], TIMEOUT), -ETIMEDOUT);
	let_begin(test, 0, 1);
}

/* a task is being killed: nothing of its registration waits */
static void access_cancelled(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct dma_buf_io_ctx *ctx;

	KUNIT_ASSERT_EQ(test, reg(f), 0);
	ctx = f->ctx;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	f->hold_begin = true;
	begin(f, &f->w[0], DMA_TO_DEVICE);
	begin(f, &f->w[1], DMA_TO_DEVICE);
	swap(f->ctx, ctx);
	begin(f, &f->w[2], DMA_TO_DEVICE);
	swap(f->ctx, ctx);
	while (!READ_ONCE(f->begins[1]))
		msleep(20);
	dma_buf_io_cancel(f->ctx);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], 0), -ECANCELED);
	KUNIT_EXPECT_EQ(test, result(&f->w[1], 0), -ECANCELED);
	begin(f, &f->w[3], DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, result(&f->w[3], 0), -ECANCELED);
	KUNIT_EXPECT_EQ(test, result(&f->w[2], 0), -EINPROGRESS);
	let_begin(test, 0, 1);
	KUNIT_EXPECT_EQ(test, result(&f->w[2], TIMEOUT), 0);
	KUNIT_EXPECT_EQ(test, f->begins[1], 2);
	dma_buf_io_unregister(ctx);
}

/**
 * struct stream - accesses one after the other, without a gap
 * @access: the present one
 * @f: to what
 * @stop: no more
 * @stopped: there is none
 */
struct stream {
	struct dma_buf_io_access access;
	struct fixture		*f;
	bool			stop;
	struct completion	stopped;
};

static void stream_next(struct dma_buf_io_waiter *waiter, int error)
{
	struct stream *stream = container_of(waiter, struct stream,
					     access.waiter);

	if (READ_ONCE(stream->stop))
		complete(&stream->stopped);
	else
		dma_buf_io_begin_cpu_access(stream->f->ctx, &stream->access);
}

static int short_begin(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	usleep_range(1000, 2000);
	return 0;
}

/* the work has more to do than that */
static void accesses_do_not_starve(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct stream stream = {
		.access.waiter.done	= stream_next,
		.access.dir		= DMA_FROM_DEVICE,
		.f			= f,
	};

	init_completion(&stream.stopped);
	dma_buf_io_fixture_fast(test, 5000);
	f->ops.begin_cpu_access = short_begin;
	f->ops.end_cpu_access = NULL;
	KUNIT_ASSERT_EQ(test, reg(f), 0);
	dma_buf_io_begin_cpu_access(f->ctx, &stream.access);
	msleep(50);
	invalidate(f);
	wait_for(f, &f->leaf, &f->w[0]);
	KUNIT_EXPECT_EQ(test, result(&f->w[0], TIMEOUT), 0);
	WRITE_ONCE(stream.stop, true);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&stream.stopped,
							  TIMEOUT), 0);
}

static struct kunit_case told_cases[] = {
	KUNIT_CASE(begin_and_end),
	KUNIT_CASE(begin_fails),
	KUNIT_CASE_SLOW(begin_hangs),
	KUNIT_CASE(first_begin_hangs),
	KUNIT_CASE(access_cancelled),
	KUNIT_CASE(accesses_do_not_starve),
	{}
};

static struct kunit_suite told_suite = {
	.name		= "dma-buf-io-cpu-told",
	.init		= told_init,
	.exit		= dma_buf_io_fixture_exit,
	.test_cases	= told_cases,
};

kunit_test_suites(&cpu_suite, &told_suite);
