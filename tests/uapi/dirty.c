// SPDX-License-Identifier: GPL-2.0
/*
 * WRITE_FIXED beside a user of the page cache of the same device: no error, and
 * nothing stale in the cache afterwards.
 *
 *	dirty DEVICE
 *
 * cflags: -pthread
 */
#include "dbio.h"
#include "kselftest.h"
#include <pthread.h>
#include <stdatomic.h>

#define SIZE	(256u << 10)
#define POS	(1u << 20)
#define ROUNDS	200
/* each of which writes the cache back */
#define SECONDS	10

static atomic_bool stop;
static uint8_t *cached;

static void *dirty(void *arg)
{
	unsigned long n = 0;

	(void)arg;
	while (!atomic_load(&stop)) {
		for (size_t at = 0; at < SIZE; at += 4096)
			*(volatile uint8_t *)(cached + at) = n;
		n++;
		usleep(50);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int errors = 0, ret_of = 0, round;
	time_t end;
	struct io_uring ring;
	struct dbio_buf buf;
	pthread_t thread;
	int dev, file, ret;
	uint8_t *mem;

	ksft_print_header();
	ksft_set_plan(6);
	if (argc < 2)
		ksft_exit_fail_msg("no device\n");
	mem = dbio_mem(SIZE);
	dev = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	file = open(argv[1], O_RDWR | O_CLOEXEC);
	ret = dbio_buf_create(&buf, "udmabuf", SIZE) ?: dbio_ring(&ring, 4, 0, 1);
	if (dev < 0 || file < 0 || ret)
		ksft_exit_fail_msg("setup: %s\n", strerror(-ret ?: errno));
	ret = dbio_register(&ring, 0, buf.fd, dev);
	cached = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, POS);
	if (ret || cached == MAP_FAILED)
		ksft_exit_fail_msg("registration: %s\n", strerror(-ret));

	/* dirty, and nobody dirties it meanwhile */
	memset(cached, 0x11, SIZE);
	dbio_fill(buf.map, SIZE, 1, POS);
	ret = dbio_io(&ring, true, dev, 0, SIZE, POS, 0, false);
	ksft_test_result(ret == (int)SIZE, "write over dirty pages: %d\n", ret);
	ksft_test_result(!memcmp(cached, buf.map, SIZE), "the cache has what was written\n");
	ret = fsync(file) ?: dbio_pread(dev, mem, SIZE, POS);
	ksft_test_result(!ret && !memcmp(mem, buf.map, SIZE),
			 "and so has the device, after fsync\n");

	pthread_create(&thread, NULL, dirty, NULL);
	end = time(NULL) + SECONDS;
	for (round = 0; round < ROUNDS && time(NULL) < end; round++) {
		ret = dbio_io(&ring, true, dev, 0, SIZE, POS, 0, false);
		if (ret != (int)SIZE) {
			errors++;
			ret_of = -ret;
		}
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	ksft_test_result(!errors && round,
			 "%u of %u writes beside a writer of the cache failed (%s)\n", errors,
			 round, errors ? strerrorname_np(ret_of) : "none");

	dbio_fill(buf.map, SIZE, 2, POS);
	ret = dbio_io(&ring, true, dev, 0, SIZE, POS, 0, false);
	ksft_test_result(ret == (int)SIZE && !memcmp(cached, buf.map, SIZE),
			 "the cache has what was written in the end: %d\n", ret);
	ret = fsync(file) ?: dbio_pread(dev, mem, SIZE, POS);
	ksft_test_result(!ret && !memcmp(mem, buf.map, SIZE), "and so has the device\n");
	ksft_finished();
}
