// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registrations of dma-bufs are handed down to the devices of a table; bios that
 * carry one are cloned, split and remapped like any other.
 */
#include "dm-core.h"

#include <linux/dma-buf-io.h>
#include <linux/sched/mm.h>

#define DM_MSG_PREFIX "dmabuf"

static int dm_dmabuf_register_device(struct dm_target *ti, struct dm_dev *dev,
				     sector_t start, sector_t len, void *data)
{
	blk_dmabuf_register(dev->bdev, data);
	return 0;
}

/*
 * block_device_operations method.  A device that cannot is no reason to leave out the
 * rest: targets with redundancy may do without it.
 *
 * While the device is suspended a refusal is not the last word: a table below may have
 * been replaced and this one not yet.  I/O waits for that, and so does this.
 *
 * Handing down allocates memory while it holds the table.  A suspend waits for that,
 * and may hold up the writeback which frees memory: hence the noio scope.
 */
void dm_dmabuf_register(struct block_device *bdev, struct dma_buf_io_walk *walk)
{
	struct mapped_device *md = bdev->bd_disk->private_data;
	unsigned int noio = memalloc_noio_save();
	struct dm_table *t;
	int srcu_idx;

	if (dm_suspended_md(md))
		dma_buf_io_walk_unsettled(walk);
	t = dm_get_live_table(md, &srcu_idx);
	if (!t)
		dma_buf_io_refuse(walk, DM_FMT("%s: no table"),
				  dm_device_name(md));

	for (unsigned int i = 0; t && i < t->num_targets; i++) {
		struct dm_target *ti = dm_table_get_target(t, i);

		if (!dm_target_supports_dmabuf(ti->type)) {
			dma_buf_io_refuse(walk,
					  DM_FMT("%s: target \"%s\" cannot carry dma-buf I/O"),
					  dm_device_name(md), ti->type->name);
			break;
		}
		if (ti->dmabuf_needs_cpu && !dma_buf_io_has_vmap(walk)) {
			dma_buf_io_refuse(walk, DM_FMT("%s: needs vmap, which the exporter lacks"),
					  dm_device_name(md));
			break;
		}
		if (ti->dmabuf_needs_cpu)
			dma_buf_io_bind_cpu(walk);
		ti->type->iterate_devices(ti, dm_dmabuf_register_device, walk);
	}
	dm_put_live_table(md, srcu_idx);
	/* it may have been suspended, and replaced, meanwhile */
	if (dm_suspended_md(md))
		dma_buf_io_walk_unsettled(walk);
	memalloc_noio_restore(noio);
}
