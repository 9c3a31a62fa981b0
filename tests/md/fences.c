// SPDX-License-Identifier: GPL-2.0
/*
 * Fences of a dma-buf: one of the kernel's is waited for, because the contents are on
 * their way; one of a user who writes to the buffer is that user's affair.
 *
 *	fences DEVICE
 */
#include "dbio.h"
#include "kselftest.h"

#define SIZE	(1u << 20)
#define POS	(4u << 20)
/* what does not wait is done in this; what does takes as long at least */
#define MS	1000

static int test_dev, dev, timeline;
static struct dbio_buf buf;
static struct io_uring ring;
static uint8_t *mem, *wanted;
static uint64_t seed;

/* adds a fence to the buffer; the child that it returns signals it in the end */
static void fence(unsigned int code)
{
	int ret, fd = dbio_fence(&timeline);

	if (fd < 0)
		ksft_exit_fail_msg("sw_sync: %s\n", strerror(-fd));
	ret = dbio_test_op(test_dev, buf.fd, code, fd, NULL, NULL);
	if (ret)
		ksft_exit_fail_msg("fence: %s\n", strerror(-ret));
	close(fd);
}

static void signal_fence(void)
{
	if (dbio_fence_signal(timeline))
		ksft_exit_fail_msg("sw_sync: %s\n", strerror(errno));
	close(timeline);
}

/* milliseconds until the first completion, or -1 in ten seconds */
static int reap(uint64_t start, int *res)
{
	struct __kernel_timespec patience = { .tv_sec = 10 };
	struct io_uring_cqe *cqe;

	if (io_uring_wait_cqe_timeout(&ring, &cqe, &patience))
		return -1;
	*res = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return (dbio_now_ns() - start) / 1000000;
}

/* a request while there is an unsignalled fence */
static void does_not_wait(const char *what, bool write, unsigned int len)
{
	uint64_t start;
	int res = 0, took;

	dbio_fill(wanted, SIZE, ++seed, POS);
	if (!write && dbio_pwrite(dev, wanted, SIZE, POS))
		ksft_exit_fail_msg("plain write\n");
	if (write)
		memcpy(buf.map, wanted, SIZE);
	else
		memset(buf.map, 0xa5, SIZE);
	fence(DMABUF_TEST_FENCE_WRITE);
	start = dbio_now_ns();
	dbio_prep(io_uring_get_sqe(&ring), write, dev, 0, len, POS, 0);
	io_uring_submit(&ring);
	took = reap(start, &res);
	signal_fence();
	if (took < 0)
		reap(start, &res);
	if (write && dbio_pread(dev, mem, len, POS))
		res = -EIO;
	if (res == (int)len && memcmp(write ? mem : buf.map, wanted, len))
		res = -EBADMSG;
	ksft_test_result(took >= 0 && took < MS && res == (int)len,
			 "%s of %u, a writer's fence: %d after %d ms\n", what, len, res, took);
}

static void waits(bool write)
{
	uint64_t start = dbio_now_ns();
	int res = 0, took, ret;

	ret = dbio_test_op(test_dev, buf.fd, DMABUF_TEST_MOVE, 0, NULL, NULL);
	if (ret == -EBUSY)	/* the CPU has it pinned: as good as moved */
		ret = dbio_test_op(test_dev, buf.fd, DMABUF_TEST_REVOKE, 0, NULL, NULL) ?:
		      dbio_test_op(test_dev, buf.fd, DMABUF_TEST_UNREVOKE, 0, NULL, NULL);
	if (ret)
		ksft_exit_fail_msg("move: %s\n", strerror(-ret));
	fence(DMABUF_TEST_FENCE);
	dbio_prep(io_uring_get_sqe(&ring), write, dev, 0, SIZE, POS, 0);
	io_uring_submit(&ring);
	usleep(MS * 1000);
	signal_fence();
	took = reap(start, &res);
	ksft_test_result(took >= MS && res == (int)SIZE, "%s, the kernel's fence: %d after %d ms\n",
			 write ? "write" : "read", res, took);
}

int main(int argc, char **argv)
{
	uint64_t start;
	int ret;

	ksft_print_header();
	ksft_set_plan(7);
	if (argc < 2)
		ksft_exit_fail_msg("no device\n");
	mem = dbio_mem(SIZE);
	wanted = dbio_mem(SIZE);
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	dev = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	ret = dbio_buf_create(&buf, "test", SIZE) ?: dbio_ring(&ring, 4, 0, 1);
	if (test_dev < 0 || dev < 0 || ret)
		ksft_exit_fail_msg("setup: %s\n", strerror(-ret ?: errno));

	fence(DMABUF_TEST_FENCE_WRITE);
	start = dbio_now_ns();
	ret = dbio_register(&ring, 0, buf.fd, dev);
	ret = ret ?: dbio_now_ns() - start < MS * 1000000ull ? ret : -ETIME;
	signal_fence();
	ksft_test_result(!ret, "registration, a writer's fence (%s)\n", strerror(-ret));

	does_not_wait("write", true, SIZE);
	does_not_wait("write", true, 4096);
	does_not_wait("read", false, SIZE);
	does_not_wait("read", false, 4096);
	waits(true);
	waits(false);
	ksft_finished();
}
