// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU's access to the data of dma-buf bios, for personalities that copy it.  An
 * exporter wants to know when that begins and when it ends, and may take its time for
 * either.  The clone that md_account_bio() has made for a bio waits for it, no task does.
 */
#include <linux/dma-buf-io.h>
#include <linux/export.h>

#include "md.h"

static struct md_io_clone *md_dmabuf_clone(struct dma_buf_io_waiter *waiter)
{
	return container_of(waiter, struct md_io_clone, dmabuf.access.waiter);
}

/*
 * As the exporters see it: they get the caches ready for data that comes from a
 * device and is read by the CPU, or for data that is on its way to a device.
 */
static void md_dmabuf_set_access(struct md_io_clone *clone,
				 void (*done)(struct dma_buf_io_waiter *waiter,
					      int error))
{
	clone->dmabuf.access.dir = bio_data_dir(&clone->bio_clone) == WRITE ?
				   DMA_FROM_DEVICE : DMA_TO_DEVICE;
	clone->dmabuf.access.waiter.done = done;
}

/* Any context. */
static void md_dmabuf_access_begun(struct dma_buf_io_waiter *waiter, int error)
{
	struct md_io_clone *clone = md_dmabuf_clone(waiter);

	clone->dmabuf.open = !error;
	clone->dmabuf.begun(&clone->bio_clone, error);
}

/**
 * md_dmabuf_begin_access() - let the CPU at the data of a bio
 * @bio: clone of md_account_bio(), with a dma-buf
 * @begun: called when the data may be copied, with 0, or with a negative errno when it
 *	may not; perhaps before this returns.  Any context
 *
 * The wait has an end, because a suspension of the array waits for the clone.  The access
 * ends with the clone.
 *
 * Context: any.
 */
void md_dmabuf_begin_access(struct bio *bio,
			    void (*begun)(struct bio *bio, int error))
{
	struct md_io_clone *clone = container_of(bio, struct md_io_clone,
						 bio_clone);

	clone->dmabuf.begun = begun;
	md_dmabuf_set_access(clone, md_dmabuf_access_begun);
	dma_buf_io_begin_cpu_access(bio->bi_dmabuf, &clone->dmabuf.access);
}
EXPORT_SYMBOL_GPL(md_dmabuf_begin_access);

/* The exporter knows, or does not let itself be told.  Any context. */
static void md_dmabuf_access_ended(struct dma_buf_io_waiter *waiter, int error)
{
	struct bio *bio = &md_dmabuf_clone(waiter)->bio_clone;

	/* what a write was to copy has been copied */
	if (error && !bio->bi_status && bio_data_dir(bio) == READ)
		bio->bi_status = BLK_STS_BUFFER;
	md_end_clone_io(bio);
}

/*
 * The clone that has @access ends, and the CPU has had access to its data.  Tell the
 * exporter; when that is done, end the clone.  Any context.
 */
void md_dmabuf_tell_end(struct md_dmabuf_access *access)
{
	struct md_io_clone *clone = container_of(access, struct md_io_clone,
						 dmabuf);

	access->open = false;
	md_dmabuf_set_access(clone, md_dmabuf_access_ended);
	dma_buf_io_end_cpu_access(clone->bio_clone.bi_dmabuf, &access->access);
}
