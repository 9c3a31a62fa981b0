// SPDX-License-Identifier: GPL-2.0
/*
 * An exporter that answers with each errno there is, for ever, at one place; then it
 * is healthy again.
 *
 *	errnos [-f PCI-DEVICE] DEVICE MS PLACE all|some|few [CHANGE BACK]
 *
 * MS: how long I/O waits for an exporter.  PLACE:
 *
 *	first-attach, first-map	a registration
 *	later-map		I/O after the buffer has moved
 *	later-attach		I/O after the command CHANGE, which gives DEVICE another device
 *				below; BACK takes that back
 *	kill			as later-map, and the process is killed meanwhile
 *
 * -f: the maps of this device alone; the others make up for it, at least for reads.
 *
 * I/O ends with the right data, ESTALE or the exporter's errno, a registration with an
 * errno that user space knows, no later than MS and a second; and what waits sleeps.
 */
#include "dbio.h"
#include "kselftest.h"
#include <sys/wait.h>

#define LEN	(256u << 10)
#define NR	4
#define PART	(LEN / NR)
#define POS	(1u << 20)
/* longer than anything may take: then it is a hang */
#define PATIENCE_NS	5000000000ull

static const int some[] = {
	EPERM, EINTR, EIO, ENXIO, EAGAIN, ENOMEM, EFAULT, EBUSY, ENODEV, EINVAL, ENOSYS, EOPNOTSUPP,
	ETIMEDOUT, ESTALE, 512, 514, 516, 517, 524, 529,
};

static const int few[] = { ENXIO, EBUSY, EOPNOTSUPP, 512 };

static const char *device, *fails;
static int test_dev, dmabuf, dev;
static struct io_uring ring;
static uint8_t *map, *mem;
static unsigned int ms;
/* a second, on a machine that has nothing else to do */
static unsigned int second = 1000;
static uint64_t seed;
static int now;		/* the errno whose turn it is */

/* what has gone wrong */
static unsigned int badly, spun, sick;

static const char *name(int error)
{
	static char text[16];
	const char *known = strerrorname_np(error);

	snprintf(text, sizeof(text), "%d", error);
	return known ?: text;
}

static void set_fail(unsigned int calls, unsigned int nr, int error)
{
	int ret = dbio_test_fail(test_dev, dmabuf, calls, nr, error, fails);

	if (ret)
		ksft_exit_fail_msg("exporter: %s\n", strerror(-ret));
}

static void healthy(void)
{
	set_fail(DMABUF_TEST_CALL_MAP | DMABUF_TEST_CALL_ATTACH, 0, 0);
}

static void move(void)
{
	int ret = dbio_test_op(test_dev, dmabuf, DMABUF_TEST_MOVE, 0, NULL, NULL);

	/* an array that copies has the buffer pinned: take it away, and give it back */
	if (ret == -EBUSY)
		ret = dbio_test_op(test_dev, dmabuf, DMABUF_TEST_REVOKE, 0, NULL, NULL) ?:
		      dbio_test_op(test_dev, dmabuf, DMABUF_TEST_UNREVOKE, 0, NULL, NULL);
	if (ret)
		ksft_exit_fail_msg("move: %s\n", strerror(-ret));
}

static int system_ok(const char *command)
{
	return system(command) ? -EIO : 0;
}

/* jiffies that the processors were busy, of both, and all there were */
static void cpu_time(uint64_t *busy, uint64_t *all)
{
	unsigned long long t[8] = {};
	FILE *file = fopen("/proc/stat", "r");

	if (!file || fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1],
			    &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 8)
		ksft_exit_fail_msg("/proc/stat\n");
	fclose(file);
	*busy = t[0] + t[1] + t[2] + t[5] + t[6];
	*all = *busy + t[3] + t[4];
}

/* does @ret end what the exporter has answered with @error? */
static bool may_end(int ret, int error, bool registration)
{
	if (registration)
		return ret < 0 && ret >= -133 && (ret == -error || error > 133 || ret == -EBUSY ||
						  ret == -ESTALE);
	return ret == (int)PART || ret == -ESTALE || (error <= 133 && ret == -error);
}

/* all parts at once, each with its result; -ETIME: not in @patience */
static int all_parts(bool write, uint64_t patience, int res[NR])
{
	struct __kernel_timespec soon = { .tv_nsec = 100000000 };
	uint64_t start = dbio_now_ns();
	struct io_uring_cqe *cqe;
	unsigned int done = 0;

	for (unsigned int i = 0; i < NR; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		dbio_prep(sqe, write, dev, i * PART, PART, POS + i * PART, 0);
		sqe->user_data = i;
		res[i] = -ETIME;
	}
	if (io_uring_submit(&ring) != NR)
		return -EIO;
	while (done < NR) {
		if (!io_uring_wait_cqe_timeout(&ring, &cqe, &soon)) {
			res[cqe->user_data] = cqe->res;
			io_uring_cqe_seen(&ring, cqe);
			done++;
			continue;
		}
		if (dbio_now_ns() - start > patience) {
			/* let go of what hangs */
			healthy();
			for (unsigned int i = 0; i < 50 && done < NR; i++) {
				if (!io_uring_wait_cqe_timeout(&ring, &cqe, &soon)) {
					io_uring_cqe_seen(&ring, cqe);
					done++;
				}
			}
			if (done < NR)
				ksft_exit_fail_msg("%s: %s hang for good\n", name(now),
						   write ? "writes" : "reads");
			return -ETIME;
		}
	}
	return 0;
}

