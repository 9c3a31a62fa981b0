// SPDX-License-Identifier: GPL-2.0
/*
 * How long others wait on an array while 32 writes of 8 MiB of a registration are copied
 * to a member that has lost the buffer.
 *
 *	neighbour DEVICE PCI-DEVICE -- COMMAND...
 *
 * The member of the PCI device is held up when this starts; the command lets it go on.
 * Prints the longest wait of a small ordinary write, in ms, while the writes are copied
 * and while as many are written without a fault, and how long each took:
 *
 *	LONGEST-COPIED LONGEST-WRITTEN MS-COPIED MS-WRITTEN
 *
 * Exits with 1 if a write failed or data is wrong.
 */
#include "dbio.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "../exporter/exporter.h"

#define NR	32u
#define LEN	(8u << 20)

static int dev, test_dev;
static atomic_bool stop;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static void *neighbour(void *longest)
{
	uint8_t *mem = dbio_mem(4096);
	uint64_t begin, took, worst = 0;
	unsigned int i = 0;

	while (!atomic_load(&stop)) {
		begin = now_ms();
		if (pwrite(dev, mem, 4096, (uint64_t)NR * LEN + (i++ % 64) * 4096) != 4096)
			worst = 1000000;
		took = now_ms() - begin;
		if (took > worst)
			worst = took;
	}
	*(uint64_t *)longest = worst;
	return NULL;
}

static bool submit(struct io_uring *ring)
{
	for (unsigned int i = 0; i < NR; i++)
		dbio_prep(io_uring_get_sqe(ring), true, dev, 0, LEN, (uint64_t)i * LEN, 0);
	return io_uring_submit(ring) == (int)NR;
}

/* All results, while the neighbour writes. */
static bool wait_all(struct io_uring *ring, uint64_t *longest, uint64_t *took)
{
	uint64_t begin = now_ms();
	struct io_uring_cqe *cqe;
	pthread_t thread;
	bool good = true;

	atomic_store(&stop, false);
	pthread_create(&thread, NULL, neighbour, longest);
	for (unsigned int i = 0; i < NR; i++) {
		if (io_uring_wait_cqe(ring, &cqe))
			return false;
		if (cqe->res != (int)LEN) {
			printf("a write ended with %d\n", cqe->res);
			good = false;
		}
		io_uring_cqe_seen(ring, cqe);
	}
	*took = now_ms() - begin;
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	return good;
}

static bool op(int fd, unsigned int code, uint64_t arg, const char *device)
{
	int ret = dbio_test_op(test_dev, fd, code, arg, device, NULL);

	if (ret)
		printf("op %u: %s\n", code, strerror(-ret));
	return !ret;
}

int main(int argc, char **argv)
{
	struct dmabuf_test_create create = { .size = LEN, .fd_flags = O_RDWR | O_CLOEXEC };
	uint64_t longest[2], took[2];
	uint8_t *map, *mem = dbio_mem(LEN);
	struct io_uring ring;
	pid_t child;
	int ret;

	if (argc < 5)
		return 2;
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	dev = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (test_dev < 0 || dev < 0 || ioctl(test_dev, DMABUF_TEST_CREATE, &create)) {
		perror("setup");
		return 2;
	}
	map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, create.fd, 0);
	ret = dbio_ring(&ring, 64, 0, 1);
	if (!ret)
		ret = dbio_register(&ring, 0, create.fd, dev);
	if (ret || map == MAP_FAILED) {
		printf("registration: %s\n", strerror(-ret));
		return 2;
	}
	dbio_fill(map, LEN, getpid() + time(NULL), 0);

	if (!submit(&ring))
		return 2;
	/* all of it is on its way to the members, and done on the other */
	sleep(5);
	if (!op(create.fd, DMABUF_TEST_FAIL_MAPS, DMABUF_TEST_FAIL(1u << 20, EINVAL), argv[2]) ||
	    !op(create.fd, DMABUF_TEST_MOVE, 0, NULL))
		return 2;
	fflush(stdout);
	child = fork();
	if (!child) {
		execvp(argv[4], argv + 4);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	if (!wait_all(&ring, &longest[0], &took[0]))
		return 1;
	for (unsigned int i = 0; i < NR; i++) {
		ret = dbio_pread(dev, mem, LEN, (uint64_t)i * LEN);
		if (ret || memcmp(mem, map, LEN)) {
			printf("data of write %u: %s\n", i, ret ? strerror(-ret) : "wrong");
			return 1;
		}
	}

	if (!op(create.fd, DMABUF_TEST_FAIL_MAPS, DMABUF_TEST_FAIL(0, EINVAL), argv[2]) ||
	    !op(create.fd, DMABUF_TEST_MOVE, 0, NULL) ||
	    !submit(&ring) || !wait_all(&ring, &longest[1], &took[1]))
		return 1;
	printf("%llu %llu %llu %llu\n", (unsigned long long)longest[0],
	       (unsigned long long)longest[1], (unsigned long long)took[0],
	       (unsigned long long)took[1]);
	return 0;
}
