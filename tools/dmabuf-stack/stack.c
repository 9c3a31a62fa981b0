// SPDX-License-Identifier: GPL-2.0
/* The devices under a device, from sysfs. */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dmabuf-stack.h"

#define LIMIT_FILE	"queue/max_hw_dmabuf_sectors_kb"
#define MAX_LEAVES	1024

const char *sysfs_root = "/sys";

/* The first line of a file, without its newline. */
bool sysfs_read(char *out, size_t size, const char *dir, const char *file)
{
	char path[PATH_MAX];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "r");
	if (!f)
		return false;
	ok = fgets(out, size, f);
	fclose(f);
	if (ok)
		out[strcspn(out, "\n")] = 0;
	return ok;
}

static bool sysfs_has(const char *dir, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return !access(path, F_OK);
}

/* A number of the device; of its disk for what a partition has not itself. */
uint64_t sysfs_num(dev_t dev, const char *file, uint64_t missing)
{
	char dir[PATH_MAX], value[32];

	snprintf(dir, sizeof(dir), "%s/dev/block/%u:%u", sysfs_root, major(dev), minor(dev));
	if (sysfs_read(value, sizeof(value), dir, file))
		return strtoull(value, NULL, 10);
	if (sysfs_has(dir, "partition") && !strncmp(file, "queue/", 6)) {
		strncat(dir, "/..", sizeof(dir) - strlen(dir) - 1);
		if (sysfs_read(value, sizeof(value), dir, file))
			return strtoull(value, NULL, 10);
	}
	return missing;
}

static bool link_name(char *out, size_t size, const char *dir, const char *file)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = 0;
	snprintf(out, size, "%s", basename(target));
	return true;
}

static void disk_driver(const struct layer *l, char *out, size_t size)
{
	char transport[32];

	if (sysfs_read(transport, sizeof(transport), l->path, "device/transport"))
		snprintf(out, size, "nvme-%s", strcmp(transport, "pcie") ? transport : "pci");
	else if (!link_name(out, size, l->path, "device/driver") &&
		 !link_name(out, size, l->path, "device/device/driver"))
		snprintf(out, size, "%.*s", (int)strcspn(l->name, "0123456789"), l->name);
}

static void layer_kind(struct layer *l)
{
	char detail[128];

	if (sysfs_read(detail, sizeof(detail), l->path, "dm/name")) {
		snprintf(l->name, sizeof(l->name), "%s", detail);
		if (dm_types(l->dev, detail, sizeof(detail)))
			snprintf(l->kind, sizeof(l->kind), "dm %s", detail);
		else
			snprintf(l->kind, sizeof(l->kind), "dm");
	} else if (sysfs_read(detail, sizeof(detail), l->path, "md/level")) {
		snprintf(l->kind, sizeof(l->kind), "md %s", detail);
	} else if (sysfs_has(l->path, "partition")) {
		snprintf(l->kind, sizeof(l->kind), "partition");
	} else if (sysfs_has(l->path, "multipath")) {
		snprintf(l->kind, sizeof(l->kind), "nvme multipath");
	} else if (!strncmp(l->name, "nvme", 4)) {
		snprintf(l->kind, sizeof(l->kind), "nvme");
	} else {
		disk_driver(l, l->kind, sizeof(l->kind));
	}
}

static bool stack_feature(const struct layer *l)
{
	for (unsigned int i = 0; i < l->nr; i++)
		if (stack_feature(l->member[i]))
			return true;
	return l->feature;
}

static void layer_reason(struct layer *l, bool feature)
{
	char detail[128], *out = l->reason;
	const size_t size = sizeof(l->reason);

	for (unsigned int i = 0; i < l->nr; i++)
		layer_reason(l->member[i], feature);
	if (l->capable)
		return;
	if (!feature) {
		snprintf(out, size, "kernel without dma-buf block I/O");
		return;
	}
	if (!strcmp(l->state, "inactive")) {
		snprintf(out, size, "the array is not running");
		return;
	}
	for (unsigned int i = 0; i < l->nr; i++) {
		if (!l->member[i]->capable && !l->member[i]->idle) {
			snprintf(out, size, "member %s cannot", l->member[i]->name);
			return;
		}
	}
	if (sysfs_read(detail, sizeof(detail), l->path, "queue/zoned") && strcmp(detail, "none")) {
		snprintf(out, size, "zoned (%s)", detail);
	} else if (sysfs_read(detail, sizeof(detail), l->path, "integrity/format") &&
		 strcmp(detail, "none")) {
		snprintf(out, size, "integrity format \"%s\"", detail);
	} else if (!strncmp(l->kind, "dm ", 3) && strchr(l->kind, ',')) {
		snprintf(out, size, "one of its targets (%s) is not opted in", l->kind + 3);
	} else if (!strncmp(l->kind, "dm ", 3)) {
		snprintf(out, size, "target \"%s\" is not opted in", l->kind + 3);
	} else if (!strcmp(l->kind, "dm")) {
		snprintf(out, size, "a target is not opted in");
	} else if (!strncmp(l->kind, "md ", 3)) {
		snprintf(out, size, "level \"%s\" is not opted in", l->kind + 3);
	} else {
		disk_driver(l, detail, sizeof(detail));
		snprintf(out, size, "driver \"%s\" has no dma-buf support", detail);
	}
}