/* writes and reads, each compared by way of plain I/O */
static int good_io(void)
{
	int res[NR], ret;

	dbio_fill(map, LEN, ++seed, POS);
	ret = all_parts(true, 2 * PATIENCE_NS, res);
	for (unsigned int i = 0; !ret && i < NR; i++)
		ret = res[i] == (int)PART ? 0 : res[i] < 0 ? res[i] : -EIO;
	if (!ret)
		ret = dbio_pread(dev, mem, LEN, POS);
	if (!ret && dbio_differ(mem, map, LEN) >= 0)
		ret = -EBADMSG;
	if (ret)
		return ret;
	memset(map, 0xa5, LEN);
	ret = all_parts(false, 2 * PATIENCE_NS, res);
	for (unsigned int i = 0; !ret && i < NR; i++)
		ret = res[i] == (int)PART ? 0 : res[i] < 0 ? res[i] : -EIO;
	if (!ret && dbio_differ(mem, map, LEN) >= 0)
		ret = -EBADMSG;
	return ret;
}

static int enroll(void)
{
	return dbio_register(&ring, 0, dmabuf, dev);
}

static int leave(void)
{
	int ret = dbio_unregister(&ring, 0);

	return ret ?: dbio_test_detached(test_dev, dmabuf, 2000);
}

static void in_time(int error, const char *what, uint64_t start, uint64_t busy, uint64_t all)
{
	uint64_t took = (dbio_now_ns() - start) / 1000000, busy2, all2;

	cpu_time(&busy2, &all2);
	busy2 -= busy;
	all2 -= all;
	if (took > ms + second) {
		badly++;
		ksft_print_msg("%s: %s took %llu ms\n", name(error), what,
			       (unsigned long long)took);
	}
	/* jiffies say nothing of a short time; one processor of two that is busy is a half */
	if (took >= 500 && busy2 * 3 > all2) {
		spun++;
		ksft_print_msg("%s: %s kept processors busy for %llu jiffies of %llu\n",
			       name(error), what, (unsigned long long)busy2,
			       (unsigned long long)all2);
	}
}

static void first(unsigned int calls, int error)
{
	uint64_t start, busy, all;
	int ret;

	set_fail(calls, DMABUF_TEST_FOR_EVER, error);
	cpu_time(&busy, &all);
	start = dbio_now_ns();
	ret = enroll();
	in_time(error, "registration", start, busy, all);
	if (!may_end(ret, error, true)) {
		badly++;
		ksft_print_msg("%s: registration ended with %d\n", name(error), ret);
	}
	healthy();
	if (!ret)
		leave();
	ret = dbio_test_detached(test_dev, dmabuf, second);
	if (ret)
		ksft_print_msg("%s: still attached after a refusal\n", name(error));
	ret = enroll() ?: good_io() ?: ret ?: leave();
	if (ret) {
		sick++;
		ksft_print_msg("%s: afterwards: %s\n", name(error), strerror(-ret));
	}
}

static void check_results(bool write, int error, const int res[NR])
{
	int ret = dbio_pread(dev, mem, LEN, POS);

	if (ret)
		ksft_exit_fail_msg("plain read: %s\n", strerror(-ret));
	for (unsigned int i = 0; i < NR; i++) {
		ret = res[i];
		if (ret == (int)PART && memcmp(map + i * PART, mem + i * PART, PART))
			ret = -EBADMSG;
		if (fails && !write ? ret == (int)PART : may_end(ret, error, false))
			continue;
		badly++;
		ksft_print_msg("%s: %s ended with %d\n", name(error), write ? "write" : "read",
			       ret);
		break;
	}
}

static void later(unsigned int calls, int error, const char *change, const char *back)
{
	uint64_t start, busy, all;
	int res[NR], ret;

	ret = change ? enroll() ?: good_io() : 0;
	if (ret)
		ksft_exit_fail_msg("before %s: %s\n", name(error), strerror(-ret));
	set_fail(calls, DMABUF_TEST_FOR_EVER, error);
	ret = change ? system_ok(change) : (move(), 0);
	if (ret)
		ksft_exit_fail_msg("%s failed\n", change);
	memset(map, 0xa5, LEN);
	cpu_time(&busy, &all);
	start = dbio_now_ns();
	all_parts(false, PATIENCE_NS, res);
	in_time(error, "reads", start, busy, all);
	check_results(false, error, res);
	if (fails) {
		dbio_fill(map, LEN, ++seed, POS);
		start = dbio_now_ns();
		cpu_time(&busy, &all);
		all_parts(true, PATIENCE_NS, res);
		in_time(error, "writes", start, busy, all);
		check_results(true, error, res);
	}
	healthy();
	ret = good_io();
	if (change) {
		ret = ret ?: leave();
		if (system_ok(back))
			ksft_exit_fail_msg("%s failed\n", back);
	}
	if (ret) {
		sick++;
		ksft_print_msg("%s: afterwards: %s\n", name(error), strerror(-ret));
		/* a new registration for the next */
		leave();
		if (!change && enroll())
			ksft_exit_fail_msg("no registration any more\n");
	}
}

