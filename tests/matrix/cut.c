// SPDX-License-Identifier: GPL-2.0
/*
 * A stream of writes through a dma-buf that may be cut off at any moment, and what
 * must be there afterwards.
 *
 *	cut write DEVICE FIRST
 *	cut check DEVICE ACKNOWLEDGED
 *
 * write: one generation after the other, FIRST and up, in all parts at once; odd
 * ones with FUA (RWF_DSYNC), even ones with a flush after them; "ack N" when N is
 * on stable storage by the device's own word. The exporter moves the buffer all
 * the time. $MATRIX_KIND is another kind of buffer, see dbio.h. check: each sector is
 * whole, and all are of one generation, or of two that follow each other, neither before
 * N. It may be later than N: the last words of the VM may not have got out. Prints the
 * highest.
 */
#include "rounds.h"
#include <pthread.h>

static struct rounds r;
static int test_dev;

static void *mover(void *arg)
{
	(void)arg;
	for (;;) {
		dbio_test_op(test_dev, r.buf.fd, DMABUF_TEST_MOVE, 0, NULL, NULL);
		usleep(5000);
	}
	return NULL;
}

static int write_all(bool fua)
{
	struct io_uring_cqe *cqe;
	int ret = 0;

	for (unsigned int i = 0; i < ROUND_PARTS; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&r.ring);

		dbio_prep(sqe, true, r.dev, r.buf.base + i * ROUND_LEN, ROUND_LEN,
			  i * ROUND_LEN, 0);
		if (fua)
			sqe->rw_flags = RWF_DSYNC;
	}
	if (io_uring_submit(&r.ring) != ROUND_PARTS)
		return -EIO;
	for (unsigned int i = 0; i < ROUND_PARTS; i++) {
		if (io_uring_wait_cqe(&r.ring, &cqe))
			return -EIO;
		if (cqe->res != (int)ROUND_LEN)
			ret = cqe->res < 0 ? cqe->res : -EIO;
		io_uring_cqe_seen(&r.ring, cqe);
	}
	if (!ret && !fua && fdatasync(r.dev))
		ret = -errno;
	return ret;
}

static int write_on(uint64_t generation)
{
	pthread_t thread;
	int ret = dbio_buf_create(&r.buf, getenv("MATRIX_KIND") ?: "test", ROUND_SIZE);

	if (!ret)
		ret = rounds_init(&r);
	if (ret) {
		printf("setup: %s\n", strerror(-ret));
		return 2;
	}
	pthread_create(&thread, NULL, mover, NULL);
	for (;; generation++) {
		dbio_fill(r.buf.map, ROUND_SIZE, generation, 0);
		ret = write_all(generation & 1);
		if (ret)
			break;
		printf("ack %llu\n", (unsigned long long)generation);
	}
	printf("generation %llu: %s\n", (unsigned long long)generation, strerror(-ret));
	return 1;
}

static int check(uint64_t acknowledged)
{
	uint64_t lowest = UINT64_MAX, highest = acknowledged, got;
	unsigned int wrong = 0;
	int ret;

	r.mem = dbio_mem(ROUND_SIZE);
	ret = dbio_pread(r.dev, r.mem, ROUND_SIZE, 0);
	if (ret) {
		printf("read: %s\n", strerror(-ret));
		return 1;
	}
	for (size_t pos = 0; pos < ROUND_SIZE; pos += ROUND_SECTOR) {
		bool whole = rounds_seed(r.mem + pos, pos, &got);

		if (whole && got >= acknowledged) {
			if (got > highest)
				highest = got;
			if (got < lowest)
				lowest = got;
			continue;
		}
		if (!wrong++)
			printf("byte %zu: %s of generation %llu, acknowledged %llu\n", pos,
			       whole ? "data" : "no sector", (unsigned long long)got,
			       (unsigned long long)acknowledged);
	}
	if (!wrong && highest - lowest > 1) {
		printf("generations from %llu\n", (unsigned long long)lowest);
		wrong = 1;
	}
	printf("highest %llu wrong %u\n", (unsigned long long)highest, wrong);
	return !!wrong;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	setlinebuf(stdout);
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR);
	r.dev = open(argv[2], O_RDWR | O_DIRECT);
	/* ordinary buffers, on any kernel, do without the exporter */
	if (r.dev < 0 || (test_dev < 0 && !getenv("MATRIX_KIND"))) {
		perror(argv[2]);
		return 2;
	}
	return !strcmp(argv[1], "write") ? write_on(strtoull(argv[3], NULL, 0)) :
					   check(strtoull(argv[3], NULL, 0));
}
