// SPDX-License-Identifier: GPL-2.0
/*
 * One request, of a pattern that a SEED makes; a read is compared with it.
 * Prints "ok", the name of an errno, "short", or what differs.
 *
 *	io [-b KIND | -p] [-r] write|read DEVICE BYTE LENGTH SEED
 *
 * -b: kind of buffer, see dbio.h (udmabuf). -p: by pread or pwrite. -r: the buffer is
 * filled after it has been registered.
 */
#include "dbio.h"

static int say(int ret, size_t len)
{
	if (ret == (int)len)
		puts("ok");
	else if (ret < 0)
		puts(strerrorname_np(-ret));
	else
		puts("short");
	return ret != (int)len;
}

int main(int argc, char **argv)
{
	const char *kind = "udmabuf";
	struct io_uring ring;
	struct dbio_buf buf;
	bool write, plain = false, first = false;
	uint8_t *wanted;
	uint64_t pos;
	size_t len;
	long diff;
	int fd, opt, ret;

	while ((opt = getopt(argc, argv, "b:pr")) != -1) {
		if (opt == 'b')
			kind = optarg;
		else if (opt == 'p')
			plain = true;
		else if (opt == 'r')
			first = true;
		else
			return 2;
	}
	if (argc - optind != 5)
		return 2;
	write = !strcmp(argv[optind], "write");
	fd = open(argv[optind + 1], (write ? O_RDWR : O_RDONLY) | O_DIRECT);
	pos = strtoull(argv[optind + 2], NULL, 0);
	len = strtoull(argv[optind + 3], NULL, 0);
	wanted = dbio_mem(len);
	if (fd < 0 || !wanted) {
		perror(argv[optind + 1]);
		return 2;
	}
	dbio_fill(wanted, len, strtoull(argv[optind + 4], NULL, 0), pos);
	/* what the buffer holds before a read must not pass for data */
	ret = dbio_buf_create(&buf, plain ? "memory" : kind, (len + 4095) & ~4095ul);
	if (ret)
		return say(ret, len);
	if (first && !plain)
		ret = dbio_ring(&ring, 4, 0, 1) ?: dbio_register_buf(&ring, 0, &buf, fd);
	if (ret)
		return say(ret, len);
	if (write)
		memcpy(buf.map, wanted, len);
	else
		memset(buf.map, 0xa5, len);

	if (plain) {
		ret = write ? dbio_pwrite(fd, buf.map, len, pos) :
			      dbio_pread(fd, buf.map, len, pos);
		ret = ret ?: (int)len;
	} else {
		if (!first)
			ret = dbio_ring(&ring, 4, 0, 1) ?: dbio_register_buf(&ring, 0, &buf, fd);
		if (!ret)
			ret = dbio_io(&ring, write, fd, buf.base, len, pos, 0, false);
	}
	if (ret != (int)len || write)
		return say(ret, len);
	diff = dbio_differ(wanted, buf.map, len);
	if (diff < 0)
		return say(ret, len);
	printf("byte %ld differs\n", diff);
	return 1;
}
