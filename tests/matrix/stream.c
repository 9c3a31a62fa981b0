// SPDX-License-Identifier: GPL-2.0
/*
 * Write and read a device through a dma-buf of the test exporter until told to
 * stop, with all data verified, and do to the dma-buf what standard input says.
 *
 *	stream [-b KIND] [-p BYTE] [-r RING_FLAGS] [-s FILE [-e]] DEVICE
 *
 * -p: where on the device. -s: what is known of its sectors is kept in FILE, however
 * this ends. -e: and has been put there by an earlier run: what was acknowledged then
 * must still be there. Each line of input is answered by one of output:
 *
 *	move, revoke, unrevoke		nanoseconds that the exporter was kept waiting
 *	moving MICROSECONDS		move again and again from now on, 0: no more;
 *					how often so far
 *	revoking MICROSECONDS		likewise, revoke and take that back at once
 *	hold MS				the reservation lock, from now on
 *	fail NR ERRNO [DEVICE]		the next mappings
 *	delay NR MS			likewise
 *	to-come				mappings that are yet to be failed or delayed
 *	progress			requests that have succeeded so far
 *	failures			requests that have not, and wrong sectors
 *	quiet				finish what is in flight, compare with plain
 *					reads; sectors written so far
 *	go				on
 *	reset				forget errors and times so far
 *	damage old|place|torn|byte	a sector of the device, plainly, when quiet
 *	attachments			of the dma-buf
 *	ring-exit			with requests in flight; milliseconds until the
 *					exporter has no importer; then on with new ones
 *	exec COMMAND [ARG]		likewise
 *	stop				the result, and exit
 *
 * Every sector carries its place and its generation, so that one that is lost,
 * torn, misplaced or older than it should be is found. A write that fails may
 * have written each of its sectors or not, but what is seen first is to stay.
 */
#include "known.h"
#include <pthread.h>
#include <signal.h>

#define NR_SLOTS	32u
#define SECTORS		256u		/* in each slot */
#define SLOT		(SECTORS * 512u)
#define SIZE		(NR_SLOTS * SLOT)
#define NR_SECTORS	(NR_SLOTS * SECTORS)
#define HUNG_MS		90000

struct slot {
	bool busy, write;
	unsigned int first, nr;		/* sectors */
	uint64_t generation;
	uint64_t since;
};

enum { RUN, QUIET, RING_EXIT };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int wanted, is;
	long answer;
} mode = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, RUN, RUN, 0 };

static const char *kind = "test";
static unsigned int ring_flags;
static int dev, test_dev;
static uint64_t start;
static struct dbio_buf buf;
static struct io_uring ring;
static struct slot slots[NR_SLOTS];
static uint8_t *plain;
static uint64_t generation;

static atomic_ulong done, written, short_ios, unread;
static atomic_ulong moves, worst_stall, worst_wait;
static atomic_ulong errors[4096];
static atomic_uint moving_us;
static atomic_bool by_revoking;
static atomic_bool hung;
static int inspected = -1;	/* a slot that is to be read as a whole */

static void raise_to(atomic_ulong *worst, unsigned long value)
{
	if (value > atomic_load(worst))
		atomic_store(worst, value);
}

static uint64_t rnd(uint64_t below)
{
	static uint64_t x = 88172645463325252ull;

	return dbio_rnd(&x, below);
}

static int op(unsigned int code, uint64_t arg, const char *device, uint64_t *wait)
{
	uint64_t result;
	int ret = dbio_test_op(test_dev, buf.fd, code, arg, device, &result);

	if (code == DMABUF_TEST_MOVE || code == DMABUF_TEST_REVOKE) {
		raise_to(&worst_wait, result);
		if (wait)
			*wait = result;
	}
	return ret;
}

static struct dmabuf_test_stats stats(void)
{
	struct dmabuf_test_stats s = { .dmabuf_fd = buf.fd };

	if (ioctl(test_dev, DMABUF_TEST_STATS, &s))
		s.attachments = -1;
	return s;
}

/* --- data --------------------------------------------------------------- */

static void judge_plainly(void)
{
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		int ret = dbio_pread(dev, plain, SLOT, start + i * SLOT);

		if (ret) {
			atomic_fetch_add(&unread, 1);
			continue;
		}
		for (unsigned int s = 0; s < SECTORS; s++)
			known_judge("plain read", i * SECTORS + s, plain + s * 512);
	}
}

/* --- requests ----------------------------------------------------------- */