/* the process whose requests wait is killed: its ring goes within a second */
static void killed(int error)
{
	struct dmabuf_test_stats before, stats;
	int ret, gone = 0;
	pid_t child;

	dbio_test_stats(test_dev, dmabuf, &before);
	child = fork();
	if (!child) {
		int res[NR];

		ret = dbio_ring(&ring, NR, 0, 1) ?: enroll() ?: good_io();
		if (ret)
			_exit(1);
		set_fail(DMABUF_TEST_CALL_MAP, DMABUF_TEST_FOR_EVER, error);
		move();
		all_parts(false, PATIENCE_NS, res);
		pause();
	}
	for (unsigned int i = 0; i < 200; i++) {
		if (!dbio_test_stats(test_dev, dmabuf, &stats) && stats.moves > before.moves)
			break;
		usleep(10000);
	}
	usleep(ms * 500);
	kill(child, SIGKILL);
	for (unsigned int i = 0; !gone && i < second / 10; i++) {
		gone = waitpid(child, NULL, WNOHANG) == child;
		if (!gone)
			usleep(10000);
	}
	if (!gone) {
		badly++;
		ksft_print_msg("%s: there a second after SIGKILL\n", name(error));
	}
	ret = dbio_test_detached(test_dev, dmabuf, ms + second);
	if (ret) {
		badly++;
		ksft_print_msg("%s: attached %u ms after SIGKILL\n", name(error), ms + second);
	}
	healthy();
	if (!gone)
		waitpid(child, NULL, 0);
	ret = dbio_test_detached(test_dev, dmabuf, 5000) ?: enroll() ?: good_io() ?: leave();
	if (ret) {
		sick++;
		ksft_print_msg("%s: afterwards: %s\n", name(error), strerror(-ret));
	}
}

static void one(const char *place, int error, char **commands)
{
	now = error;
	if (!strcmp(place, "first-attach"))
		first(DMABUF_TEST_CALL_ATTACH, error);
	else if (!strcmp(place, "first-map"))
		first(DMABUF_TEST_CALL_MAP, error);
	else if (!strcmp(place, "later-map"))
		later(DMABUF_TEST_CALL_MAP, error, NULL, NULL);
	else if (!strcmp(place, "later-attach"))
		later(DMABUF_TEST_CALL_ATTACH, error, commands[0], commands[1]);
	else
		killed(error);
}

int main(int argc, char **argv)
{
	struct dmabuf_test_create create = { .size = LEN, .fd_flags = O_RDWR | O_CLOEXEC };
	unsigned int nr = 0;
	const char *place;
	uint64_t start;
	int opt, ret;

	ksft_print_header();
	while ((opt = getopt(argc, argv, "f:")) != -1) {
		if (opt != 'f')
			return 2;
		fails = optarg;
	}
	argv += optind;
	argc -= optind;
	if (argc < 4 || (!strcmp(argv[2], "later-attach") && argc != 6))
		ksft_exit_fail_msg("wrong arguments\n");
	device = argv[0];
	ms = atoi(argv[1]);
	place = argv[2];
	ksft_set_plan(3);
	mem = dbio_mem(LEN);
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	dev = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (test_dev < 0 || dev < 0 || ioctl(test_dev, DMABUF_TEST_CREATE, &create) ||
	    dbio_park_timeout(ms))
		ksft_exit_fail_msg("setup: %s\n", strerror(errno));
	dmabuf = create.fd;
	map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	ret = dbio_ring(&ring, NR, 0, 1);
	start = dbio_now_ns();
	ret = ret ?: enroll() ?: good_io() ?: leave();
	second += (dbio_now_ns() - start) / 1000000 * 5;
	if (second > 4000)
		second = 4000;
	if (!ret && !strcmp(place, "later-map"))
		ret = enroll() ?: good_io();
	if (ret || map == MAP_FAILED)
		ksft_exit_fail_msg("setup: %s\n", strerror(-ret));

	if (!strcmp(argv[3], "all")) {
		for (int error = 1; error <= 531; error++) {
			if (error == 134)
				error = 512;
			one(place, error, argv + 4);
			nr++;
		}
	} else if (!strcmp(argv[3], "some")) {
		for (; nr < ARRAY_SIZE(some); nr++)
			one(place, some[nr], argv + 4);
	} else {
		for (; nr < ARRAY_SIZE(few); nr++)
			one(place, few[nr], argv + 4);
	}
	ksft_test_result(!badly, "%s, %u errnos: end as they may, in time\n", place, nr);
	ksft_test_result(!spun, "%s, %u errnos: what waits sleeps\n", place, nr);
	ksft_test_result(!sick, "%s, %u errnos: right data afterwards\n", place, nr);
	ksft_finished();
}
