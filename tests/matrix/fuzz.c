// SPDX-License-Identifier: GPL-2.0
/*
 * Random registrations, updates, unregistrations and I/O, valid and invalid, by
 * racing threads, while the exporter moves, revokes and refuses.
 *
 *	fuzz [-p POSITION] SEED OPERATIONS DEVICE...
 *
 * What is valid is in the 8 MiB from POSITION on. An operation is an update of slots
 * (a registration, an exchange, an unregistration) or an I/O; what is done to the
 * exporter meanwhile, and rings that are closed with I/O in flight, do not count.
 *
 * Each thread has a ring of its own, whose slots the others change as well, and makes
 * of SEED the same operations again; how the threads meet is a matter of luck. Checked
 * is that each operation ends, with success or an errno that the documents know. Prints
 * one line, as stream does; what was unexpected goes to standard error.
 */
#include "dbio.h"
#include <pthread.h>
#include <stdatomic.h>

#define THREADS		3
#define SLOTS		8
#define KINDS		6
#define SIZE		(1u << 20)
#define HUNG_S		120

static int test_dev, devices[16], nr_devices;
static struct dbio_buf bufs[KINDS];
static uint64_t seed, start;
static unsigned long per_thread;
static atomic_ulong successes, refusals, unexpected, worst_ns, worst_wait;
static atomic_uint running;
static atomic_ulong beats;

static struct thread {
	pthread_t id;
	uint64_t x;
	unsigned int nr;
	struct io_uring ring;
	unsigned int in_flight;
	unsigned long operations;
	int target[SLOTS + 4];		/* what a slot was last filled for */
} threads[THREADS];

/* ECANCELED: of a chain. What the exporter says is what a registration gets. */
static const int known_of_io[] = {
	EBADF, EINVAL, EOPNOTSUPP, EFAULT, ESTALE, EINTR, ENOSPC, ECANCELED, 0
};
static const int known_of_update[] = {
	EBADF, EINVAL, EOPNOTSUPP, EACCES, EFAULT, ESTALE, EINTR, EBUSY, ENOMEM, EAGAIN, ENODEV,
	EADDRINUSE, EOVERFLOW, 0
};

static uint64_t rnd(struct thread *t, uint64_t below)
{
	return dbio_rnd(&t->x, below);
}

static bool one_in(struct thread *t, unsigned int n)
{
	return !rnd(t, n);
}

static void result(const char *what, const int *known, int ret)
{
	atomic_fetch_add(&beats, 1);
	if (ret >= 0) {
		atomic_fetch_add(&successes, 1);
		return;
	}
	atomic_fetch_add(&refusals, 1);
	for (; *known; known++)
		if (ret == -*known)
			return;
	if (atomic_fetch_add(&unexpected, 1) < 10)
		fprintf(stderr, "%s: %s\n", what, strerrorname_np(-ret) ?: "?");
}

static int any_fd(struct thread *t)
{
	switch (rnd(t, 12)) {
	case 0:
		return -1;
	case 1:
		return 100000;
	case 2:
		return test_dev;
	case 3:
		return t->ring.ring_fd;
	}
	return devices[rnd(t, nr_devices)];
}

/* registration, update or emptying of some slots; mostly valid */
static void change_slots(struct thread *t)
{
	struct io_uring_regbuf_desc desc[3] = { 0 };
	unsigned int nr = 1 + rnd(t, 3), flags = IORING_RSRC_UPDATE_EXTENDED;
	struct thread *whose = one_in(t, 4) ? &threads[rnd(t, THREADS)] : t;
	unsigned int slot = rnd(t, SLOTS + 1);
	int ret;

	for (unsigned int i = 0; i < nr; i++) {
		desc[i].type = one_in(t, 8) ? IO_REGBUF_TYPE_EMPTY : IO_REGBUF_TYPE_DMABUF;
		if (desc[i].type == IO_REGBUF_TYPE_DMABUF) {
			desc[i].dmabuf_fd = one_in(t, 16) ? any_fd(t) : bufs[rnd(t, KINDS)].fd;
			desc[i].target_fd = one_in(t, 16) ? any_fd(t) :
							    devices[rnd(t, nr_devices)];
			if (one_in(t, 32))
				desc[i].size = one_in(t, 2) ? SIZE : rnd(t, 1ull << 40);
		}
		if (one_in(t, 32))	/* any byte may be wrong */
			((uint8_t *)&desc[i])[rnd(t, sizeof(desc[i]))] ^= 1u << rnd(t, 8);
	}
	if (one_in(t, 32))
		flags = rnd(t, 1u << 8);
	t->operations++;
	ret = dbio_update(&whose->ring, slot, desc, nr, flags);
	/* it has no slots yet, or is for its own thread alone */
	if (whose != t && (ret == -ENXIO || ret == -EEXIST))
		ret = -EINVAL;
	result("update", known_of_update, ret);
	for (int i = 0; i < ret; i++)
		whose->target[slot + i] = desc[i].target_fd;
}

static void reap(struct thread *t, unsigned int down_to)
{
	struct io_uring_cqe *cqe;

	while (t->in_flight > down_to) {
		if (io_uring_wait_cqe(&t->ring, &cqe))
			continue;
		result("I/O", known_of_io, cqe->res);
		io_uring_cqe_seen(&t->ring, cqe);
		t->in_flight--;
	}
}

