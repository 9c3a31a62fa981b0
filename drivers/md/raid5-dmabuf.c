// SPDX-License-Identifier: GPL-2.0-only
/*
 * raid4/5/6 and bios whose data is in a registered dma-buf.
 *
 * Reads of healthy chunks are cloned and sent on.  Everything else goes through
 * the stripe cache, which copies to and from the CPU's mapping of the dma-buf.
 * The exporter is told before and after.  Bios wait for it, for a bounded time, while
 * they hold no stripe; neither raid5d nor who submits them does: other users' I/O
 * depends on those.
 */
#include <linux/dma-buf-io.h>
#include <linux/highmem.h>

#include "md.h"
#include "raid5.h"

/*
 * async_copy_data() for a dma-buf bio, on the CPU.  @page has the
 * RAID5_STRIPE_SIZE() bytes from array sector @sector on at @page_offset.
 */
void raid5_dmabuf_copy(struct r5conf *conf, bool frombio, struct bio *bio,
		       struct page *page, unsigned int page_offset,
		       sector_t sector)
{
	sector_t start = max(bio->bi_iter.bi_sector, sector);
	sector_t end = min(bio_end_sector(bio),
			   sector + RAID5_STRIPE_SECTORS(conf));
	u64 offset = bio->bi_iter.bi_dmabuf_offset +
		     ((start - bio->bi_iter.bi_sector) << SECTOR_SHIFT);
	size_t len = (end - start) << SECTOR_SHIFT;
	void *addr = kmap_local_page(page);
	void *data = addr + page_offset + ((start - sector) << SECTOR_SHIFT);

	if (frombio)
		dma_buf_io_copy_from(bio->bi_dmabuf, offset, data, len);
	else
		dma_buf_io_copy_to(bio->bi_dmabuf, offset, data, len);
	kunmap_local(addr);
}

/*
 * The largest part of @bio for which a stripe_request_ctx has room.  The block
 * layer has not split it, because the limits of the queue are those of bios with
 * pages.  Parts end with a row of chunks where they can.
 */
unsigned int raid5_dmabuf_max_sectors(struct r5conf *conf, struct bio *bio,
				      unsigned int stripes)
{
	sector_t start = bio->bi_iter.bi_sector;
	sector_t first = start & ~((sector_t)RAID5_STRIPE_SECTORS(conf) - 1);
	sector_t end = first + (sector_t)stripes * RAID5_STRIPE_SECTORS(conf);
	sector_t row = end;
	unsigned int over = sector_div(row, conf->chunk_sectors *
				       (conf->raid_disks - conf->max_degraded));

	if (end - over > start)
		end -= over;
	return end - start;
}

static struct md_io_clone *raid5_dmabuf_clone(struct dma_buf_io_waiter *waiter)
{
	return container_of(waiter, struct md_io_clone, dmabuf.waiter);
}

/*
 * As the exporters see it: they get the caches ready for data that comes from a
 * device and is read by the CPU, or for data that is on its way to a device.
 */
static struct dma_buf_io_access *
raid5_dmabuf_access(struct bio *bio,
		    void (*done)(struct dma_buf_io_waiter *waiter, int error))
{
	struct md_io_clone *clone = container_of(bio, struct md_io_clone,
						 bio_clone);

	clone->dmabuf.dir = bio_data_dir(bio) == WRITE ? DMA_FROM_DEVICE :
							 DMA_TO_DEVICE;
	clone->dmabuf.waiter.done = done;
	return &clone->dmabuf;
}

/* The exporter knows, or does not let itself be told.  Any context. */
static void raid5_dmabuf_ended(struct dma_buf_io_waiter *waiter, int error)
{
	struct bio *bio = &raid5_dmabuf_clone(waiter)->bio_clone;

	/* what a write was to copy has been copied */
	if (error && !bio->bi_status && bio_data_dir(bio) == READ)
		bio->bi_status = BLK_STS_BUFFER;
	md_end_clone_io(bio);
}

/*
 * The last of @bio's stripes is done.  Let the exporter know, then whoever waits
 * for it.  Any context.
 */
static void raid5_dmabuf_end_io(struct bio *bio)
{
	dma_buf_io_end_cpu_access(bio->bi_dmabuf,
				  raid5_dmabuf_access(bio, raid5_dmabuf_ended));
}

/* Any context. */
static void raid5_dmabuf_begun(struct dma_buf_io_waiter *waiter, int error)
{
	struct md_io_clone *clone = raid5_dmabuf_clone(waiter);
	struct bio *bio = &clone->bio_clone;
	struct mddev *mddev = clone->mddev;

	if (!error) {
		bio->bi_end_io = raid5_dmabuf_end_io;
		md_dmabuf_defer(mddev, bio);
		return;
	}
	bio->bi_status = BLK_STS_BUFFER;
	if (bio_data_dir(bio) == WRITE)
		md_write_end(mddev);
	md_end_clone_io(bio);
}

/*
 * @bio is for the stripe cache.  Get its data ready, then a work of the array
 * comes back with a clone.  Nobody waits for the exporter: the clone does, and not
 * for ever, because a suspension of the array waits for it.
 */
void raid5_dmabuf_begin(struct mddev *mddev, struct bio *bio)
{
	md_account_bio(mddev, &bio);
	dma_buf_io_begin_cpu_access(bio->bi_dmabuf,
				    raid5_dmabuf_access(bio, raid5_dmabuf_begun));
}

/* What raid5_dmabuf_begin() was given, of which @bio is the clone. */
struct bio *raid5_dmabuf_front(struct bio *bio)
{
	return container_of(bio, struct md_io_clone, bio_clone)->orig_bio;
}

/*
 * The clone had to give up, because a reshape that it waited for has been
 * interrupted.  dm-raid's cannot be submitted again, but dm does it.  Others must not
 * be from here: that may wait for a suspension, which waits for other clones.
 */
void raid5_dmabuf_restart(struct mddev *mddev, struct bio *front)
{
	if (!mddev_is_dm(mddev)) {
		md_dmabuf_defer(mddev, front);
		return;
	}
	front->bi_status = BLK_STS_DM_REQUEUE;
	bio_endio(front);
}

static void raid5_dmabuf_retry_begun(struct dma_buf_io_waiter *waiter,
				     int error)
{
	struct md_io_clone *clone = raid5_dmabuf_clone(waiter);
	struct r5conf *conf = clone->mddev->private;
	struct bio *bio = &clone->bio_clone;

	if (!error) {
		bio->bi_end_io = raid5_dmabuf_end_io;
		raid5_add_bio_to_retry(bio, conf);
		return;
	}
	if (!bio->bi_status)
		bio->bi_status = BLK_STS_BUFFER;
	raid5_end_aligned_read(conf, bio);
}

/*
 * The member that the aligned read @bio was sent to has failed it, for whatever
 * reason: the stripe cache tries again.  Any context.
 */
void raid5_dmabuf_retry(struct bio *bio, struct r5conf *conf)
{
	dma_buf_io_begin_cpu_access(bio->bi_dmabuf,
				    raid5_dmabuf_access(bio, raid5_dmabuf_retry_begun));
}
