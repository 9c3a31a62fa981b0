// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registrations of dma-bufs are handed down to the devices of a table; bios that
 * carry one are cloned, split and remapped like any other.
 */
#include "dm-core.h"

#include <linux/dma-buf-io.h>
#include <linux/file.h>

#define DM_MSG_PREFIX "dmabuf"

static int dm_dmabuf_device_lacks(struct dm_target *ti, struct dm_dev *dev,
				  sector_t start, sector_t len, void *data)
{
	return !blk_queue_dmabuf(bdev_get_queue(dev->bdev));
}

/*
 * Can every target of @t, and every device, carry bios without pages?  Targets
 * that do must also say which devices they use.
 */
bool dm_table_supports_dmabuf(struct dm_table *t)
{
	for (unsigned int i = 0; i < t->num_targets; i++) {
		struct dm_target *ti = dm_table_get_target(t, i);

		if (!dm_target_supports_dmabuf(ti->type) ||
		    !ti->type->iterate_devices ||
		    ti->type->iterate_devices(ti, dm_dmabuf_device_lacks, NULL))
			return false;
	}

	return true;
}

/*
 * Open files of the devices of a table, each of them once, and whether a target
 * needs a mapping for the CPU.
 */
struct dm_dmabuf_devices {
	struct file **files;
	unsigned int nr;
	bool cpu;
};

static int dm_dmabuf_collect_device(struct dm_target *ti, struct dm_dev *dev,
				    sector_t start, sector_t len, void *data)
{
	struct dm_dmabuf_devices *devices = data;
	struct file **files;

	for (unsigned int i = 0; i < devices->nr; i++)
		if (file_bdev(devices->files[i]) == dev->bdev)
			return 0;

	files = krealloc_array(devices->files, devices->nr + 1, sizeof(*files),
			       GFP_NOIO);
	if (!files)
		return -ENOMEM;
	devices->files = files;
	devices->files[devices->nr++] = get_file(dev->bdev_file);
	return 0;
}

static int dm_dmabuf_collect(struct mapped_device *md,
			     struct dma_buf_io_ctx *ctx,
			     struct dm_dmabuf_devices *devices)
{
	struct dm_table *t;
	int srcu_idx, r = 0;

	t = dm_get_live_table(md, &srcu_idx);
	if (!t) {
		dma_buf_io_notice(ctx, DM_FMT("%s: no table"),
				  dm_device_name(md));
		r = -EOPNOTSUPP;
		goto out;
	}

	for (unsigned int i = 0; i < t->num_targets && !r; i++) {
		struct dm_target *ti = dm_table_get_target(t, i);

		if (!dm_target_supports_dmabuf(ti->type) ||
		    !ti->type->iterate_devices) {
			dma_buf_io_notice(ctx, DM_FMT("%s: target \"%s\" cannot carry dma-buf I/O"),
					  dm_device_name(md), ti->type->name);
			r = -EOPNOTSUPP;
			break;
		}
		devices->cpu |= ti->dmabuf_needs_cpu;
		r = ti->type->iterate_devices(ti, dm_dmabuf_collect_device,
					      devices);
	}
out:
	dm_put_live_table(md, srcu_idx);
	return r;
}

/*
 * block_device_operations method.  The table is let go before anything is done
 * with its devices: attaching and mapping wait for exporters and for memory, and
 * a suspend that waits for the table would hold up the writeback which frees it.
 *
 * A device that cannot is no reason to leave out the rest: targets with
 * redundancy may do without it.  The first error is the one to report, but for
 * -EAGAIN, which says that there is no reason to give up.
 *
 * Neither has a refusal while the device is suspended: a table below may have been
 * replaced and this one not yet.  I/O waits for that, and so does this.
 */
int dm_dmabuf_register(struct block_device *bdev, struct dma_buf_io_ctx *ctx,
		       bool wait)
{
	struct mapped_device *md = bdev->bd_disk->private_data;
	struct dm_dmabuf_devices devices = { };
	bool suspended = dm_suspended_md(md);
	unsigned int quiet = 0;
	int r, err;

	if (suspended)
		quiet = xchg(&ctx->quiet, 1);
	r = dm_dmabuf_collect(md, ctx, &devices);
	/* first, because it may move the buffer to where the CPU can see it */
	if (!r && devices.cpu) {
		r = dma_buf_io_vmap(ctx, wait ? DMA_BUF_IO_WAIT :
						DMA_BUF_IO_TRY);
		if (r == -EOPNOTSUPP)
			dma_buf_io_notice(ctx,
					  DM_FMT("%s: needs vmap, which the exporter lacks"),
					  dm_device_name(md));
	}
	if (r)
		goto put;

	for (unsigned int i = 0; i < devices.nr; i++) {
		err = blk_dmabuf_register(file_bdev(devices.files[i]), ctx,
					  wait);
		/* it is being removed: its I/O will tell */
		if (err && err != -ENXIO && (!r || r == -EAGAIN))
			r = err;
	}
put:
	while (devices.nr)
		fput(devices.files[--devices.nr]);
	kfree(devices.files);
	if (suspended)
		WRITE_ONCE(ctx->quiet, quiet);
	if (r == -EOPNOTSUPP && (suspended || dm_suspended_md(md)))
		r = -EAGAIN;
	return r;
}
