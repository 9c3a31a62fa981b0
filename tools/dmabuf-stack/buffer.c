// SPDX-License-Identifier: GPL-2.0
/* Where a dma-buf comes from: udmabuf over a memfd, or a dma-heap. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/memfd.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dmabuf-stack.h"

#define UDMABUF_LIMIT	"/sys/module/udmabuf/parameters/size_limit_mb"
#define HUGE_SIZE	((size_t)2 << 20)

static int udmabuf_limit_mb(void)
{
	FILE *f = fopen(UDMABUF_LIMIT, "r");
	int mb = 0;

	if (f) {
		if (fscanf(f, "%d", &mb) != 1)
			mb = 0;
		fclose(f);
	}
	return mb;
}

static int udmabuf_create(size_t size, bool huge, char *why, size_t why_size)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int fd = -1, limit, memfd;

	if (dev < 0) {
		snprintf(why, why_size,
			 "/dev/udmabuf: %m: load the module udmabuf (CONFIG_UDMABUF)");
		return -1;
	}
	memfd = memfd_create("dmabuf-stack", huge ? flags | MFD_HUGETLB | MFD_HUGE_2MB : flags);
	if (memfd < 0 || ftruncate(memfd, size) || fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK)) {
		snprintf(why, why_size, "memfd of %zu bytes: %m", size);
		goto out;
	}
	fd = ioctl(dev, UDMABUF_CREATE, &(struct udmabuf_create) {
			.memfd = memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = size });
	if (fd >= 0)
		goto out;
	limit = udmabuf_limit_mb();
	if (errno == EINVAL && limit && size >> 20 > (size_t)limit)
		snprintf(why, why_size,
			 "udmabuf: %zu MiB is more than its limit of %d MiB: "
			 "use a smaller --size, or write %zu to " UDMABUF_LIMIT,
			 size >> 20, limit, size >> 20);
	else if (huge)
		snprintf(why, why_size,
			 "udmabuf of %zu bytes in 2 MiB pages: %m: "
			 "are %zu pages free? (sysctl vm.nr_hugepages)", size, size / HUGE_SIZE);
	else
		snprintf(why, why_size, "udmabuf of %zu bytes: %m", size);
out:
	if (memfd >= 0)
		close(memfd);
	close(dev);
	return fd;
}

static int heap_create(const char *name, size_t size, char *why, size_t why_size)
{
	struct dma_heap_allocation_data alloc = {
		.len = size,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	char path[256];
	int heap;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	heap = open(path, O_RDWR | O_CLOEXEC);
	if (heap < 0) {
		snprintf(why, why_size, "%s: %m: no such heap? see /dev/dma_heap", path);
		return -1;
	}
	if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &alloc)) {
		snprintf(why, why_size, "%s: cannot allocate %zu bytes: %m", path, size);
		alloc.fd = -1;
	}
	close(heap);
	return alloc.fd;
}

bool buffer_create(struct buffer *b, const char *provider, size_t size,
		   char *why, size_t why_size)
{
	bool huge = !strcmp(provider, "udmabuf-huge");
	size_t unit = huge ? HUGE_SIZE : (size_t)getpagesize();

	b->provider = provider;
	b->size = (size + unit - 1) / unit * unit;
	if (huge || !strcmp(provider, "udmabuf")) {
		b->fd = udmabuf_create(b->size, huge, why, why_size);
	} else if (!strncmp(provider, "heap:", 5)) {
		b->fd = heap_create(provider + 5, b->size, why, why_size);
	} else {
		snprintf(why, why_size,
			 "unknown buffer '%s': udmabuf, udmabuf-huge or heap:NAME", provider);
		b->fd = -1;
	}
	if (b->fd < 0)
		return false;
	b->map = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	if (b->map != MAP_FAILED)
		return true;
	snprintf(why, why_size, "%s: cannot map the dma-buf: %m", provider);
	close(b->fd);
	return false;
}

static void buffer_sync(const struct buffer *b, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	while (ioctl(b->fd, DMA_BUF_IOCTL_SYNC, &sync)) {
		if (errno != EINTR && errno != EAGAIN)
			err(EXIT_TROUBLE, "%s: DMA_BUF_IOCTL_SYNC", b->provider);
	}
}

void buffer_cpu_begin(const struct buffer *b, uint64_t access)
{
	buffer_sync(b, DMA_BUF_SYNC_START | access);
}

void buffer_cpu_end(const struct buffer *b, uint64_t access)
{
	buffer_sync(b, DMA_BUF_SYNC_END | access);
}
