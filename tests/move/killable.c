// SPDX-License-Identifier: GPL-2.0
/*
 * Somebody holds the exporter's lock for a minute.  What waits for it can be killed, and
 * nobody waits who has to do with other buffers or devices.
 *
 *	killable register DEVICE
 *	killable update DEVICE
 *	killable revalidate DEVICE
 *	killable parked DEVICE VOLUME	DEVICE is above the suspended dm VOLUME
 *	killable remove DEVICE COMMAND	runs the command, which removes a device, while a
 *					registration for DEVICE waits
 *	killable given-up DEVICE RINGS EARLY
 *					requests of RINGS rings, EARLY of which submit before
 *					the buffer is revoked for good, the others after
 *
 * cflags: -pthread
 */
#include "dbio.h"
#include "kselftest.h"
#include <sys/prctl.h>
#include <sys/wait.h>

#define SIZE	(1u << 20)
#define LEN	65536u
#define SLOTS	16384
#define DEPTH	32
#define MAX_RINGS 64
/* what is gone at once is gone within a second, on a machine that has nothing else to do */
#define SECOND	1000
#define MOST	5000
#define PARK	2000

static int test_dev, dev;
static const char *device;
static unsigned int at_once;

static void set_up(struct dbio_buf *buf, const char *kind)
{
	int ret = dbio_buf_create(buf, kind, SIZE);

	if (ret)
		ksft_exit_fail_msg("buffer: %s\n", strerror(-ret));
}

static void op(int dmabuf, unsigned int code, uint64_t arg)
{
	int ret = dbio_test_op(test_dev, dmabuf, code, arg, NULL, NULL);

	if (ret)
		ksft_exit_fail_msg("op %u: %s\n", code, strerror(-ret));
}

