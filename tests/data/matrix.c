// SPDX-License-Identifier: GPL-2.0
/*
 * Data through a dma-buf and data through plain O_DIRECT must be the same, for
 * every kind of buffer, length, buffer offset and ring.
 *
 *	matrix DEVICE [buffer=KIND,...] [ring=MODE,...] [at=BYTE,...] [keep=BYTES] [quick] [brief]
 *
 * keep= leaves the end of the device alone.
 * at= gives places that I/O should straddle: chunk and target boundaries. quick:
 * not at every offset where that is large; brief: no I/O above 1 MiB, either.
 */
#include "dbio.h"
#include "kselftest.h"

#define BUF_SIZE	(10u << 20)
#define MAX_LEN		(8u << 20)

static const struct {
	const char *name;
	unsigned int flags;
	bool fixed_file;
} modes[] = {
	{ "plain", 0, false },
	{ "fixed-file", 0, true },
	{ "defer-taskrun", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, false },
	{ "sqpoll", IORING_SETUP_SQPOLL, false },
	{ "iopoll", IORING_SETUP_IOPOLL, false },
};

static int dev;
static unsigned int lbs;
static uint64_t dev_size;
static uint64_t seed;
static uint8_t *plain, *before;
static bool quick, brief;

/*
 * Write @len bytes from the dma-buf and look at the device plainly, one block
 * around included, then write others plainly and read them through the dma-buf,
 * looking at the buffer around them.
 */
static int one(struct io_uring *ring, struct dbio_buf *buf, size_t offset, unsigned int len,
	       uint64_t pos, bool fixed)
{
	uint64_t from = pos >= lbs ? pos - lbs : pos;
	uint64_t to = pos + len + lbs <= dev_size ? pos + len + lbs : pos + len;
	size_t head = pos - from, tail = to - pos - len;
	int fd = fixed ? 0 : dev, ret;
	long diff;

	ret = dbio_pread(dev, before, to - from, from);
	if (ret)
		return ret;
	dbio_fill(buf->map + (offset & ~7ul), len, ++seed, pos);
	ret = dbio_io(ring, true, fd, buf->base + offset, len, pos, 0, fixed);
	if (ret != (int)len) {
		ksft_print_msg("write of %u at %llu returned %d\n", len,
			       (unsigned long long)pos, ret);
		return ret < 0 ? ret : -EIO;
	}
	ret = dbio_pread(dev, plain, to - from, from);
	if (ret)
		return ret;
	diff = dbio_differ(plain + head, buf->map + offset, len);
	if (diff >= 0) {
		ksft_print_msg("write: byte %ld of %u differs, buffer offset %zu, device %llu\n",
			       diff, len, offset, (unsigned long long)pos);
		return -EBADMSG;
	}
	if (memcmp(plain, before, head) || memcmp(plain + head + len, before + head + len, tail)) {
		ksft_print_msg("write: neighbours of %u at %llu changed\n", len,
			       (unsigned long long)pos);
		return -EBADMSG;
	}

	dbio_fill(plain, len, ++seed, pos);
	ret = dbio_pwrite(dev, plain, len, pos);
	if (ret)
		return ret;
	memset(buf->map + offset, 0xa5, len);
	if (offset)
		buf->map[offset - 1] = 0x5a;
	buf->map[offset + len] = 0x5b;
	ret = dbio_io(ring, false, fd, buf->base + offset, len, pos, 0, fixed);
	if (ret != (int)len) {
		ksft_print_msg("read of %u at %llu returned %d\n", len,
			       (unsigned long long)pos, ret);
		return ret < 0 ? ret : -EIO;
	}
	diff = dbio_differ(plain, buf->map + offset, len);
	if (diff >= 0) {
		ksft_print_msg("read: byte %ld of %u differs, buffer offset %zu, device %llu\n",
			       diff, len, offset, (unsigned long long)pos);
		return -EBADMSG;
	}
	if ((offset && buf->map[offset - 1] != 0x5a) || buf->map[offset + len] != 0x5b) {
		ksft_print_msg("read: the buffer around %u at %zu changed\n", len, offset);
		return -EBADMSG;
	}
	return 0;
}

static uint64_t rnd(uint64_t below)
{
	static uint64_t x = 88172645463325252ull;

	return dbio_rnd(&x, below);
}

