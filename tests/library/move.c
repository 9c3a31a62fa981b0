// SPDX-License-Identifier: GPL-2.0
/*
 * The exporter moves a dma-buf as fast as it can while threads do I/O to it. A
 * device that was left with an old mapping hits the IOMMU, or reads and writes
 * memory that is poisoned before it is freed.
 *
 * The file is $TEST_FILE, or /dev/member/0; $TEST_SECONDS for each variant (3).
 *
 * cflags: -pthread
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "dmabuf-test.h"
#include "kselftest_harness.h"

#define THREADS		4
#define AREA		(512L << 10)
#define SIZE		(THREADS * AREA)
/* more than one command of the smallest devices, and many at the others */
#define COUNT		16

struct worker {
	pthread_t		thread;
	unsigned int		nr;
	__u32		flags;
	int			dev;
	int			file;
	int			dmabuf;
	unsigned char		*mem;
	atomic_bool		*stop;
	/* results */
	long			runs;
	long			bytes;
	long			error;
	const char		*step;
};

struct mover {
	pthread_t		thread;
	int			dev;
	int			dmabuf;
	atomic_bool		*stop;
	/* results */
	long			moves;
	__u64		wait;
	int			error;
};

static int run(struct worker *w, __u32 flags, size_t len)
{
	struct dmabuf_test_run run = {
		.dmabuf_fd	= w->dmabuf,
		.file_fd	= w->file,
		.offset		= w->nr * AREA,
		.pos		= w->nr * AREA,
		.len		= len,
		.count		= COUNT,
		.flags		= w->flags | flags,
	};
	long ret = dt_run(w->dev, &run);

	w->runs++;
	w->bytes += COUNT * len;
	if (ret == (long)len)
		return 0;
	w->error = ret;
	w->step = flags ? "write failed" : "read failed";
	return -1;
}

static int compare(struct worker *w, const void *buf, size_t len, __u32 seed,
		   const char *step)
{
	w->error = dt_check(buf, len, seed);
	if (w->error < 0) {
		w->error = 0;
		return 0;
	}
	w->step = step;
	return -1;
}

/* buffer to file, file to memory; memory to file, file to buffer */
static int round_trip(struct worker *w, void *plain, size_t len, __u32 seed)
{
	unsigned char *mem = w->mem + w->nr * AREA;
	off_t pos = w->nr * AREA;

	dt_fill(mem, len, seed);
	if (run(w, DMABUF_TEST_RUN_WRITE, len) ||
	    compare(w, mem, len, seed, "written data changed"))
		return -1;
	if (pread(w->file, plain, len, pos) != (ssize_t)len)
		goto error;
	if (compare(w, plain, len, seed, "wrong data written"))
		return -1;

	dt_fill(plain, len, seed + 1);
	if (pwrite(w->file, plain, len, pos) != (ssize_t)len)
		goto error;
	if (run(w, 0, len))
		return -1;
	return compare(w, mem, len, seed + 1, "wrong data read");

error:
	w->error = -errno;
	w->step = "plain I/O failed";
	return -1;
}

static void *work(void *arg)
{
	static const size_t lens[] = { 4096, AREA, 65536, AREA - 4096 };
	struct worker *w = arg;
	__u32 seed = w->nr << 24;
	void *plain;

	if (posix_memalign(&plain, 4096, AREA)) {
		w->error = -ENOMEM;
		w->step = "no memory";
		return NULL;
	}
	while (!atomic_load(w->stop)) {
		if (round_trip(w, plain, lens[seed / 2 % 4], seed))
			break;
		seed += 2;
	}
	free(plain);
	return NULL;
}

static void *move(void *arg)
{
	struct mover *m = arg;
	__u64 wait;

	while (!atomic_load(m->stop)) {
		m->error = dt_op(m->dev, m->dmabuf, DMABUF_TEST_MOVE, 0, &wait);
		if (m->error)
			break;
		m->moves++;
		m->wait += wait;
		/* let them get their work done, at different times */
		usleep(m->moves % 7 * 1000);
	}
	return NULL;
}