static void some_io(struct thread *t)
{
	unsigned int nr = 1 + rnd(t, 6);

	for (unsigned int i = 0; i < nr; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&t->ring);
		uint64_t pos = start + rnd(t, 16384) * 512, offset = rnd(t, SIZE / 512) * 512;
		/* of all orders of magnitude */
		unsigned int sectors = ((SIZE - offset) / 512 >> rnd(t, 12)) ?: 1;
		unsigned int len = (1 + rnd(t, sectors)) * 512;
		unsigned int slot = rnd(t, SLOTS + (one_in(t, 16) ? 4 : 0));

		if (!sqe)
			break;
		if (one_in(t, 16))
			offset = rnd(t, 2 * SIZE);
		if (one_in(t, 16))
			len = rnd(t, 2 * SIZE);
		if (one_in(t, 16))
			pos = rnd(t, 1ull << 62);
		dbio_prep(sqe, rnd(t, 2), one_in(t, 16) ? any_fd(t) : t->target[slot],
			  offset, len, pos, slot);
		if (one_in(t, 8))
			sqe->flags |= IOSQE_ASYNC;
		if (one_in(t, 16))
			sqe->flags |= IOSQE_IO_LINK;
		if (one_in(t, 16))
			sqe->rw_flags = rnd(t, 1u << 6) & ~RWF_NOWAIT;
		t->in_flight++;
		t->operations++;
	}
	io_uring_submit(&t->ring);
}

/* now and then a buffer stays away */
static void exporter(struct thread *t)
{
	static const int errors[] = { EBUSY, EINVAL, ENOMEM, EAGAIN, ENODEV, EADDRINUSE };
	int fd = bufs[rnd(t, KINDS)].fd;
	unsigned int code = rnd(t, DMABUF_TEST_FENCE);
	uint64_t arg = 0, wait;

	switch (code) {
	case DMABUF_TEST_HOLD:
		arg = rnd(t, 20);
		break;
	case DMABUF_TEST_DELAY_MAPS:
		arg = DMABUF_TEST_DELAY(rnd(t, 4), rnd(t, 20));
		break;
	case DMABUF_TEST_FAIL_MAPS:
		arg = DMABUF_TEST_FAIL(rnd(t, 4), errors[rnd(t, 6)]);
		break;
	}
	dbio_test_op(test_dev, fd, code, arg, NULL, &wait);
	if (wait > atomic_load(&worst_wait))
		atomic_store(&worst_wait, wait);
	if (code == DMABUF_TEST_REVOKE && !one_in(t, 32))
		dbio_test_op(test_dev, fd, DMABUF_TEST_UNREVOKE, 0, NULL, NULL);
}

static void open_ring(struct thread *t)
{
	static const unsigned int flags[] = {
		0, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SQPOLL,
	};
	int ret = dbio_ring(&t->ring, 32, flags[rnd(t, 3)], SLOTS);

	if (ret) {
		fprintf(stderr, "ring: %s\n", strerrorname_np(-ret));
		exit(2);
	}
	t->in_flight = 0;
}

static void *work(void *arg)
{
	struct thread *t = arg;

	open_ring(t);
	while (t->operations < per_thread) {
		uint64_t begin = dbio_now_ns();

		switch (rnd(t, 16)) {
		case 0 ... 4:
			change_slots(t);
			break;
		case 5 ... 12:
			some_io(t);
			reap(t, one_in(t, 4) ? 0 : 12);
			break;
		case 13 ... 14:
			exporter(t);
			break;
		default:
			if (!one_in(t, 8))
				break;
			/* with what is in flight */
			io_uring_queue_exit(&t->ring);
			open_ring(t);
		}
		atomic_fetch_add(&beats, 1);
		begin = dbio_now_ns() - begin;
		if (begin > atomic_load(&worst_ns))
			atomic_store(&worst_ns, begin);
	}
	reap(t, 0);
	io_uring_queue_exit(&t->ring);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

int main(int argc, char **argv)
{
	static const char *const kinds[KINDS] = {
		"test", "test", "test", "no-vmap", "pageless", "udmabuf"
	};
	unsigned long last = 0;
	int quiet_for = 0;

	if (argc > 2 && !strcmp(argv[1], "-p")) {
		start = strtoull(argv[2], NULL, 0);
		argc -= 2;
		argv += 2;
	}
	if (argc < 4)
		return 2;
	seed = strtoull(argv[1], NULL, 0);
	per_thread = strtoul(argv[2], NULL, 0) / THREADS;
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	for (int i = 3; i < argc && nr_devices < 16; i++) {
		devices[nr_devices] = open(argv[i], O_RDWR | O_DIRECT | O_CLOEXEC);
		if (devices[nr_devices++] < 0) {
			perror(argv[i]);
			return 2;
		}
	}
	for (unsigned int i = 0; i < KINDS; i++)
		if (dbio_buf_create(&bufs[i], kinds[i], SIZE))
			return 2;
	atomic_store(&running, THREADS);
	for (unsigned int i = 0; i < THREADS; i++) {
		threads[i].nr = i;
		threads[i].x = (seed + i) * 0x9e3779b97f4a7c15ull | 1;
		pthread_create(&threads[i].id, NULL, work, &threads[i]);
	}
	while (atomic_load(&running) && quiet_for < HUNG_S) {
		sleep(1);
		quiet_for = last == atomic_load(&beats) ? quiet_for + 1 : 0;
		last = atomic_load(&beats);
	}
	printf("done=%lu errors=%lu errno=%s mismatches=0 stall_ms=%lu wait_us=%lu refused=%lu hung=%d\n",
	       atomic_load(&successes), atomic_load(&unexpected),
	       atomic_load(&unexpected) ? "unexpected" : "none", atomic_load(&worst_ns) / 1000000,
	       atomic_load(&worst_wait) / 1000, atomic_load(&refusals), !!atomic_load(&running));
	fflush(stdout);
	_exit(0);
}