static void issue(unsigned int i, bool all)
{
	struct slot *slot = &slots[i];
	struct io_uring_sqe *sqe;
	size_t offset;

	slot->first = 0;
	slot->nr = SECTORS;
	if ((int)i == inspected) {
		inspected = -1;
	} else if (!all && rnd(2)) {
		slot->first = rnd(SECTORS);
		slot->nr = 1 + rnd(SECTORS - slot->first);
	}
	slot->write = all || !slot->write;
	offset = i * SLOT + slot->first * 512;
	if (slot->write) {
		slot->generation = ++generation;
		dbio_fill(buf.map + offset, slot->nr * 512, slot->generation, offset);
		/* until it succeeds each sector is as before or written */
		for (unsigned int s = 0; s < slot->nr; s++)
			ranges[i * SECTORS + slot->first + s].hi = slot->generation;
	} else {
		memset(buf.map + offset, 0xa5, slot->nr * 512);
	}
	slot->busy = true;
	slot->since = dbio_now_ns();
	sqe = io_uring_get_sqe(&ring);
	dbio_prep(sqe, slot->write, dev, buf.base + offset, slot->nr * 512, start + offset, 0);
	sqe->user_data = i;
}

static void complete(unsigned int i, int res)
{
	struct slot *slot = &slots[i];
	unsigned int first = i * SECTORS + slot->first;

	slot->busy = false;
	raise_to(&worst_stall, dbio_now_ns() - slot->since);
	if (res != (int)(slot->nr * 512)) {
		if (res < 0)
			atomic_fetch_add(&errors[-res], 1);
		else
			atomic_fetch_add(&short_ios, 1);
		return;
	}
	atomic_fetch_add(&done, 1);
	for (unsigned int s = 0; s < slot->nr; s++) {
		if (slot->write)
			ranges[first + s] = (struct range){ slot->generation, slot->generation };
		else
			known_judge("read", first + s, buf.map + (first + s) * 512);
	}
	if (slot->write)
		atomic_fetch_add(&written, slot->nr);
}

/* one round: send what may be sent, take what has come; false: nothing in flight */
static bool turn(bool send, bool all)
{
	struct __kernel_timespec tick = { .tv_nsec = 100000000 };
	unsigned int busy = 0, before = atomic_load(&done), i;
	struct io_uring_cqe *cqe;
	uint64_t oldest = dbio_now_ns();
	bool failed = false;

	for (i = 0; i < NR_SLOTS; i++) {
		if (!slots[i].busy && send)
			issue(i, all);
		if (!slots[i].busy)
			continue;
		busy++;
		if (slots[i].since < oldest)
			oldest = slots[i].since;
	}
	if (!busy)
		return false;
	io_uring_submit(&ring);
	if (!io_uring_wait_cqe_timeout(&ring, &cqe, &tick)) {
		do {
			failed |= cqe->res < 0;
			complete(cqe->user_data, cqe->res);
			io_uring_cqe_seen(&ring, cqe);
		} while (!io_uring_peek_cqe(&ring, &cqe));
	}
	if (failed && before == atomic_load(&done))
		usleep(2000);
	if (dbio_now_ns() - oldest > HUNG_MS * 1000000ull)
		atomic_store(&hung, true);
	return true;
}

static int setup(void)
{
	int ret = dbio_buf_create(&buf, kind, SIZE);

	if (!ret && !buf.map)
		ret = -ENODEV;
	if (!ret)
		ret = dbio_ring(&ring, NR_SLOTS, ring_flags, 1);
	return ret ?: dbio_register_buf(&ring, 0, &buf, dev);
}

/* milliseconds until the importers of the old buffer are gone */
static long ring_exit(void)
{
	uint64_t begin = dbio_now_ns();
	long ms;
	int ret;

	io_uring_queue_exit(&ring);
	while (stats().attachments && dbio_now_ns() - begin < HUNG_MS * 1000000ull)
		usleep(1000);
	ms = stats().attachments ? -1 : (long)((dbio_now_ns() - begin) / 1000000);
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		slots[i].busy = false;
	dbio_buf_destroy(&buf);
	ret = setup();
	if (ret) {
		fprintf(stderr, "after ring-exit: %s\n", strerror(-ret));
		atomic_store(&hung, true);
	}
	return ms;
}

static void settle_in(int now, long answer)
{
	pthread_mutex_lock(&mode.lock);
	mode.is = now;
	mode.answer = answer;
	if (now == RING_EXIT)
		mode.wanted = mode.is = RUN;
	pthread_cond_broadcast(&mode.changed);
	while (mode.is == QUIET && mode.wanted == QUIET)
		pthread_cond_wait(&mode.changed, &mode.lock);
	mode.is = RUN;
	pthread_mutex_unlock(&mode.lock);
}

static void *run(void *arg)
{
	(void)arg;
	for (;;) {
		int wanted;

		pthread_mutex_lock(&mode.lock);
		wanted = mode.wanted;
		pthread_mutex_unlock(&mode.lock);
		if (wanted == RING_EXIT) {
			for (unsigned int i = 0; i < NR_SLOTS; i++)
				if (!slots[i].busy)
					issue(i, false);
			io_uring_submit(&ring);
			settle_in(RING_EXIT, ring_exit());
		} else if (!turn(wanted == RUN, false)) {
			judge_plainly();
			settle_in(QUIET, 0);
		}
	}
	return NULL;
}