FIXTURE(move) {
	int		dev;
	int		file;
	int		dmabuf;
	unsigned char		*mem;
	unsigned int	seconds;
};

FIXTURE_VARIANT(move) {
	__u32	buffer;
	__u32	run;
};

/* bios find no mapping and wait for it below */
FIXTURE_VARIANT_ADD(move, park) {
	.buffer	= DMABUF_TEST_CONTIGUOUS,
};

FIXTURE_VARIANT_ADD(move, park_async) {
	.run	= DMABUF_TEST_RUN_ASYNC,
};

/* as a consumer should: waits before there is a bio */
FIXTURE_VARIANT_ADD(move, revalidate) {
	.run	= DMABUF_TEST_RUN_REVALIDATE,
};

FIXTURE_SETUP(move)
{
	const char *path = getenv("TEST_FILE") ?: "/dev/member/0";
	const char *seconds = getenv("TEST_SECONDS") ?: "3";

	self->seconds = atoi(seconds);
	self->dev = dt_open();
	ASSERT_GE(self->dev, 0);
	self->file = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_GE(self->file, 0);
	self->dmabuf = dt_create(self->dev, SIZE, variant->buffer, O_RDWR);
	ASSERT_GE(self->dmabuf, 0);
	self->mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->dmabuf, 0);
	ASSERT_NE(self->mem, MAP_FAILED);
}

FIXTURE_TEARDOWN(move)
{
	EXPECT_EQ(dt_wait_detached(self->dev, self->dmabuf), 0);
	munmap(self->mem, SIZE);
	close(self->dmabuf);
	close(self->file);
	close(self->dev);
}

TEST_F_TIMEOUT(move, during_io, 200)
{
	struct worker workers[THREADS] = {};
	struct dmabuf_test_stats stats;
	atomic_bool stop = false;
	struct mover mover = {
		.dev	= self->dev,
		.dmabuf	= self->dmabuf,
		.stop	= &stop,
	};
	long runs = 0, bytes = 0;
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker) {
			.nr	= i,
			.flags	= variant->run,
			.dev	= self->dev,
			.file	= self->file,
			.dmabuf	= self->dmabuf,
			.mem	= self->mem,
			.stop	= &stop,
		};
		ASSERT_EQ(pthread_create(&workers[i].thread, NULL, work,
					 &workers[i]), 0);
	}
	ASSERT_EQ(pthread_create(&mover.thread, NULL, move, &mover), 0);
	sleep(self->seconds);
	atomic_store(&stop, true);
	pthread_join(mover.thread, NULL);
	for (i = 0; i < THREADS; i++) {
		struct worker *w = &workers[i];

		pthread_join(w->thread, NULL);
		EXPECT_EQ(w->step, NULL) {
			TH_LOG("thread %u: %s: %ld", i, w->step, w->error);
		}
		/* it got somewhere */
		EXPECT_GE(w->runs, 2L);
		runs += w->runs;
		bytes += w->bytes;
	}
	EXPECT_EQ(mover.error, 0);
	ASSERT_GT(mover.moves, 0);

	ASSERT_EQ(dt_stats(self->dev, self->dmabuf, &stats), 0);
	ksft_print_msg("%ld registrations, %ld MiB of I/O, %ld moves, %llu mappings\n",
		       runs, bytes >> 20, mover.moves, stats.maps);
	ksft_print_msg("exporter waited %llu us on average, %llu us at worst\n",
		       mover.wait / mover.moves / 1000,
		       stats.worst_wait_ns / 1000);
	/* mappings were taken away from I/O, not only from the idle */
	/* registrations share their mappings */
	EXPECT_GT(stats.maps, 0ULL);
	EXPECT_LT(stats.worst_wait_ns, 5000000000ULL);
}

TEST_HARNESS_MAIN
