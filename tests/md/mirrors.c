// SPDX-License-Identifier: GPL-2.0
/*
 * Compare the copies that a raid1 or raid10 array keeps, read from its members,
 * without the array's help.
 *
 *	mirrors NAME
 *
 * Copies on members that are not in sync are left out. It is an error if that
 * leaves nothing to compare. Prints the number of bytes compared, or the first
 * difference.
 */
#include "dbio.h"
#include <dirent.h>

#define MAX	32
#define PART	(1u << 20)

struct member {
	char name[64];
	uint8_t *data;	/* all that belongs to the array, NULL: not in sync */
};

static char dir[128];
static struct member members[MAX];
static unsigned int disks, near_copies, far_copies, set_size;
static uint64_t size, chunk, stride;
static bool offset_layout;

static char *text(const char *sub, const char *file)
{
	static char line[256];
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, sub, file);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = 0;
	return line;
}

static uint64_t number(const char *sub, const char *file)
{
	return strtoull(text(sub, file), NULL, 0);
}

static void load(const char *sub, uint64_t used)
{
	unsigned int slot = atoi(text(sub, "slot"));
	uint64_t start = number(sub, "offset") * 512, pos;
	char path[80];
	int fd, ret;

	if (strncmp(text(sub, "state"), "in_sync", 7) || slot >= disks)
		return;
	snprintf(members[slot].name, sizeof(members[slot].name), "%s", sub + 4);
	snprintf(path, sizeof(path), "/dev/%s", members[slot].name);
	fd = open(path, O_RDONLY | O_DIRECT);
	members[slot].data = dbio_mem(used);
	if (fd < 0 || !members[slot].data) {
		perror(path);
		exit(2);
	}
	for (pos = 0; pos < used; pos += PART) {
		size_t len = used - pos < PART ? used - pos : PART;

		ret = dbio_pread(fd, members[slot].data + pos, len, start + pos);
		if (ret) {
			printf("%s at %llu: %s\n", path, (unsigned long long)(start + pos),
			       strerror(-ret));
			exit(2);
		}
	}
	close(fd);
}

/* which member has copy @n of chunk @c, and where */
static unsigned int place(uint64_t c, unsigned int n, uint64_t *at)
{
	unsigned int far = n / near_copies;
	uint64_t index = c * near_copies + n % near_copies;
	uint64_t row = index / disks;
	unsigned int d = index % disks, first, in_set;

	*at = row * (offset_layout ? far_copies : 1) * chunk + far * stride;
	/* each further copy is @near_copies members on, within its set; the last
	 * set takes the members that are left over
	 */
	first = d / set_size * set_size;
	if (disks % set_size && first + 2 * set_size > disks)
		first = (disks / set_size - 1) * set_size;
	in_set = disks - first < 2 * set_size ? disks - first : set_size;
	return first + (d - first + far * near_copies) % in_set;
}

static uint64_t compare(uint64_t c)
{
	uint64_t len = size - c * chunk < chunk ? size - c * chunk : chunk;
	struct member *first = NULL;
	uint64_t at, first_at = 0, done = 0;
	long diff;

	for (unsigned int n = 0; n < near_copies * far_copies; n++) {
		struct member *m = &members[place(c, n, &at)];

		if (!m->data)
			continue;
		if (!first) {
			first = m;
			first_at = at;
			continue;
		}
		diff = dbio_differ(first->data + first_at, m->data + at, len);
		if (diff >= 0) {
			printf("byte %llu of the array: %s and %s differ\n",
			       (unsigned long long)(c * chunk + diff), first->name, m->name);
			exit(1);
		}
		done += len;
	}
	return done;
}

int main(int argc, char **argv)
{
	uint64_t used, compared = 0;
	unsigned int layout;
	struct dirent *d;
	DIR *dev;

	if (argc != 2)
		return 2;
	snprintf(dir, sizeof(dir), "/sys/block/%s/md", argv[1]);
	disks = number("", "raid_disks");
	size = number("..", "size") * 512;
	used = number("", "component_size") * 1024;
	layout = number("", "layout");
	if (!strcmp(text("", "level"), "raid1")) {
		near_copies = disks;
		far_copies = 1;
		set_size = disks;
		chunk = PART;
	} else if (!strcmp(text("", "level"), "raid10")) {
		near_copies = layout & 255;
		far_copies = layout >> 8 & 255;
		offset_layout = layout & 1 << 16;
		set_size = layout >> 17 == 2 ? near_copies * far_copies : disks;
		chunk = number("", "chunk_size");
		stride = offset_layout ? chunk : used / chunk / far_copies * chunk;
	}
	if (!disks || disks > MAX || !chunk || layout >> 17 == 1) {
		printf("%s: no raid1 or raid10 that I know\n", argv[1]);
		return 2;
	}
	dev = opendir(dir);
	while (dev && (d = readdir(dev)))
		if (!strncmp(d->d_name, "dev-", 4))
			load(d->d_name, used);
	for (uint64_t c = 0; c * chunk < size; c++)
		compared += compare(c);
	printf("%llu bytes equal\n", (unsigned long long)compared);
	return !compared;
}
