// SPDX-License-Identifier: GPL-2.0
/*
 * Registered dma-bufs on arrays: registrations are handed down to every member,
 * bios that carry one are cloned, split and remapped like any other.
 */
#include <linux/blkdev.h>
#include <linux/dma-buf-io.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "md.h"

/*
 * Deferred bios.  Those that hold up a suspension must not queue behind those that
 * wait for it, and what waits for memory may wait for them.
 */
static struct workqueue_struct *md_dmabuf_wq, *md_dmabuf_begun_wq;

/*
 * In order, and one after the other: what one of them waits for, the ones behind
 * it mostly wait for as well.  That may be the exporter, so it is not for other
 * registrations to wait for.  Nor is a suspension of the array for what the
 * suspension waits for, which has been on its way through the array already.
 */
static void md_dmabuf_deferred_work(struct work_struct *work)
{
	struct md_dmabuf_deferred *deferred =
		container_of(work, struct md_dmabuf_deferred, work);
	struct mddev *mddev = deferred->mddev;
	bool spare = !deferred->ctx;
	struct bio_list bios;
	struct blk_plug plug;
	struct bio *bio;

	for (;;) {
		spin_lock(&mddev->dmabuf.lock);
		bios = deferred->bios;
		bio_list_init(&deferred->bios);
		if (bio_list_empty(&bios)) {
			list_del_init(&deferred->node);
			/* then the array may go away */
			wake_up_var_locked(&mddev->dmabuf.deferred,
					   &mddev->dmabuf.lock);
		}
		spin_unlock(&mddev->dmabuf.lock);
		if (bio_list_empty(&bios))
			break;
		blk_start_plug(&plug);
		while ((bio = bio_list_pop(&bios))) {
			bio->bi_opf &= ~REQ_NOWAIT;
			if (deferred->begun)
				md_handle_request(mddev, bio);
			else
				blk_dmabuf_resubmit(bio);
		}
		blk_finish_plug(&plug);
	}
	if (!spare)
		kfree(deferred);
}

static void md_dmabuf_deferred_init(struct md_dmabuf_deferred *deferred,
				    struct mddev *mddev,
				    struct dma_buf_io_ctx *ctx, bool begun)
{
	deferred->mddev = mddev;
	deferred->ctx = ctx;
	deferred->begun = begun;
	bio_list_init(&deferred->bios);
	INIT_LIST_HEAD(&deferred->node);
	INIT_WORK(&deferred->work, md_dmabuf_deferred_work);
}

/*
 * Where the deferred bios of a registration are gathered.  Its work waits for the
 * lock that the caller holds until it has added one.
 */
static struct md_dmabuf_deferred *
md_dmabuf_get_deferred(struct mddev *mddev, struct dma_buf_io_ctx *ctx,
		       bool begun)
{
	struct md_dmabuf_deferred *deferred;

	lockdep_assert_held(&mddev->dmabuf.lock);

	list_for_each_entry(deferred, &mddev->dmabuf.deferred, node)
		if (deferred->ctx == ctx && deferred->begun == begun)
			return deferred;
	deferred = kmalloc_obj(*deferred, GFP_NOWAIT);
	if (deferred)
		md_dmabuf_deferred_init(deferred, mddev, ctx, begun);
	else
		deferred = &mddev->dmabuf.spare[begun];
	/* once: the work goes on until it finds no more, and frees it then */
	if (list_empty(&deferred->node)) {
		list_add(&deferred->node, &mddev->dmabuf.deferred);
		queue_work(begun ? md_dmabuf_begun_wq : md_dmabuf_wq,
			   &deferred->work);
	}
	return deferred;
}

/*
 * Submit @bio again from where it may wait or, if it is a clone of
 * md_account_bio(), have the personality go on with it there.  Process context.
 */
void md_dmabuf_defer(struct mddev *mddev, struct bio *bio)
{
	struct md_dmabuf_deferred *deferred;

	bio_clear_polled(bio);
	spin_lock(&mddev->dmabuf.lock);
	deferred = md_dmabuf_get_deferred(mddev, bio->bi_dmabuf,
					  md_cloned_bio(mddev, bio));
	bio_list_add(&deferred->bios, bio);
	spin_unlock(&mddev->dmabuf.lock);
}
EXPORT_SYMBOL_GPL(md_dmabuf_defer);

/* For what a suspension waits for. */
void md_dmabuf_queue(struct work_struct *work)
{
	queue_work(md_dmabuf_begun_wq, work);
}

void md_dmabuf_init(struct mddev *mddev)
{
	spin_lock_init(&mddev->dmabuf.lock);
	INIT_LIST_HEAD(&mddev->dmabuf.deferred);
	for (int i = 0; i < 2; i++)
		md_dmabuf_deferred_init(&mddev->dmabuf.spare[i],
					mddev, NULL, i);
}

static bool md_dmabuf_idle(struct mddev *mddev)
{
	bool idle;

	spin_lock(&mddev->dmabuf.lock);
	idle = list_empty(&mddev->dmabuf.deferred);
	spin_unlock(&mddev->dmabuf.lock);
	return idle;
}

/*
 * The array is about to be stopped, perhaps through the file that I/O has been sent
 * through.  What has been put off, or is with its exporter, holds nothing that
 * quiescing the personality would wait for.  A signal ends the wait: it may be one of
 * io_uring's that a request has completed, after which the caller is to try again.
 */