static struct layer *layer_walk(const char *path);

static void add_member(struct layer *l, const char *path)
{
	l->member = reallocarray(l->member, l->nr + 1, sizeof(*l->member));
	if (!l->member)
		err(EXIT_TROUBLE, "%s", path);
	l->member[l->nr++] = layer_walk(path);
}

static int visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static void add_members(struct layer *l, const char *dir)
{
	char path[PATH_MAX];
	struct dirent **entry;
	int nr;

	snprintf(path, sizeof(path), "%s/%s", l->path, dir);
	nr = scandir(path, &entry, visible, versionsort);
	for (int i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", l->path, dir, entry[i]->d_name);
		add_member(l, path);
		free(entry[i]);
	}
	if (nr >= 0)
		free(entry);
}

/* What an array is up to, and what each member is to it. */
static void layer_states(struct layer *l)
{
	const size_t size = sizeof(l->state);
	bool dm = !strncmp(l->kind, "dm", 2);

	if (dm)
		dm_state(l->dev, l->state, size);
	else if (!md_state(l->path, l->state, size))
		return;
	for (unsigned int i = 0; i < l->nr; i++) {
		struct layer *m = l->member[i];

		if (dm)
			m->idle = !dm_member_state(l->dev, m->dev, m->state, size);
		else
			m->idle = !md_member_state(l->path, strrchr(m->path, '/') + 1, m->state,
						   size);
	}
}

/*
 * The limit of a layer says what its own driver can; those below may have changed since
 * it was set up, and count as they are now.
 */
static void layer_capable(struct layer *l)
{
	if (!strcmp(l->state, "inactive"))
		l->max_kb = 0;
	for (unsigned int i = 0; i < l->nr; i++)
		if (!l->member[i]->idle && l->member[i]->max_kb < l->max_kb)
			l->max_kb = l->member[i]->max_kb;
	l->capable = l->max_kb;
}

static struct layer *layer_walk(const char *path)
{
	struct layer *l = calloc(1, sizeof(*l));
	unsigned int major, minor;
	char value[64], *copy;

	if (!l)
		err(EXIT_TROUBLE, "%s", path);
	l->path = realpath(path, NULL);
	if (!l->path)
		err(EXIT_TROUBLE, "%s", path);
	if (sysfs_read(value, sizeof(value), l->path, "dev") &&
	    sscanf(value, "%u:%u", &major, &minor) == 2)
		l->dev = makedev(major, minor);
	copy = strdupa(l->path);
	snprintf(l->name, sizeof(l->name), "%s", basename(copy));
	layer_kind(l);

	if (!strcmp(l->kind, "partition")) {
		add_member(l, dirname(copy));
		l->feature = l->member[0]->feature;
		l->max_kb = l->member[0]->max_kb;
	} else {
		add_members(l, "slaves");
		add_members(l, "multipath");
		if (sysfs_read(value, sizeof(value), l->path, LIMIT_FILE)) {
			l->feature = true;
			l->max_kb = strtoull(value, NULL, 10);
		}
	}
	layer_states(l);
	layer_capable(l);
	return l;
}

struct layer *stack_walk(dev_t dev)
{
	char path[PATH_MAX];
	struct layer *l;

	snprintf(path, sizeof(path), "%s/dev/block/%u:%u", sysfs_root, major(dev), minor(dev));
	l = layer_walk(path);
	layer_reason(l, stack_feature(l));
	return l;
}

void stack_free(struct layer *l)
{
	for (unsigned int i = 0; i < l->nr; i++)
		stack_free(l->member[i]);
	free(l->member);
	free(l->path);
	free(l);
}

/* The lowest layer that cannot, NULL when all say that they can. */
const struct layer *stack_blame(const struct layer *l)
{
	if (l->capable)
		return NULL;
	for (unsigned int i = 0; i < l->nr; i++)
		if (!l->member[i]->capable && !l->member[i]->idle)
			return stack_blame(l->member[i]);
	return l;
}

static unsigned int add_leaves(const struct layer *l, const char **names, unsigned int nr)
{
	bool leaf = !l->nr || !strcmp(l->kind, "nvme multipath");

	for (unsigned int i = 0; !leaf && i < l->nr; i++)
		nr = add_leaves(l->member[i], names, nr);
	if (!leaf || nr == MAX_LEAVES)
		return nr;
	for (unsigned int i = 0; i < nr; i++)
		if (!strcmp(names[i], l->name))
			return nr;
	names[nr] = l->name;
	return nr + 1;
}

/* How many different disks there are at the bottom; the paths to one are one. */
unsigned int stack_leaves(const struct layer *l)
{
	const char *names[MAX_LEAVES];

	return add_leaves(l, names, 0);
}
