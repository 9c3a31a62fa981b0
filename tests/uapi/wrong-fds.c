// SPDX-License-Identifier: GPL-2.0
/*
 * Registrations for what is no target, by the thousand.
 *
 *	wrong-fds [FILE...]
 *
 * FILEs are opened as well.  Prints how many did not fail.
 */
#include "dbio.h"
#include <sys/socket.h>

#define TIMES	1000

int main(int argc, char **argv)
{
	int fds[16], nr = 0, succeeded = 0;
	struct io_uring ring;
	struct dbio_buf buf;

	if (argc > 8 || dbio_buf_create(&buf, "udmabuf", 65536) || dbio_ring(&ring, 4, 0, 1)) {
		puts("setup failed");
		return 2;
	}
	fds[nr++] = -1;
	fds[nr++] = socket(AF_UNIX, SOCK_STREAM, 0);
	fds[nr++] = memfd_create("x", 0);
	fds[nr++] = open("/tmp/wrong", O_RDWR | O_CREAT | O_DIRECT, 0600);
	fds[nr++] = open("/dev/null", O_RDWR);
	fds[nr++] = open("/dev/zero", O_RDWR | O_DIRECT);
	fds[nr++] = buf.fd;
	fds[nr++] = ring.ring_fd;
	for (int i = 1; i < argc; i++)
		fds[nr++] = open(argv[i], O_RDWR);
	for (int i = 0; i < TIMES; i++)
		succeeded += dbio_register(&ring, 0, buf.fd, fds[i % nr]) >= 0;
	printf("%d\n", succeeded);
	return 0;
}
