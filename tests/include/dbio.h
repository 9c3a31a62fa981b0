/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test programs share: dma-bufs of every kind, rings with one
 * registered, I/O through them, and plain I/O to compare with.
 *
 * A function that cannot do its part returns a negative errno.
 */
#ifndef DBIO_H
#define DBIO_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/io_uring.h>	/* before liburing.h, which has an older copy */
#include <liburing.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB	(21u << 26)
#endif
#include <linux/fs.h>

#include "../exporter/exporter.h"

struct dbio_buf {
	int fd;		/* -1: ordinary memory, for comparison */
	size_t size;
	uint8_t *map;	/* NULL if the dma-buf cannot be mapped */
	size_t base;	/* what io_uring wants added to an offset in the buffer */
};

/* give a memfd its pages: every other one first, so that neighbours are no neighbours */
static inline int dbio_scatter(int memfd, size_t size)
{
	for (unsigned int half = 0; half < 2; half++)
		for (size_t at = half * 4096; at < size; at += 8192)
			if (pwrite(memfd, "", 1, at) != 1)
				return -errno;
	return 0;
}

static inline int dbio_udmabuf(struct dbio_buf *buf, size_t size, unsigned int memfd_flags,
			       bool scattered)
{
	struct udmabuf_create create = { .size = size };
	int memfd, dev, fd;

	memfd = memfd_create("dbio", MFD_ALLOW_SEALING | memfd_flags);
	if (memfd < 0)
		return -errno;
	dev = open("/dev/udmabuf", O_RDWR);
	if (dev < 0 || ftruncate(memfd, size) ||
	    fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) ||
	    (scattered && dbio_scatter(memfd, size))) {
		fd = -errno;
	} else {
		create.memfd = memfd;
		fd = ioctl(dev, UDMABUF_CREATE, &create);
		if (fd < 0)
			fd = -errno;
	}
	if (dev >= 0)
		close(dev);
	close(memfd);
	buf->fd = fd;
	return fd < 0 ? fd : 0;
}

static inline int dbio_heap(struct dbio_buf *buf, const char *name, size_t size,
			    unsigned int fd_flags)
{
	struct dma_heap_allocation_data data = { .len = size, .fd_flags = fd_flags | O_CLOEXEC };
	char path[64];
	int dev;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	dev = open(path, O_RDONLY);
	if (dev < 0)
		return -errno;
	if (ioctl(dev, DMA_HEAP_IOCTL_ALLOC, &data) < 0) {
		int err = -errno;

		close(dev);
		return err;
	}
	close(dev);
	buf->fd = data.fd;
	return 0;
}

