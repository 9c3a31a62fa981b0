// SPDX-License-Identifier: GPL-2.0
/*
 * Pieces of a dma-buf whose PRP list begins or ends at, or next to, the end of a
 * page of list entries: there an entry points to data or to the next list,
 * depending on what is left of the piece.
 *
 *	lists DEVICE
 */
#include "dbio.h"
#include "kselftest.h"

#define PAGE	4096u
#define SIZE	(2200 * PAGE)
#define MAX	(1024 * PAGE)

/* @mem is plain memory of @len bytes */
static int one(struct io_uring *ring, struct dbio_buf *buf, int dev, uint8_t *mem,
	       size_t at, unsigned int len)
{
	size_t from = at > 2 * PAGE ? at - 2 * PAGE : 0;
	size_t to = at + len + 2 * PAGE < SIZE ? at + len + 2 * PAGE : SIZE;
	static uint64_t seed;
	int ret;

	dbio_fill(buf->map + at, len, ++seed, at);
	if (dbio_io(ring, true, dev, at, len, 0, 0, false) != (int)len)
		return -EIO;
	ret = dbio_pread(dev, mem, len, 0);
	if (ret)
		return ret;
	if (dbio_differ(mem, buf->map + at, len) >= 0)
		return -EBADMSG;

	/* and nothing changes around what is read */
	dbio_fill(mem, len, ++seed, at);
	ret = dbio_pwrite(dev, mem, len, 0);
	if (ret)
		return ret;
	memset(buf->map + from, 0x5a, to - from);
	if (dbio_io(ring, false, dev, at, len, 0, 0, false) != (int)len)
		return -EIO;
	if (dbio_differ(mem, buf->map + at, len) >= 0)
		return -EBADMSG;
	for (size_t i = from; i < to; i++) {
		if (i == at)
			i += len;
		if (i < to && buf->map[i] != 0x5a)
			return -EFAULT;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const unsigned int lengths[] = {
		1, 2, 3, 4, 17, 510, 511, 512, 513, 514, 1022, 1023, 1024,
	};
	uint8_t *mem = dbio_mem(MAX);
	struct io_uring ring;
	struct dbio_buf buf;
	int dev, ret;

	ksft_print_header();
	if (argc < 2)
		ksft_exit_fail_msg("no device\n");
	ksft_set_plan(2 * ARRAY_SIZE(lengths));
	dev = open(argv[1], O_RDWR | O_DIRECT);
	ret = dbio_buf_create(&buf, "udmabuf-scattered", SIZE);
	if (dev < 0 || ret || !buf.map || !mem)
		ksft_exit_fail_msg("no device, or no buffer: %s\n", strerror(-ret));
	ret = dbio_ring(&ring, 4, 0, 1) ?: dbio_register(&ring, 0, buf.fd, dev);
	if (ret)
		ksft_exit_fail_msg("registration: %s\n", strerror(-ret));

	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		/* the last page of the piece: the two before and after each boundary */
		for (unsigned int in_page = 0; in_page < 1024; in_page += 512) {
			unsigned int len = lengths[i] * PAGE - in_page, tried = 0;
			char where[128] = "";

			for (unsigned int k = 1; k <= 4; k++) {
				for (int last = 511 * k - 2; last <= (int)(511 * k) + 1; last++) {
					unsigned int first = last + 1 - lengths[i];

					if (last + 1 < (int)lengths[i] || last >= (int)(SIZE / PAGE))
						continue;
					ret = one(&ring, &buf, dev, mem,
						  (size_t)first * PAGE + in_page, len);
					tried++;
					if (ret && !where[0])
						snprintf(where, sizeof(where), "last page %d: %s",
							 last, strerror(-ret));
				}
			}
			ksft_test_result(tried && !where[0], "%u pages less %u bytes (%u) %s\n",
					 lengths[i], in_page, tried, where);
		}
	}
	ksft_finished();
}
