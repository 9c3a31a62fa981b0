// SPDX-License-Identifier: GPL-2.0
/*
 * Load for counting: keep a queue filled with reads or writes of one size, without
 * ever sleeping, and enclose some of it in markers for the plugin.
 *
 *	load [options] DEVICE MEMBER...
 *
 *	-t dmabuf|ordinary	buffer (ordinary)
 *	-c			contiguous, in huge pages; else scattered 4 KiB pages
 *	-w			write (read)
 *	-r			random positions (sequential)
 *	-s BYTES		of each request (4096)
 *	-d DEPTH		requests in flight (32)
 *	-b BATCH		completions to wait for, and to replace at once (16)
 *	-n COUNT		requests in each window (1024), a multiple of the batch
 *	-W WINDOWS		(3)
 *	-l LABEL		first words of each line of output
 *
 * Prints "LABEL WINDOWS COUNT REQUESTS COMMANDS": how many windows, of how many
 * requests, and for all requests, those outside of windows as well, the commands
 * that the MEMBERs (names in /sys/block) have completed.
 *
 * The ring has no flags: what completes is then posted by task work on the way
 * back from the interrupt, so that looking at the ring's memory is enough. With
 * IORING_SETUP_DEFER_TASKRUN or COOP_TASKRUN it would take a system call.
 */
#include "dbio.h"
#include "marker.h"

#include <stdarg.h>

#define PAGE		4096u
#define HUGE		(2u << 20)
#define SPAN		(96u << 20)	/* of the device, that is used */

static struct {
	bool dmabuf, contiguous, write, random;
	unsigned int size, depth, batch, count, windows;
	const char *label;
	char **members;
} opt = {
	.size = PAGE, .depth = 32, .batch = 16, .count = 1024, .windows = 3, .label = "",
};

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "load: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

/* --- memory ------------------------------------------------------------- */

static uint64_t frame(const void *p)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || pread(fd, &entry, sizeof(entry), (uintptr_t)p / PAGE * sizeof(entry)) !=
	    sizeof(entry))
		die("pagemap: %m");
	close(fd);
	return entry & ((1ull << 55) - 1);
}

/* Neighbours in the file get pages that were allocated at different times. */
static void touch_shuffled(uint8_t *map, size_t pages)
{
	unsigned int *order = calloc(pages, sizeof(*order));
	size_t i, j;

	for (i = 0; i < pages; i++)
		order[i] = i;
	for (i = pages - 1; i; i--) {
		unsigned int t = order[i];

		j = rnd() % (i + 1);
		order[i] = order[j];
		order[j] = t;
	}
	for (i = 0; i < pages; i++)
		map[(size_t)order[i] * PAGE] = 1;
	free(order);
}

static int scattered(size_t size, struct udmabuf_create_item *items)
{
	int fd = memfd_create("load", MFD_ALLOW_SEALING);
	uint8_t *map;

	if (fd < 0 || ftruncate(fd, size))
		die("memfd: %m");
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap: %m");
	touch_shuffled(map, size / PAGE);
	munmap(map, size);
	items[0] = (struct udmabuf_create_item){ .memfd = fd, .offset = 0, .size = size };
	return 1;
}

static const uint64_t *frames;

static int by_frame(const void *a, const void *b)
{
	uint64_t x = frames[*(const int *)a], y = frames[*(const int *)b];

	return x < y ? -1 : x > y;
}

