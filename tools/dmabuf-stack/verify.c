// SPDX-License-Identifier: GPL-2.0
/*
 * Write a pattern through a dma-buf in pieces of many sizes and offsets; read it
 * back through the dma-buf, through the device, and from the member devices.
 */
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "dmabuf-stack.h"

#define POISON		0xa5
#define PLAIN_SIZE	((size_t)1 << 20)
#define LENGTH_DEFAULT	((uint64_t)64 << 20)

struct piece {
	uint64_t pos;
	size_t len;
};

struct verify {
	struct options opts;
	const char *path;
	uint64_t length, random;
	bool destroy, seeded, limited;

	struct device dev;
	struct buffer buf;
	struct ring ring;
	size_t span;		/* the part of the buffer that a piece has */
	char *plain;
	struct checks checks;
	const char *stopped;	/* the type of target where a walk ended */
	bool missing;		/* some copies are on no member */
};

struct work {
	struct io io;		/* first: ring_wait() returns it */
	size_t base, span;
};

enum { OPT_LENGTH = 256, OPT_SEED, OPT_DESTROY };

static const struct argp_option options[] = {
	{ "length", OPT_LENGTH, "BYTES", 0, "Use the first BYTES of DEV (default: 64M)", 0 },
	{ "seed", OPT_SEED, "NUMBER", 0, "Of the pattern and the pieces (default: random)", 0 },
	{ "destroy-data", OPT_DESTROY, NULL, 0, "Yes, overwrite DEV", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct verify *v = state->input;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &v->opts;
		state->child_inputs[1] = &v->opts;
		return 0;
	case OPT_LENGTH:
		v->length = parse_size(state, arg);
		v->limited = true;
		return 0;
	case OPT_SEED:
		errno = 0;
		v->checks.seed = strtoull(arg, &end, 0);
		if (*end || end == arg || errno)
			argp_error(state, "'%s' is not a number", arg);
		v->seeded = true;
		return 0;
	case OPT_DESTROY:
		v->destroy = true;
		return 0;
	case ARGP_KEY_ARG:
		if (v->path)
			argp_usage(state);
		v->path = arg;
		return 0;
	case ARGP_KEY_END:
		if (!v->path)
			argp_usage(state);
		if (!v->destroy)
			errx(EXIT_TROUBLE, "verify overwrites %s: say --destroy-data", v->path);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static uint64_t below(struct verify *v, uint64_t n)
{
	return splitmix64(&v->random) % n;
}

/* One in 64 takes the whole buffer, the others what there is for each of @depth. */
static size_t piece_len(struct verify *v)
{
	size_t block = v->dev.block, blocks = v->span / block, some = 64 << 10;

	switch (below(v, 64)) {
	case 0:
		return v->buf.size / block * block;
	case 1 ... 15:
		return block * (1 + below(v, blocks < 8 ? blocks : 8));
	case 16 ... 39:
		if (some < v->span)
			return block * (1 + below(v, some / block));
		/* fallthrough */
	default:
		return block * (1 + below(v, blocks));
	}
}

/* The region in pieces, in no order. */
static struct piece *make_pieces(struct verify *v, size_t *nr)
{
	struct piece *p = NULL, swap;
	size_t room = 0;
	uint64_t pos = 0;

	for (*nr = 0; pos < v->length; ++*nr) {
		if (*nr == room) {
			room += 1024;
			p = reallocarray(p, room, sizeof(*p));
			if (!p)
				err(EXIT_TROUBLE, "pieces");
		}
		p[*nr].pos = pos;
		p[*nr].len = piece_len(v);
		if (p[*nr].len > v->length - pos)
			p[*nr].len = v->length - pos;
		pos += p[*nr].len;
	}
	for (size_t i = *nr; i > 1; i--) {
		size_t j = below(v, i);

		swap = p[i - 1];
		p[i - 1] = p[j];
		p[j] = swap;
	}
	return p;
}

/* Half of the offsets are whole pages, a quarter blocks, a quarter what DMA allows. */
static size_t piece_offset(struct verify *v, size_t room)
{
	const size_t align[] = { getpagesize(), getpagesize(), v->dev.block, v->dev.align };
	size_t unit = align[below(v, 4)];

	return below(v, room / unit + 1) * unit;
}

static void start_piece(struct verify *v, struct work *w, const struct piece *p, bool write)
{
	w->span = p->len > v->span ? v->buf.size : v->span;
	w->io = (struct io) {
		.write = write,
		.fd = v->dev.fd,
		.pos = p->pos,
		.buf = w->base + piece_offset(v, w->span - p->len),
		.len = p->len,
	};
	buffer_cpu_begin(&v->buf, DMA_BUF_SYNC_WRITE);
	memset(v->buf.map + w->base, POISON, w->span);
	if (write)
		pattern_fill(v->buf.map + w->io.buf, p->pos / SECTOR_SIZE, p->len / SECTOR_SIZE,
			     v->checks.seed);
	buffer_cpu_end(&v->buf, DMA_BUF_SYNC_WRITE);
	ring_queue(&v->ring, &w->io);
}

static void check_poison(struct verify *v, struct check *c, const struct work *w,
			 size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if ((unsigned char)v->buf.map[i] == POISON)
			continue;
		c->different++;
		if (!v->checks.bad) {
			v->checks.bad = c;
			snprintf(v->checks.overrun, sizeof(v->checks.overrun),
				 "%zu bytes at %" PRIu64 ", for byte %" PRIu64
				 " of the buffer, altered byte %zu of it",
				 w->io.len, w->io.pos, w->io.buf, i);
		}
	}
	c->bytes += to - from;
}

static void finish_piece(struct verify *v, struct work *w, struct check *data,
			 struct check *around)
{
	struct io *io = &w->io;

	if (io->error)
		errx(EXIT_TROUBLE, "%s: %s of %zu bytes at %" PRIu64 " through %s at %" PRIu64 ": %s",
		     v->path, io->write ? "write" : "read", io->len, io->pos, v->opts.buffer,
		     io->buf, strerror(io->error));
	if (io->write) {
		data->ios++;
		data->bytes += io->len;
		return;
	}
	buffer_cpu_begin(&v->buf, DMA_BUF_SYNC_READ);
	check_data(&v->checks, data, v->buf.map + io->buf, io->pos, io->len);
	check_poison(v, around, w, w->base, io->buf);
	check_poison(v, around, w, io->buf + io->len, w->base + w->span);
	around->ios++;
	buffer_cpu_end(&v->buf, DMA_BUF_SYNC_READ);
}

/* All pieces, @depth at a time; one that needs the whole buffer goes alone. */
static void run_pieces(struct verify *v, bool write, struct check *data, struct check *around)
{
	struct work *work = calloc(v->opts.depth, sizeof(*work));
	struct work **idle = calloc(v->opts.depth, sizeof(*idle));
	size_t nr, next = 0, nr_idle = 0;
	struct piece *pieces = make_pieces(v, &nr);

	if (!work || !idle)
		err(EXIT_TROUBLE, "pieces");
	for (size_t i = 0; i < v->opts.depth; i++) {
		work[i].base = i * v->span;
		idle[nr_idle++] = &work[i];
	}
	while (next < nr || v->ring.inflight) {
		struct work *w;

		if (next < nr && pieces[next].len > v->span && !v->ring.inflight) {
			size_t base = work->base;

			work->base = 0;
			start_piece(v, work, &pieces[next++], write);
			ring_wait(&v->ring);
			finish_piece(v, work, data, around);
			work->base = base;
		} else if (next < nr && pieces[next].len <= v->span && nr_idle) {
			start_piece(v, idle[--nr_idle], &pieces[next++], write);
		} else {
			w = (struct work *)ring_wait(&v->ring);
			finish_piece(v, w, data, around);
			idle[nr_idle++] = w;
		}
	}
	free(pieces);
	free(idle);
	free(work);
}

static void read_plain(struct verify *v, int fd, const char *name, uint64_t pos, size_t len)
{
	ssize_t ret;

	for (size_t done = 0; done < len; done += ret) {
		ret = pread(fd, v->plain + done, len - done, pos + done);
		if (ret < 0)
			err(EXIT_TROUBLE, "%s: read of %zu bytes at %" PRIu64, name, len, pos);
		if (!ret)
			errx(EXIT_TROUBLE, "%s: ends at %" PRIu64, name, pos + done);
	}
}

static void check_device(struct verify *v, struct check *c)
{
	size_t len;

	for (uint64_t pos = 0; pos < v->length; pos += len) {
		len = v->length - pos < PLAIN_SIZE ? v->length - pos : PLAIN_SIZE;
		read_plain(v, v->dev.fd, v->path, pos, len);
		check_data(&v->checks, c, v->plain, pos, len);
	}
}

static struct check *member_check(struct verify *v, dev_t dev)
{
	char name[64];
	struct check *c;
	int fd;

	for (c = v->checks.head; c; c = c->next)
		if (c->dev == dev)
			return c;
	fd = device_node(dev, name, sizeof(name));
	if (fd < 0)
		err(EXIT_TROUBLE, "member /dev/%s", name);
	c = check_add(&v->checks, name, "O_DIRECT");
	c->dev = dev;
	c->fd = fd;
	return c;
}

/* Why the walk ends at a device that is no disk; NULL where it does not. */
static const char *not_followed(dev_t dev, uint64_t sector)
{
	const struct table *table = table_of(dev);
	const struct target *t = table ? table_find(table, sector) : NULL;

	return t && !t->followed ? *t->level ? t->level : t->type : NULL;
}

/* Looks at one copy of everything. Returns whether there is such a copy. */
static bool check_copy(struct verify *v, unsigned int copy)
{
	struct extent e;
	bool found = false;

	for (uint64_t pos = 0; pos < v->length; pos += e.len * SECTOR_SIZE) {
		uint64_t len = v->length - pos < PLAIN_SIZE ? v->length - pos : PLAIN_SIZE;
		const char *type;
		struct check *c;

		e = (struct extent) { v->dev.dev, pos / SECTOR_SIZE, len / SECTOR_SIZE };
		if (!map_walk(table_of, &e, copy))
			continue;
		found = true;
		if (!e.dev) {
			v->missing = true;
			continue;
		}
		type = not_followed(e.dev, e.sector);
		if (type && !v->stopped)
			v->stopped = type;
		if (e.dev == v->dev.dev)
			continue;
		c = member_check(v, e.dev);
		read_plain(v, c->fd, c->name, e.sector * SECTOR_SIZE, e.len * SECTOR_SIZE);
		check_data(&v->checks, c, v->plain, pos, e.len * SECTOR_SIZE);
	}
	return found;
}

static void check_members(struct verify *v)
{
	const struct check *last = v->checks.head;
	unsigned int copy = 0;

	while (last->next)
		last = last->next;
	while (check_copy(v, copy))
		copy++;
	if (!last->next)
		check_add(&v->checks, "members", "-");
	if (v->stopped)
		warnx("%s: not compared below a device of type %s", v->path, v->stopped);
	if (v->missing)
		warnx("%s: copies on members that are not in sync are not compared", v->path);
}

static void prepare(struct verify *v)
{
	uint64_t *seed = &v->checks.seed;
	char why[768];
	int error;

	if (!v->seeded && getrandom(seed, sizeof(*seed), 0) != sizeof(*seed))
		err(EXIT_TROUBLE, "getrandom");
	v->random = *seed;
	device_open(&v->dev, v->path, O_RDWR, v->opts.force);
	if (v->length > v->dev.size)
		errx(EXIT_TROUBLE, "%s: has only %" PRIu64 " bytes", v->path, v->dev.size);
	if (!v->limited)
		v->length = v->dev.size < LENGTH_DEFAULT ? v->dev.size : LENGTH_DEFAULT;
	v->length -= v->length % v->dev.block;
	v->span = v->opts.size / v->opts.depth / v->dev.block * v->dev.block;
	if (!v->span || !v->length)
		errx(EXIT_TROUBLE, "--size / --depth and --length need a block of %u bytes",
		     v->dev.block);

	v->plain = aligned_alloc(getpagesize(), PLAIN_SIZE);
	if (!v->plain)
		err(EXIT_TROUBLE, "buffer");
	if (!buffer_create(&v->buf, v->opts.buffer, v->opts.size, why, sizeof(why)))
		errx(EXIT_TROUBLE, "%s", why);
	error = ring_open(&v->ring, v->opts.depth);
	if (error)
		errx(EXIT_TROUBLE, "io_uring: %s", strerror(error));
	if (device_register(&v->dev, &v->ring, 0, &v->buf, why, sizeof(why)))
		errx(EXIT_TROUBLE, "%s: cannot take a dma-buf: %s", v->path, why);
}

int cmd_verify(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &io_argp, 0, NULL, 0 }, { &buffer_argp, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "DEV",
		.doc = "Write a pattern to DEV through a dma-buf and compare it in every way "
		       "that it can be read.",
		.children = children,
	};
	struct verify v = { .opts = OPTIONS_DEFAULT };
	struct check *write, *read, *around, *plain;
	bool equal;

	argp_parse(&argp, argc, argv, 0, NULL, &v);
	prepare(&v);
	if (!v.opts.json) {
		printf("seed 0x%016" PRIx64 "\n", v.checks.seed);
		fflush(stdout);
	}
	write = check_add(&v.checks, "write", v.opts.buffer);
	read = check_add(&v.checks, "read", v.opts.buffer);
	around = check_add(&v.checks, "around", v.opts.buffer);
	plain = check_add(&v.checks, "device", "O_DIRECT");

	run_pieces(&v, true, write, around);
	if (fsync(v.dev.fd))
		err(EXIT_TROUBLE, "%s: flush", v.path);
	run_pieces(&v, false, read, around);
	check_device(&v, plain);
	check_members(&v);
	equal = checks_report(&v.checks, v.path, v.length, v.opts.json);
	return equal ? EXIT_OK : EXIT_NO;
}
