// SPDX-License-Identifier: GPL-2.0
/*
 * What the exporter does to a request that has reached some of its devices, and
 * others not yet.
 *
 *	late DEVICE read|write BYTES [first] [unmap=PCI-DEVICE] [revoke] [dsync]
 *		[pos=BYTE] -- COMMAND...
 *
 * Submits one request, does to the dma-buf what is asked for (first: before that),
 * runs the command, which lets the request go on, and prints how it ended:
 * "right", "wrong" if the data is, or the name of an errno.
 */
#include "dbio.h"
#include <sys/wait.h>

#include "../exporter/exporter.h"

static int test_dev;
static const char *unmap;
static bool revoked;
static uint64_t pos = 1 << 20;

static void op(int dmabuf, unsigned int code, uint64_t arg, const char *device)
{
	struct dmabuf_test_op o = { .dmabuf_fd = dmabuf, .op = code, .arg = arg };

	if (device)
		snprintf(o.device, sizeof(o.device), "%s", device);
	if (ioctl(test_dev, DMABUF_TEST_OP, &o)) {
		printf("op %u: %s\n", code, strerrorname_np(errno));
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
}

static void fail(const char *what, int ret)
{
	printf("%s: %s\n", what, strerrorname_np(-ret));
	exit(2);
}

int main(int argc, char **argv)
{
	struct dmabuf_test_create create = { .fd_flags = O_RDWR | O_CLOEXEC };
	bool write, first = false, dsync = false;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	uint8_t *mem, *map;
	int dev, ret, i;
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
		if (!strncmp(argv[i], "pos=", 4))
			pos = strtoull(argv[i] + 4, NULL, 0);
	}
	create.size = (len + 4095) & -4096;
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	dev = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (test_dev < 0 || dev < 0 || ioctl(test_dev, DMABUF_TEST_CREATE, &create))
		fail("setup", -errno);
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, create.fd, 0);
	mem = dbio_mem(len);
	ret = dbio_ring(&ring, 4, 0, 1);
	if (!ret)
		ret = dbio_register(&ring, 0, create.fd, dev);
	if (ret || map == MAP_FAILED)
		fail("registration", ret);
	dbio_fill(map, len, getpid() + time(NULL), pos);
	if (first)
		take_away(create.fd);

	sqe = io_uring_get_sqe(&ring);
	dbio_prep(sqe, write, dev, 0, len, pos, 0);
	if (dsync)
		sqe->rw_flags = RWF_DSYNC;
	if (io_uring_submit(&ring) != 1)
		fail("submit", -EIO);
	if (!first) {
		usleep(300000);
		if (!io_uring_peek_cqe(&ring, &cqe))
			fail("too early", cqe->res < 0 ? cqe->res : -EALREADY);
		take_away(create.fd);
	}

	fflush(stdout);
	if (!fork()) {
		execvp(argv[i + 1], argv + i + 1);
		_exit(127);
	}
	wait(&ret);
	ret = io_uring_wait_cqe(&ring, &cqe);
	if (ret)
		fail("wait", ret);
	if (cqe->res < 0) {
		puts(strerrorname_np(-cqe->res));
		return 1;
	}
	ret = dbio_pread(dev, mem, len, pos);
	if (ret)
		fail("plain read", ret);
	puts(cqe->res == (int)len && !memcmp(mem, map, len) ? "right" : "wrong");
	return 0;
}
