/* SPDX-License-Identifier: GPL-2.0 */
#ifndef IOU_DMABUF_H
#define IOU_DMABUF_H

#include <linux/dma-buf-io.h>
#include <linux/io_uring_types.h>
#include <linux/uio.h>

#include "rsrc.h"

/*
 * The file tells whose requests may use the buffer; they hold it themselves.
 * Protected by the lock of the ring.
 */
struct io_dmabuf {
	struct dma_buf_io_ctx	*ctx;
	struct file		*file;
};

#ifdef CONFIG_DMA_BUF_IO
int io_dmabuf_register(struct io_ring_ctx *ctx,
		       const struct io_uring_regbuf_desc *desc,
		       struct io_mapped_ubuf *imu);
int io_dmabuf_revalidate(struct io_dmabuf *db, struct io_kiocb *req,
			 unsigned int issue_flags);
void io_dmabuf_drop_targets(struct io_ring_ctx *ctx);

/*
 * Set up @iter for @len bytes at @offset of the dma-buf in @req->buf_node, whose
 * range and direction the caller has checked.
 */
static inline int io_dmabuf_import(int ddir, struct iov_iter *iter,
				   struct io_kiocb *req, u64 offset, size_t len,
				   unsigned int issue_flags)
{
	struct io_dmabuf *db = req->buf_node->buf->priv;
	int ret;

	if (unlikely(READ_ONCE(db->file) != req->file))
		return -EBADF;
	if (unlikely(dma_buf_io_stale(db->ctx))) {
		ret = io_dmabuf_revalidate(db, req, issue_flags);
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
static inline bool io_dmabuf_nowait(const struct iov_iter *iter)
{
	return iov_iter_is_dmabuf(iter) &&
	       READ_ONCE(iter->dmabuf->nowait);
}
#else
static inline int io_dmabuf_register(struct io_ring_ctx *ctx,
				     const struct io_uring_regbuf_desc *desc,
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

static inline void io_dmabuf_drop_targets(struct io_ring_ctx *ctx)
{
}

static inline bool io_dmabuf_nowait(const struct iov_iter *iter)
{
	return false;
}
#endif

#endif
