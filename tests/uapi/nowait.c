// SPDX-License-Identifier: GPL-2.0
/*
 * RWF_NOWAIT on a buffer that the exporter has taken away: EAGAIN at once, rather than
 * a wait for the exporter; and I/O when it is back.
 *
 *	nowait DEVICE
 */
#include "dbio.h"
#include "kselftest.h"
#include <sys/uio.h>

#define SIZE	(256u << 10)
#define NR	8
#define LEN	(SIZE / NR)
/* at once, on a slow machine */
#define AT_ONCE_MS 500

static int test_dev, dev;
static struct dbio_buf buf;
static struct io_uring ring;

/* all parts: milliseconds that they took together; @want: how many ended with @error */
static unsigned int all(bool write, int rw_flags, int error, unsigned int *want)
{
	uint64_t start = dbio_now_ns();
	struct io_uring_cqe *cqe;

	*want = 0;
	for (unsigned int i = 0; i < NR; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		dbio_prep(sqe, write, dev, i * LEN, LEN, i * LEN, 0);
		sqe->rw_flags = rw_flags;
	}
	io_uring_submit(&ring);
	for (unsigned int i = 0; i < NR; i++) {
		int ret;

		do {
			ret = io_uring_wait_cqe(&ring, &cqe);
		} while (ret == -EINTR);
		if (ret)
			ksft_exit_fail_msg("wait: %s\n", strerror(-ret));
		if (cqe->res == error)
			++*want;
		else
			ksft_print_msg("%s of part %u: %d\n", write ? "write" : "read", i,
				       cqe->res);
		io_uring_cqe_seen(&ring, cqe);
	}
	return (dbio_now_ns() - start) / 1000000;
}

static void op(unsigned int code)
{
	int ret = dbio_test_op(test_dev, buf.fd, code, 0, NULL, NULL);

	if (ret)
		ksft_exit_fail_msg("op %u: %s\n", code, strerror(-ret));
}

/* does the device know it at all? */
static int ordinary(void)
{
	struct iovec iov = { .iov_base = dbio_mem(LEN), .iov_len = LEN };

	return preadv2(dev, &iov, 1, 0, RWF_NOWAIT) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	int want = LEN, refused = -EAGAIN;
	unsigned int right, took;
	int ret;

	ksft_print_header();
	ksft_set_plan(6);
	if (argc < 2)
		ksft_exit_fail_msg("no device\n");
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	dev = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	ret = dbio_buf_create(&buf, "test", SIZE) ?: dbio_ring(&ring, NR, 0, 1) ?:
	      dbio_register(&ring, 0, buf.fd, dev);
	if (test_dev < 0 || dev < 0 || ret)
		ksft_exit_fail_msg("setup: %s\n", strerror(-ret ?: errno));
	if (ordinary() == -EOPNOTSUPP) {
		ksft_print_msg("ordinary I/O: no RWF_NOWAIT\n");
		want = -EOPNOTSUPP;
		refused = -EOPNOTSUPP;
	}

	for (int write = 0; write < 2; write++) {
		const char *what = write ? "write" : "read";

		all(write, RWF_NOWAIT, want, &right);
		ksft_test_result(right, "%s: %u of %u: %d\n", what, right, NR, want);
		op(DMABUF_TEST_REVOKE);
		took = all(write, RWF_NOWAIT, refused, &right);
		ksft_test_result(right == NR && took < AT_ONCE_MS,
				 "%s, revoked: %u of %u %s, after %u ms\n", what, right, NR,
				 strerrorname_np(-refused), took);
		op(DMABUF_TEST_UNREVOKE);
		took = all(write, 0, LEN, &right);
		ksft_test_result(right == NR, "%s, and back: %u of %u succeed, after %u ms\n", what,
				 right, NR, took);
	}
	ksft_finished();
}
