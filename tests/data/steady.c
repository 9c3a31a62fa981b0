// SPDX-License-Identifier: GPL-2.0
/*
 * Write and read through a dma-buf, with all data compared, for as long as a
 * command runs.
 *
 *	steady [-r] [-b KIND] [-t ERRNO]... DEVICE -- COMMAND...
 *
 * -r: nothing is written while the command runs.
 * -t: the number of an errno that requests may get. Prints how many parts were
 * written and how many refused; exits as the command did, or with 1 if data was
 * wrong or an error was not one of those.
 */
#include "rounds.h"
#include <sys/wait.h>

int main(int argc, char **argv)
{
	const char *kind = "udmabuf";
	static struct rounds r;
	int opt, ret, status, nr = 0;
	bool writes = true;
	pid_t pid;

	while ((opt = getopt(argc, argv, "+rb:t:")) != -1) {
		if (opt == 'r')
			writes = false;
		else if (opt == 'b')
			kind = optarg;
		else if (opt == 't' && nr < 4)
			r.tolerated[nr++] = -atoi(optarg);
		else
			return 2;
	}
	if (argc - optind < 3)
		return 2;
	r.dev = open(argv[optind], O_RDWR | O_DIRECT | O_CLOEXEC);
	ret = r.dev < 0 ? -errno : dbio_buf_create(&r.buf, kind, ROUND_SIZE);
	if (!ret)
		ret = rounds_init(&r) ?: rounds_good(&r);
	if (ret) {
		printf("setup: %s\n", strerror(-ret));
		return 2;
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execvp(argv[optind + 2], argv + optind + 2);
		_exit(127);
	}
	while (!ret && waitpid(pid, &status, WNOHANG) != pid)
		ret = (writes ? rounds_write(&r) : 0) ?: rounds_read(&r, false);
	if (ret)
		waitpid(pid, &status, 0);
	printf("%u parts written, %u refused (%s)\n", r.done, r.refused,
	       ret ? strerror(-ret) : "right");
	return ret ? 1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
