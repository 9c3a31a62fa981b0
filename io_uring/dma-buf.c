// SPDX-License-Identifier: GPL-2.0
/*
 * Registered buffers that are dma-bufs.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include <uapi/linux/io_uring.h>

#include "io_uring.h"
#include "dma-buf.h"
#include "rw.h"

/*
 * Runs under the uring_lock of the ring that the buffer is in, so it does not wait
 * for an exporter: dma_buf_io_unregister() leaves that to a work.  The file is put
 * first and by the task that ends its use, so that the device is no longer open
 * when that task returns to user space.
 */
static void io_dmabuf_release(void *priv)
{
	struct io_dmabuf *db = priv;
	struct io_dmabuf_reg *reg = db->reg;

	mutex_lock(&db->ring->dmabuf_lock);
	list_del(&db->list);
	if (!db->closed)
		atomic_dec(&reg->open);
	mutex_unlock(&db->ring->dmabuf_lock);
	kfree(db);
	if (!refcount_dec_and_test(&reg->refs))
		return;
	fput(reg->file);
	dma_buf_io_unregister(reg->ctx);
	kfree(reg);
}

/* Make @imu the buffer of @ctx that is @reg; the caller has counted @db in @reg. */
static void io_dmabuf_init(struct io_ring_ctx *ctx, struct io_mapped_ubuf *imu,
			   struct io_dmabuf *db, struct io_dmabuf_reg *reg,
			   size_t len)
{
	lockdep_assert_held(&ctx->uring_lock);

	db->ctx = reg->ctx;
	db->file = reg->file;
	db->reg = reg;
	db->ring = ctx;
	mutex_lock(&ctx->dmabuf_lock);
	list_add_tail(&db->list, &ctx->dmabufs);
	mutex_unlock(&ctx->dmabuf_lock);

	imu->ubuf = 0;
	imu->len = len;
	imu->nr_bvecs = 0;
	imu->folio_shift = PAGE_SHIFT;
	refcount_set(&imu->refs, 1);
	imu->flags = IO_REGBUF_F_DMABUF;
	/* whatever the mode of the dma-buf; that of the file counts, per request */
	imu->dir = IO_BUF_DEST | IO_BUF_SOURCE;
	imu->release = io_dmabuf_release;
	imu->priv = db;
}

/**
 * io_dmabuf_register() - fill in a buffer that is a dma-buf
 * @ctx: the ring, whose uring_lock is held
 * @desc: what user space wants
 * @imu: to be filled in
 *
 * May wait for the exporter; a signal ends that.  The order of the checks is
 * part of the user interface: programs probe for it with bad file descriptors.
 *
 * Return: 0, or an errno and nothing is held
 */
int io_dmabuf_register(struct io_ring_ctx *ctx,
		       const struct io_uring_regbuf_desc *desc,
		       struct io_mapped_ubuf *imu)
{
	struct io_dmabuf_reg *reg;
	struct dma_buf *dmabuf;
	struct io_dmabuf *db;
	struct file *file;
	int ret;

	if (desc->uaddr || desc->size)
		return -EINVAL;

	file = fget(desc->target_fd);
	if (!file)
		return -EBADF;
	dmabuf = dma_buf_get(desc->dmabuf_fd);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto put_file;
	}
	ret = -EFAULT;
	if (!dmabuf->size)
		goto put_dmabuf;
	ret = -EINVAL;
	if ((u64)dmabuf->size > SZ_1T)
		goto put_dmabuf;
	ret = -EOPNOTSUPP;
	if (!file->f_op->dma_buf_register)
		goto put_dmabuf;

	ret = -ENOMEM;
	reg = kzalloc_obj(*reg, GFP_KERNEL_ACCOUNT);
	db = kzalloc_obj(*db, GFP_KERNEL_ACCOUNT);
	if (!reg || !db)
		goto free;
	reg->ctx = dma_buf_io_register(file, dmabuf);
	ret = PTR_ERR_OR_ZERO(reg->ctx);
	if (ret)
		goto free;
	reg->file = file;
	reg->nowait = dma_buf_io_nowait(reg->ctx);
	refcount_set(&reg->refs, 1);
	atomic_set(&reg->open, 1);
	io_dmabuf_init(ctx, imu, db, reg, dmabuf->size);
	dma_buf_put(dmabuf);
	return 0;

free:
	kfree(db);
	kfree(reg);
put_dmabuf:
	dma_buf_put(dmabuf);
put_file:
	fput(file);
	return ret;
}

