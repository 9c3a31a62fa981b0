// SPDX-License-Identifier: GPL-2.0
/*
 * A dma-buf of more than 4 GiB, used on both sides of the 4 GiB mark and across
 * it.
 *
 *	big DEVICE
 *
 * Sparse: a udmabuf needs its pages, so the memory must be there.
 */
#include "dbio.h"
#include "kselftest.h"

#define MARK	(4ull << 30)
#define SIZE	(MARK + (16u << 20))
#define LEN	(2u << 20)

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint64_t offset;
	} places[] = {
		{ "at the start", 0 },
		{ "below 4 GiB", MARK - LEN },
		{ "across 4 GiB", MARK - LEN / 2 },
		{ "across 4 GiB, not page aligned", MARK - LEN / 2 + 512 },
		{ "at 4 GiB", MARK },
		{ "above 4 GiB", MARK + (8u << 20) + 1024 },
		{ "at the end", SIZE - LEN },
	};
	uint8_t *mem = dbio_mem(LEN), *at;
	struct io_uring ring;
	struct dbio_buf buf;
	unsigned int i;
	int fd, ret;

	ksft_print_header();
	if (argc < 2)
		ksft_exit_fail_msg("no device\n");
	ksft_set_plan(ARRAY_SIZE(places) + 1);
	fd = open(argv[1], O_RDWR | O_DIRECT);
	ret = dbio_buf_create(&buf, "udmabuf-huge", SIZE);
	if (fd < 0 || ret || !buf.map)
		ksft_exit_fail_msg("no device, or no buffer: %s\n", strerror(-ret));
	ret = dbio_ring(&ring, 4, 0, 1) ?: dbio_register(&ring, 0, buf.fd, fd);
	if (ret)
		ksft_exit_fail_msg("registration: %s\n", strerror(-ret));

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		at = buf.map + places[i].offset;
		dbio_fill(at, LEN, i + 1, 0);
		/* what 32 bits would make of the offset */
		if (places[i].offset >= MARK)
			memset(buf.map + (uint32_t)places[i].offset, 0xee, LEN);
		ret = dbio_io(&ring, true, fd, places[i].offset, LEN, 0, 0, false);
		if (ret == (int)LEN)
			ret = dbio_pread(fd, mem, LEN, 0);
		if (!ret && dbio_differ(mem, at, LEN) >= 0)
			ret = -EBADMSG;
		dbio_fill(mem, LEN, i + 101, 0);
		if (!ret)
			ret = dbio_pwrite(fd, mem, LEN, 0);
		if (!ret && dbio_io(&ring, false, fd, places[i].offset, LEN, 0, 0, false) != (int)LEN)
			ret = -EIO;
		if (!ret && dbio_differ(mem, at, LEN) >= 0)
			ret = -EBADMSG;
		ksft_test_result(!ret, "%s (%s)\n", places[i].name,
				 ret ? strerror(-ret) : "right");
	}
	ret = dbio_io(&ring, false, fd, SIZE - LEN / 2, LEN, 0, 0, false);
	ksft_test_result(ret == -EFAULT, "beyond the end: %d\n", ret);
	ksft_finished();
}
