/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/dmabuf-test for test programs: everything returns -errno on failure. */
#ifndef _TESTS_LIB_DMABUF_TEST_H
#define _TESTS_LIB_DMABUF_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../exporter/exporter.h"

static inline int dt_open(void)
{
	int fd = open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static inline int dt_create(int dev, __u64 size, __u32 flags, int mode)
{
	struct dmabuf_test_create create = {
		.size		= size,
		.flags		= flags,
		.fd_flags	= mode | O_CLOEXEC,
	};

	return ioctl(dev, DMABUF_TEST_CREATE, &create) ? -errno : create.fd;
}

/* @result may be NULL */
static inline int dt_op(int dev, int dmabuf, __u32 op, __u64 arg,
			__u64 *result)
{
	struct dmabuf_test_op o = {
		.dmabuf_fd	= dmabuf,
		.op		= op,
		.arg		= arg,
	};
	int ret = ioctl(dev, DMABUF_TEST_OP, &o) ? -errno : 0;

	if (result)
		*result = o.result;
	return ret;
}

static inline int dt_stats(int dev, int dmabuf, struct dmabuf_test_stats *stats)
{
	*stats = (struct dmabuf_test_stats) { .dmabuf_fd = dmabuf };
	return ioctl(dev, DMABUF_TEST_STATS, stats) ? -errno : 0;
}

/* Registrations go away from a workqueue: give it a few seconds. */
static inline int dt_wait_detached(int dev, int dmabuf)
{
	struct dmabuf_test_stats stats;
	int i, ret;

	for (i = 0; i < 500; i++) {
		ret = dt_stats(dev, dmabuf, &stats);
		if (ret)
			return ret;
		if (!stats.attachments && !stats.mappings)
			return 0;
		usleep(10000);
	}
	return -ETIMEDOUT;
}

/* Bytes done by the last of run->count. */
static inline long dt_run(int dev, struct dmabuf_test_run *run)
{
	return ioctl(dev, DMABUF_TEST_RUN, run) ? -errno : (long)run->result;
}

/* Every word differs, from its neighbours and from other seeds. */
static inline __u32 dt_word(__u32 seed, __u32 i)
{
	__u32 x = (seed * 0x9e3779b1u) ^ (i * 0x85ebca6bu);

	x ^= x >> 15;
	return x * 0x2c1b3c6du;
}

static inline void dt_fill(void *buf, size_t len, __u32 seed)
{
	__u32 *word = buf;
	size_t i;

	for (i = 0; i < len / 4; i++)
		word[i] = dt_word(seed, i);
}

/* Offset of the first wrong byte, or -1. */
static inline long dt_check(const void *buf, size_t len, __u32 seed)
{
	const __u32 *word = buf;
	size_t i;

	for (i = 0; i < len / 4; i++)
		if (word[i] != dt_word(seed, i))
			return i * 4;
	return -1;
}

#endif /* _TESTS_LIB_DMABUF_TEST_H */