/* Out of the pool of huge pages, some that follow each other in memory. */
static int contiguous(size_t size, struct udmabuf_create_item *items)
{
	int fd = memfd_create("load", MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_HUGE_2MB);
	int want = (size + HUGE - 1) / HUGE, pool = 2 * want + 8, order[64], i, run;
	static uint64_t frame_of[64];
	uint8_t *map;

	if (pool > 64 || fd < 0 || ftruncate(fd, (size_t)pool * HUGE))
		die("memfd of huge pages: %m");
	map = mmap(NULL, (size_t)pool * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap of huge pages: %m");
	for (i = 0; i < pool; i++) {
		map[(size_t)i * HUGE] = 1;
		frame_of[i] = frame(map + (size_t)i * HUGE);
		order[i] = i;
	}
	munmap(map, (size_t)pool * HUGE);
	frames = frame_of;
	qsort(order, pool, sizeof(order[0]), by_frame);
	for (i = 1, run = 1; i < pool && run < want; i++)
		run = frame_of[order[i]] == frame_of[order[i - 1]] + HUGE / PAGE ? run + 1 : 1;
	if (run < want)
		die("the huge pages are not contiguous");
	for (run = 0, i -= want; run < want; run++, i++)
		items[run] = (struct udmabuf_create_item){
			.memfd = fd, .offset = (uint64_t)order[i] * HUGE, .size = HUGE,
		};
	return want;
}

static void create_buffer(struct dbio_buf *buf, size_t size)
{
	struct {
		struct udmabuf_create_list list;
		struct udmabuf_create_item items[64];
	} c = {};
	size_t at = 0;
	unsigned int i;
	int dev;

	c.list.count = opt.contiguous ? contiguous(size, c.items) : scattered(size, c.items);
	*buf = (struct dbio_buf){ .fd = -1 };
	for (i = 0; i < c.list.count; i++)
		buf->size += c.items[i].size;
	if (opt.dmabuf) {
		dev = open("/dev/udmabuf", O_RDWR);
		if (dev < 0 || fcntl(c.items[0].memfd, F_ADD_SEALS, F_SEAL_SHRINK))
			die("udmabuf: %m");
		buf->fd = ioctl(dev, UDMABUF_CREATE_LIST, &c.list);
		if (buf->fd < 0)
			die("udmabuf: %m");
		return;
	}
	buf->map = mmap(NULL, buf->size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	buf->map = (uint8_t *)(((uintptr_t)buf->map + HUGE - 1) & -(uintptr_t)HUGE);
	for (i = 0; i < c.list.count; i++) {
		if (mmap(buf->map + at, c.items[i].size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED | MAP_POPULATE, c.items[i].memfd,
			 c.items[i].offset) == MAP_FAILED)
			die("mmap: %m");
		at += c.items[i].size;
	}
	buf->base = (size_t)buf->map;
}

/* --- load --------------------------------------------------------------- */

static uint64_t member_commands(void)
{
	uint64_t sum = 0, reads, writes;
	char path[128];
	char **m;
	FILE *f;

	for (m = opt.members; *m; m++) {
		snprintf(path, sizeof(path), "/sys/block/%s/stat", *m);
		f = fopen(path, "r");
		if (!f || fscanf(f, "%lu %*u %*u %*u %lu", &reads, &writes) != 2)
			die("%s: %m", path);
		fclose(f);
		sum += opt.write ? writes : reads;
	}
	return sum;
}

struct state {
	struct io_uring ring;
	int dev;
	struct dbio_buf buf;
	uint64_t blocks;	/* positions on the device */
	uint64_t next;
	unsigned int slots;	/* positions in the buffer */
};

static void submit(struct state *s, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
		uint64_t block = opt.random ? rnd() % s->blocks : s->next++ % s->blocks;
		unsigned int slot = opt.random ? rnd() % s->slots : 0;

		dbio_prep(sqe, opt.write, 0, s->buf.base + (size_t)slot * opt.size, opt.size,
			  block * opt.size, 0);
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	if (io_uring_submit(&s->ring) != (int)nr)
		die("submit: %m");
}

static void reap(struct state *s, unsigned int nr)
{
	struct io_uring_cqe *cqe;
	unsigned int head, i = 0;

	while (io_uring_cq_ready(&s->ring) < nr)
		__builtin_ia32_pause();
	io_uring_for_each_cqe(&s->ring, head, cqe) {
		if (cqe->res != (int)opt.size)
			die("a request ended with %d", cqe->res);
		if (++i == nr)
			break;
	}
	io_uring_cq_advance(&s->ring, nr);
}

/* With a batch of the whole depth, nothing is in flight between two rounds. */
static void rounds(struct state *s, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr / opt.batch; i++) {
		if (opt.depth > opt.batch)
			reap(s, opt.batch);
		submit(s, opt.batch);
		if (opt.depth == opt.batch)
			reap(s, opt.batch);
	}
}

static void measure(struct state *s)
{
	unsigned int w, warm = opt.count / 2 / opt.batch * opt.batch;
	unsigned int ahead = opt.depth > opt.batch ? opt.depth / opt.batch : 0;
	unsigned int total = ahead * opt.batch + warm + opt.windows * opt.count;
	uint64_t before;

	/* what others left for later, the previous ring's end above all */
	usleep(50000);
	before = member_commands();
	for (w = 0; w < ahead; w++)
		submit(s, opt.batch);
	rounds(s, warm);
	for (w = 0; w < opt.windows; w++) {
		marker_start();
		rounds(s, opt.count);
		marker_end();
	}
	for (w = 0; w < ahead; w++)
		reap(s, opt.batch);
	printf("%s %u %u %u %lu\n", opt.label, opt.windows, opt.count, total,
	       member_commands() - before);
}

static void setup(struct state *s, const char *path)
{
	uint64_t bytes = 0;
	int ret;

	s->dev = open(path, O_RDWR | O_DIRECT);
	if (s->dev < 0 || ioctl(s->dev, BLKGETSIZE64, &bytes))
		die("%s: %m", path);
	s->blocks = (bytes < SPAN ? bytes : SPAN) / opt.size;
	create_buffer(&s->buf, opt.size < HUGE ? HUGE : opt.size);
	s->slots = s->buf.size / opt.size;
	ret = dbio_ring(&s->ring, 64, 0, 1);
	if (!ret)
		ret = io_uring_register_files(&s->ring, &s->dev, 1);
	if (!ret)
		ret = dbio_register_buf(&s->ring, 0, &s->buf, s->dev);
	if (ret)
		die("registration: %s", strerror(-ret));
}

int main(int argc, char **argv)
{
	struct state s = {};
	int c;

	while ((c = getopt(argc, argv, "t:cwrs:d:b:n:W:l:")) != -1) {
		switch (c) {
		case 't':
			opt.dmabuf = !strcmp(optarg, "dmabuf");
			break;
		case 'c':
			opt.contiguous = true;
			break;
		case 'w':
			opt.write = true;
			break;
		case 'r':
			opt.random = true;
			break;
		case 's':
			opt.size = atoi(optarg);
			break;
		case 'd':
			opt.depth = atoi(optarg);
			break;
		case 'b':
			opt.batch = atoi(optarg);
			break;
		case 'n':
			opt.count = atoi(optarg);
			break;
		case 'W':
			opt.windows = atoi(optarg);
			break;
		case 'l':
			opt.label = optarg;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind < 2 || !opt.batch || opt.depth % opt.batch || opt.count % opt.batch)
		die("see the head of load.c for the options");
	opt.members = argv + optind + 1;
	setup(&s, argv[optind]);
	measure(&s);
	return 0;
}