/* memory for plain I/O */
static inline void *dbio_mem(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* of the test exporter */
static inline int dbio_test(struct dbio_buf *buf, size_t size, unsigned int flags)
{
	struct dmabuf_test_create create = {
		.size = size, .flags = flags, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int dev = open(DMABUF_TEST_DEVICE, O_RDWR), ret = 0;

	if (dev < 0 || ioctl(dev, DMABUF_TEST_CREATE, &create))
		ret = -errno;
	if (dev >= 0)
		close(dev);
	buf->fd = ret ? ret : create.fd;
	return ret;
}

/*
 * Do to a dma-buf of the test exporter what an enum dmabuf_test_op_code says. @device,
 * which mappings it is about, and @result may be NULL.
 */
static inline int dbio_test_op(int test_dev, int dmabuf, unsigned int code, uint64_t arg,
			       const char *device, uint64_t *result)
{
	struct dmabuf_test_op op = { .dmabuf_fd = dmabuf, .op = code, .arg = arg };
	int ret;

	if (device)
		snprintf(op.device, sizeof(op.device), "%s", device);
	ret = ioctl(test_dev, DMABUF_TEST_OP, &op) ? -errno : 0;
	if (result)
		*result = op.result;
	return ret;
}

/* fail the next @nr of each of @calls, see DMABUF_TEST_FAIL_CALLS; @nr 0: none any more */
static inline int dbio_test_fail(int test_dev, int dmabuf, unsigned int calls, unsigned int nr,
				 int error, const char *device)
{
	struct dmabuf_test_op op = {
		.dmabuf_fd = dmabuf,
		.op = DMABUF_TEST_FAIL_CALLS,
		.arg = DMABUF_TEST_FAIL(nr, error ?: 1),
		.calls = calls,
	};

	if (device)
		snprintf(op.device, sizeof(op.device), "%s", device);
	return ioctl(test_dev, DMABUF_TEST_OP, &op) ? -errno : 0;
}

static inline int dbio_test_stats(int test_dev, int dmabuf, struct dmabuf_test_stats *stats)
{
	*stats = (struct dmabuf_test_stats){ .dmabuf_fd = dmabuf };
	return ioctl(test_dev, DMABUF_TEST_STATS, stats) ? -errno : 0;
}

/* until nobody is attached any more: 0, or -ETIMEDOUT after @ms */
static inline int dbio_test_detached(int test_dev, int dmabuf, unsigned int ms)
{
	struct dmabuf_test_stats stats;
	int ret;

	for (;; ms -= 10) {
		ret = dbio_test_stats(test_dev, dmabuf, &stats);
		if (ret || !stats.attachments)
			return ret;
		if (ms < 10)
			return -ETIMEDOUT;
		usleep(10000);
	}
}

/* <debugfs>/sync/sw_sync has no header for user space */
struct dbio_sw_sync_fence {
	uint32_t value;
	char name[32];
	int32_t fence;
};

#define DBIO_SW_SYNC_CREATE_FENCE	_IOWR('W', 0, struct dbio_sw_sync_fence)
#define DBIO_SW_SYNC_INC		_IOW('W', 1, uint32_t)

/* a fence that has not signalled, and the @timeline that lets it */
static inline int dbio_fence(int *timeline)
{
	struct dbio_sw_sync_fence fence = { .value = 1 };

	*timeline = open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC);
	if (*timeline < 0 || ioctl(*timeline, DBIO_SW_SYNC_CREATE_FENCE, &fence))
		return -errno;
	return fence.fence;
}

static inline int dbio_fence_signal(int timeline)
{
	uint32_t inc = 1;

	return ioctl(timeline, DBIO_SW_SYNC_INC, &inc) ? -errno : 0;
}

/* how long I/O waits for an exporter */
static inline int dbio_park_timeout(unsigned int ms)
{
	int fd = open("/sys/module/dma_buf_io/parameters/park_timeout_ms", O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 || dprintf(fd, "%u", ms) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

static inline uint64_t dbio_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/*
 * "udmabuf", "udmabuf-scattered", "udmabuf-huge", "heap:NAME", "test", "contiguous" (as few runs of
 * memory as possible), "no-vmap" (one that the kernel cannot map for the CPU), "pageless" (importers
 * see no pages), or "memory" for an ordinary buffer
 */
static inline int dbio_buf_create(struct dbio_buf *buf, const char *kind, size_t size)
{
	int ret;

	*buf = (struct dbio_buf){ .fd = -1, .size = size };
	if (!strcmp(kind, "memory")) {
		buf->map = dbio_mem(size);
		buf->base = (size_t)buf->map;
		return buf->map ? 0 : -ENOMEM;
	}
	if (!strcmp(kind, "udmabuf"))
		ret = dbio_udmabuf(buf, size, 0, false);
	else if (!strcmp(kind, "udmabuf-scattered"))
		ret = dbio_udmabuf(buf, size, 0, true);
	else if (!strcmp(kind, "udmabuf-huge"))
		ret = dbio_udmabuf(buf, size, MFD_HUGETLB | MFD_HUGE_2MB, false);
	else if (!strncmp(kind, "heap:", 5))
		ret = dbio_heap(buf, kind + 5, size, O_RDWR);
	else if (!strcmp(kind, "test"))
		ret = dbio_test(buf, size, 0);
	else if (!strcmp(kind, "contiguous"))
		ret = dbio_test(buf, size, DMABUF_TEST_CONTIGUOUS);
	else if (!strcmp(kind, "no-vmap"))
		ret = dbio_test(buf, size, DMABUF_TEST_NO_VMAP);
	else if (!strcmp(kind, "pageless"))
		ret = dbio_test(buf, size, DMABUF_TEST_PAGELESS);
	else
		ret = -EINVAL;
	if (ret)
		return ret;
	buf->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, buf->fd, 0);
	if (buf->map == MAP_FAILED)
		buf->map = NULL;
	return 0;
}

static inline void dbio_buf_destroy(struct dbio_buf *buf)
{
	if (buf->map)
		munmap(buf->map, buf->size);
	if (buf->fd >= 0)
		close(buf->fd);
	*buf = (struct dbio_buf){ .fd = -1 };
}

static inline int dbio_update(struct io_uring *ring, unsigned int slot,
			      const struct io_uring_regbuf_desc *desc, unsigned int nr,
			      unsigned int flags)
{
	struct io_uring_rsrc_update2 up = {
		.offset = slot,
		.flags = flags,
		.data = (uintptr_t)desc,
		.nr = nr,
	};
	int ret = syscall(__NR_io_uring_register, ring->ring_fd,
			  IORING_REGISTER_BUFFERS_UPDATE, &up, sizeof(up));

	return ret < 0 ? -errno : ret;
}

/* put a dma-buf for @target_fd in a slot */
static inline int dbio_register(struct io_uring *ring, unsigned int slot, int dmabuf_fd,
				int target_fd)
{
	struct io_uring_regbuf_desc desc = {
		.type = IO_REGBUF_TYPE_DMABUF,
		.dmabuf_fd = dmabuf_fd,
		.target_fd = target_fd,
	};
	int ret = dbio_update(ring, slot, &desc, 1, IORING_RSRC_UPDATE_EXTENDED);

	return ret < 0 ? ret : ret == 1 ? 0 : -EIO;
}

static inline int dbio_unregister(struct io_uring *ring, unsigned int slot)
{
	struct io_uring_regbuf_desc desc = { .type = IO_REGBUF_TYPE_EMPTY };
	int ret = dbio_update(ring, slot, &desc, 1, IORING_RSRC_UPDATE_EXTENDED);

	return ret < 0 ? ret : 0;
}

/* put a buffer of either sort in a slot */
static inline int dbio_register_buf(struct io_uring *ring, unsigned int slot,
				    const struct dbio_buf *buf, int target_fd)
{
	struct iovec iov = { .iov_base = buf->map, .iov_len = buf->size };
	int ret;

	if (buf->fd >= 0)
		return dbio_register(ring, slot, buf->fd, target_fd);
	ret = io_uring_register_buffers_update_tag(ring, slot, &iov, NULL, 1);
	return ret < 0 ? ret : ret == 1 ? 0 : -EIO;
}

/* a ring with @slots empty buffer slots */
static inline int dbio_ring(struct io_uring *ring, unsigned int entries, unsigned int flags,
			    unsigned int slots)
{
	int ret = io_uring_queue_init(entries, ring, flags);

	if (ret)
		return ret;
	ret = io_uring_register_buffers_sparse(ring, slots);
	if (ret)
		io_uring_queue_exit(ring);
	return ret;
}

static inline void dbio_prep(struct io_uring_sqe *sqe, bool write, int fd, size_t offset,
			     unsigned int len, uint64_t pos, unsigned int slot)
{
	if (write)
		io_uring_prep_write_fixed(sqe, fd, (void *)(uintptr_t)offset, len, pos, slot);
	else
		io_uring_prep_read_fixed(sqe, fd, (void *)(uintptr_t)offset, len, pos, slot);
}

/* one request, waited for; its result */
static inline int dbio_io(struct io_uring *ring, bool write, int fd, size_t offset,
			  unsigned int len, uint64_t pos, unsigned int slot, bool fixed_file)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int ret;

	if (!sqe)
		return -EBUSY;
	dbio_prep(sqe, write, fd, offset, len, pos, slot);
	if (fixed_file)
		sqe->flags |= IOSQE_FIXED_FILE;
	ret = io_uring_submit(ring);
	if (ret < 0)
		return ret;
	do {
		ret = io_uring_wait_cqe(ring, &cqe);
	} while (ret == -EINTR);
	if (ret)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

/* plain O_DIRECT I/O of all of @len; @buf is aligned memory */
static inline int dbio_pread(int fd, void *buf, size_t len, uint64_t pos)
{
	while (len) {
		ssize_t ret = pread(fd, buf, len, pos);

		if (ret <= 0)
			return ret ? -errno : -EIO;
		buf = (char *)buf + ret;
		len -= ret;
		pos += ret;
	}
	return 0;
}

static inline int dbio_pwrite(int fd, const void *buf, size_t len, uint64_t pos)
{
	while (len) {
		ssize_t ret = pwrite(fd, buf, len, pos);

		if (ret <= 0)
			return ret ? -errno : -EIO;
		buf = (const char *)buf + ret;
		len -= ret;
		pos += ret;
	}
	return 0;
}

/* every 8 bytes tell the seed and where they belong */
static inline void dbio_fill(void *buf, size_t len, uint64_t seed, uint64_t pos)
{
	uint64_t *p = buf;

	for (size_t i = 0; i < len / 8; i++)
		p[i] = (seed * 0x9e3779b97f4a7c15ull) ^ (pos + i * 8);
}

/* the next of a sequence of numbers below @below; @x is its state, not 0 */
static inline uint64_t dbio_rnd(uint64_t *x, uint64_t below)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x % below;
}

/* offset of the first byte that differs, or -1 */
static inline long dbio_differ(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;

	if (!memcmp(a, b, len))
		return -1;
	for (size_t i = 0; i < len; i++)
		if (x[i] != y[i])
			return i;
	return -1;
}

#endif
