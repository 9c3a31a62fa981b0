// SPDX-License-Identifier: GPL-2.0
/*
 * Write COUNT requests of LEN bytes through a dma-buf, one after the other on the
 * device, DEPTH at a time, then check the device plainly. Each request is sent
 * once; a result that is not LEN is an error.
 *
 *	load [-o] [-r RING_FLAGS] DEVICE LEN DEPTH COUNT
 *
 * -o: with an ordinary registered buffer, for comparison.
 */
#include "dbio.h"

static int run(struct io_uring *ring, int fd, uintptr_t base, unsigned int len,
	       unsigned int depth, unsigned int count)
{
	unsigned int sent = 0, done = 0, errors = 0;
	struct io_uring_cqe *cqe;

	while (done < count) {
		while (sent < count && sent - done < depth) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

			io_uring_prep_write_fixed(sqe, fd, (void *)(base + (size_t)sent * len),
						  len, (uint64_t)sent * len, 0);
			sent++;
		}
		if (io_uring_submit_and_wait(ring, 1) < 0)
			return -1;
		while (!io_uring_peek_cqe(ring, &cqe)) {
			if (cqe->res != (int)len) {
				printf("a request ended with %d\n", cqe->res);
				errors++;
			}
			done++;
			io_uring_cqe_seen(ring, cqe);
		}
	}
	return errors;
}

int main(int argc, char **argv)
{
	unsigned int len, depth, count, flags = 0;
	bool ordinary = false;
	struct io_uring ring;
	struct dbio_buf buf;
	size_t size;
	uint8_t *mem;
	int opt, fd, ret;

	while ((opt = getopt(argc, argv, "or:")) != -1) {
		if (opt == 'o')
			ordinary = true;
		else if (opt == 'r')
			flags = strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	if (argc - optind != 4)
		return 2;
	fd = open(argv[optind], O_RDWR | O_DIRECT);
	len = atoi(argv[optind + 1]);
	depth = atoi(argv[optind + 2]);
	count = atoi(argv[optind + 3]);
	size = (size_t)len * count;
	mem = dbio_mem(size);
	if (fd < 0 || !mem || dbio_ring(&ring, depth, flags, 1)) {
		perror("setup");
		return 2;
	}
	ret = dbio_buf_create(&buf, ordinary ? "memory" : "udmabuf", size);
	if (!ret)
		ret = dbio_register_buf(&ring, 0, &buf, fd);
	if (ret) {
		printf("registration: %s\n", strerror(-ret));
		return 2;
	}
	dbio_fill(buf.map, size, getpid(), 0);
	ret = run(&ring, fd, buf.base, len, depth, count);
	if (ret)
		return 1;
	ret = dbio_pread(fd, mem, size, 0);
	if (ret || dbio_differ(mem, buf.map, size) >= 0) {
		printf("the device has other data (%d)\n", ret);
		return 1;
	}
	return 0;
}
