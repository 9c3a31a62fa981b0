// SPDX-License-Identifier: GPL-2.0
/*
 * What the exporter does to a request that has reached some of its devices, and
 * others not yet.
 *
 *	late DEVICE read|write BYTES [first] [unmap=PCI-DEVICE] [revoke] [hold=MS]
 *		[dsync] [pos=BYTE] -- COMMAND...
 *
 * Submits one request, does to the dma-buf what is asked for (first: before that),
 * runs the command, which lets the request go on, and prints how it ended:
 * "right", "wrong" if the data is, or the name of an errno.  hold: somebody has the
 * exporter's lock for so long; then the same is done again when he has not.
 */
#include "dbio.h"
#include <sys/wait.h>

#include "../exporter/exporter.h"

static int test_dev;
static const char *unmap;
static bool revoked;
static unsigned long hold;
static pid_t holder;
static uint64_t pos = 1 << 20;

static void op(int dmabuf, unsigned int code, uint64_t arg, const char *device)
{
	int ret = dbio_test_op(test_dev, dmabuf, code, arg, device, NULL);

	if (ret) {
		printf("op %u: %s\n", code, strerrorname_np(-ret));
		exit(2);
	}
}

static void take_away(int dmabuf)
{
	if (unmap) {
		op(dmabuf, DMABUF_TEST_FAIL_MAPS, DMABUF_TEST_FAIL(1u << 20, EINVAL), unmap);
		op(dmabuf, DMABUF_TEST_MOVE, 0, NULL);
	}
	if (revoked)
		op(dmabuf, DMABUF_TEST_REVOKE, 0, NULL);
	if (hold) {
		holder = fork();
		if (!holder) {
			op(dmabuf, DMABUF_TEST_HOLD, hold, NULL);
			_exit(0);
		}
		usleep(300000);
	}
}

static void fail(const char *what, int ret)
{
	printf("%s: %s\n", what, strerrorname_np(-ret));
	exit(2);
}

static void submit(struct io_uring *ring, bool write, int dev, size_t len, bool dsync)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	dbio_prep(sqe, write, dev, 0, len, pos, 0);
	if (dsync)
		sqe->rw_flags = RWF_DSYNC;
	if (io_uring_submit(ring) != 1)
		fail("submit", -EIO);
}

static const char *outcome(struct io_uring *ring, int dev, const void *map, size_t len)
{
	struct io_uring_cqe *cqe;
	int ret, res;
	uint8_t *mem = dbio_mem(len);

	ret = io_uring_wait_cqe(ring, &cqe);
	if (ret)
		fail("wait", ret);
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	if (res < 0)
		return strerrorname_np(-res);
	ret = dbio_pread(dev, mem, len, pos);
	if (ret)
		fail("plain read", ret);
	return res == (int)len && !memcmp(mem, map, len) ? "right" : "wrong";
}

int main(int argc, char **argv)
{
	struct dmabuf_test_create create = { .fd_flags = O_RDWR | O_CLOEXEC };
	bool write, first = false, dsync = false;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	const char *how;
	uint8_t *map;
	int dev, ret, i;
	pid_t child;
	size_t len;

	if (argc < 6)
		return 2;
	write = !strcmp(argv[2], "write");
	len = strtoul(argv[3], NULL, 0);
	for (i = 4; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strncmp(argv[i], "unmap=", 6))
			unmap = argv[i] + 6;
		revoked |= !strcmp(argv[i], "revoke");
		first |= !strcmp(argv[i], "first");
		dsync |= !strcmp(argv[i], "dsync");
		if (!strncmp(argv[i], "hold=", 5))
			hold = strtoul(argv[i] + 5, NULL, 0);
		if (!strncmp(argv[i], "pos=", 4))
			pos = strtoull(argv[i] + 4, NULL, 0);
	}
	create.size = (len + 4095) & -4096;
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	dev = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (test_dev < 0 || dev < 0 || ioctl(test_dev, DMABUF_TEST_CREATE, &create))
		fail("setup", -errno);
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, create.fd, 0);
	ret = dbio_ring(&ring, 4, 0, 1);
	if (!ret)
		ret = dbio_register(&ring, 0, create.fd, dev);
	if (ret || map == MAP_FAILED)
		fail("registration", ret);
	dbio_fill(map, len, getpid() + time(NULL), pos);
	if (first)
		take_away(create.fd);

	submit(&ring, write, dev, len, dsync);
	if (!first) {
		usleep(300000);
		if (!io_uring_peek_cqe(&ring, &cqe))
			fail("too early", cqe->res < 0 ? cqe->res : -EALREADY);
		take_away(create.fd);
	}

	fflush(stdout);
	child = fork();
	if (!child) {
		execvp(argv[i + 1], argv + i + 1);
		_exit(127);
	}
	waitpid(child, &ret, 0);
	how = outcome(&ring, dev, map, len);
	if (hold) {
		printf("%s, then ", how);
		waitpid(holder, &ret, 0);
		/* who waits for the lock in the kernel is to have got it, too */
		sleep(1);
		submit(&ring, write, dev, len, dsync);
		how = outcome(&ring, dev, map, len);
	}
	puts(how);
	return strcmp(how, "right") && strcmp(how, "wrong");
}
