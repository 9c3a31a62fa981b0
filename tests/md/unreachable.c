// SPDX-License-Identifier: GPL-2.0
/*
 * A redundant array while the buffer is out of reach for one member, for all, or
 * for some of them now and then. Reads are served as long as one member can
 * reach the buffer. A write is done, or ends with ESTALE, and then each sector
 * holds its data or what was there before.
 *
 *	unreachable DEVICE PCI_DEVICE SECONDS
 *
 * Ends with good data everywhere, so that a check of the array may follow.
 */
#include "rounds.h"
#include <pthread.h>
#include <stdatomic.h>

#include "../exporter/exporter.h"

static int test_dev;
static const char *member;
static struct rounds r;
static atomic_bool stop;
static atomic_uint failed_ops;

static void op(unsigned int code, uint64_t arg, const char *device)
{
	int ret = dbio_test_op(test_dev, r.buf.fd, code, arg, device, NULL);

	if (!ret)
		return;
	ksft_print_msg("op %u: %s\n", code, strerror(-ret));
	atomic_fetch_add(&failed_ops, 1);
}

static void move(void)
{
	op(DMABUF_TEST_MOVE, 0, "");
}

static void out_of_reach(unsigned int times, int error)
{
	op(DMABUF_TEST_FAIL_MAPS, DMABUF_TEST_FAIL(times, error), member);
}

static void timeout_ms(const char *ms)
{
	int fd = open("/sys/module/dma_buf_io/parameters/park_timeout_ms", O_WRONLY);

	if (fd < 0 || write(fd, ms, strlen(ms)) < 0)
		ksft_exit_fail_msg("park_timeout_ms: %s\n", strerror(errno));
	close(fd);
}

static void *revoke_soon(void *arg)
{
	(void)arg;
	usleep(20000);
	op(DMABUF_TEST_REVOKE, 0, "");
	return NULL;
}

static void *trouble(void *arg)
{
	unsigned int state = 1;

	(void)arg;
	while (!atomic_load(&stop)) {
		usleep(rand_r(&state) % 3000);
		switch (rand_r(&state) % 4) {
		case 0:
			op(DMABUF_TEST_REVOKE, 0, "");
			usleep(rand_r(&state) % 20000);
			op(DMABUF_TEST_UNREVOKE, 0, "");
			break;
		case 1:
			out_of_reach(1 + rand_r(&state) % 3, EINVAL);
			move();
			break;
		case 2:
			out_of_reach(1 + rand_r(&state) % 3, EBUSY);
			move();
			break;
		case 3:
			move();
			break;
		}
	}
	return NULL;
}

static void result(int ret, const char *text)
{
	ksft_print_msg("%u parts written, %u refused\n", r.done, r.refused);
	ksft_test_result(!ret, "%s (%s)\n", text, ret ? strerror(-ret) : "right");
	r.done = 0;
	r.refused = 0;
}

/* mappings of the one member fail, those of the others do not */
static void one_refused(void)
{
	int ret = 0, i;

	move();
	out_of_reach(1000000, EINVAL);
	for (i = 0; i < 4 && !ret; i++)
		ret = rounds_read(&r, true);
	result(ret, "reads, one member refused for good");
	for (i = 0, ret = 0; i < 4 && !ret; i++)
		ret = rounds_write(&r);
	/* known before the first copy is sent: none is */
	result(ret ?: r.done ? -EEXIST : 0, "writes, one member refused for good");
	out_of_reach(0, EINVAL);
	result(rounds_good(&r), "and back");

	move();
	out_of_reach(1000000, EBUSY);
	ret = rounds_read(&r, true) ?: rounds_write(&r);
	out_of_reach(0, EINVAL);
	result(ret ?: rounds_good(&r), "one member busy for too long");
}

static void revoked(void)
{
	pthread_t thread;
	int ret = 0, i;

	pthread_create(&thread, NULL, revoke_soon, NULL);
	for (i = 0; !ret && !r.refused && i < 1000; i++)
		ret = rounds_write(&r);
	pthread_join(thread, NULL);
	if (!ret && !r.refused)
		ret = -ENODATA;
	ret = ret ?: rounds_read(&r, false);
	op(DMABUF_TEST_UNREVOKE, 0, "");
	result(ret ?: rounds_good(&r), "revoked for good under writes");
}

static void at_random(int seconds)
{
	time_t end = time(NULL) + seconds;
	pthread_t thread;
	int ret = 0;

	pthread_create(&thread, NULL, trouble, NULL);
	while (!ret && time(NULL) < end)
		ret = rounds_write(&r) ?: rounds_read(&r, false);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	out_of_reach(0, EINVAL);
	op(DMABUF_TEST_UNREVOKE, 0, "");
	/* after a wait in vain the next ones are short, for as long again */
	timeout_ms("1000");
	usleep(1100000);
	result(ret ?: rounds_good(&r), "now and then, one or all");
}

int main(int argc, char **argv)
{
	struct dmabuf_test_create create = { .size = ROUND_SIZE, .fd_flags = O_RDWR | O_CLOEXEC };
	int ret;

	ksft_print_header();
	ksft_set_plan(8);
	if (argc < 4)
		ksft_exit_fail_msg("no device\n");
	member = argv[2];
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR);
	r.dev = open(argv[1], O_RDWR | O_DIRECT);
	if (test_dev < 0 || r.dev < 0 || ioctl(test_dev, DMABUF_TEST_CREATE, &create))
		ksft_exit_fail_msg("setup: %s\n", strerror(errno));
	r.buf.fd = create.fd;
	r.buf.map = mmap(NULL, ROUND_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, r.buf.fd, 0);
	r.tolerated[0] = -ESTALE;
	ret = rounds_init(&r);
	if (ret || r.buf.map == MAP_FAILED)
		ksft_exit_fail_msg("registration: %s\n", strerror(-ret));
	timeout_ms("500");
	result(rounds_good(&r), "all in reach");
	one_refused();
	revoked();
	timeout_ms("50");
	at_random(atoi(argv[3]));
	timeout_ms("8000");
	ksft_test_result(!failed_ops, "the exporter did as it was told\n");
	ksft_finished();
}