/* --- what standard input says ------------------------------------------- */

static void *mover(void *arg)
{
	(void)arg;
	for (;;) {
		unsigned int us = atomic_load(&moving_us);

		if (us && atomic_load(&by_revoking)) {
			if (!op(DMABUF_TEST_REVOKE, 0, NULL, NULL))
				atomic_fetch_add(&moves, 1);
			op(DMABUF_TEST_UNREVOKE, 0, NULL, NULL);
		} else if (us && !op(DMABUF_TEST_MOVE, 0, NULL, NULL)) {
			atomic_fetch_add(&moves, 1);
		}
		usleep(us ?: 10000);
	}
	return NULL;
}

static void *holder(void *arg)
{
	op(DMABUF_TEST_HOLD, (uintptr_t)arg, NULL, NULL);
	return NULL;
}

static void in_background(void *(*work)(void *arg), void *arg)
{
	pthread_t thread;

	pthread_create(&thread, NULL, work, arg);
	pthread_detach(thread);
}

/* false: it is not to be had */
static bool want(int wanted, long *answer)
{
	struct timespec end;
	bool ok = true;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += HUNG_MS / 1000 + 1;
	pthread_mutex_lock(&mode.lock);
	mode.answer = -1;
	mode.wanted = wanted;
	pthread_cond_broadcast(&mode.changed);
	while (ok && (wanted == QUIET ? mode.is != QUIET :
		      wanted == RING_EXIT ? mode.answer < 0 && mode.wanted == RING_EXIT : 0))
		ok = !pthread_cond_timedwait(&mode.changed, &mode.lock, &end);
	if (answer)
		*answer = mode.answer;
	pthread_mutex_unlock(&mode.lock);
	if (!ok)
		atomic_store(&hung, true);
	return ok;
}

/* what the checker must find, in a slot that is read next */
static int damage(const char *how)
{
	unsigned int i, sector;
	uint64_t there;
	int ret;

	for (i = 0; i < NR_SLOTS && !slots[i].write; i++)
		;
	if (i == NR_SLOTS)
		return -EAGAIN;
	sector = i * SECTORS + 5;
	there = ranges[sector].lo;
	ret = dbio_pread(dev, plain, 512, start + sector * 512);
	if (ret)
		return ret;
	if (!strcmp(how, "old"))
		dbio_fill(plain, 512, there - 1, sector * 512);
	else if (!strcmp(how, "place"))
		dbio_fill(plain, 512, there, (sector + 1) * 512);
	else if (!strcmp(how, "torn"))
		dbio_fill(plain, 256, there - 1, sector * 512);
	else if (!strcmp(how, "byte"))
		plain[100] ^= 1;
	else
		return -EINVAL;
	inspected = i;
	return dbio_pwrite(dev, plain, 512, start + sector * 512);
}

static unsigned long all_errors(void)
{
	unsigned long all = atomic_load(&short_ios);

	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++)
		all += atomic_load(&errors[i]);
	return all;
}

static const char *error_names(void)
{
	static char names[256];

	*names = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		unsigned long n = atomic_load(&errors[i]);

		if (!n)
			continue;
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 *names ? "+" : "", strerrorname_np(i) ?: "E?");
	}
	if (atomic_load(&short_ios))
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%sshort",
			 *names ? "+" : "");
	return *names ? names : "none";
}

static void say_result(void)
{
	printf("done=%lu written=%lu errors=%lu errno=%s mismatches=%lu unread=%lu stall_ms=%lu wait_ms=%lu wait_us=%lu moves=%lu maps=%llu hung=%d\n",
	       atomic_load(&done), atomic_load(&written), all_errors(), error_names(),
	       atomic_load(&mismatches), atomic_load(&unread),
	       (atomic_load(&worst_stall) + 999999) / 1000000,
	       (atomic_load(&worst_wait) + 999999) / 1000000, atomic_load(&worst_wait) / 1000,
	       atomic_load(&moves), (unsigned long long)stats().maps, atomic_load(&hung));
}

static void say(int ret, unsigned long value)
{
	if (ret)
		printf("%s\n", strerrorname_np(-ret));
	else
		printf("%lu\n", value);
}

static void forget(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++)
		atomic_store(&errors[i], 0);
	atomic_store(&worst_stall, 0);
	atomic_store(&worst_wait, 0);
	atomic_store(&unread, 0);
}

