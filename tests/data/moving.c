// SPDX-License-Identifier: GPL-2.0
/*
 * The exporter moves, locks, revokes and refuses a dma-buf that is registered
 * with io_uring: requests wait for it and complete, or end with the one errno.
 *
 *	moving DEVICE SECONDS
 */
#include "dbio.h"
#include "kselftest.h"
#include <pthread.h>
#include <stdatomic.h>

#include "../exporter/exporter.h"

#define SIZE	(4u << 20)
#define LEN	(256u << 10)
#define NR	(SIZE / LEN)

static int test_dev, dev;
static struct dbio_buf buf;
static struct io_uring ring;
static uint8_t *mem;
static atomic_bool stop;
static unsigned long moves, failed_ops;

static void op(unsigned int code, uint64_t arg)
{
	int ret = dbio_test_op(test_dev, buf.fd, code, arg, NULL, NULL);

	if (ret) {
		ksft_print_msg("op %u: %s\n", code, strerror(-ret));
		failed_ops++;
	}
}

static void *mover(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		op(DMABUF_TEST_MOVE, 0);
		moves++;
		usleep(500);
	}
	return NULL;
}

/* all of the buffer, NR requests at once; the first error, or 0 */
static int all(bool write)
{
	struct io_uring_cqe *cqe;
	int ret = 0;

	for (unsigned int i = 0; i < NR; i++)
		dbio_prep(io_uring_get_sqe(&ring), write, dev, i * LEN, LEN, i * LEN, 0);
	if (io_uring_submit(&ring) != NR)
		return -EIO;
	for (unsigned int i = 0; i < NR; i++) {
		if (io_uring_wait_cqe(&ring, &cqe))
			return -EIO;
		if (cqe->res != (int)LEN && !ret)
			ret = cqe->res < 0 ? cqe->res : -EIO;
		io_uring_cqe_seen(&ring, cqe);
	}
	return ret;
}

/* write, compare, read back, compare */
static int both(uint64_t seed)
{
	int ret;

	dbio_fill(buf.map, SIZE, seed, 0);
	ret = all(true);
	if (!ret)
		ret = dbio_pread(dev, mem, SIZE, 0);
	if (!ret && dbio_differ(mem, buf.map, SIZE) >= 0)
		return -EBADMSG;
	memset(buf.map, 0, SIZE);
	if (!ret)
		ret = all(false);
	if (!ret && dbio_differ(mem, buf.map, SIZE) >= 0)
		return -EBADMSG;
	return ret;
}

static void moved_in_a_loop(int seconds)
{
	time_t end = time(NULL) + seconds;
	unsigned long rounds = 0;
	pthread_t thread;
	int ret = 0;

	pthread_create(&thread, NULL, mover, NULL);
	while (!ret && time(NULL) < end)
		ret = both(++rounds);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	ksft_print_msg("%lu moves, %lu rounds of %u MiB\n", moves, rounds, SIZE >> 19);
	ksft_test_result(!ret && moves, "moved in a loop (%s)\n", strerror(-ret));
}

static void *unrevoke_later(void *arg)
{
	(void)arg;
	sleep(1);
	op(DMABUF_TEST_UNREVOKE, 0);
	return NULL;
}

static void *hold(void *arg)
{
	(void)arg;
	op(DMABUF_TEST_HOLD, 1500);
	return NULL;
}

static int timeline;

