// SPDX-License-Identifier: GPL-2.0
/*
 * Stop an array through the file that I/O has been sent through, which its exporter
 * keeps waiting.
 *
 *	stop DEVICE read|write PARTS LEN SEED
 *
 * Sends so many requests, to or from a dma-buf whose reservation lock is held for two
 * seconds, and stops the array half a second later. Prints how many did all that they
 * were to do, how the ioctl ended, and whether reads got what had been written with SEED.
 */
#include "dbio.h"
#include <pthread.h>
#include <linux/major.h>
#include <linux/raid/md_u.h>

static int test_dev;
static struct dbio_buf buf;

static void *hold(void *arg)
{
	(void)arg;
	dbio_test_op(test_dev, buf.fd, DMABUF_TEST_HOLD, 2000, NULL, NULL);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int nr, len, done = 0;
	uint8_t *wanted;
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
	wanted = dbio_mem(buf.size);
	dbio_fill(wanted, buf.size, strtoull(argv[5], NULL, 0), 0);
	if (write)
		memcpy(buf.map, wanted, buf.size);
	else
		memset(buf.map, 0xa5, buf.size);
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
	pthread_join(thread, NULL);
	printf("%u %s %s\n", done, ret ? strerrorname_np(-ret) : "stopped",
	       dbio_differ(wanted, buf.map, buf.size) < 0 ? "right" : "wrong");
	return 0;
}