static uint64_t place(unsigned int len)
{
	return rnd((dev_size - len) / lbs + 1) * lbs;
}

static int ring_open(struct io_uring *ring, int m, struct dbio_buf *buf)
{
	int ret = dbio_ring(ring, 8, modes[m].flags, 2);

	if (ret)
		return ret;
	if (modes[m].fixed_file)
		ret = io_uring_register_files(ring, &dev, 1);
	if (!ret)
		ret = dbio_register_buf(ring, 0, buf, dev);
	if (ret)
		io_uring_queue_exit(ring);
	return ret;
}

static const unsigned int lengths[] = {
	0, 4096, 8192, 12288, 65536, 65536 + 4096, 524288, 1u << 20, 3u << 20, MAX_LEN,
};

/* all lengths, each at every 512-byte phase of a page and deep in the buffer */
static void lengths_and_phases(const char *kind, struct dbio_buf *buf, int m)
{
	unsigned int i, phase, n = 0;
	struct io_uring ring;
	int ret;

	ret = ring_open(&ring, m, buf);
	for (i = 0; !ret && i < ARRAY_SIZE(lengths); i++) {
		unsigned int len = lengths[i] ?: lbs;

		if (brief && len > 1 << 20)
			break;
		for (phase = 0; !ret && phase < 8; phase++) {
			size_t offset = phase * 512;

			if (quick && len > 65536 && (phase & 3) != 1)
				continue;
			if (phase & 1)
				offset += rnd((BUF_SIZE - 8192 - len) / 4096 + 1) * 4096;
			ret = one(&ring, buf, offset, len, place(len), modes[m].fixed_file);
			n++;
		}
		/* one block more or less than a power of two */
		if (!ret && len > lbs)
			ret = one(&ring, buf, 512, len - lbs, place(len), modes[m].fixed_file);
	}
	ksft_test_result(!ret, "%s, %s: %u lengths and phases (%s)\n", kind, modes[m].name, n,
			 ret ? strerror(-ret) : "right");
	io_uring_queue_exit(&ring);
}

static void straddle(const char *kind, struct dbio_buf *buf, int m, uint64_t at)
{
	static const unsigned int lens[] = { 8192, 65536, 1u << 20 };
	struct io_uring ring;
	int ret = -EINVAL;
	unsigned int i;

	ret = ring_open(&ring, m, buf);
	for (i = 0; !ret && i < ARRAY_SIZE(lens); i++) {
		uint64_t pos = at - lens[i] / 2;

		if (at < lens[i] || pos + lens[i] > dev_size)
			continue;
		ret = one(&ring, buf, 0, lens[i], pos, modes[m].fixed_file);
		if (!ret)
			ret = one(&ring, buf, 1536, lens[i], pos + lbs, modes[m].fixed_file);
	}
	ksft_test_result(!ret, "%s, %s: across byte %llu (%s)\n", kind, modes[m].name,
			 (unsigned long long)at, ret ? strerror(-ret) : "right");
	io_uring_queue_exit(&ring);
}

/* many requests in flight, that do not overlap, in a random order */
static void in_flight(const char *kind, struct dbio_buf *buf, int m)
{
	enum { NR = 64, LEN = 65536 };
	unsigned int i, done, order[NR];
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int ret, write;

	ret = dbio_ring(&ring, NR, modes[m].flags, 2);
	if (!ret && modes[m].fixed_file)
		ret = io_uring_register_files(&ring, &dev, 1);
	if (!ret)
		ret = dbio_register_buf(&ring, 0, buf, dev);
	for (i = 0; i < NR; i++)
		order[i] = i;
	for (write = 1; !ret && write >= 0; write--) {
		if (write) {
			dbio_fill(buf->map, NR * LEN, ++seed, 0);
		} else {
			dbio_fill(plain, NR * LEN, ++seed, 0);
			ret = dbio_pwrite(dev, plain, NR * LEN, 0);
			memset(buf->map, 0, NR * LEN);
		}
		for (i = 0; i < NR; i++) {
			unsigned int j = rnd(NR), k = order[i];

			order[i] = order[j];
			order[j] = k;
		}
		for (i = 0; i < NR; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			dbio_prep(sqe, write, modes[m].fixed_file ? 0 : dev,
				  buf->base + order[i] * LEN, LEN, order[i] * LEN, 0);
			if (modes[m].fixed_file)
				sqe->flags |= IOSQE_FIXED_FILE;
		}
		if (io_uring_submit(&ring) != NR)
			ret = -EIO;
		for (done = 0; done < NR; done++) {
			if (io_uring_wait_cqe(&ring, &cqe))
				break;
			if (cqe->res != LEN && !ret)
				ret = cqe->res < 0 ? cqe->res : -EIO;
			io_uring_cqe_seen(&ring, cqe);
		}
		if (!ret && write)
			ret = dbio_pread(dev, plain, NR * LEN, 0);
		if (!ret && dbio_differ(plain, buf->map, NR * LEN) >= 0)
			ret = -EBADMSG;
	}
	ksft_test_result(!ret, "%s, %s: %u in flight (%s)\n", kind, modes[m].name, NR,
			 ret ? strerror(-ret) : "right");
	io_uring_queue_exit(&ring);
}

