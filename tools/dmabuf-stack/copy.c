// SPDX-License-Identifier: GPL-2.0
/*
 * Copy between files and devices. A device reads and writes the dma-buf itself;
 * a file goes through the dma-buf's mmap. There is no third way: a device that
 * refuses the dma-buf ends the copy.
 */
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dmabuf-stack.h"

enum { SRC, DST };

struct side {
	const char *path;
	bool is_dev;
	struct device dev;
	int fd;
	uint64_t pos, size;
	unsigned int block;
};

struct copy {
	struct options opts;
	const char *path[2];
	uint64_t pos[2];
	uint64_t length;
	bool whole, no_progress;

	struct side side[2];
	struct buffer buf;
	struct ring ring;
	size_t unit, chunk;
	uint64_t next, bulk, done;
	struct timespec started, shown;
};

struct chunk {
	struct io io;		/* first: ring_wait() returns it */
	uint64_t at;
};

enum { OPT_OFFSET = 256, OPT_SEEK, OPT_LENGTH, OPT_NO_PROGRESS };

static const struct argp_option options[] = {
	{ "offset", OPT_OFFSET, "BYTES", 0, "Start here in SRC", 0 },
	{ "seek", OPT_SEEK, "BYTES", 0, "Start here in DST", 0 },
	{ "length", OPT_LENGTH, "BYTES", 0, "Copy that much (default: to the end of SRC)", 0 },
	{ "no-progress", OPT_NO_PROGRESS, NULL, 0, "No progress bar on a terminal", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct copy *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->opts;
		state->child_inputs[1] = &c->opts;
		return 0;
	case OPT_OFFSET:
		c->pos[SRC] = parse_size(state, arg);
		return 0;
	case OPT_SEEK:
		c->pos[DST] = parse_size(state, arg);
		return 0;
	case OPT_LENGTH:
		c->length = parse_size(state, arg);
		c->whole = false;
		return 0;
	case OPT_NO_PROGRESS:
		c->no_progress = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_usage(state);
		c->path[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < 2)
			argp_usage(state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static bool is_device(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISBLK(st.st_mode);
}

static void file_open(struct side *s, int flags)
{
	struct stat st;

	s->fd = open(s->path, O_CLOEXEC | flags, 0666);
	if (s->fd < 0 || fstat(s->fd, &st))
		err(EXIT_TROUBLE, "%s", s->path);
	if (!S_ISREG(st.st_mode))
		errx(EXIT_TROUBLE, "%s: neither a block device nor a regular file", s->path);
	s->size = st.st_size;
}

/* A file to write to is left alone until all else has worked. */
static void side_open(struct copy *c, int which)
{
	struct side *s = &c->side[which];

	s->path = c->path[which];
	s->pos = c->pos[which];
	s->block = 1;
	if (is_device(s->path)) {
		device_open(&s->dev, s->path, which == DST ? O_RDWR : O_RDONLY, c->opts.force);
		s->is_dev = true;
		s->fd = s->dev.fd;
		s->size = s->dev.size;
		s->block = s->dev.block;
		if (s->pos % s->block)
			errx(EXIT_TROUBLE,
			     "%s: position %" PRIu64 " is not a multiple of its block of %u bytes",
			     s->path, s->pos, s->block);
	} else if (which == SRC) {
		file_open(s, O_RDONLY);
	}
}

static bool same_file(const char *a, const char *b)
{
	struct stat st[2];

	return !stat(a, &st[0]) && !stat(b, &st[1]) && st[0].st_dev == st[1].st_dev &&
	       st[0].st_ino == st[1].st_ino;
}

static void check_ranges(struct copy *c)
{
	const struct side *src = &c->side[SRC], *dst = &c->side[DST];
	uint64_t left = src->size > src->pos ? src->size - src->pos : 0;

	if (c->whole)
		c->length = left;
	if (c->length > left)
		errx(EXIT_TROUBLE, "%s: only %" PRIu64 " bytes behind position %" PRIu64,
		     src->path, left, src->pos);
	if (dst->is_dev && (dst->pos > dst->size || c->length > dst->size - dst->pos))
		errx(EXIT_TROUBLE, "%s: too small: %" PRIu64 " bytes, %" PRIu64 " needed",
		     dst->path, dst->size, dst->pos + c->length);
	if (!dst->is_dev && same_file(src->path, dst->path))
		errx(EXIT_TROUBLE, "%s: source and destination are the same file", src->path);
	if (src->is_dev && dst->is_dev && src->dev.dev == dst->dev.dev &&
	    src->pos < dst->pos + c->length && dst->pos < src->pos + c->length)
		errx(EXIT_TROUBLE, "%s: source and destination overlap", src->path);
}

static void plan(struct copy *c)
{
	unsigned int a = c->side[SRC].block, b = c->side[DST].block;

	c->unit = a > b ? a : b;
	c->bulk = c->length / c->unit * c->unit;
	c->chunk = c->opts.size / c->opts.depth / c->unit * c->unit;
	if (!c->chunk || c->opts.size < 2 * c->unit)
		errx(EXIT_TROUBLE, "--size %" PRIu64 " is too small for --depth %" PRIu64
		     " and blocks of %zu bytes", c->opts.size, c->opts.depth, c->unit);
	if (c->chunk > (size_t)getpagesize())
		c->chunk -= c->chunk % getpagesize();
}

static void prepare(struct copy *c)
{
	char why[768];
	int error;

	if (!buffer_create(&c->buf, c->opts.buffer, c->opts.size, why, sizeof(why)))
		errx(EXIT_TROUBLE, "%s", why);
	error = ring_open(&c->ring, c->opts.depth);
	if (error)
		errx(EXIT_TROUBLE, "io_uring: %s", strerror(error));
	for (int i = SRC; i <= DST; i++) {
		if (c->side[i].is_dev &&
		    device_register(&c->side[i].dev, &c->ring, i, &c->buf, why, sizeof(why)))
			errx(EXIT_NO, "%s: cannot take a dma-buf: %s", c->path[i], why);
	}
	if (!c->side[DST].is_dev) {
		file_open(&c->side[DST], O_WRONLY | O_CREAT);
		if (ftruncate(c->side[DST].fd, c->side[DST].pos))
			err(EXIT_TROUBLE, "%s", c->path[DST]);
	}
}

static void file_to_buffer(struct copy *c, uint64_t at, size_t buf, size_t len)
{
	const struct side *s = &c->side[SRC];
	ssize_t ret;

	buffer_cpu_begin(&c->buf, DMA_BUF_SYNC_WRITE);
	for (size_t done = 0; done < len; done += ret) {
		ret = pread(s->fd, c->buf.map + buf + done, len - done, s->pos + at + done);
		if (ret < 0)
			err(EXIT_TROUBLE, "%s", s->path);
		if (!ret)
			errx(EXIT_TROUBLE, "%s: shrank while it was read", s->path);
	}
	buffer_cpu_end(&c->buf, DMA_BUF_SYNC_WRITE);
}

static void buffer_to_file(struct copy *c, uint64_t at, size_t buf, size_t len)
{
	const struct side *s = &c->side[DST];
	ssize_t ret;

	buffer_cpu_begin(&c->buf, DMA_BUF_SYNC_READ);
	for (size_t done = 0; done < len; done += ret) {
		ret = pwrite(s->fd, c->buf.map + buf + done, len - done, s->pos + at + done);
		if (ret < 0)
			err(EXIT_TROUBLE, "%s", s->path);
	}
	buffer_cpu_end(&c->buf, DMA_BUF_SYNC_READ);
}

static void aim(const struct copy *c, struct io *io, int which, uint64_t at)
{
	io->write = which == DST;
	io->fd = c->side[which].fd;
	io->slot = which;
	io->pos = c->side[which].pos + at;
}

static void check_io(const struct copy *c, const struct io *io)
{
	if (io->error)
		errx(EXIT_TROUBLE, "%s: %s of %zu bytes at %" PRIu64 ": %s",
		     c->path[io->slot], io->write ? "write" : "read", io->len - io->done,
		     io->pos + io->done, strerror(io->error));
}

static double since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - t->tv_sec + (now.tv_nsec - t->tv_nsec) / 1e9;
}

static void show_progress(struct copy *c, uint64_t more)
{
	static const char bar[] = "########################################";
	const int width = sizeof(bar) - 1;
	int filled;

	c->done += more;
	if (c->no_progress || (c->done < c->length && since(&c->shown) < 0.1))
		return;
	clock_gettime(CLOCK_MONOTONIC, &c->shown);
	filled = (double)c->done / c->length * width;
	fprintf(stderr, "\r[%.*s%*s] %3.0f%%  %.0f MiB/s  ", filled, bar, width - filled, "",
		100.0 * c->done / c->length, c->done / since(&c->started) / (1 << 20));
	if (c->done == c->length)
		fputc('\n', stderr);
}

static void start_chunk(struct copy *c, struct chunk *k)
{
	k->at = c->next;
	k->io.len = c->bulk - c->next < c->chunk ? c->bulk - c->next : c->chunk;
	c->next += k->io.len;
	if (c->side[SRC].is_dev) {
		aim(c, &k->io, SRC, k->at);
	} else {
		file_to_buffer(c, k->at, k->io.buf, k->io.len);
		aim(c, &k->io, DST, k->at);
	}
	ring_queue(&c->ring, &k->io);
}

static void finish_io(struct copy *c, struct chunk *k)
{
	check_io(c, &k->io);
	if (!k->io.write && c->side[DST].is_dev) {
		aim(c, &k->io, DST, k->at);
		ring_queue(&c->ring, &k->io);
		return;
	}
	if (!k->io.write)
		buffer_to_file(c, k->at, k->io.buf, k->io.len);
	show_progress(c, k->io.len);
	if (c->next < c->bulk)
		start_chunk(c, k);
}

static void copy_bulk(struct copy *c)
{
	struct chunk *chunks = calloc(c->opts.depth, sizeof(*chunks));
	struct io *io;

	if (!chunks)
		err(EXIT_TROUBLE, "chunks");
	for (unsigned int i = 0; i < c->opts.depth && c->next < c->bulk; i++) {
		chunks[i].io.buf = i * c->chunk;
		start_chunk(c, &chunks[i]);
	}
	while ((io = ring_wait(&c->ring)))
		finish_io(c, (struct chunk *)io);
	free(chunks);
}

static void tail_io(struct copy *c, int which, bool write, size_t buf)
{
	struct io io = { .buf = buf };

	aim(c, &io, which, c->bulk);
	io.write = write;
	io.len = round_up(c->length - c->bulk, c->side[which].block);
	ring_do(&c->ring, &io);
	check_io(c, &io);
}

/*
 * What is left is less than a block. What the device holds behind it stays: the
 * destination's block is read, overlaid and written back.
 */
static void copy_tail(struct copy *c)
{
	size_t left = c->length - c->bulk;

	if (!left)
		return;
	if (c->side[DST].is_dev)
		tail_io(c, DST, false, 0);
	if (c->side[SRC].is_dev) {
		tail_io(c, SRC, false, c->unit);
		buffer_cpu_begin(&c->buf, DMA_BUF_SYNC_RW);
		memcpy(c->buf.map, c->buf.map + c->unit, left);
		buffer_cpu_end(&c->buf, DMA_BUF_SYNC_RW);
	} else {
		file_to_buffer(c, c->bulk, 0, left);
	}
	if (c->side[DST].is_dev)
		tail_io(c, DST, true, 0);
	else
		buffer_to_file(c, c->bulk, 0, left);
	show_progress(c, left);
}

static unsigned int devices(const struct side *s)
{
	struct layer *l;
	unsigned int nr;

	if (!s->is_dev)
		return 0;
	l = stack_walk(s->dev.dev);
	nr = stack_leaves(l);
	stack_free(l);
	return nr;
}

static void print_side(const struct side *s)
{
	unsigned int nr = devices(s);

	if (s->is_dev)
		printf("%s (%u device%s)", s->path, nr, nr == 1 ? "" : "s");
	else
		printf("file");
}

static void json_side(struct json *j, const char *key, const struct side *s)
{
	json_begin(j, key, '{');
	json_str(j, "path", s->path);
	json_num(j, "devices", devices(s));
	json_end(j, '}');
}

static void report(const struct copy *c)
{
	struct json j = { .out = stdout };

	if (!c->opts.json) {
		printf("%" PRIu64 " bytes  ", c->done);
		print_side(&c->side[SRC]);
		printf(" → %s → ", c->opts.buffer);
		print_side(&c->side[DST]);
		putchar('\n');
		return;
	}
	json_begin(&j, NULL, '{');
	json_num(&j, "bytes", c->done);
	json_num(&j, "microseconds", since(&c->started) * 1e6);
	json_side(&j, "source", &c->side[SRC]);
	json_str(&j, "buffer", c->opts.buffer);
	json_side(&j, "destination", &c->side[DST]);
	json_end(&j, '}');
	putchar('\n');
}

int cmd_copy(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &io_argp, 0, NULL, 0 }, { &buffer_argp, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "SRC DST",
		.doc = "Copy between files and block devices through a dma-buf. At least one side "
		       "is a device.",
		.children = children,
	};
	struct copy c = { .opts = OPTIONS_DEFAULT, .whole = true };

	argp_parse(&argp, argc, argv, 0, NULL, &c);
	c.no_progress |= !isatty(STDERR_FILENO);
	if (!is_device(c.path[SRC]) && !is_device(c.path[DST]))
		errx(EXIT_TROUBLE, "neither %s nor %s is a block device", c.path[SRC],
		     c.path[DST]);
	side_open(&c, SRC);
	side_open(&c, DST);
	check_ranges(&c);
	plan(&c);
	prepare(&c);

	clock_gettime(CLOCK_MONOTONIC, &c.started);
	copy_bulk(&c);
	copy_tail(&c);
	if (fsync(c.side[DST].fd))
		err(EXIT_TROUBLE, "%s: flush", c.path[DST]);
	report(&c);
	return EXIT_OK;
}
