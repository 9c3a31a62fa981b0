/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DMABUF_STACK_H
#define DMABUF_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* The kernel's header and liburing's copy share a guard: the first one wins. */
#include <linux/io_uring.h>
#include <liburing.h>

#define SECTOR_SIZE	512

enum {
	EXIT_OK = 0,
	EXIT_NO = 1,		/* not capable, refused, or data differs */
	EXIT_TROUBLE = 2,
};

int cmd_probe(int argc, char **argv);
int cmd_copy(int argc, char **argv);
int cmd_verify(int argc, char **argv);

/* options.c: what the commands have in common */

struct options {
	const char *buffer;
	uint64_t size;
	uint64_t depth;
	bool json;
	bool force;
};

#define OPTIONS_DEFAULT	{ .buffer = "udmabuf", .size = 8 << 20, .depth = 8 }

struct argp_state;
extern const struct argp buffer_argp, io_argp;	/* children, their input: struct options */

uint64_t parse_size(struct argp_state *state, const char *arg);

/* json.c */

struct json {
	FILE *out;
	bool comma;
};

void json_begin(struct json *j, const char *key, char bracket);
void json_end(struct json *j, char bracket);
void json_str(struct json *j, const char *key, const char *value);
void json_num(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);

/* buffer.c: dma-bufs, and the CPU's view of them */

struct buffer {
	const char *provider;
	int fd;
	size_t size;
	char *map;
};

bool buffer_create(struct buffer *b, const char *provider, size_t size,
		   char *why, size_t why_size);
void buffer_cpu_begin(const struct buffer *b, uint64_t access);
void buffer_cpu_end(const struct buffer *b, uint64_t access);

/* ring.c: registration, and I/O that is whole when it is reported */

struct ring {
	struct io_uring uring;
	unsigned int inflight;
};

struct io {
	bool write;
	int fd;
	unsigned int slot;
	uint64_t pos;		/* bytes, in the device */
	uint64_t buf;		/* bytes, in the dma-buf */
	size_t len;
	size_t done;
	unsigned int again;
	int error;		/* 0 or an errno, valid once reported */
};

int ring_open(struct ring *r, unsigned int depth);
int ring_register(struct ring *r, unsigned int slot, const struct buffer *b,
		  int target_fd);
void ring_queue(struct ring *r, struct io *io);
struct io *ring_wait(struct ring *r);
int ring_do(struct ring *r, struct io *io);

/* map.c: where dm-linear, dm-stripe, partitions and mirrors put a sector */

struct leg {
	dev_t dev;		/* 0: missing, or not in sync */
	dev_t meta;		/* of dm-raid */
	uint64_t start;
	char health;		/* of dm-raid: A, a (not in sync), D (dead) */
};

/*
 * Chunks go from leg to leg, each of them to @near legs one after the other. All
 * that is repeated @far times, @stride further on and @near legs further round
 * (within @set legs, with what is left over in the last set), either after
 * everything or, if @offset, after each row.
 */
struct target {
	uint64_t start, len;
	char type[16];
	char level[16];		/* of dm-raid */
	uint64_t chunk;
	unsigned int near, far, set;
	uint64_t stride;
	bool offset;
	bool followed;
	unsigned int nr;	/* of legs */
	struct leg *leg;
};

struct table {
	unsigned int nr;
	struct target *target;
};

struct extent {
	dev_t dev;
	uint64_t sector, len;
};

typedef const struct table *(*table_lookup)(dev_t dev);

bool target_parse(struct target *t, const char *type, const char *params);
struct target *table_add(struct table *t, const char *type, unsigned int legs);
struct table *table_parse(const void *specs, size_t size, unsigned int count);
void table_free(struct table *t);
const struct target *table_find(const struct table *table, uint64_t sector);
bool map_walk(table_lookup lookup, struct extent *e, unsigned int copy);

/* dm.c */

const struct table *table_of(dev_t dev);
bool dm_types(dev_t dev, char *out, size_t size);
bool dm_state(dev_t dev, char *out, size_t size);
bool dm_member_state(dev_t dev, dev_t member, char *out, size_t size);

/* md.c */

struct table *md_load(dev_t dev);
bool md_state(const char *dir, char *out, size_t size);
bool md_member_state(const char *dir, const char *member, char *out, size_t size);

/* stack.c: the devices under a device, and which of them takes dma-bufs */

extern const char *sysfs_root;

struct layer {
	char *path;		/* in sysfs, of the disk or partition */
	char name[128];
	char kind[160];
	char reason[256];
	char state[64];		/* of an array, or of a member in it */
	dev_t dev;
	bool capable;
	bool feature;		/* has a limit for dma-bufs, be it 0 */
	bool idle;		/* a spare, or failed: what it can does not matter */
	uint64_t max_kb;
	unsigned int nr;
	struct layer **member;
};

bool sysfs_read(char *out, size_t size, const char *dir, const char *file);
uint64_t sysfs_num(dev_t dev, const char *file, uint64_t missing);
struct layer *stack_walk(dev_t dev);
void stack_free(struct layer *l);
const struct layer *stack_blame(const struct layer *l);
unsigned int stack_leaves(const struct layer *l);

/* device.c: a block device opened for dma-buf I/O */

struct device {
	const char *path;
	int fd;
	dev_t dev;
	uint64_t size;
	unsigned int block;	/* logical block size */
	unsigned int align;	/* of an offset in memory */
};

void device_open(struct device *d, const char *path, int flags, bool force);
int device_node(dev_t dev, char *name, size_t size);
int device_register(const struct device *d, struct ring *r, unsigned int slot,
		    const struct buffer *b, char *why, size_t size);

/* kmsg.c: what the kernel log says about a refusal */

int kmsg_open(void);
bool kmsg_find(int fd, char *out, size_t size);

/* pattern.c */

struct mismatch {
	uint64_t sector;
	unsigned int byte;
	unsigned char expected, got;
	bool known;		/* the data belongs to another sector of this run */
	uint64_t other;
};

void pattern_fill(void *buf, uint64_t sector, size_t nr, uint64_t seed);
size_t pattern_check(const void *buf, uint64_t sector, size_t nr, uint64_t seed,
		     struct mismatch *first);
uint64_t splitmix64(uint64_t *state);

/* checks.c */

struct check {
	struct check *next;
	char name[64];
	const char *through;
	uint64_t ios, bytes, different;
	dev_t dev;		/* a member's */
	int fd;
};

struct checks {
	uint64_t seed;
	struct check *head;
	const struct check *bad;	/* the first that failed, and how */
	struct mismatch first;
	char overrun[128];
};

struct check *check_add(struct checks *checks, const char *name, const char *through);
void check_data(struct checks *checks, struct check *c, const void *data, uint64_t pos,
		size_t len);
bool checks_report(const struct checks *checks, const char *device, uint64_t length, bool json);

#endif