/* false: no more */
static bool obey(char *line)
{
	char *word[4] = { NULL };
	unsigned int nr = 0;
	uint64_t wait = 0;
	long answer = 0;
	int ret = 0;

	for (char *w = strtok(line, " \n"); w && nr < 4; w = strtok(NULL, " \n"))
		word[nr++] = w;
	if (!nr)
		return true;
	if (!strcmp(word[0], "move")) {
		ret = op(DMABUF_TEST_MOVE, 0, NULL, &wait);
		if (!ret)
			atomic_fetch_add(&moves, 1);
	} else if (!strcmp(word[0], "revoke")) {
		ret = op(DMABUF_TEST_REVOKE, 0, NULL, &wait);
	} else if (!strcmp(word[0], "unrevoke")) {
		ret = op(DMABUF_TEST_UNREVOKE, 0, NULL, NULL);
	} else if ((!strcmp(word[0], "moving") || !strcmp(word[0], "revoking")) && nr > 1) {
		atomic_store(&by_revoking, *word[0] == 'r');
		atomic_store(&moving_us, atoi(word[1]));
		wait = atomic_load(&moves);
	} else if (!strcmp(word[0], "hold") && nr > 1) {
		in_background(holder, (void *)strtoul(word[1], NULL, 0));
	} else if (!strcmp(word[0], "fail") && nr > 2) {
		ret = op(DMABUF_TEST_FAIL_MAPS,
			 DMABUF_TEST_FAIL(strtoul(word[1], NULL, 0), atoi(word[2])), word[3], NULL);
	} else if (!strcmp(word[0], "delay") && nr > 2) {
		ret = op(DMABUF_TEST_DELAY_MAPS,
			 DMABUF_TEST_DELAY(strtoul(word[1], NULL, 0), atoi(word[2])), NULL, NULL);
	} else if (!strcmp(word[0], "to-come")) {
		wait = stats().to_come;
	} else if (!strcmp(word[0], "progress")) {
		wait = atomic_load(&done);
	} else if (!strcmp(word[0], "failures")) {
		wait = all_errors() + atomic_load(&mismatches);
		if (all_errors())
			fprintf(stderr, "requests failed: %s\n", error_names());
	} else if (!strcmp(word[0], "quiet")) {
		if (!want(QUIET, NULL))
			ret = -ETIME;
		wait = atomic_load(&written);
	} else if (!strcmp(word[0], "go")) {
		want(RUN, NULL);
	} else if (!strcmp(word[0], "reset")) {
		forget();
	} else if (!strcmp(word[0], "damage") && nr > 1) {
		ret = damage(word[1]);
	} else if (!strcmp(word[0], "attachments")) {
		wait = stats().attachments;
	} else if (!strcmp(word[0], "ring-exit")) {
		if (!want(RING_EXIT, &answer) || answer < 0)
			ret = -ETIME;
		wait = answer;
	} else if (!strcmp(word[0], "exec") && nr > 1) {
		puts("0");
		fflush(stdout);
		execvp(word[1], word + 1);
		_exit(127);
	} else if (!strcmp(word[0], "stop")) {
		want(QUIET, NULL);
		say_result();
		return false;
	} else {
		ret = -EINVAL;
	}
	say(ret, wait);
	return true;
}

/* sectors of an earlier run */
static void take_over(void)
{
	for (unsigned int s = 0; s < NR_SECTORS; s++)
		if (ranges[s].hi > generation)
			generation = ranges[s].hi;
	judge_plainly();
}

int main(int argc, char **argv)
{
	const char *file = NULL;
	bool existing = false;
	char line[256];
	int opt, ret;

	while ((opt = getopt(argc, argv, "b:p:r:s:e")) != -1) {
		if (opt == 'b')
			kind = optarg;
		else if (opt == 'p')
			start = strtoull(optarg, NULL, 0);
		else if (opt == 'r')
			ring_flags = strtoul(optarg, NULL, 0);
		else if (opt == 's')
			file = optarg;
		else if (opt == 'e')
			existing = true;
		else
			return 2;
	}
	if (argc - optind != 1 || (existing && !file))
		return 2;
	signal(SIGPIPE, SIG_IGN);
	setlinebuf(stdout);
	dev = open(argv[optind], O_RDWR | O_DIRECT | O_CLOEXEC);
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	plain = dbio_mem(SLOT);
	/* ordinary memory is for comparison, on other kernels as well */
	if (dev < 0 || (test_dev < 0 && strcmp(kind, "memory")))
		ret = -errno;
	else
		ret = known_open(file, existing, NR_SECTORS) ?: setup();
	if (ret) {
		printf("setup: %s\n", strerrorname_np(-ret));
		return 2;
	}
	if (existing) {
		take_over();
	} else {
		turn(true, true);
		while (turn(false, false))
			;
	}
	printf("ready\n");
	in_background(run, NULL);
	in_background(mover, NULL);
	while (fgets(line, sizeof(line), stdin))
		if (!obey(line))
			break;
	fflush(stdout);
	_exit(0);
}
