// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/dmabuf-test: what user space may ask of the exporter and the consumer.
 */
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "exporter.h"

static long dmabuf_test_create(struct dmabuf_test_create __user *arg)
{
	struct dmabuf_test_create create;
	struct dma_buf *dmabuf;
	int fd;

	if (copy_from_user(&create, arg, sizeof(create)))
		return -EFAULT;
	if (create.flags & ~(DMABUF_TEST_CONTIGUOUS | DMABUF_TEST_NO_VMAP |
			     DMABUF_TEST_PAGELESS) ||
	    create.fd_flags & ~(O_ACCMODE | O_CLOEXEC) || create.pad)
		return -EINVAL;
	/* the page count of a scatterlist is an unsigned int */
	if (!create.size || !PAGE_ALIGNED(create.size) ||
	    create.size >> PAGE_SHIFT > INT_MAX)
		return -EINVAL;

	fd = get_unused_fd_flags(create.fd_flags & O_CLOEXEC);
	if (fd < 0)
		return fd;
	dmabuf = dmabuf_test_export(&create);
	if (IS_ERR(dmabuf)) {
		put_unused_fd(fd);
		return PTR_ERR(dmabuf);
	}
	if (put_user(fd, &arg->fd)) {
		dma_buf_put(dmabuf);
		put_unused_fd(fd);
		return -EFAULT;
	}
	dma_buf_fd_install(dmabuf, fd);
	return 0;
}

static bool dmabuf_test_takes_device(u32 op)
{
	switch (op) {
	case DMABUF_TEST_FAIL_MAPS:
	case DMABUF_TEST_FAIL_CALLS:
	case DMABUF_TEST_REACHES:
	case DMABUF_TEST_INVALIDATE_ONE:
		return true;
	}
	return false;
}

static long dmabuf_test_op(struct dmabuf_test_op __user *arg)
{
	struct dmabuf_test_op op;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (strnlen(op.device, sizeof(op.device)) == sizeof(op.device) ||
	    (*op.device && !dmabuf_test_takes_device(op.op)) ||
	    (op.calls && op.op != DMABUF_TEST_FAIL_CALLS) || op.pad)
		return -EINVAL;
	dmabuf = dmabuf_test_get(op.dmabuf_fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = dmabuf_test_do_op(dmabuf, &op);
	dma_buf_put(dmabuf);
	/* a refused move has made somebody wait, too */
	if (put_user(op.result, &arg->result))
		return -EFAULT;
	return ret;
}

static long dmabuf_test_stats(struct dmabuf_test_stats __user *arg)
{
	struct dmabuf_test_stats stats;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&stats, arg, sizeof(stats)))
		return -EFAULT;
	dmabuf = dmabuf_test_get(stats.dmabuf_fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = dmabuf_test_do_stats(dmabuf, &stats);
	dma_buf_put(dmabuf);
	if (!ret && copy_to_user(arg, &stats, sizeof(stats)))
		return -EFAULT;
	return ret;
}

static long dmabuf_test_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case DMABUF_TEST_CREATE:
		return dmabuf_test_create(argp);
	case DMABUF_TEST_OP:
		return dmabuf_test_op(argp);
	case DMABUF_TEST_STATS:
		return dmabuf_test_stats(argp);
	case DMABUF_TEST_RUN:
		return dmabuf_test_run(argp);
	}
	return -ENOTTY;
}

static const struct file_operations dmabuf_test_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= dmabuf_test_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice dmabuf_test_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "dmabuf-test",
	.fops	= &dmabuf_test_fops,
};

builtin_misc_device(dmabuf_test_device);
