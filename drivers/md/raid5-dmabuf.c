// SPDX-License-Identifier: GPL-2.0-only
/*
 * raid4/5/6 and bios whose data is in a registered dma-buf.
 *
 * Reads of healthy chunks are cloned and sent on.  Everything else goes through
 * the stripe cache, which copies to and from the CPU's mapping of the dma-buf.
 * The exporter is told before and after.  That may wait for it, for a bounded time,
 * so it is neither done in raid5d nor where a stripe is held: other users' I/O
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

/*
 * Get the data of @bio ready for the stripe cache.  False if that is not
 * possible: then it has been ended.  Waits for the exporter, but not for ever: the
 * submitter holds what a suspension of the array waits for.
 */
bool raid5_dmabuf_begin(struct bio *bio)
{
	if (!dma_buf_io_begin_cpu_access(bio))
		return true;
	bio_endio_status(bio, BLK_STS_BUFFER);
	return false;
}

/*
 * The last of @bio's stripes is done.  Let the exporter know, then whoever waits
 * for it.  Any context.
 */
static void raid5_dmabuf_end_io(struct bio *bio)
{
	bio->bi_end_io = md_end_clone_io;
	dma_buf_io_end_cpu_access(bio);
}

/*
 * @bio, a clone of md_account_bio(), goes to the stripe cache now, after
 * raid5_dmabuf_begin().
 */
void raid5_dmabuf_use_stripes(struct bio *bio)
{
	bio->bi_end_io = raid5_dmabuf_end_io;
}

static void raid5_dmabuf_retry_begun(struct bio *bio)
{
	struct md_io_clone *clone = container_of(bio, struct md_io_clone,
						 bio_clone);
	struct r5conf *conf = clone->mddev->private;

	if (bio->bi_status) {
		bio->bi_end_io = md_end_clone_io;
		raid5_end_aligned_read(conf, bio);
	} else {
		raid5_dmabuf_use_stripes(bio);
		raid5_add_bio_to_retry(bio, conf);
	}
}

/*
 * The member that the aligned read @bio was sent to has failed it, for whatever
 * reason: the stripe cache tries again.  Any context.
 */
void raid5_dmabuf_retry(struct bio *bio, struct r5conf *conf)
{
	bio->bi_end_io = raid5_dmabuf_retry_begun;
	dma_buf_io_begin_cpu_access_async(bio);
}
