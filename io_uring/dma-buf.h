/* SPDX-License-Identifier: GPL-2.0 */
#ifndef IOU_DMA_BUF_H
#define IOU_DMA_BUF_H

#include <linux/atomic.h>
#include <linux/dma-buf-io.h>
#include <linux/io_uring_types.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/uio.h>

#include "rsrc.h"

/**
 * struct io_dmabuf_reg - a registration, which clones share
 * @ctx: what the library knows it by
 * @file: the target, whose requests may use it
 * @refs: number of &struct io_dmabuf that refer to it
 * @open: how many of them belong to rings that have not been closed.  Once it is
 *	0 it stays so, because only an open ring can be cloned from
 * @nowait: dma_buf_io_nowait() of @ctx, at hand for each request
 */
struct io_dmabuf_reg {
	struct dma_buf_io_ctx	*ctx;
	struct file		*file;
	refcount_t		refs;
	atomic_t		open;
	bool			nowait;
};

/**
 * struct io_dmabuf - a registration in one ring, &io_mapped_ubuf.priv
 * @ctx: &io_dmabuf_reg.ctx of @reg, at hand for each request
 * @file: &io_dmabuf_reg.file of @reg, likewise.  A request that is allowed to use
 *	the buffer holds a reference of its own
 * @reg: the registration
 * @ring: the ring
 * @list: in &io_ring_ctx.dmabufs of @ring, under its dmabuf_lock.  It stays there
 *	until the slot has another buffer and the last request that uses it has
 *	ended
 * @closed: @ring has been closed and no longer counts in &io_dmabuf_reg.open.
 *	Under dmabuf_lock
 *
 * It belongs to one ring, and comes and goes under the uring_lock of that: unlike
 * ordinary buffers, clones do not share their &struct io_mapped_ubuf.
 */
struct io_dmabuf {
	struct dma_buf_io_ctx	*ctx;
	struct file		*file;
	struct io_dmabuf_reg	*reg;
	struct io_ring_ctx	*ring;
	struct list_head	list;
	bool			closed;
};

#ifdef CONFIG_DMA_BUF_IO
int io_dmabuf_register(struct io_ring_ctx *ctx,
		       const struct io_uring_regbuf_desc *desc,
		       struct io_mapped_ubuf *imu);
int io_dmabuf_clone(struct io_ring_ctx *ctx, const struct io_mapped_ubuf *src,
		    struct io_mapped_ubuf *imu);
int io_dmabuf_revalidate(struct io_dmabuf *db, struct io_kiocb *req, int ddir,
			 unsigned int issue_flags);
void io_dmabuf_cancel(struct io_ring_ctx *ctx);
void io_dmabuf_close(struct io_ring_ctx *ctx);

/*
 * Set up @iter for @len bytes at @offset of the dma-buf in @req->buf_node, whose
 * range the caller has checked.
 */
static inline int io_dmabuf_import(int ddir, struct iov_iter *iter,
				   struct io_kiocb *req, u64 offset, size_t len,
				   unsigned int issue_flags)
{
	struct io_dmabuf *db = req->buf_node->buf->priv;
	int ret;

	if (unlikely(db->file != req->file))
		return -EBADF;
	if (unlikely(dma_buf_io_stale(db->ctx))) {
		ret = io_dmabuf_revalidate(db, req, ddir, issue_flags);
		if (ret)
			return ret;
	}
	iov_iter_dmabuf(iter, ddir, db->ctx, offset, len);
	return 0;
}

/*
 * May I/O be submitted without a worker, even if the file does not promise
 * that for everything?
 */
static inline bool io_dmabuf_nowait(const struct io_kiocb *req,
				    const struct iov_iter *iter)
{
	const struct io_dmabuf *db;

	if (!iov_iter_is_dmabuf(iter))
		return false;
	db = req->buf_node->buf->priv;
	return READ_ONCE(db->reg->nowait);
}
#else
static inline int io_dmabuf_register(struct io_ring_ctx *ctx,
				     const struct io_uring_regbuf_desc *desc,
				     struct io_mapped_ubuf *imu)
{
	return -EOPNOTSUPP;
}

static inline int io_dmabuf_clone(struct io_ring_ctx *ctx,
				  const struct io_mapped_ubuf *src,
				  struct io_mapped_ubuf *imu)
{
	return -EOPNOTSUPP;
}

static inline int io_dmabuf_import(int ddir, struct iov_iter *iter,
				   struct io_kiocb *req, u64 offset, size_t len,
				   unsigned int issue_flags)
{
	return -EFAULT;
}

static inline void io_dmabuf_cancel(struct io_ring_ctx *ctx)
{
}

static inline void io_dmabuf_close(struct io_ring_ctx *ctx)
{
}

static inline bool io_dmabuf_nowait(const struct io_kiocb *req,
				    const struct iov_iter *iter)
{
	return false;
}
#endif

#endif
