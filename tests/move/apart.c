// SPDX-License-Identifier: GPL-2.0
/*
 * One registration, two devices below: requests for the second do not wait for
 * those of the first.
 *
 *	apart DEVICE BYTE
 *
 * Reads 16 blocks from the start and, while those are under way, 16 from BYTE on.
 * Prints how many of the former were done when the last of the latter was, and
 * compares all of them.
 */
#include "dbio.h"

#define NR	16
#define LEN	4096
#define STRIDE	65536	/* no neighbours: one command for each */

static void fail(const char *what, int ret)
{
	printf("%s: %s\n", what, strerrorname_np(-ret));
	exit(2);
}

static void submit(struct io_uring *ring, int dev, unsigned int first, uint64_t pos)
{
	for (unsigned int i = 0; i < NR; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		dbio_prep(sqe, false, dev, (first + i) * LEN, LEN, pos + i * STRIDE, 0);
		sqe->user_data = first;
	}
	if (io_uring_submit(ring) != NR)
		fail("submit", -EIO);
}

int main(int argc, char **argv)
{
	unsigned int near = 0, far = 0, near_then = 0;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	struct dbio_buf buf;
	uint64_t pos;
	uint8_t *mem;
	int dev, ret, i;

	if (argc != 3)
		return 2;
	pos = strtoull(argv[2], NULL, 0);
	mem = dbio_mem(2 * NR * LEN);
	dev = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (dev < 0)
		fail(argv[1], -errno);
	ret = dbio_buf_create(&buf, "udmabuf", 2 * NR * LEN) ?: dbio_ring(&ring, 2 * NR, 0, 1) ?:
	      dbio_register_buf(&ring, 0, &buf, dev);
	if (ret)
		fail("registration", ret);
	memset(buf.map, 0xa5, 2 * NR * LEN);

	submit(&ring, dev, 0, 0);
	usleep(200000);
	submit(&ring, dev, NR, pos);
	while (near + far < 2 * NR) {
		ret = io_uring_wait_cqe(&ring, &cqe);
		if (ret || cqe->res != LEN)
			fail("read", ret ?: cqe->res < 0 ? cqe->res : -EIO);
		if (!cqe->user_data)
			near++;
		else if (++far == NR)
			near_then = near;
		io_uring_cqe_seen(&ring, cqe);
	}
	for (i = 0; i < 2 * NR; i++) {
		ret = dbio_pread(dev, mem + i * LEN, LEN, (i < NR ? 0 : pos) + i % NR * STRIDE);
		if (ret)
			fail("plain read", ret);
	}
	if (memcmp(mem, buf.map, 2 * NR * LEN)) {
		puts("wrong");
		return 1;
	}
	printf("%u\n", near_then);
	return 0;
}
