// SPDX-License-Identifier: GPL-2.0
/* Tables of device-mapper volumes, and of what amounts to one, as they are now. */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dm-ioctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dmabuf-stack.h"

/* What the kernel says of a volume, with @flags; to be wiped and freed. */
static struct dm_ioctl *dm_status(dev_t dev, unsigned int flags)
{
	int fd = open("/dev/" DM_DIR "/" DM_CONTROL_NODE, O_RDWR | O_CLOEXEC);
	struct dm_ioctl *dmi = NULL;
	bool failed;

	if (fd < 0)
		return NULL;
	for (size_t size = 16384; size <= 64 << 20; size *= 2) {
		dmi = calloc(1, size);
		if (!dmi)
			break;
		dmi->version[0] = DM_VERSION_MAJOR;
		dmi->data_size = size;
		dmi->data_start = sizeof(*dmi);
		dmi->flags = flags | DM_NOFLUSH_FLAG | DM_SECURE_DATA_FLAG;
		dmi->dev = dev;
		failed = ioctl(fd, DM_TABLE_STATUS, dmi);
		if (!failed && !(dmi->flags & DM_BUFFER_FULL_FLAG))
			break;
		/* A table can hold keys. */
		explicit_bzero(dmi, size);
		free(dmi);
		dmi = NULL;
		if (failed)
			break;
	}
	close(fd);
	return dmi;
}

static struct dm_target_spec *dm_specs(struct dm_ioctl *dmi)
{
	return (void *)((char *)dmi + dmi->data_start);
}

/* "LEVEL LEGS HEALTH RATIO ACTION ...", of each dm-raid target of a table. */
static void dm_load_health(dev_t dev, struct table *table)
{
	struct dm_ioctl *dmi = dm_status(dev, 0);
	struct dm_target_spec *spec;
	char health[256];

	if (!dmi)
		return;
	spec = dm_specs(dmi);
	for (unsigned int i = 0; i < table->nr && i < dmi->target_count; i++) {
		struct target *t = &table->target[i];

		if (!strcmp(t->type, "raid") &&
		    sscanf((char *)(spec + 1), "%*s %*u %255s", health) == 1)
			for (unsigned int leg = 0; leg < t->nr && health[leg]; leg++)
				t->leg[leg].health = health[leg];
		spec = (void *)((char *)dm_specs(dmi) + spec->next);
	}
	free(dmi);
}

static struct table *dm_load(dev_t dev)
{
	struct dm_ioctl *dmi = dm_status(dev, DM_STATUS_TABLE_FLAG);
	struct table *table;

	if (!dmi)
		return NULL;
	table = table_parse(dm_specs(dmi), dmi->data_size - dmi->data_start, dmi->target_count);
	explicit_bzero(dm_specs(dmi), dmi->data_size - dmi->data_start);
	free(dmi);
	for (unsigned int i = 0; table && i < table->nr; i++) {
		if (!strcmp(table->target[i].type, "raid")) {
			dm_load_health(dev, table);
			break;
		}
	}
	return table;
}

/* A partition is one linear target on its disk. */
static struct table *partition_load(dev_t dev)
{
	struct table *table = calloc(1, sizeof(*table));
	char path[64], disk[32], params[64];

	if (!table)
		return NULL;
	table->target = calloc(1, sizeof(*table->target));
	snprintf(path, sizeof(path), "%s/dev/block/%u:%u", sysfs_root, major(dev), minor(dev));
	if (table->target && sysfs_read(disk, sizeof(disk), path, "../dev")) {
		table->nr = 1;
		table->target->len = sysfs_num(dev, "size", 0);
		snprintf(params, sizeof(params), "%s %" PRIu64, disk, sysfs_num(dev, "start", 0));
		if (target_parse(table->target, "linear", params))
			return table;
	}
	table_free(table);
	return NULL;
}

/* Remembered for the life of the process. NULL: a disk. */
const struct table *table_of(dev_t dev)
{
	static struct known {
		struct known *next;
		dev_t dev;
		struct table *table;
	} *known;
	struct known *k;

	for (k = known; k; k = k->next)
		if (k->dev == dev)
			return k->table;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->dev = dev;
	k->table = sysfs_num(dev, "partition", 0) ? partition_load(dev) : md_load(dev);
	if (!k->table)
		k->table = dm_load(dev);
	k->next = known;
	known = k;
	return k->table;
}

/* The target types of a volume, each once: "linear, striped". */
bool dm_types(dev_t dev, char *out, size_t size)
{
	const struct table *table = table_of(dev);
	size_t len = 0;

	if (!table || !table->nr)
		return false;
	for (unsigned int i = 0; i < table->nr && len < size; i++) {
		const struct target *t = &table->target[i];
		unsigned int seen = 0;

		while (strcmp(table->target[seen].type, t->type) ||
		       strcmp(table->target[seen].level, t->level))
			seen++;
		if (seen == i)
			len += snprintf(out + len, size - len, "%s%s%s%s%s", i ? ", " : "", t->type,
					*t->level ? " (" : "", t->level, *t->level ? ")" : "");
	}
	return true;
}

/* The first target of a volume, if it is dm-raid. */
static const struct target *dm_raid(dev_t dev)
{
	const struct table *table = table_of(dev);

	return table && table->nr && !strcmp(table->target->type, "raid") ? table->target : NULL;
}

/* "2/2 in sync" */
bool dm_state(dev_t dev, char *out, size_t size)
{
	const struct target *t = dm_raid(dev);
	unsigned int good = 0;

	if (!t || !strncmp(t->level, "raid0", 5))
		return false;
	for (unsigned int i = 0; i < t->nr; i++)
		good += t->leg[i].health == 'A';
	snprintf(out, size, "%u/%u in sync", good, t->nr);
	return true;
}

/* What a member is to its dm-raid volume. Returns whether it is alive. */
bool dm_member_state(dev_t dev, dev_t member, char *out, size_t size)
{
	const struct target *t = dm_raid(dev);

	for (unsigned int i = 0; t && i < t->nr; i++) {
		const struct leg *l = &t->leg[i];

		if (l->meta == member)
			snprintf(out, size, "metadata of %u", i);
		else if (l->dev == member)
			snprintf(out, size, "%s%u", l->health == 'D' ? "failed " :
				 l->health == 'a' ? "rebuilding " : "", i);
		else
			continue;
		return l->health != 'D';
	}
	return true;
}
