// SPDX-License-Identifier: GPL-2.0
/*
 * A process is killed while its requests wait for an exporter, below a volume.
 *
 *	killed VOLUME how
 *
 * VOLUME is the name of a dm device.  How: "slot" kills it as it is, "replaced"
 * after the slot was emptied, "closed" does not kill it, but the ring is closed,
 * and "thread" kills a process of two threads.  Prints how long it takes until the
 * process is gone (or the ring is closed) and the volume is not in use any more, in
 * whole seconds.
 */
#include "dbio.h"
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#define LEN	(1 << 20)
#define NR	8

static struct io_uring ring;
static int test_dev, dmabuf, to_child[2], to_parent[2];
static const char *volume, *how;

static void fail(const char *what, int ret)
{
	printf("%s: %s\n", what, strerrorname_np(-ret) ?: "?");
	fflush(stdout);
	_exit(2);
}

static int dmsetup(const char *what)
{
	char command[256];

	snprintf(command, sizeof(command), "dmsetup %s %s >/dev/null 2>&1", what, volume);
	return system(command);
}

static void op(unsigned int code)
{
	int ret = dbio_test_op(test_dev, dmabuf, code, 0, NULL, NULL);

	if (ret)
		fail("exporter", ret);
}

/* says to the other process that it is its turn, or waits for that */
static void say(int fd)
{
	if (write(fd, "x", 1) != 1)
		fail("pipe", -EIO);
}

static void hear(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		fail("pipe", -EIO);
}

static void *sleeps(void *arg)
{
	struct io_uring_sqe *sqe = arg;

	io_uring_prep_nop(sqe);
	if (io_uring_submit(&ring) != 1)
		fail("submit", -EIO);
	pause();
	return NULL;
}

static void child(void)
{
	char path[256];
	pthread_t thread;
	int dev, ret;

	snprintf(path, sizeof(path), "/dev/mapper/%s", volume);
	dev = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (dev < 0)
		fail(path, -errno);
	ret = dbio_ring(&ring, NR, 0, 1) ?: dbio_register(&ring, 0, dmabuf, dev);
	if (ret)
		fail("registration", ret);
	ret = dbio_io(&ring, false, dev, 0, LEN, 0, 0, false);
	if (ret != LEN)
		fail("read", ret);
	if (!strcmp(how, "thread")) {
		ret = pthread_create(&thread, NULL, sleeps, io_uring_get_sqe(&ring));
		if (ret)
			fail("thread", -ret);
		usleep(100000);
	}
	say(to_parent[1]);
	hear(to_child[0]);
	for (unsigned int i = 0; i < NR; i++)
		dbio_prep(io_uring_get_sqe(&ring), i & 1, dev, 0, LEN, i * LEN, 0);
	if (io_uring_submit(&ring) != NR)
		fail("submit", -EIO);
	if (!strcmp(how, "replaced")) {
		ret = dbio_unregister(&ring, 0);
		if (ret)
			fail("unregister", ret);
	}
	say(to_parent[1]);
	hear(to_child[0]);
	if (!strcmp(how, "closed")) {
		close(dev);
		io_uring_queue_exit(&ring);
	}
	pause();
}

int main(int argc, char **argv)
{
	struct dmabuf_test_create create = { .size = LEN, .fd_flags = O_RDWR | O_CLOEXEC };
	uint64_t begin;
	pid_t pid;

	if (argc != 3)
		return 2;
	volume = argv[1];
	how = argv[2];
	test_dev = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	if (test_dev < 0 || ioctl(test_dev, DMABUF_TEST_CREATE, &create) ||
	    pipe(to_child) || pipe(to_parent))
		fail("setup", -errno);
	dmabuf = create.fd;
	pid = fork();
	if (!pid)
		child();

	hear(to_parent[0]);
	/* so that requests have been on their way when the buffer is taken away */
	if (dmsetup("suspend --nolockfs --noflush"))
		fail("suspend", -EIO);
	say(to_child[1]);
	hear(to_parent[0]);
	usleep(200000);
	op(DMABUF_TEST_REVOKE);
	if (dmsetup("resume"))
		fail("resume", -EIO);
	usleep(500000);

	begin = dbio_now_ns();
	say(to_child[1]);
	if (strcmp(how, "closed")) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	while (dmsetup("remove")) {
		if (dbio_now_ns() - begin > 60000000000ull)
			fail("remove", -EBUSY);
		usleep(20000);
	}
	printf("%u\n", (unsigned int)((dbio_now_ns() - begin) / 1000000000));
	kill(pid, SIGKILL);
	return 0;
}
