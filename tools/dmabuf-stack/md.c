// SPDX-License-Identifier: GPL-2.0
/* md arrays, from sysfs: their state, and the tables that they amount to. */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "dmabuf-stack.h"

enum { RAID0_ORIGINAL = 1 };	/* layout of zones */

struct member {
	dev_t dev;
	int slot;
	bool in_sync;
	uint64_t start, size;	/* in sectors */
};

struct array {
	char dir[PATH_MAX];
	char level[16];
	uint64_t size, chunk, layout, used;
	unsigned int disks, nr;
	struct member *member;
};

static uint64_t number(const char *dir, const char *file)
{
	char value[64];

	return sysfs_read(value, sizeof(value), dir, file) ? strtoull(value, NULL, 10) : 0;
}

static void read_member(struct array *a, const char *name)
{
	char dir[PATH_MAX], value[128];
	struct member m = { .slot = -1 };
	unsigned int major, minor;

	snprintf(dir, sizeof(dir), "%s/%s", a->dir, name);
	if (sysfs_read(value, sizeof(value), dir, "block/dev") &&
	    sscanf(value, "%u:%u", &major, &minor) == 2)
		m.dev = makedev(major, minor);
	if (sysfs_read(value, sizeof(value), dir, "slot"))
		sscanf(value, "%d", &m.slot);
	if (sysfs_read(value, sizeof(value), dir, "state"))
		m.in_sync = strstr(value, "in_sync") && !strstr(value, "faulty") &&
			    !strstr(value, "replacement");
	m.start = number(dir, "offset");
	m.size = 2 * number(dir, "size");
	if (m.slot < 0 || m.slot >= (int)a->disks || !m.in_sync || a->member[m.slot].dev)
		return;
	a->member[m.slot] = m;
	a->nr++;
}

static bool read_array(struct array *a, dev_t dev)
{
	char path[PATH_MAX], value[64];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/dev/block/%u:%u", sysfs_root, major(dev), minor(dev));
	snprintf(a->dir, sizeof(a->dir), "%s/md", path);
	if (!sysfs_read(a->level, sizeof(a->level), a->dir, "level"))
		return false;
	a->size = number(path, "size");
	a->disks = number(a->dir, "raid_disks");
	a->chunk = number(a->dir, "chunk_size") / SECTOR_SIZE;
	a->layout = number(a->dir, "layout");
	a->used = 2 * number(a->dir, "component_size");
	/* in two shapes at once */
	if (sysfs_read(value, sizeof(value), a->dir, "reshape_position") &&
	    strcmp(value, "none"))
		strcpy(a->level, "reshaped");
	a->member = calloc(a->disks ? a->disks : 1, sizeof(*a->member));
	dir = opendir(a->dir);
	while (a->member && dir && (d = readdir(dir)))
		if (!strncmp(d->d_name, "dev-", 4))
			read_member(a, d->d_name);
	if (dir)
		closedir(dir);
	return a->member;
}

static bool add_linear(struct table *t, const struct array *a)
{
	uint64_t start = 0;

	for (unsigned int i = 0; i < a->disks; i++) {
		const struct member *m = &a->member[i];
		struct target *target = table_add(t, "linear", 1);

		if (!target)
			return false;
		target->start = start;
		target->len = a->chunk ? m->size / a->chunk * a->chunk : m->size;
		target->chunk = target->len;
		target->leg->dev = m->dev;
		target->leg->start = m->start;
		start += target->len;
	}
	return start == a->size;
}

/* Zones: stripes over those members that reach so far. */
static bool add_raid0(struct table *t, const struct array *a)
{
	uint64_t start = 0, from = 0, to;

	while (start < a->size) {
		unsigned int nr = 0, first = 0, leg = 0;
		struct target *target;

		to = UINT64_MAX;
		for (unsigned int i = 0; i < a->disks; i++) {
			uint64_t size = a->member[i].size / a->chunk * a->chunk;

			if (size <= from)
				continue;
			nr++;
			if (size < to)
				to = size;
		}
		target = nr ? table_add(t, "raid0", nr) : NULL;
		if (!target)
			return false;
		target->start = start;
		target->len = (to - from) * nr;
		target->chunk = a->chunk;
		/* the first layout goes on counting where the zone before ended */
		if (a->layout == RAID0_ORIGINAL)
			first = start / a->chunk % nr;
		for (unsigned int i = 0; i < a->disks; i++) {
			const struct member *m = &a->member[i];
			struct leg *l;

			if (m->size / a->chunk * a->chunk <= from)
				continue;
			l = &target->leg[(leg++ + nr - first) % nr];
			l->dev = m->dev;
			l->start = m->start + from;
		}
		start += target->len;
		from = to;
	}
	return start == a->size;
}

