// SPDX-License-Identifier: GPL-2.0
/*
 * Two devices of one request find the exporter busy, one after the other, for
 * longer than I/O waits when taken together.
 *
 *	in-turn DEVICE MS FIRST PCI-DEVICE SECOND PCI-DEVICE
 *	in-turn DEVICE MS FIRST SECOND
 *
 * DEVICE has chunks of 64 KiB on the suspended dm devices FIRST and SECOND, each on
 * a PCI-DEVICE; MS is how long I/O waits.  Prints "right", "wrong" or an errno.
 * Without PCI-DEVICEs, the exporter is busy for ever, and the second part comes when
 * the first has been given up: prints how long that one waits, in halves of MS.
 */
#include "dbio.h"

#include "../exporter/exporter.h"

#define LEN	(128 << 10)
#define POS	(1 << 20)

static int test_dev, dmabuf;

static void fail(const char *what, int ret)
{
	printf("%s: %s\n", what, strerrorname_np(-ret));
	exit(2);
}

static void op(unsigned int code, uint64_t arg, const char *device)
{
	int ret = dbio_test_op(test_dev, dmabuf, code, arg, device, NULL);

	if (ret)
		fail("exporter", ret);
}

static void resume(const char *name)
{
	char command[256];

	snprintf(command, sizeof(command), "dmsetup resume %s", name);
	if (system(command))
		fail(command, -EIO);
}

int main(int argc, char **argv)
{
	struct dmabuf_test_create create = { .size = LEN, .fd_flags = O_RDWR | O_CLOEXEC };
	uint64_t busy = DMABUF_TEST_FAIL(1ULL << 20, EBUSY);
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	uint8_t *map, *mem;
	unsigned int us;
	int dev, ret;

	if (argc != 7 && argc != 5)
		return 2;
	us = atoi(argv[2]) * 1000;
	mem = dbio_mem(LEN);
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	dev = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (test_dev < 0 || dev < 0 || ioctl(test_dev, DMABUF_TEST_CREATE, &create))
		fail("setup", -errno);
	dmabuf = create.fd;
	map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	ret = dbio_ring(&ring, 4, 0, 1) ?: dbio_register(&ring, 0, dmabuf, dev);
	if (ret || map == MAP_FAILED)
		fail("registration", ret ?: -errno);
	dbio_fill(map, LEN, getpid() + time(NULL), POS);

	dbio_prep(io_uring_get_sqe(&ring), true, dev, 0, LEN, POS, 0);
	if (io_uring_submit(&ring) != 1)
		fail("submit", -EIO);
	usleep(300000);
	op(DMABUF_TEST_FAIL_MAPS, busy, "");
	op(DMABUF_TEST_MOVE, 0, "");
	/* so that neither had a mapping lately */
	usleep(us + us / 4);
	if (!io_uring_peek_cqe(&ring, &cqe))
		fail("too early", cqe->res < 0 ? cqe->res : -EALREADY);

	resume(argv[3]);
	if (argc == 5) {
		struct timespec begin, end;

		usleep(us + us / 4);
		resume(argv[4]);
		clock_gettime(CLOCK_MONOTONIC, &begin);
		ret = io_uring_wait_cqe(&ring, &cqe);
		clock_gettime(CLOCK_MONOTONIC, &end);
		if (ret || cqe->res >= 0)
			fail("should have been given up", ret ?: cqe->res);
		printf("%s after %ld\n", strerrorname_np(-cqe->res),
		       ((end.tv_sec - begin.tv_sec) * 1000 +
			(end.tv_nsec - begin.tv_nsec) / 1000000) * 2000 / us);
		return 0;
	}
	usleep(us / 10 * 6);
	resume(argv[5]);
	usleep(us / 10);
	op(DMABUF_TEST_FAIL_MAPS, busy, argv[6]);
	usleep(us / 10 * 5);
	op(DMABUF_TEST_FAIL_MAPS, DMABUF_TEST_FAIL(0, EBUSY), "");

	ret = io_uring_wait_cqe(&ring, &cqe);
	if (ret)
		fail("wait", ret);
	if (cqe->res < 0) {
		puts(strerrorname_np(-cqe->res));
		return 1;
	}
	ret = dbio_pread(dev, mem, LEN, POS);
	if (ret)
		fail("plain read", ret);
	puts(cqe->res == LEN && !memcmp(mem, map, LEN) ? "right" : "wrong");
	return 0;
}
