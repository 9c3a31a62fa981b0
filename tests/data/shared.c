// SPDX-License-Identifier: GPL-2.0
/*
 * One dma-buf in a hundred slots of three rings in two processes, for one device: each
 * disk below is attached once and has one mapping, until the last registration ends.
 *
 *	shared DEVICE DISKS
 */
#include "dbio.h"
#include "kselftest.h"
#include <sys/wait.h>

#define SLOTS_A	40
#define SLOTS_B	30
#define SLOTS_C	30
#define SIZE	(1u << 20)
#define LEN	(256u << 10)

static int test_dev;
static struct dbio_buf buf;
static unsigned int disks;
static const char *device;
static uint8_t *mem;
static uint64_t seed;

static int open_device(void)
{
	int fd = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		ksft_exit_fail_msg("%s: %s\n", device, strerror(errno));
	return fd;
}

static int fill_slots(struct io_uring *ring, unsigned int nr, int fd)
{
	int ret = 0;

	for (unsigned int i = 0; i < nr && !ret; i++)
		ret = dbio_register(ring, i, buf.fd, fd);
	return ret;
}

/* by way of each slot */
static int data(struct io_uring *ring, unsigned int nr, int fd, uint64_t pos)
{
	for (unsigned int i = 0; i < nr; i++) {
		size_t at = i % (SIZE / LEN) * LEN;

		dbio_fill(buf.map + at, LEN, ++seed, pos);
		if (dbio_io(ring, true, fd, at, LEN, pos, i, false) != (int)LEN)
			return -EIO;
		if (dbio_pread(fd, mem, LEN, pos) || memcmp(mem, buf.map + at, LEN))
			return -EBADMSG;
		memset(buf.map + at, 0xa5, LEN);
		if (dbio_io(ring, false, fd, at, LEN, pos, i, false) != (int)LEN)
			return -EIO;
		if (memcmp(mem, buf.map + at, LEN))
			return -EBADMSG;
	}
	return 0;
}

/* slots in an order that @step makes; it has no divisor in common with @nr */
static int empty(struct io_uring *ring, unsigned int nr, unsigned int step)
{
	int ret = 0;

	for (unsigned int i = 0; i < nr && !ret; i++)
		ret = dbio_unregister(ring, i * step % nr);
	return ret;
}

static void counted(const char *when, unsigned int attachments, unsigned int mappings)
{
	struct dmabuf_test_stats stats;
	int i = 0;

	/* what goes may take a moment */
	do {
		dbio_test_stats(test_dev, buf.fd, &stats);
		if (stats.attachments == attachments && stats.mappings == mappings)
			break;
		usleep(10000);
	} while (i++ < 100);
	ksft_test_result(stats.attachments == attachments && stats.mappings == mappings,
			 "%s: %u attachments, %u mappings\n", when, stats.attachments,
			 stats.mappings);
}

/* the other process: registers, and empties its slots or just ends when told */
static pid_t other(int go[2], int said[2], bool in_order)
{
	pid_t pid;
	char c = 'x';

	if (pipe(go) || pipe(said))
		ksft_exit_fail_msg("pipe: %s\n", strerror(errno));
	pid = fork();
	if (!pid) {
		struct io_uring ring;
		int fd = open_device();

		if (dbio_ring(&ring, 4, 0, SLOTS_C) || fill_slots(&ring, SLOTS_C, fd) ||
		    write(said[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		if (data(&ring, SLOTS_C, fd, 32u << 20) || write(said[1], &c, 1) != 1 ||
		    read(go[0], &c, 1) != 1)
			_exit(2);
		_exit(in_order && empty(&ring, SLOTS_C, 7) ? 3 : 0);
	}
	close(said[1]);
	return pid;
}

static bool wait_for(int fd)
{
	char c;

	return read(fd, &c, 1) == 1;
}

static void tell(int fd)
{
	if (write(fd, "x", 1) != 1)
		ksft_exit_fail_msg("pipe: %s\n", strerror(errno));
}

static void round_of(unsigned int n)
{
	int go[2], said[2], fd, second, status, ret;
	struct io_uring a, b;
	pid_t pid;

	pid = other(go, said, n & 1);
	fd = open_device();
	second = open_device();
	if (dbio_ring(&a, 4, 0, SLOTS_A) || dbio_ring(&b, 4, 0, SLOTS_B))
		ksft_exit_fail_msg("ring\n");
	ret = fill_slots(&a, SLOTS_A, fd) ?: fill_slots(&b, SLOTS_B, n & 1 ? fd : second);
	if (ret || !wait_for(said[0]))
		ksft_exit_fail_msg("registration: %s\n", strerror(-ret));
	counted("100 slots", disks, disks);

	tell(go[1]);
	ret = wait_for(said[0]) ? 0 : -EIO;
	ret = ret ?: data(&a, SLOTS_A, fd, 0) ?: data(&b, SLOTS_B, n & 1 ? fd : second, 16u << 20);
	ksft_test_result(!ret, "data by way of each slot (%s)\n", strerror(-ret));

	/* round 0: a, b, other; 1: other, a, b; 2: b by the end of its ring, other, a */
	if (n == 0) {
		ret = empty(&a, SLOTS_A, 3) ?: empty(&b, SLOTS_B, 1);
		counted("the other process is left", disks, disks);
	} else if (n == 2) {
		io_uring_queue_exit(&b);
		counted("two rings are left", disks, disks);
	}
	tell(go[1]);
	waitpid(pid, &status, 0);
	ret = ret ?: status;
	if (n) {
		counted("this process is left", disks, disks);
		ret = ret ?: data(&a, 2, fd, 0) ?: empty(&a, SLOTS_A, 11);
	}
	if (n == 1) {
		counted("one ring is left", disks, disks);
		ret = ret ?: data(&b, 2, fd, 16u << 20) ?: empty(&b, SLOTS_B, 29);
	}
	counted("none is left", 0, 0);
	ksft_test_result(!ret, "round %u (%d)\n", n, ret);
	io_uring_queue_exit(&a);
	if (n != 2)
		io_uring_queue_exit(&b);
	close(go[0]);
	close(go[1]);
	close(said[0]);
	close(fd);
	close(second);
}

int main(int argc, char **argv)
{
	int ret;

	ksft_print_header();
	ksft_set_plan(17);
	if (argc < 3)
		ksft_exit_fail_msg("wrong arguments\n");
	device = argv[1];
	disks = atoi(argv[2]);
	mem = dbio_mem(LEN);
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	ret = dbio_buf_create(&buf, "test", SIZE);
	if (test_dev < 0 || ret)
		ksft_exit_fail_msg("setup: %s\n", strerror(-ret ?: errno));
	for (unsigned int n = 0; n < 3; n++)
		round_of(n);
	ksft_finished();
}
