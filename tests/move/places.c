// SPDX-License-Identifier: GPL-2.0
/*
 * An exporter that has two places for a buffer, one of which some devices reach and
 * others do not, as graphics cards have; and one that tells importers to let go in the
 * middle of a mapping, or one of them alone.
 *
 *	places DEVICE [reach=PCI-DEVICE]... [one=PCI-DEVICE] [maps=NR]
 *
 * With reach=, registers the buffer and does 120 requests: they work, and the buffer comes
 * to rest; or the registration is refused, and the log says so.  one=: the importer for
 * this device is told alone before each request.  maps=: before each, the buffer moves
 * and the next NR mappings tell all importers first.
 */
#include "dbio.h"
#include "kselftest.h"

#define SIZE	(256u << 10)
#define POS	(1u << 20)
#define ROUNDS	60
/* changes of place that are to be expected until the buffer is at rest */
#define RESTLESS 16

static int test_dev, dev;
static struct dbio_buf buf;
static struct io_uring ring;
static const char *told_alone;
static unsigned int in_maps;
static uint8_t *mem;

static int op(unsigned int code, uint64_t arg, const char *of)
{
	return dbio_test_op(test_dev, buf.fd, code, arg, of, NULL);
}

static int disturb(void)
{
	int ret;

	if (told_alone) {
		ret = op(DMABUF_TEST_INVALIDATE_ONE, 0, told_alone);
		if (ret)
			return ret;
	}
	if (!in_maps)
		return 0;
	ret = op(DMABUF_TEST_MOVE, 0, NULL);
	if (ret == -EBUSY)	/* the CPU has it pinned */
		ret = op(DMABUF_TEST_REVOKE, 0, NULL) ?: op(DMABUF_TEST_UNREVOKE, 0, NULL);
	return ret ?: op(DMABUF_TEST_INVALIDATE_MAPS, in_maps, NULL);
}

static int done(bool write)
{
	struct __kernel_timespec patience = { .tv_sec = 10 };
	struct io_uring_cqe *cqe;
	int ret = disturb();

	if (ret)
		return ret;
	dbio_prep(io_uring_get_sqe(&ring), write, dev, 0, SIZE, POS, 0);
	ret = io_uring_submit(&ring);
	if (ret == 1)
		ret = io_uring_wait_cqe_timeout(&ring, &cqe, &patience);
	if (ret)
		return ret < 0 ? ret : -EIO;
	ret = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return ret == (int)SIZE ? 0 : ret < 0 ? ret : -EIO;
}

/* a write and a read, each compared with plain I/O */
static int both(uint64_t seed)
{
	int ret;

	dbio_fill(buf.map, SIZE, seed, POS);
	ret = done(true) ?: dbio_pread(dev, mem, SIZE, POS);
	if (!ret && dbio_differ(mem, buf.map, SIZE) >= 0)
		ret = -EBADMSG;
	memset(buf.map, 0xa5, SIZE);
	ret = ret ?: done(false);
	if (!ret && dbio_differ(mem, buf.map, SIZE) >= 0)
		ret = -EBADMSG;
	return ret;
}

int main(int argc, char **argv)
{
	struct dmabuf_test_stats early = {}, late = {};
	unsigned int i;
	uint64_t start, worst = 0;
	int ret;

	ksft_print_header();
	ksft_set_plan(3);
	if (argc < 3)
		ksft_exit_fail_msg("wrong arguments\n");
	mem = dbio_mem(SIZE);
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	dev = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	ret = dbio_buf_create(&buf, "test", SIZE) ?: dbio_ring(&ring, 4, 0, 1);
	if (test_dev < 0 || dev < 0 || ret)
		ksft_exit_fail_msg("setup: %s\n", strerror(-ret ?: errno));
	for (int arg = 2; arg < argc; arg++) {
		if (!strncmp(argv[arg], "reach=", 6))
			ret = ret ?: op(DMABUF_TEST_REACHES, 0, argv[arg] + 6);
		else if (!strncmp(argv[arg], "one=", 4))
			told_alone = argv[arg] + 4;
		else if (!strncmp(argv[arg], "maps=", 5))
			in_maps = atoi(argv[arg] + 5);
	}
	if (ret)
		ksft_exit_fail_msg("exporter: %s\n", strerror(-ret));

	start = dbio_now_ns();
	ret = dbio_register(&ring, 0, buf.fd, dev);
	if (ret) {
		/* the script looks into the log */
		ksft_test_result_pass("refused: %s\n", strerrorname_np(-ret));
		/* at once; an exporter that says it is busy is asked until I/O would give up */
		ksft_test_result(dbio_now_ns() - start < (ret == -EBUSY ? 3 : 1) * 1000000000ull,
				 "refused in time\n");
		ret = dbio_test_detached(test_dev, buf.fd, 1000);
		ksft_test_result(!ret, "refused: nothing attached\n");
		ksft_finished();
	}
	for (i = 0; i < ROUNDS && !ret; i++) {
		start = dbio_now_ns();
		ret = both(i + 1);
		start = dbio_now_ns() - start;
		if (start > worst)
			worst = start;
		if (i == ROUNDS / 2)
			dbio_test_stats(test_dev, buf.fd, &early);
	}
	dbio_test_stats(test_dev, buf.fd, &late);
	ksft_test_result(!ret, "%u requests (%s)\n", 2 * i, strerror(-ret));
	ksft_test_result(worst < 2000000000ull, "the slowest two took %llu ms\n",
			 (unsigned long long)worst / 1000000);
	ksft_test_result(!ret && late.places <= RESTLESS && late.places == early.places,
			 "%llu changes of place, %llu of them in the second half, %llu mappings\n",
			 (unsigned long long)late.places,
			 (unsigned long long)(late.places - early.places),
			 (unsigned long long)late.maps);
	ksft_finished();
}
