// SPDX-License-Identifier: GPL-2.0-only
/*
 * raid4/5/6 and bios whose data is in a registered dma-buf.
 *
 * Reads of healthy chunks are cloned and sent on.  Everything else goes through
 * the stripe cache, which copies to and from the CPU's mapping of the dma-buf.
 * The exporter is told before and after.  Bios wait for it while they hold no stripe;
 * neither raid5d nor the task that submits them does: the I/O of others depends on those.
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

/* Any context. */
static void raid5_dmabuf_begun(struct bio *bio, int error)
{
	struct mddev *mddev = container_of(bio, struct md_io_clone,
					   bio_clone)->mddev;

	if (!error) {
		md_dmabuf_defer(mddev, bio);
		return;
	}
	bio->bi_status = BLK_STS_BUFFER;
	if (bio_data_dir(bio) == WRITE)
		md_write_end(mddev);
	bio_endio(bio);
}

/*
 * @bio, a clone of md_account_bio(), is for the stripe cache.  Get its data ready, then a
 * work of the array calls raid5_dmabuf_make_stripes().
 */
void raid5_dmabuf_begin(struct bio *bio)
{
	md_dmabuf_begin_access(bio, raid5_dmabuf_begun);
}

/*
 * Send @bio through the stripe cache.  If it has to give up, because a reshape that it
 * waited for has been interrupted, dm submits dm-raid's again.  Others must not be
 * submitted from here: that may wait for a suspension, which waits for other clones.
 */
void raid5_dmabuf_make_stripes(struct mddev *mddev, struct bio *bio)
{
	struct bio *original = container_of(bio, struct md_io_clone,
					    bio_clone)->orig_bio;

	if (raid5_make_stripes(mddev, bio))
		return;
	original->bi_status = BLK_STS_OK;
	if (!mddev_is_dm(mddev)) {
		md_dmabuf_defer(mddev, original);
		return;
	}
	original->bi_status = BLK_STS_DM_REQUEUE;
	bio_endio(original);
}

/* Any context. */
static void raid5_dmabuf_retry_begun(struct bio *bio, int error)
{
	struct r5conf *conf = container_of(bio, struct md_io_clone,
					   bio_clone)->mddev->private;

	if (!error) {
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
void raid5_dmabuf_retry(struct bio *bio)
{
	md_dmabuf_begin_access(bio, raid5_dmabuf_retry_begun);
}
