/* SPDX-License-Identifier: GPL-2.0 */
#ifndef IOU_DMABUF_H
#define IOU_DMABUF_H

#include <linux/dma-buf-io.h>
#include <linux/io_uring_types.h>
#include <linux/uio.h>

#include "rsrc.h"

#ifdef CONFIG_DMA_BUF_IO
int io_dmabuf_register(struct io_ring_ctx *ctx,
		       const struct io_uring_regbuf_desc *desc,
		       struct io_mapped_ubuf *imu);
int io_dmabuf_import(int ddir, struct iov_iter *iter, struct io_kiocb *req,
		     u64 offset, size_t len, unsigned int issue_flags);
void io_dmabuf_drop_targets(struct io_ring_ctx *ctx);

/*
 * May a read be submitted without a worker, even if the file does not promise
 * that for everything?
 */
static inline bool io_dmabuf_read_nowait(const struct iov_iter *iter)
{
	return iov_iter_is_dmabuf(iter) &&
	       READ_ONCE(iter->dmabuf->read_nowait);
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

static inline bool io_dmabuf_read_nowait(const struct iov_iter *iter)
{
	return false;
}
#endif

#endif
