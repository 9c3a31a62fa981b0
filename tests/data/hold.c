// SPDX-License-Identifier: GPL-2.0
/*
 * Run a command while a dma-buf is registered for some devices, all in one ring.
 *
 *	hold [-b KIND] [-f PCI-DEVICE] [-v ERRNO] [-n TIMES] [-c | -i] [-u] DEVICE... -- COMMAND...
 *
 * -n: the same dma-buf TIMES for each device. -i: after the command, read from
 * each device through the dma-buf. -u: in the end, empty the slots one by one, and
 * run the command again, with EMPTIED in its environment. -f: mappings for this device
 * fail with EINVAL. -v: mappings for the CPU fail with this number. -c: close the
 * devices, they stay registered. Prints the errno name of what fails and exits with 1;
 * otherwise exits as the command did.
 */
#include "dbio.h"
#include <sys/wait.h>

#define SIZE	(1u << 20)

static int run(char **command)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		execvp(command[0], command);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int fail(int dmabuf, unsigned int calls, int error, const char *device)
{
	int fd = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return dbio_test_fail(fd, dmabuf, calls, DMABUF_TEST_FOR_EVER, error, device);
}

int main(int argc, char **argv)
{
	unsigned int times = 1, slot = 0, i;
	const char *kind = "udmabuf", *fails = NULL;
	int opt, ret, status, first, vmap_error = 0, fds[64];
	bool io = false, empty = false, closed = false;
	struct io_uring ring;
	struct dbio_buf buf;

	while ((opt = getopt(argc, argv, "+b:f:v:n:ciu")) != -1) {
		if (opt == 'b')
			kind = optarg;
		else if (opt == 'f')
			fails = optarg;
		else if (opt == 'v')
			vmap_error = atoi(optarg);
		else if (opt == 'n')
			times = atoi(optarg);
		else if (opt == 'c')
			closed = true;
		else if (opt == 'i')
			io = true;
		else if (opt == 'u')
			empty = true;
		else
			return 2;
	}
	ret = dbio_buf_create(&buf, kind, strcmp(kind, "udmabuf-huge") ? SIZE : 2 * SIZE);
	if (!ret)
		ret = dbio_ring(&ring, 8, 0, 256);
	if (!ret && fails)
		ret = fail(buf.fd, DMABUF_TEST_CALL_MAP, EINVAL, fails);
	if (!ret && vmap_error)
		ret = fail(buf.fd, DMABUF_TEST_CALL_VMAP, vmap_error, NULL);
	first = optind;
	for (; optind < argc && strcmp(argv[optind], "--"); optind++) {
		int fd = open(argv[optind], O_RDWR | O_DIRECT | O_CLOEXEC);

		fds[optind - first] = fd;
		for (i = 0; !ret && i < times; i++)
			ret = fd < 0 ? -errno : dbio_register(&ring, slot++, buf.fd, fd);
		if (closed)
			close(fd);
	}
	if (ret) {
		puts(strerrorname_np(-ret));
		return 1;
	}

	status = run(argv + optind + 1);
	for (i = 0; io && i < slot; i++) {
		ret = dbio_io(&ring, false, fds[i / times], 0, SIZE, 0, i, false);
		if (ret != SIZE) {
			puts(ret < 0 ? strerrorname_np(-ret) : "short");
			return 1;
		}
	}
	for (i = 0; empty && i < slot; i++) {
		ret = dbio_unregister(&ring, i);
		if (ret) {
			puts(strerrorname_np(-ret));
			return 1;
		}
	}
	if (empty) {
		setenv("EMPTIED", "1", 1);
		status = run(argv + optind + 1) ?: status;
	}
	return status;
}
