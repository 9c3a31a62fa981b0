// SPDX-License-Identifier: GPL-2.0
/*
 * A consumer of registered dma-bufs inside the kernel: reads and writes a file
 * with them as an ordinary user of the library would.
 */
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "exporter.h"

struct dmabuf_test_iocb {
	struct kiocb		iocb;
	struct completion	done;
	long			ret;
};

static void dmabuf_test_complete(struct kiocb *iocb, long ret)
{
	struct dmabuf_test_iocb *ti =
		container_of(iocb, struct dmabuf_test_iocb, iocb);

	ti->ret = ret;
	complete(&ti->done);
}

static ssize_t dmabuf_test_io(struct dma_buf_io_ctx *ctx, struct file *file,
			      const struct dmabuf_test_run *run)
{
	struct dmabuf_test_iocb ti;
	struct iov_iter iter;
	ssize_t ret;

	init_sync_kiocb(&ti.iocb, file);
	ti.iocb.ki_pos = run->pos;
	if (run->flags & DMABUF_TEST_RUN_ASYNC) {
		ti.iocb.ki_complete = dmabuf_test_complete;
		init_completion(&ti.done);
	}
	if (run->flags & DMABUF_TEST_RUN_WRITE) {
		iov_iter_dmabuf(&iter, ITER_SOURCE, ctx, run->offset, run->len);
		ret = vfs_iocb_iter_write(file, &ti.iocb, &iter);
	} else {
		iov_iter_dmabuf(&iter, ITER_DEST, ctx, run->offset, run->len);
		ret = vfs_iocb_iter_read(file, &ti.iocb, &iter);
	}
	if (ret == -EIOCBQUEUED) {
		wait_for_completion(&ti.done);
		ret = ti.ret;
	}
	return ret;
}

/* the iterator trusts its user with the range */
static int dmabuf_test_check(const struct dma_buf *dmabuf,
			     const struct dmabuf_test_run *run)
{
	u64 end;

	if (check_add_overflow(run->offset, run->len, &end) ||
	    end > dmabuf->size)
		return -EFAULT;
	if (run->len > MAX_RW_COUNT)
		return -EINVAL;
	return 0;
}

static ssize_t dmabuf_test_run_registered(struct dma_buf_io_ctx *ctx,
					  struct file *file,
					  const struct dmabuf_test_run *run)
{
	ssize_t ret = 0;
	u32 i;

	for (i = 0; ret >= 0 && i < run->count; i++) {
		if (signal_pending(current))
			return -EINTR;
		if ((run->flags & DMABUF_TEST_RUN_REVALIDATE) &&
		    dma_buf_io_stale(ctx)) {
			ret = dma_buf_io_revalidate(ctx, file);
			if (ret)
				break;
		}
		ret = dmabuf_test_io(ctx, file, run);
		if (ret != run->len)
			break;
	}
	return ret;
}

/* DMABUF_TEST_RUN */
long dmabuf_test_run(struct dmabuf_test_run __user *arg)
{
	struct dmabuf_test_run run;
	struct dma_buf_io_ctx *ctx;
	struct dma_buf *dmabuf;
	struct file *file;
	ssize_t ret;

	if (copy_from_user(&run, arg, sizeof(run)))
		return -EFAULT;
	if (run.flags & ~(DMABUF_TEST_RUN_WRITE | DMABUF_TEST_RUN_ASYNC |
			  DMABUF_TEST_RUN_REVALIDATE) || run.pos > LLONG_MAX)
		return -EINVAL;

	dmabuf = dma_buf_get(run.dmabuf_fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	file = fget(run.file_fd);
	if (!file) {
		ret = -EBADF;
		goto put_dmabuf;
	}
	ret = dmabuf_test_check(dmabuf, &run);
	if (!ret && !file->f_op->dma_buf_register)
		ret = -EOPNOTSUPP;
	if (ret)
		goto put_file;
	ctx = dma_buf_io_register(file, dmabuf);
	if (IS_ERR(ctx)) {
		ret = PTR_ERR(ctx);
		goto put_file;
	}
	ret = dmabuf_test_run_registered(ctx, file, &run);
	dma_buf_io_unregister(ctx);
put_file:
	fput(file);
put_dmabuf:
	dma_buf_put(dmabuf);
	if (ret < 0)
		return ret;
	return put_user((u64)ret, &arg->result);
}
