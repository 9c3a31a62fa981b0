/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the KUnit tests of the library: an exporter, two devices, and a file that I/O
 * could be for.  Nothing here does DMA: the exporter makes its addresses up.
 */
#ifndef _DMA_BUF_IO_KUNIT_H
#define _DMA_BUF_IO_KUNIT_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

#include "internal.h"

#define ALIGN_MASK	(SZ_4K - 1)
#define TIMEOUT		(10 * HZ)
#define FAKE_ADDR	0x10000

/**
 * struct wait - somebody who waits for a mapping, or for the CPU
 * @access: what the library is told
 * @called: done() was called
 * @calls: how often
 * @error: with what
 * @task: by whom
 */
struct wait {
	struct dma_buf_io_access access;
	struct completion	called;
	int			calls;
	int			error;
	struct task_struct	*task;
};

/**
 * struct fixture - an exporter, its dma-buf, two devices, and a registration
 * @ctx: the registration, see reg()
 * @leaf: the device
 * @other: a second one
 * @file: what the registration is for
 * @two: it leads to @other as well
 * @bind_cpu: and to the CPU, before
 * @refuse: a layer above the devices says no, when they have been met
 * @change_topology: and comes or goes meanwhile
 * @invalidate_bound: the exporter takes the mappings away when they have been met
 *
 * @ops: the exporter, for the test to change
 * @dmabuf: the dma-buf, until dma_buf_io_fixture_released()
 * @sgt: its table
 * @attachments: live ones
 * @attaches: those that have been made, without and with peer-to-peer
 * @attach_error: what the next ones fail with
 * @mappings: live ones
 * @maps: those that have been made
 * @map_calls: and those that have been asked for
 * @map_error: what the next ones fail with
 * @conflicts: how many of the next ones take all others away
 * @p2p_conflicts: only those of attachments that allow peer-to-peer do
 * @hold_unmap: unmapping waits for @unmap_go
 * @unmapping: unmapping has begun
 * @unmap_go: and may end
 * @released: the dma-buf is gone
 *
 * @mem: what the CPU sees of it
 * @begins: calls of begin_cpu_access, to read and to write
 * @ends: and of end_cpu_access
 * @begin_error: what begin_cpu_access fails with
 * @hold_begin: it waits for @begin_go
 * @begin_go: it may return
 *
 * @map: what a command holds
 * @put_work: the end of that command
 * @put: it has ended
 * @reaps: calls of the reap method
 * @layouts: live ones
 * @layout_error: what the next one fails with
 *
 * @w: for the test to wait with
 */
struct fixture {
	struct dma_buf_io_ctx	*ctx;
	struct dma_buf_io_leaf	leaf;
	struct dma_buf_io_leaf	other;
	struct file		file;
	bool			two;
	bool			bind_cpu;
	bool			refuse;
	bool			change_topology;
	bool			invalidate_bound;

	struct dma_buf_ops	ops;
	struct dma_buf		*dmabuf;
	struct sg_table		sgt;
	atomic_t		attachments;
	int			attaches[2];
	int			attach_error;
	int			mappings;
	int			maps;
	int			map_calls;
	int			map_error;
	int			conflicts;
	bool			p2p_conflicts;
	bool			hold_unmap;
	struct completion	unmapping;
	struct completion	unmap_go;
	struct completion	released;

	char			mem[64];
	int			begins[2];
	int			ends[2];
	int			begin_error;
	bool			hold_begin;
	struct completion	begin_go;

	struct dma_buf_io_map	*map;
	struct delayed_work	put_work;
	bool			put;
	unsigned int		reaps;
	int			layouts;
	int			layout_error;

	struct wait		w[4];
};

/**
 * struct async - something to be done meanwhile
 * @work: the work
 * @f: for @fn
 * @fn: what is to be done
 */
struct async {
	struct work_struct	work;
	struct fixture		*f;
	void			(*fn)(struct fixture *f);
};

int dma_buf_io_fixture_init(struct kunit *test);
void dma_buf_io_fixture_exit(struct kunit *test);
void dma_buf_io_fixture_released(struct kunit *test);
void dma_buf_io_fixture_fast(struct kunit *test, unsigned int ms);
void dma_buf_io_fixture_put(struct fixture *f);
struct dma_fence *dma_buf_io_fixture_fence(struct kunit *test);
void dma_buf_io_wait_init(struct wait *w);
void dma_buf_io_async_start(struct async *async, struct fixture *f,
			    void (*fn)(struct fixture *f));
void dma_buf_io_async_end(struct async *async);

/* Register the dma-buf: nothing that the test goes on without. */
static inline int reg(struct fixture *f)
{
	struct dma_buf_io_ctx *ctx = dma_buf_io_register(&f->file, f->dmabuf);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	f->ctx = ctx;
	return 0;
}

static inline void unreg(struct fixture *f)
{
	dma_buf_io_unregister(f->ctx);
	f->ctx = NULL;
}

static inline int revalidate(struct fixture *f)
{
	return dma_buf_io_revalidate(f->ctx, &f->file);
}

/* The exporter's lock, which nobody else gets until then. */
static inline void hold(struct fixture *f)
{
	dma_resv_lock(f->dmabuf->resv, NULL);
}

static inline void let_go(struct fixture *f)
{
	dma_resv_unlock(f->dmabuf->resv);
}

static inline void invalidate(struct fixture *f)
{
	hold(f);
	dma_buf_invalidate_mappings(f->dmabuf);
	let_go(f);
}

/* The work has done what it could. */
static inline void flush(struct fixture *f)
{
	flush_workqueue(f->ctx->buffer->wq);
}

static inline bool mapped(struct fixture *f, struct dma_buf_io_leaf *leaf)
{
	struct dma_buf_io_map *map = dma_buf_io_get(f->ctx, leaf);

	if (map)
		dma_buf_io_put(map);
	return map;
}

/* @w waits as a command without a mapping does. */
static inline void wait_for(struct fixture *f, struct dma_buf_io_leaf *leaf,
			    struct wait *w)
{
	dma_buf_io_wait_init(w);
	dma_buf_io_wait(f->ctx, leaf, &w->access.waiter);
}

/* What has @w been told within @timeout?  -EINPROGRESS: nothing. */
static inline int result(struct wait *w, unsigned long timeout)
{
	if (!wait_for_completion_timeout(&w->called, timeout))
		return -EINPROGRESS;
	/* for those that ask again */
	complete(&w->called);
	return w->error;
}

#endif /* _DMA_BUF_IO_KUNIT_H */
