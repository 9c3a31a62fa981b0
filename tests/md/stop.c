// SPDX-License-Identifier: GPL-2.0
/*
 * Stop an array through the file that I/O has been sent through, which its exporter
 * keeps waiting.
 *
 *	stop DEVICE read|write PARTS LEN SEED
 *
 * Sends so many requests, to and from a dma-buf whose reservation lock is held for two
 * seconds, stops the array half a second later, and prints how many did all that they
 * were to do, and how the ioctl ended.
 */
#include "dbio.h"
#include <pthread.h>
#include <linux/major.h>
#include <linux/raid/md_u.h>

static int test_dev;
static struct dbio_buf buf;

static int op(unsigned int code, uint64_t arg)
{
	struct dmabuf_test_op o = { .dmabuf_fd = buf.fd, .op = code, .arg = arg };

	return ioctl(test_dev, DMABUF_TEST_OP, &o) ? -errno : 0;
}

static void *hold(void *arg)
{
	(void)arg;
	op(DMABUF_TEST_HOLD, 2000);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int nr, len, done = 0;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	pthread_t thread;
	bool write;
	int dev, ret;

	if (argc != 6)
		return 2;
	write = !strcmp(argv[2], "write");
	nr = strtoul(argv[3], NULL, 0);
	len = strtoul(argv[4], NULL, 0);
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	dev = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (test_dev < 0 || dev < 0)
		ret = -errno;
	else
		ret = dbio_buf_create(&buf, "test", (size_t)nr * len) ?:
		      dbio_ring(&ring, nr, 0, 1) ?: dbio_register_buf(&ring, 0, &buf, dev);
	if (ret) {
		printf("setup: %s\n", strerrorname_np(-ret));
		return 2;
	}
	dbio_fill(buf.map, buf.size, strtoull(argv[5], NULL, 0), 0);
	pthread_create(&thread, NULL, hold, NULL);
	usleep(200000);
	for (unsigned int i = 0; i < nr; i++)
		dbio_prep(io_uring_get_sqe(&ring), write, dev, i * len, len,
			  (uint64_t)i * len, 0);
	io_uring_submit(&ring);
	usleep(500000);
	ret = ioctl(dev, STOP_ARRAY, 0) ? -errno : 0;
	for (unsigned int i = 0; i < nr; i++) {
		if (io_uring_wait_cqe(&ring, &cqe))
			break;
		done += cqe->res == (int)len;
		if (cqe->res < 0)
			fprintf(stderr, "%s\n", strerrorname_np(-cqe->res));
		io_uring_cqe_seen(&ring, cqe);
	}
	printf("%u %s\n", done, ret ? strerrorname_np(-ret) : "stopped");
	pthread_join(thread, NULL);
	return 0;
}