static bool add_mirror(struct table *t, const struct array *a)
{
	struct target *target = table_add(t, a->level, a->disks);

	if (!target)
		return false;
	target->len = a->size;
	for (unsigned int i = 0; i < a->disks; i++) {
		target->leg[i].dev = a->member[i].dev;
		target->leg[i].start = a->member[i].start;
	}
	if (!strcmp(a->level, "raid1")) {
		target->near = a->disks;
		target->chunk = a->size;
		return true;
	}
	target->near = a->layout & 255;
	target->far = a->layout >> 8 & 255;
	target->offset = a->layout >> 16 & 1;
	target->chunk = a->chunk;
	if (a->layout >> 17 == 2)
		target->set = target->near * target->far;
	if (!target->near || !target->far || a->layout >> 17 == 1 || !target->set ||
	    target->set > a->disks)
		return false;
	target->stride = target->offset ? a->chunk :
			 a->used / a->chunk / target->far * a->chunk;
	return true;
}

/* NULL: no array, or one that cannot be read. */
struct table *md_load(dev_t dev)
{
	struct table *t = calloc(1, sizeof(*t));
	struct array a = { 0 };
	bool ok = false;

	if (t && read_array(&a, dev)) {
		const bool whole = a.nr == a.disks && a.disks;

		if (!strcmp(a.level, "linear"))
			ok = whole && add_linear(t, &a);
		else if (!strcmp(a.level, "raid0"))
			ok = whole && a.chunk && add_raid0(t, &a);
		else if (a.nr && a.size &&
			 (!strcmp(a.level, "raid1") || (!strcmp(a.level, "raid10") && a.chunk)))
			ok = add_mirror(t, &a);
		else
			ok = table_add(t, a.level, 0);
		if (ok && !t->target->len)
			t->target->len = a.size;
	}
	free(a.member);
	if (ok)
		return t;
	table_free(t);
	return NULL;
}

/* "2/2 in sync", and what is going on; @dir is the array's in sysfs. */
bool md_state(const char *dir, char *out, size_t size)
{
	char value[64], md[PATH_MAX];
	uint64_t disks;
	int len;

	snprintf(md, sizeof(md), "%s/md", dir);
	if (!sysfs_read(value, sizeof(value), md, "array_state"))
		return false;
	if (!strcmp(value, "inactive") || !strcmp(value, "clear")) {
		snprintf(out, size, "inactive");
		return true;
	}
	if (!sysfs_read(value, sizeof(value), md, "degraded"))
		return false;
	disks = number(md, "raid_disks");
	len = snprintf(out, size, "%llu/%llu in sync",
		       (unsigned long long)(disks - strtoull(value, NULL, 10)),
		       (unsigned long long)disks);
	if (sysfs_read(value, sizeof(value), md, "sync_action") && strcmp(value, "idle"))
		snprintf(out + len, size - len, ", %s", value);
	return true;
}

/* What a member is to its array. Returns whether it has the array's data. */
bool md_member_state(const char *dir, const char *member, char *out, size_t size)
{
	char state[128], slot[32], sub[PATH_MAX];
	const char *role = "";

	snprintf(sub, sizeof(sub), "%s/md/dev-%s", dir, member);
	if (!sysfs_read(state, sizeof(state), sub, "state") ||
	    !sysfs_read(slot, sizeof(slot), sub, "slot"))
		return true;
	if (strstr(state, "faulty")) {
		snprintf(out, size, "failed");
		return false;
	}
	if (strstr(state, "journal")) {
		snprintf(out, size, "journal");
		return false;
	}
	if (!strcmp(slot, "none")) {
		snprintf(out, size, "spare");
		return false;
	}
	/* want_replacement is something else */
	if (strstr(state, ",replacement") || !strncmp(state, "replacement", 11))
		role = "replacement of ";
	else if (!strstr(state, "in_sync"))
		role = "rebuilding ";
	snprintf(out, size, "%s%s%s", role, slot,
		 strstr(state, "write_mostly") ? ", write-mostly" : "");
	return true;
}
