/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What exporter.c and operations.c share: the memory behind a dma-buf, and what
 * it has been told to do.
 */
#ifndef _DMABUF_TEST_BUFFER_H
#define _DMABUF_TEST_BUFFER_H

#include <linux/dma-buf.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm_types.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "exporter.h"

/* bits of DMABUF_TEST_CALLS */
#define DMABUF_TEST_NR_CALLS	4

/* devices that reach place 1 */
#define DMABUF_TEST_NR_REACH	8

/**
 * struct dmabuf_test_failure - what the next calls of one kind return
 * @nr: how many of them, %DMABUF_TEST_FOR_EVER: all
 * @error: a negative errno
 * @device: whose, empty if everybody's
 */
struct dmabuf_test_failure {
	u32	nr;
	int	error;
	char	device[DMABUF_TEST_NAME_LEN];
};

/**
 * struct dmabuf_test_buf - the memory behind a dma-buf
 * @pages: what it is made of now
 * @nr_pages: how many
 * @flags: DMABUF_TEST_*
 * @fail_lock: protects @fail, because attaching has no other lock
 * @fail: for each bit of DMABUF_TEST_CALLS
 * @delay_maps: the number of mappings yet to be delayed
 * @delay_ms: by how much
 * @revoked: no mappings until further notice
 * @invalidate_maps: the number of mappings that yet invalidate all others
 * @reach: names of devices that reach place 1
 * @nr_reach: how many; without any, all places are one
 * @place: where the buffer is
 * @places: how often that has changed
 * @maps: mappings made so far
 * @moves: moves made so far
 * @worst_wait: the longest wait for importers, in ns
 * @area: where the kernel may see it, if it may
 * @accesses: of the CPU, begun and not ended: only then is something in @area
 *
 * All but @nr_pages, @flags and @fail is protected by the reservation lock.
 * &dma_buf_attachment.priv is the table of the attachment's one mapping, if it
 * has one; of %DMABUF_TEST_PAGELESS buffers importers get another.
 */
struct dmabuf_test_buf {
	struct page	**pages;
	unsigned long	nr_pages;
	u32		flags;
	spinlock_t	fail_lock;	/* of @fail */
	struct dmabuf_test_failure fail[DMABUF_TEST_NR_CALLS];
	u32		delay_maps;
	u32		delay_ms;
	bool		revoked;
	u32		invalidate_maps;
	char		reach[DMABUF_TEST_NR_REACH][DMABUF_TEST_NAME_LEN];
	unsigned int	nr_reach;
	unsigned int	place;
	u64		places;
	u64		maps;
	u64		moves;
	u64		worst_wait;
	struct vm_struct *area;
	unsigned int	accesses;
};

struct page **dmabuf_test_alloc_pages(unsigned long nr, u32 flags);
void dmabuf_test_free_pages(struct page **pages, unsigned long nr);
void dmabuf_test_copy(struct dma_buf *dmabuf, struct page ***pages);
int dmabuf_test_invalidate(struct dma_buf *dmabuf, u64 *wait);

static inline unsigned int dmabuf_test_mappings(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	unsigned int nr = 0;

	list_for_each_entry(attach, &dmabuf->attachments, node)
		nr += !!attach->priv;
	return nr;
}

#endif /* _DMABUF_TEST_BUFFER_H */