int md_dmabuf_drain(struct mddev *mddev)
{
	int ret;

	if (!READ_ONCE(mddev->dmabuf.used))
		return 0;
	ret = wait_var_event_interruptible(&mddev->dmabuf.deferred,
					   md_dmabuf_idle(mddev));
	if (!ret)
		ret = mddev_suspend(mddev, true);
	if (!ret)
		mddev_resume(mddev);
	return ret;
}

void md_dmabuf_exit(struct mddev *mddev)
{
	/* their bios are done, but they may not have noticed */
	spin_lock(&mddev->dmabuf.lock);
	wait_var_event_spinlock(&mddev->dmabuf.deferred,
				list_empty(&mddev->dmabuf.deferred),
				&mddev->dmabuf.lock);
	spin_unlock(&mddev->dmabuf.lock);
	for (int i = 0; i < 2; i++)
		flush_work(&mddev->dmabuf.spare[i].work);
}

/*
 * Look at device number @n of the array.  Returns false if there is none.  *@bdev is NULL
 * if data is not, and will not come to be, sent to it: all are counted, so that none is
 * passed over when another one fails.  It stays until *@file is put; those of dm-raid have
 * none and stay as long as the table.
 */
static bool md_dmabuf_device(struct mddev *mddev, unsigned int n,
			     struct block_device **bdev, struct file **file,
			     bool *spare)
{
	struct md_rdev *rdev;
	bool found = false;

	*bdev = NULL;
	rcu_read_lock();
	rdev_for_each_rcu(rdev, mddev) {
		if (n--)
			continue;
		found = true;
		if (test_bit(Faulty, &rdev->flags) ||
		    test_bit(Journal, &rdev->flags))
			break;
		*bdev = rdev->bdev;
		*spare = rdev->raid_disk < 0;
		*file = rdev->bdev_file ? get_file(rdev->bdev_file) : NULL;
		break;
	}
	rcu_read_unlock();
	return found;
}

/*
 * Hand a registration to all members, and to spares, so that the one that takes
 * over does not have to be met first.  A spare that cannot is no reason to
 * refuse, and a member that cannot none to leave out the rest, which may do
 * without it.  A member that comes or goes while this looks, so that one is passed
 * over, changes the topology again.
 */
static void md_dmabuf_hand_down(struct dma_buf_io_walk *walk, void *data)
{
	struct mddev *mddev = data;
	struct block_device *bdev;
	struct file *file;
	unsigned int n = 0;
	bool spare, was;

	while (md_dmabuf_device(mddev, n++, &bdev, &file, &spare)) {
		if (!bdev)
			continue;
		was = dma_buf_io_walk_optional(walk, spare);
		/* below a spare, all is */
		if (was)
			dma_buf_io_walk_optional(walk, true);
		blk_dmabuf_register(bdev, walk);
		dma_buf_io_walk_optional(walk, was);
		if (file)
			fput(file);
	}
}

/* block_device_operations method */
void md_dmabuf_register(struct block_device *bdev, struct dma_buf_io_walk *walk)
{
	struct mddev *mddev = bdev->bd_disk->private_data;
	const char *copies = NULL;
	bool active;

	WRITE_ONCE(mddev->dmabuf.used, true);
	spin_lock(&mddev->lock);
	active = mddev->pers;
	if (active && mddev->pers->dmabuf_cpu)
		copies = mddev->pers->head.name;
	spin_unlock(&mddev->lock);
	if (!active) {
		dma_buf_io_refuse(walk, "md: %s: inactive array cannot carry dma-buf I/O\n",
				  mdname(mddev));
		return;
	}
	if (copies && !dma_buf_io_has_vmap(walk)) {
		dma_buf_io_refuse(walk, "md: %s: %s needs vmap, which the exporter lacks\n",
				  mdname(mddev), copies);
		return;
	}
	if (copies)
		dma_buf_io_bind_cpu(walk);
	md_dmabuf_hand_down(walk, mddev);
}

/*
 * For personalities that write several copies: before anything is taken for a
 * write, and the first copy sent, make sure that all members have a mapping of
 * its buffer.  What can be known to fail then fails without having written
 * anything.  The mappings are not held, an exporter must never wait for an array:
 * a copy that meets a gap after all ends with BLK_STS_BUFFER.
 *
 * Waits no longer than bios do for a mapping.  Returns false if @bio was ended.
 */
bool md_dmabuf_prepare(struct mddev *mddev, struct bio *bio)
{
	if (!bio_is_dmabuf(bio) ||
	    !dma_buf_io_prepare(bio->bi_dmabuf, md_dmabuf_hand_down, mddev))
		return true;
	bio_endio_status(bio, BLK_STS_BUFFER);
	return false;
}
EXPORT_SYMBOL_GPL(md_dmabuf_prepare);

int __init md_dmabuf_create_wqs(void)
{
	md_dmabuf_wq = alloc_workqueue("md_dmabuf", WQ_UNBOUND, WQ_MAX_ACTIVE);
	md_dmabuf_begun_wq = alloc_workqueue("md_dmabuf_begun",
					     WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (md_dmabuf_wq && md_dmabuf_begun_wq)
		return 0;
	md_dmabuf_destroy_wqs();
	return -ENOMEM;
}

void md_dmabuf_destroy_wqs(void)
{
	if (md_dmabuf_wq)
		destroy_workqueue(md_dmabuf_wq);
	if (md_dmabuf_begun_wq)
		destroy_workqueue(md_dmabuf_begun_wq);
}