/* a child that ends with its parent */
static pid_t child(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static pid_t hold(int dmabuf)
{
	pid_t pid = child();

	if (!pid) {
		dbio_test_op(test_dev, dmabuf, DMABUF_TEST_HOLD, 60000, NULL, NULL);
		_exit(0);
	}
	usleep(200000);
	return pid;
}

/* milliseconds until @pid has ended, up to @most */
static unsigned int ends(pid_t pid, unsigned int most, int *status)
{
	uint64_t start = dbio_now_ns();
	unsigned int took;

	do {
		took = (dbio_now_ns() - start) / 1000000;
		if (waitpid(pid, status, WNOHANG) == pid)
			break;
		usleep(5000);
	} while (took < most);
	return took;
}

static void dies(pid_t pid, const char *what)
{
	unsigned int took;
	int status;

	kill(pid, SIGKILL);
	took = ends(pid, 2 * MOST, &status);
	ksft_test_result(took <= at_once, "%s: gone %u ms after SIGKILL\n", what, took);
}

/* the exporter's lock is free again: what was left goes */
static void let_go(pid_t holder, int dmabuf, const char *what)
{
	int ret;

	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	ret = dbio_test_detached(test_dev, dmabuf, at_once);
	ksft_test_result(!ret, "%s: nothing attached when the lock is free\n", what);
}

/* milliseconds of a registration and I/O of another process, with another buffer */
static unsigned int of_someone_else(int *status)
{
	unsigned int took;
	pid_t pid = child();

	*status = -1;
	if (!pid) {
		int fd = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
		struct io_uring ring;
		struct dbio_buf buf;

		set_up(&buf, "test");
		if (fd < 0 || dbio_ring(&ring, 4, 0, 1) || dbio_register(&ring, 0, buf.fd, fd))
			_exit(1);
		if (dbio_io(&ring, true, fd, 0, LEN, SIZE, 0, false) != (int)LEN)
			_exit(2);
		_exit(0);
	}
	took = ends(pid, 2 * MOST, status);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return took;
}

static void someone_else(void)
{
	int status;
	unsigned int took = of_someone_else(&status);

	ksft_test_result(took <= at_once && !status,
			 "someone else's registration and I/O took %u ms, %d\n", took, status);
}

/* how much slower is this machine just now? */
static void measure(void)
{
	unsigned int took;
	int status;

	took = of_someone_else(&status);
	if (status)
		ksft_exit_fail_msg("someone else's registration: %d\n", status);
	at_once = SECOND + 10 * took;
	if (at_once > MOST)
		at_once = MOST;
	ksft_print_msg("at once: within %u ms\n", at_once);
}

/* the same process, another ring and buffer */
static void another_ring(void)
{
	uint64_t start = dbio_now_ns();
	struct io_uring ring;
	struct dbio_buf buf;
	unsigned int took;
	int ret;

	set_up(&buf, "test");
	ret = dbio_ring(&ring, 4, 0, 1) ?: dbio_register(&ring, 0, buf.fd, dev);
	if (!ret)
		ret = dbio_io(&ring, true, dev, 0, LEN, SIZE, 0, false);
	took = (dbio_now_ns() - start) / 1000000;
	ksft_test_result(took <= at_once && ret == (int)LEN,
			 "another ring's registration and I/O took %u ms, %d\n", took, ret);
	io_uring_queue_exit(&ring);
	dbio_buf_destroy(&buf);
}

/* registers in a process that is to be killed */
static pid_t registering(const struct dbio_buf *buf)
{
	pid_t pid = child();

	if (!pid) {
		struct io_uring ring;

		if (!dbio_ring(&ring, 4, 0, 1))
			dbio_register(&ring, 0, buf->fd, dev);
		pause();
	}
	return pid;
}

static void registration(void)
{
	pid_t holder, victim;
	struct dbio_buf buf;

	ksft_set_plan(4);
	set_up(&buf, "test");
	holder = hold(buf.fd);
	victim = registering(&buf);
	usleep(500000);
	someone_else();
	another_ring();
	dies(victim, "registering");
	let_go(holder, buf.fd, "registering");
}

static pid_t updating(const struct dbio_buf *buf)
{
	pid_t pid = child();

	if (!pid) {
		struct io_uring_regbuf_desc *desc = calloc(SLOTS, sizeof(*desc));
		struct io_uring ring;

		for (unsigned int i = 0; i < SLOTS; i++)
			desc[i] = (struct io_uring_regbuf_desc) {
				.type = IO_REGBUF_TYPE_DMABUF,
				.dmabuf_fd = buf->fd,
				.target_fd = dev,
			};
		if (!dbio_ring(&ring, 4, 0, SLOTS))
			dbio_update(&ring, 0, desc, SLOTS, IORING_RSRC_UPDATE_EXTENDED);
		pause();
	}
	return pid;
}

static void update(void)
{
	pid_t holder, victim;
	struct dbio_buf buf;
	int ret;

	ksft_set_plan(5);
	set_up(&buf, "test");
	victim = updating(&buf);
	usleep(400000);
	someone_else();
	dies(victim, "updating");
	ret = dbio_test_detached(test_dev, buf.fd, 3 * at_once);
	ksft_test_result(!ret, "updating: nothing attached soon\n");
	dbio_test_detached(test_dev, buf.fd, 60 * SECOND);

	victim = updating(&buf);
	usleep(100000);
	holder = hold(buf.fd);
	dies(victim, "updating, the lock is held");
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	ret = dbio_test_detached(test_dev, buf.fd, 3 * at_once);
	ksft_test_result(!ret, "updating: nothing attached soon after the lock is free\n");
	dbio_test_detached(test_dev, buf.fd, 60 * SECOND);
}

/* registered and used in a process; then it reads again when told by a byte of @go */
static pid_t reading(const struct dbio_buf *buf, int go[2], int said[2])
{
	pid_t pid;

	if (pipe(go) || pipe(said))
		ksft_exit_fail_msg("pipe: %s\n", strerror(errno));
	pid = child();
	if (!pid) {
		struct io_uring_cqe *cqe;
		struct io_uring ring;
		char c = 'x';
		int ret;

		ret = dbio_ring(&ring, DEPTH, 0, 1) ?: dbio_register(&ring, 0, buf->fd, dev);
		if (!ret && dbio_io(&ring, true, dev, 0, LEN, 0, 0, false) != (int)LEN)
			ret = -EIO;
		if (ret)
			c = 'e';
		if (write(said[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		for (unsigned int i = 0; i < DEPTH / 2; i++)
			dbio_prep(io_uring_get_sqe(&ring), i & 1, dev, 0, LEN, i * LEN, 0);
		io_uring_submit(&ring);
		for (;;) {
			if (!io_uring_wait_cqe(&ring, &cqe))
				io_uring_cqe_seen(&ring, cqe);
		}
	}
	return pid;
}

static void told(int fd)
{
	char c = 0;

	if (read(fd, &c, 1) != 1 || c != 'x')
		ksft_exit_fail_msg("no registration\n");
}

static void tell(int fd)
{
	if (write(fd, "x", 1) != 1)
		ksft_exit_fail_msg("pipe: %s\n", strerror(errno));
}

static void revalidation(void)
{
	static const struct {
		const char *what;
		bool revoke, hold;
	} ways[] = {
		{ "revoked", true, false },
		{ "moved, the lock is held", false, true },
		{ "revoked, the lock is held", true, true },
	};
	int go[2], said[2];

	ksft_set_plan(3 * ARRAY_SIZE(ways));
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		pid_t holder = 0, victim;
		struct dbio_buf buf;

		set_up(&buf, "test");
		victim = reading(&buf, go, said);
		told(said[0]);
		op(buf.fd, ways[i].revoke ? DMABUF_TEST_REVOKE : DMABUF_TEST_UNREVOKE, 0);
		if (!ways[i].revoke)
			dbio_test_op(test_dev, buf.fd, DMABUF_TEST_MOVE, 0, NULL, NULL);
		holder = ways[i].hold ? hold(buf.fd) : 0;
		tell(go[1]);
		usleep(300000);
		someone_else();
		dies(victim, ways[i].what);
		if (!holder)
			holder = child() ?: (_exit(0), 0);
		let_go(holder, buf.fd, ways[i].what);
	}
}

static void parked(const char *volume)
{
	char command[128];
	pid_t holder, victim;
	struct dbio_buf buf;
	int go[2], said[2];
	int ret;

	ksft_set_plan(3);
	set_up(&buf, "test");
	victim = reading(&buf, go, said);
	told(said[0]);
	snprintf(command, sizeof(command), "dmsetup suspend --nolockfs --noflush %s", volume);
	ret = system(command);
	tell(go[1]);
	usleep(300000);
	op(buf.fd, DMABUF_TEST_MOVE, 0);
	holder = hold(buf.fd);
	snprintf(command, sizeof(command), "dmsetup resume %s", volume);
	if (ret || system(command))
		ksft_exit_fail_msg("%s failed\n", command);
	usleep(300000);
	someone_else();
	dies(victim, "parked");
	let_go(holder, buf.fd, "parked");
}

static void removal(const char *command)
{
	pid_t holder, victim, remover;
	unsigned int took;
	struct dbio_buf buf;
	int status = -1;

	ksft_set_plan(2);
	set_up(&buf, "test");
	holder = hold(buf.fd);
	victim = registering(&buf);
	usleep(500000);
	remover = child();
	if (!remover)
		_exit(system(command) ? 1 : 0);
	took = ends(remover, 2 * MOST, &status);
	/* the disk's own shutdown is in it, which takes a while on a busy machine */
	ksft_test_result(took <= MOST && !status, "%s took %u ms, %d\n", command, took, status);
	dies(victim, "registering");
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	waitpid(remover, NULL, 0);
}

static void given_up(unsigned int nr, unsigned int early)
{
	static struct io_uring rings[MAX_RINGS];
	struct __kernel_timespec soon = { .tv_nsec = 10000000 };
	unsigned int done = 0, wrong = 0, late = 0, took = 0;
	const unsigned int limit = PARK + at_once;
	struct io_uring_cqe *cqe;
	struct dbio_buf buf;
	uint64_t start;
	int ret;

	ksft_set_plan(2);
	set_up(&buf, "test");
	ret = dbio_park_timeout(PARK);
	for (unsigned int i = 0; !ret && i < nr; i++)
		ret = dbio_ring(&rings[i], DEPTH, 0, 1) ?:
		      dbio_register(&rings[i], 0, buf.fd, dev);
	if (ret)
		ksft_exit_fail_msg("registration: %s\n", strerror(-ret));
	start = dbio_now_ns();
	for (unsigned int i = 0; i < nr; i++) {
		if (i == early) {
			op(buf.fd, DMABUF_TEST_REVOKE, 0);
			start = dbio_now_ns();
		}
		for (unsigned int j = 0; j < DEPTH; j++)
			dbio_prep(io_uring_get_sqe(&rings[i]), j & 1, dev, 0, LEN,
				  (i * DEPTH + j) * LEN % (16u << 20), 0);
		if (io_uring_submit(&rings[i]) != DEPTH)
			ksft_exit_fail_msg("submit\n");
	}
	if (early == nr) {
		op(buf.fd, DMABUF_TEST_REVOKE, 0);
		start = dbio_now_ns();
	}
	/* requests that were there before may have succeeded */
	while (done < nr * DEPTH) {
		unsigned int found = 0;

		took = (dbio_now_ns() - start) / 1000000;
		if (took > 15 * limit)
			break;
		for (unsigned int i = 0; i < nr; i++) {
			while (!io_uring_peek_cqe(&rings[i], &cqe)) {
				if (cqe->res != -ESTALE && (i >= early || cqe->res != (int)LEN))
					wrong++;
				io_uring_cqe_seen(&rings[i], cqe);
				found++;
			}
		}
		done += found;
		late += took > limit ? found : 0;
		if (!found)
			io_uring_wait_cqe_timeout(&rings[0], &cqe, &soon);
	}
	ksft_test_result(!wrong, "%u rings: %u requests ended with something else\n", nr, wrong);
	ksft_test_result(done == nr * DEPTH && !late,
			 "%u rings: %u of %u ended, the last after %u ms, %u later than %u ms\n",
			 nr, done, nr * DEPTH, took, late, limit);
	op(buf.fd, DMABUF_TEST_UNREVOKE, 0);
	dbio_park_timeout(8000);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	ksft_print_header();
	if (argc < 3)
		ksft_exit_fail_msg("wrong arguments\n");
	device = argv[2];
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	dev = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (test_dev < 0 || dev < 0)
		ksft_exit_fail_msg("setup: %s\n", strerror(errno));
	measure();
	if (!strcmp(what, "register"))
		registration();
	else if (!strcmp(what, "update"))
		update();
	else if (!strcmp(what, "revalidate"))
		revalidation();
	else if (!strcmp(what, "parked") && argc == 4)
		parked(argv[3]);
	else if (!strcmp(what, "remove") && argc == 4)
		removal(argv[3]);
	else if (!strcmp(what, "given-up") && argc == 5)
		given_up(atoi(argv[3]), atoi(argv[4]));
	else
		ksft_exit_fail_msg("wrong arguments\n");
	ksft_finished();
}
