// SPDX-License-Identifier: GPL-2.0
/* Tables of device-mapper volumes, as the kernel holds them now. */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dm-ioctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dmabuf-stack.h"

static struct table *dm_load(dev_t dev)
{
	int fd = open("/dev/" DM_DIR "/" DM_CONTROL_NODE, O_RDWR | O_CLOEXEC);
	bool full = true;
	int failed;
	struct table *table = NULL;
	struct dm_ioctl *dmi;

	if (fd < 0)
		return NULL;
	for (size_t size = 16384; full && size <= 64 << 20; size *= 2) {
		dmi = calloc(1, size);
		if (!dmi)
			break;
		dmi->version[0] = DM_VERSION_MAJOR;
		dmi->data_size = size;
		dmi->data_start = sizeof(*dmi);
		dmi->flags = DM_STATUS_TABLE_FLAG | DM_NOFLUSH_FLAG | DM_SECURE_DATA_FLAG;
		dmi->dev = dev;
		failed = ioctl(fd, DM_TABLE_STATUS, dmi);
		full = !failed && dmi->flags & DM_BUFFER_FULL_FLAG;
		if (!failed && !full)
			table = table_parse((char *)dmi + dmi->data_start,
					    dmi->data_size - dmi->data_start,
					    dmi->target_count);
		/* A table can hold keys. */
		explicit_bzero(dmi, size);
		free(dmi);
	}
	close(fd);
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

/* Remembered for the life of the process. NULL: a disk, or not a dm volume. */
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
	k->table = sysfs_num(dev, "partition", 0) ? partition_load(dev) : dm_load(dev);
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
		const char *type = table->target[i].type;
		unsigned int seen = 0;

		while (strcmp(table->target[seen].type, type))
			seen++;
		if (seen == i)
			len += snprintf(out + len, size - len, "%s%s", i ? ", " : "", type);
	}
	return true;
}
