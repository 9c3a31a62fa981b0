// SPDX-License-Identifier: GPL-2.0
/*
 * Registered buffers that are dma-bufs.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include <uapi/linux/io_uring.h>

#include "io_uring.h"
#include "dmabuf.h"

/*
 * Runs under the lock of the ring: only lets go.  The file first, in the
 * caller's context, so that a device is no longer open when its user is gone.
 */
static void io_dmabuf_release(void *priv)
{
	struct io_dmabuf *db = priv;

	if (db->file)
		fput(db->file);
	dma_buf_io_unregister(db->ctx);
	kfree(db);
}

/*
 * Fill in @imu for a dma-buf.  On error nothing in it is held.
 */
int io_dmabuf_register(struct io_ring_ctx *ctx,
		       const struct io_uring_regbuf_desc *desc,
		       struct io_mapped_ubuf *imu)
{
	struct dma_buf *dmabuf;
	struct io_dmabuf *db;
	int ret;

	if (desc->uaddr)
		return -EINVAL;

	db = kzalloc_obj(*db, GFP_KERNEL_ACCOUNT);
	if (!db)
		return -ENOMEM;
	dmabuf = dma_buf_get(desc->dmabuf_fd);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto free;
	}
	ret = -EINVAL;
	if (desc->size && desc->size != dmabuf->size)
		goto put;
	ret = -EBADF;
	db->file = fget(desc->target_fd);
	if (!db->file)
		goto put;
	db->ctx = dma_buf_io_register(db->file, dmabuf);
	ret = PTR_ERR_OR_ZERO(db->ctx);
	if (ret)
		goto put_file;

	imu->ubuf = 0;
	imu->len = dmabuf->size;
	imu->nr_bvecs = 0;
	imu->folio_shift = PAGE_SHIFT;
	refcount_set(&imu->refs, 1);
	imu->flags = IO_REGBUF_F_DMABUF;
	imu->dir = 0;
	/* the access mode of the file is checked for each request */
	if (dmabuf->file->f_mode & FMODE_WRITE)
		imu->dir |= IO_BUF_DEST;
	if (dmabuf->file->f_mode & FMODE_READ)
		imu->dir |= IO_BUF_SOURCE;
	imu->release = io_dmabuf_release;
	imu->priv = db;
	dma_buf_put(dmabuf);
	return 0;

put_file:
	fput(db->file);
put:
	dma_buf_put(dmabuf);
free:
	kfree(db);
	return ret;
}

/*
 * The exporter has moved the buffer, or a stacked device has changed.  This is
 * where to wait for a mapping: a signal ends the wait and nothing of the request
 * exists in the block layer yet.
 */
int io_dmabuf_revalidate(struct io_dmabuf *db, struct io_kiocb *req,
			 unsigned int issue_flags)
{
	if (issue_flags & IO_URING_F_NONBLOCK)
		return -EAGAIN;
	/* its own file: that of the registration goes with the ring */
	return dma_buf_io_revalidate(db->ctx, req->file);
}

/*
 * The ring is going away and issues no more requests, but its tables live on
 * until a work has waited for those in flight.  Do not keep devices open until
 * then.
 */
void io_dmabuf_drop_targets(struct io_ring_ctx *ctx)
{
	struct io_rsrc_data *data = &ctx->buf_table;
	unsigned int i;

	lockdep_assert_held(&ctx->uring_lock);

	for (i = 0; i < data->nr; i++) {
		struct io_rsrc_node *node = data->nodes[i];
		struct io_dmabuf *db;

		if (!node || !(node->buf->flags & IO_REGBUF_F_DMABUF))
			continue;
		db = node->buf->priv;
		if (db->file) {
			fput(db->file);
			WRITE_ONCE(db->file, NULL);
		}
	}
}