static int mode_index(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++)
		if (!strcmp(modes[i].name, name))
			return i;
	ksft_exit_fail_msg("no such ring: %s\n", name);
}

/*
 * The registrations of a ring end some time after it.  Those of one buffer would add
 * up, and DMA_API_DEBUG takes more than seven mappings of a page for a leak.
 */
static void fresh(const char *kind, struct dbio_buf *buf)
{
	int i, ret = -ENOMEM;

	if (buf->fd >= 0)
		dbio_buf_destroy(buf);
	/* huge pages are back when the last registration is gone */
	for (i = 0; ret && i < 200; i++) {
		if (i)
			usleep(20000);
		ret = dbio_buf_create(buf, kind, BUF_SIZE);
	}
	if (ret || !buf->map)
		ksft_exit_fail_msg("no %s: %s\n", kind, strerror(-ret));
}

int main(int argc, char **argv)
{
	char *buffers[8] = { "udmabuf" }, *rings[8] = { "plain" };
	unsigned int nr_buffers = 1, nr_rings = 1, nr_at = 0, i, j, k;
	uint64_t at[32], keep = 0;

	ksft_print_header();
	if (argc < 2)
		ksft_exit_fail_msg("no device\n");
	for (i = 2; i < (unsigned int)argc; i++) {
		char *value = strchr(argv[i], '='), *word;

		if (!strcmp(argv[i], "quick")) {
			quick = true;
			continue;
		}
		if (!strcmp(argv[i], "brief")) {
			quick = true;
			brief = true;
			continue;
		}
		if (!value)
			ksft_exit_fail_msg("what is %s?\n", argv[i]);
		*value++ = 0;
		j = 0;
		for (word = strtok(value, ","); word; word = strtok(NULL, ","), j++) {
			if (!strcmp(argv[i], "buffer")) {
				buffers[j] = word;
				nr_buffers = j + 1;
			} else if (!strcmp(argv[i], "ring")) {
				rings[j] = word;
				nr_rings = j + 1;
			} else if (!strcmp(argv[i], "keep")) {
				keep = strtoull(word, NULL, 0);
			} else {
				at[j] = strtoull(word, NULL, 0);
				nr_at = j + 1;
			}
		}
	}

	dev = open(argv[1], O_RDWR | O_DIRECT);
	if (dev < 0)
		ksft_exit_fail_msg("%s: %s\n", argv[1], strerror(errno));
	dev_size = lseek(dev, 0, SEEK_END) - keep;
	if (ioctl(dev, BLKSSZGET, &lbs))
		ksft_exit_fail_msg("%s is no block device\n", argv[1]);
	plain = dbio_mem(BUF_SIZE);
	before = dbio_mem(BUF_SIZE);
	ksft_set_plan(nr_buffers * nr_rings * (2 + nr_at));

	for (i = 0; i < nr_buffers; i++) {
		struct dbio_buf buf = { .fd = -1 };

		for (j = 0; j < nr_rings; j++) {
			int m = mode_index(rings[j]);

			fresh(buffers[i], &buf);
			lengths_and_phases(buffers[i], &buf, m);
			fresh(buffers[i], &buf);
			in_flight(buffers[i], &buf, m);
			for (k = 0; k < nr_at; k++) {
				fresh(buffers[i], &buf);
				straddle(buffers[i], &buf, m, at[k]);
			}
		}
		dbio_buf_destroy(&buf);
	}
	ksft_finished();
}
