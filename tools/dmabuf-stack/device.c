// SPDX-License-Identifier: GPL-2.0
/* A block device opened for dma-buf I/O, and why it was refused. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "dmabuf-stack.h"

void device_open(struct device *d, const char *path, int flags, bool force)
{
	bool exclusive = flags != O_RDONLY && !force;
	struct stat st;
	int block;

	*d = (struct device) { .path = path };
	if (stat(path, &st))
		err(EXIT_TROUBLE, "%s", path);
	if (!S_ISBLK(st.st_mode))
		errx(EXIT_TROUBLE, "%s: not a block device", path);
	d->fd = open(path, flags | O_DIRECT | O_CLOEXEC | (exclusive ? O_EXCL : 0));
	if (d->fd < 0 && errno == EBUSY)
		errx(EXIT_TROUBLE,
		     "%s: in use (mounted, or part of another device): release it, or --force",
		     path);
	if (d->fd < 0)
		err(EXIT_TROUBLE, "%s: cannot open for direct I/O", path);
	if (ioctl(d->fd, BLKGETSIZE64, &d->size) || ioctl(d->fd, BLKSSZGET, &block))
		err(EXIT_TROUBLE, "%s: cannot get its size", path);
	d->dev = st.st_rdev;
	d->block = block;
	d->align = sysfs_num(d->dev, "queue/dma_alignment", d->block - 1) + 1;
}

/* Opens a device by number, for direct reads; its name is that of its node. */
int device_node(dev_t dev, char *name, size_t size)
{
	char dir[64], line[128], path[256];
	FILE *f;

	snprintf(name, size, "%u:%u", major(dev), minor(dev));
	snprintf(dir, sizeof(dir), "%s/dev/block/%u:%u/uevent", sysfs_root, major(dev), minor(dev));
	f = fopen(dir, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "DEVNAME=", 8))
			snprintf(name, size, "%s", line + 8);
	}
	fclose(f);
	snprintf(path, sizeof(path), "/dev/%s", name);
	return open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
}

static void explain(const struct device *d, int error, const char *kernel,
		    char *why, size_t size)
{
	struct layer *stack = stack_walk(d->dev);
	const struct layer *l = stack_blame(stack);
	const char *name = strerrorname_np(error);
	int len;

	if (l && !l->feature)
		len = snprintf(why, size, "%s (%s)", l->reason, name);
	else if (l)
		len = snprintf(why, size, "layer %s (%s): %s (%s)", l->name, l->kind, l->reason,
			       name);
	else
		len = snprintf(why, size,
			       "every layer says that it can, but registration fails: %s (%s)",
			       strerror(error), name);
	if (*kernel && len > 0 && (size_t)len < size)
		snprintf(why + len, size - len, "; kernel: %s", kernel);
	stack_free(stack);
}

/* Returns 0, or an errno and why. */
int device_register(const struct device *d, struct ring *r, unsigned int slot,
		    const struct buffer *b, char *why, size_t size)
{
	int log = kmsg_open();
	int error = ring_register(r, slot, b, d->fd);
	char kernel[256] = "";

	kmsg_find(log, kernel, sizeof(kernel));
	if (error)
		explain(d, error, kernel, why, size);
	return error;
}