static void *move_ends_later(void *arg)
{
	(void)arg;
	sleep(1);
	if (dbio_fence_signal(timeline))
		failed_ops++;
	return NULL;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

/* the exporter copies for a second: wait for it, and no longer */
static void slow_move(const char *text, int (*act)(void))
{
	int ret, fence = dbio_fence(&timeline);
	pthread_t thread;
	double start;

	if (fence < 0)
		ksft_exit_fail_msg("sw_sync: %s\n", strerror(-fence));
	op(DMABUF_TEST_MOVE, 0);
	op(DMABUF_TEST_FENCE, fence);
	start = now();
	pthread_create(&thread, NULL, move_ends_later, NULL);
	ret = act();
	if (!ret && now() - start < 0.9)
		ret = -ETIME;
	pthread_join(thread, NULL);
	close(fence);
	close(timeline);
	ksft_test_result(!ret, "%s (%s)\n", text, strerror(-ret));
}

static int register_again(void)
{
	return dbio_register(&ring, 1, buf.fd, dev);
}

/* that is no signal */
static int register_meanwhile(void)
{
	struct __kernel_timespec soon = { .tv_nsec = 300000000 };
	struct io_uring_cqe *cqe;
	int ret;

	io_uring_prep_timeout(io_uring_get_sqe(&ring), &soon, 0, 0);
	if (io_uring_submit(&ring) != 1)
		return -EIO;
	ret = register_again();
	if (io_uring_wait_cqe(&ring, &cqe))
		return -EIO;
	io_uring_cqe_seen(&ring, cqe);
	return ret;
}

static int both_again(void)
{
	return both(1006);
}

int main(int argc, char **argv)
{
	struct dmabuf_test_create create = { .size = SIZE, .fd_flags = O_RDWR | O_CLOEXEC };
	pthread_t thread;
	int ret;

	ksft_print_header();
	ksft_set_plan(12);
	if (argc < 3)
		ksft_exit_fail_msg("no device\n");
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR);
	dev = open(argv[1], O_RDWR | O_DIRECT);
	if (test_dev < 0 || dev < 0 || ioctl(test_dev, DMABUF_TEST_CREATE, &create))
		ksft_exit_fail_msg("setup: %s\n", strerror(errno));
	buf.fd = create.fd;
	buf.map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buf.fd, 0);
	mem = dbio_mem(SIZE);
	ret = dbio_ring(&ring, NR, 0, 2) ?: dbio_register(&ring, 0, buf.fd, dev);
	if (ret || buf.map == MAP_FAILED)
		ksft_exit_fail_msg("registration: %s\n", strerror(-ret));

	moved_in_a_loop(atoi(argv[2]));

	pthread_create(&thread, NULL, hold, NULL);
	usleep(200000);
	ret = both(1001);
	pthread_join(thread, NULL);
	ksft_test_result(!ret, "reservation lock held (%s)\n", strerror(-ret));

	op(DMABUF_TEST_MOVE, 0);
	op(DMABUF_TEST_FAIL_MAPS, DMABUF_TEST_FAIL(3, EBUSY));
	ret = both(1002);
	ksft_test_result(!ret, "three maps fail with EBUSY (%s)\n", strerror(-ret));

	slow_move("the contents move for a second, I/O", both_again);
	slow_move("the contents move for a second, registration", register_again);
	slow_move("likewise, while a request completes", register_meanwhile);
	op(DMABUF_TEST_FAIL_MAPS, DMABUF_TEST_FAIL(3, EBUSY));
	ret = register_again();
	ksft_test_result(!ret, "three maps of a registration fail with EBUSY (%s)\n",
			 strerror(-ret));
	dbio_unregister(&ring, 1);

	dbio_fill(buf.map, SIZE, 1003, 0);
	op(DMABUF_TEST_REVOKE, 0);
	pthread_create(&thread, NULL, unrevoke_later, NULL);
	ret = all(true);
	pthread_join(thread, NULL);
	if (!ret)
		ret = both(1004);
	ksft_test_result(!ret, "revoked for a second (%s)\n", strerror(-ret));

	op(DMABUF_TEST_MOVE, 0);
	op(DMABUF_TEST_FAIL_MAPS, DMABUF_TEST_FAIL(100000, EINVAL));
	ret = all(false);
	ksft_test_result(ret == -ESTALE, "maps fail with EINVAL: %s\n", strerror(-ret));
	op(DMABUF_TEST_FAIL_MAPS, DMABUF_TEST_FAIL(0, EINVAL));

	dbio_park_timeout(500);
	op(DMABUF_TEST_REVOKE, 0);
	ret = all(false);
	ksft_test_result(ret == -ESTALE, "revoked: %s\n", strerror(-ret));
	op(DMABUF_TEST_UNREVOKE, 0);
	ret = both(1005);
	ksft_test_result(!ret, "and back (%s)\n", strerror(-ret));
	dbio_park_timeout(8000);
	ksft_test_result(!failed_ops, "the exporter did as it was told\n");
	ksft_finished();
}
