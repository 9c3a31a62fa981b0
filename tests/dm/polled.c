// SPDX-License-Identifier: GPL-2.0
/*
 * COUNT requests of LEN bytes with an ordinary buffer on a ring that polls, DEPTH
 * at a time, one behind the other and from the start again at the end of the device.
 * Prints how many ended as they should, and the first error.
 *
 *	polled DEVICE read|write LEN DEPTH COUNT
 */
#include "dbio.h"

int main(int argc, char **argv)
{
	unsigned int len, depth, count, sent = 0, done = 0, good = 0;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	uint64_t size, pos = 0;
	int fd, ret, first = 0;
	bool write;
	uint8_t *mem;

	if (argc != 6)
		return 2;
	fd = open(argv[1], O_RDWR | O_DIRECT);
	write = !strcmp(argv[2], "write");
	len = atoi(argv[3]);
	depth = atoi(argv[4]);
	count = atoi(argv[5]);
	mem = dbio_mem(len);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) || !mem) {
		perror(argv[1]);
		return 2;
	}
	ret = io_uring_queue_init(depth, &ring, IORING_SETUP_IOPOLL);
	if (ret) {
		printf("ring: %s\n", strerror(-ret));
		return 2;
	}
	while (done < count) {
		for (; sent < count && sent - done < depth; sent++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			if (pos + len > size)
				pos = 0;
			if (write)
				io_uring_prep_write(sqe, fd, mem, len, pos);
			else
				io_uring_prep_read(sqe, fd, mem, len, pos);
			pos += len;
		}
		ret = io_uring_submit_and_wait(&ring, 1);
		if (ret < 0) {
			printf("io_uring_enter: %s\n", strerror(-ret));
			return 1;
		}
		while (!io_uring_peek_cqe(&ring, &cqe)) {
			if (cqe->res == (int)len)
				good++;
			else if (!first)
				first = cqe->res;
			done++;
			io_uring_cqe_seen(&ring, cqe);
		}
	}
	if (first)
		printf("%u, %s\n", good, first < 0 ? strerror(-first) : "short");
	else
		printf("%u\n", good);
	return first != 0;
}