/**
 * io_dmabuf_clone() - fill in a buffer that is a dma-buf of another ring
 * @ctx: the ring that gets it, whose uring_lock is held
 * @src: the buffer of the other ring, or of another slot of @ctx, whose uring_lock
 *	is held as well
 * @imu: to be filled in
 *
 * Both share one registration, and the devices have it attached once.
 *
 * Return: 0 or -ENOMEM
 */
int io_dmabuf_clone(struct io_ring_ctx *ctx, const struct io_mapped_ubuf *src,
		    struct io_mapped_ubuf *imu)
{
	const struct io_dmabuf *from = src->priv;
	struct io_dmabuf_reg *reg = from->reg;
	struct io_dmabuf *db;

	db = kzalloc_obj(*db, GFP_KERNEL_ACCOUNT);
	if (!db)
		return -ENOMEM;
	refcount_inc(&reg->refs);
	atomic_inc(&reg->open);
	io_dmabuf_init(ctx, imu, db, reg, src->len);
	return 0;
}

/**
 * io_dmabuf_revalidate() - bring a registration up to date
 * @db: the buffer of @req
 * @req: the request that needs it
 * @ddir: ITER_DEST or ITER_SOURCE
 * @issue_flags: says whether it may wait
 *
 * The exporter has moved the buffer, or a stacked device has changed.  This is
 * where to wait for a mapping: a signal ends the wait, and nothing of the request
 * exists in the block layer yet.
 *
 * Return: 0, -EAGAIN if the request may not wait, here or at all (REQ_F_NOWAIT is
 * set then), or what dma_buf_io_revalidate() says
 */
int io_dmabuf_revalidate(struct io_dmabuf *db, struct io_kiocb *req, int ddir,
			 unsigned int issue_flags)
{
	int ret;

	ret = io_rw_check_nowait(req, ddir);
	if (ret)
		return ret;
	if (issue_flags & IO_URING_F_NONBLOCK)
		return -EAGAIN;
	ret = dma_buf_io_revalidate(db->ctx, db->file);
	WRITE_ONCE(db->reg->nowait, dma_buf_io_nowait(db->ctx));
	return ret;
}

/**
 * io_dmabuf_cancel() - fail what waits for an exporter
 * @ctx: the ring
 *
 * All I/O with the buffers of @ctx that waits for a mapping fails, also with
 * buffers that have lost their slot.  A registration does not know who waits: I/O
 * of clones in other rings fails as well, but not if @ctx is closed and one of
 * the others is open.
 *
 * Does not take the uring_lock.  A task that submits I/O holds it, and may be
 * waiting in a stacked device for the very I/O that is to fail.
 */
__cold void io_dmabuf_cancel(struct io_ring_ctx *ctx)
{
	struct io_dmabuf *db;

	mutex_lock(&ctx->dmabuf_lock);
	list_for_each_entry(db, &ctx->dmabufs, list) {
		if (!db->closed || !atomic_read(&db->reg->open))
			dma_buf_io_cancel(db->ctx);
		cond_resched();
	}
	mutex_unlock(&ctx->dmabuf_lock);
}

/**
 * io_dmabuf_close() - let go of dma-bufs when the ring is closed
 * @ctx: the ring, whose uring_lock is held.  It gets no more requests
 *
 * The tables of a ring live on until a work has waited for the requests that are
 * in flight.  They are not to keep devices open until then, so the slots are
 * emptied here.  What is left has requests, which hold the file themselves.
 * Their results are not going to be read, so they do not wait for an exporter.
 */
__cold void io_dmabuf_close(struct io_ring_ctx *ctx)
{
	struct io_rsrc_data *data = &ctx->buf_table;
	struct io_dmabuf *db;
	unsigned int i;

	lockdep_assert_held(&ctx->uring_lock);

	if (list_empty(&ctx->dmabufs))
		return;

	for (i = 0; i < data->nr; i++) {
		struct io_rsrc_node *node = data->nodes[i];

		if (!node || !(node->buf->flags & IO_REGBUF_F_DMABUF))
			continue;
		/* the ring gets no more completions: do not post the tag */
		node->tag = 0;
		io_reset_rsrc_node(ctx, data, i);
		cond_resched();
	}

	mutex_lock(&ctx->dmabuf_lock);
	list_for_each_entry(db, &ctx->dmabufs, list) {
		db->closed = true;
		if (atomic_dec_and_test(&db->reg->open))
			dma_buf_io_cancel(db->ctx);
		cond_resched();
	}
	mutex_unlock(&ctx->dmabuf_lock);
}
