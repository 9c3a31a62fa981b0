// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of raid1 and raid10 with a dma-buf that a member could not do: a work of the
 * array sends reads to another member, and copies what writes have left out.
 */
#include <linux/blkdev.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "md.h"

/* The array's requests, one after the other. */
static void md_dmabuf_retry_work(struct work_struct *work)
{
	struct md_dmabuf_retry *retry =
		container_of(work, struct md_dmabuf_retry, work);
	struct list_head *entry;

	for (;;) {
		spin_lock_irq(&retry->lock);
		entry = retry->list.next;
		if (entry != &retry->list)
			list_del(entry);
		spin_unlock_irq(&retry->lock);
		if (entry == &retry->list)
			return;
		retry->fn(entry);
		cond_resched();
	}
}

/**
 * md_dmabuf_retry_init() - what an array needs for such requests
 * @retry: in the private data of the array, zeroed
 * @nr: how many members may have a copy
 * @fn: does what there is to do for a request
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.  Call md_dmabuf_retry_exit() in either case.
 */
int md_dmabuf_retry_init(struct md_dmabuf_retry *retry, int nr,
			 void (*fn)(struct list_head *entry))
{
	spin_lock_init(&retry->lock);
	INIT_LIST_HEAD(&retry->list);
	INIT_WORK(&retry->work, md_dmabuf_retry_work);
	retry->fn = fn;
	retry->devs = kzalloc_objs(*retry->devs, nr);
	retry->page = alloc_page(GFP_KERNEL);
	return retry->devs && retry->page ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_GPL(md_dmabuf_retry_init);

/**
 * md_dmabuf_retry_resize() - another number of members
 * @retry: of the array, which is frozen
 * @nr: how many members may have a copy
 *
 * Context: process context.  May wait for memory, but not for I/O to the array.
 * Return: 0, or -ENOMEM and nothing has changed.
 */
int md_dmabuf_retry_resize(struct md_dmabuf_retry *retry, int nr)
{
	struct md_dmabuf_copy_dev *devs = kzalloc_objs(*devs, nr, GFP_NOIO);

	if (!devs)
		return -ENOMEM;
	kfree(retry->devs);
	retry->devs = devs;
	return 0;
}
EXPORT_SYMBOL_GPL(md_dmabuf_retry_resize);

/**
 * md_dmabuf_retry_exit() - the array goes
 * @retry: no request is left, but its work may not have returned from the last; or
 *	all zero
 *
 * Context: process context, may sleep.
 */
void md_dmabuf_retry_exit(struct md_dmabuf_retry *retry)
{
	if (retry->fn)
		cancel_work_sync(&retry->work);
	kfree(retry->devs);
	safe_put_page(retry->page);
}
EXPORT_SYMBOL_GPL(md_dmabuf_retry_exit);

/**
 * md_dmabuf_retry() - leave a request to the work of its array
 * @retry: of the array
 * @entry: the request, for &md_dmabuf_retry.fn.  It counts as in flight, so that
 *	freeze_array() waits for it
 *
 * Context: any.
 */
void md_dmabuf_retry(struct md_dmabuf_retry *retry, struct list_head *entry)
{
	unsigned long flags;

	spin_lock_irqsave(&retry->lock, flags);
	list_add_tail(entry, &retry->list);
	spin_unlock_irqrestore(&retry->lock, flags);
	md_dmabuf_queue(&retry->work);
}
EXPORT_SYMBOL_GPL(md_dmabuf_retry);

/* --- copies --------------------------------------------------------------- */

#define MD_COPY_BYTES SZ_256K

/* One read or write of a copy, @pos sectors into the range. */
static bool md_copy_io(const struct md_dmabuf_copy_dev *dev, int pos,
		       int sectors, struct page *page, blk_opf_t opf)
{
	struct bio_vec bvec;
	struct bio bio;

	bio_init(&bio, dev->rdev->bdev, &bvec, 1, opf);
	bio.bi_iter.bi_sector = dev->sector + dev->offset + pos;
	__bio_add_page(&bio, page, sectors << SECTOR_SHIFT, 0);
	return !submit_bio_wait(&bio);
}

/* May the array read these sectors from @dev? */
static bool md_copy_readable(const struct md_dmabuf_copy_dev *dev,
			     int pos, int sectors)
{
	return test_bit(In_sync, &dev->rdev->flags) &&
	       !test_bit(Faulty, &dev->rdev->flags) &&
	       !rdev_has_badblock(dev->rdev, dev->sector + pos, sectors);
}

/* Read from the first member that can; if @has, of those that have what was written. */
static struct md_dmabuf_copy_dev *
md_copy_read(struct md_dmabuf_copy_dev *devs, int nr, bool has, int pos,
	     int sectors, struct page *page)
{
	for (int i = 0; i < nr; i++)
		if ((devs[i].has || !has) &&
		    md_copy_readable(&devs[i], pos, sectors) &&
		    md_copy_io(&devs[i], pos, sectors, page, REQ_OP_READ))
			return &devs[i];
	return NULL;
}

/* Has a member that may be read what was written? */
static bool md_copy_alive(struct md_dmabuf_copy_dev *devs, int nr)
{
	for (int i = 0; i < nr; i++)
		if (devs[i].has && test_bit(In_sync, &devs[i].rdev->flags) &&
		    !test_bit(Faulty, &devs[i].rdev->flags))
			return true;
	return false;
}

/* Keep the array from reading these sectors of @dev: a bad block. */
static void md_copy_lose(struct md_dmabuf_copy_dev *dev, int pos, int sectors)
{
	dev->lost = true;
	/* no bad blocks on a replacement: it fails, as if it could not be written */
	if (test_bit(Replacement, &dev->rdev->flags))
		md_error(dev->rdev->mddev, dev->rdev);
	else
		rdev_set_badblocks(dev->rdev, dev->sector + pos, sectors, 0);
}

/*
 * Write to those that lack what was written; to all but @from if that has not got it
 * either.  Returns false if one of them fails, unless that is no more than a @block.
 */
static bool md_copy_to(struct md_dmabuf_copy_dev *devs, int nr,
		       const struct md_dmabuf_copy_dev *from, int pos,
		       int sectors, int block, struct page *page,
		       blk_opf_t opf)
{
	for (int i = 0; i < nr; i++) {
		struct md_dmabuf_copy_dev *to = &devs[i];

		if (to == from || (to->has && from->has) ||
		    test_bit(Faulty, &to->rdev->flags) ||
		    md_copy_io(to, pos, sectors, page, opf))
			continue;
		if (sectors > block)
			return false;
		set_bit(WriteErrorSeen, &to->rdev->flags);
		md_copy_lose(to, pos, sectors);
	}
	return true;
}

/*
 * No member can read a block.  Should several of them be able to later, they may hold
 * different data: mark the block bad on all but one.  A member that is in sync and has no
 * list of bad blocks is left as it is rather than failed: it reports the read error itself.
 */
static void md_copy_unreadable(struct md_dmabuf_copy_dev *devs, int nr,
			       int pos, int sectors)
{
	bool kept = false;

	for (int i = 0; i < nr; i++) {
		struct md_rdev *rdev = devs[i].rdev;

		if (test_bit(Faulty, &rdev->flags))
			continue;
		if (!test_bit(In_sync, &rdev->flags))
			md_copy_lose(&devs[i], pos, sectors);
		else if (kept && rdev->badblocks.shift >= 0)
			md_copy_lose(&devs[i], pos, sectors);
		else
			kept = true;
	}
}

/**
 * md_dmabuf_copy() - make members equal after a write that some have not got
 * @retry: of the array, for memory
 * @nr: number of &md_dmabuf_retry.devs, each with a reference
 * @sectors: length of the range
 * @opf: flags of the write: what is durable is so on all members
 *
 * For writes from a dma-buf.  A member that could not reach the buffer is not to blame,
 * and trying again would have the array wait for the exporter.
 *
 * What was written is copied from the members that have it to the others.  Blocks that
 * cannot be written are bad blocks.  If no member that is in sync has all of it, each may
 * have got another part: they get what one of them has, block by block, and the write
 * has failed.  The first member that can be read decides, because that is what is read
 * while a resync is under way.
 *
 * Context: the array's work.  The barrier and the bitmap cover the range.
 * Return: true if all of the range can be read from one member that is in sync.
 */
bool md_dmabuf_copy(struct md_dmabuf_retry *retry, int nr, int sectors,
		    blk_opf_t opf)
{
	struct md_dmabuf_copy_dev *devs = retry->devs, *from;
	int block = 1, unit, step, s, pos, order, i;
	bool written = false, missed = false, whole;
	struct page *page = NULL;

	for (i = 0; i < nr; i++) {
		struct md_rdev *rdev = devs[i].rdev;

		block = max(block, bdev_logical_block_size(rdev->bdev) >> SECTOR_SHIFT);
		if (rdev->badblocks.shift > 0)
			block = max(block, 1 << rdev->badblocks.shift);
		written |= devs[i].has && md_copy_readable(&devs[i], 0, sectors);
		missed |= !devs[i].has;
	}
	if (!missed || nr < 2)
		return written;

	for (order = get_order(MD_COPY_BYTES); order > 0; order--) {
		page = alloc_pages(GFP_NOIO | __GFP_COMP | __GFP_NORETRY |
				   __GFP_NOWARN, order);
		if (page)
			break;
	}
	unit = PAGE_SIZE << order >> SECTOR_SHIFT;
	block = min(block, unit);
	step = unit;
	opf = REQ_OP_WRITE | (opf & REQ_FUA);
	whole = written;

	for (pos = 0; pos < sectors; pos += s) {
		struct page *data = page ?: retry->page;

		cond_resched();
		s = min(step, sectors - pos);
		from = md_copy_read(devs, nr, whole, pos, s, data);
		if (!from && s > block) {
			step = max(block, rounddown(s / 2, block));
			s = 0;
			continue;
		}
		if (!from && whole) {
			/* lost to all that had it: what others have is as good */
			from = md_copy_read(devs, nr, false, pos, s, data);
			whole = md_copy_alive(devs, nr);
		}
		if (!from || !from->has)
			written = false;
		if (!from) {
			md_copy_unreadable(devs, nr, pos, s);
		} else if (!md_copy_to(devs, nr, from, pos, s, block, data,
				       opf)) {
			step = max(block, rounddown(s / 2, block));
			s = 0;
			continue;
		}
		step = min(step * 2, unit);
	}
	if (page)
		__free_pages(page, order);
	if (!written)
		return false;
	for (i = 0; i < nr; i++)
		if (!devs[i].lost &&
		    md_copy_readable(&devs[i], 0, sectors))
			return true;
	return false;
}
EXPORT_SYMBOL_GPL(md_dmabuf_copy);
