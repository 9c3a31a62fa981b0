/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registered dma-bufs on arrays: what md and the personalities call, see md-dmabuf.c,
 * md-dmabuf-copy.c and md-dmabuf-cpu.c.
 */
#ifndef _MD_DMABUF_H
#define _MD_DMABUF_H

#include <linux/bio.h>
#include <linux/dma-buf-io.h>
#include <linux/list.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct md_rdev;
struct mddev;

/* what md takes from a dma-buf bio at once, where that has to be handled as a whole */
#define MD_DMABUF_MAX_SECTORS	(SZ_8M >> SECTOR_SHIFT)

/**
 * struct md_dmabuf_copy_dev - a member that a range is copied from, or to
 * @rdev: the member
 * @sector: where the range begins on it, not counting @offset
 * @offset: where the data of the array begins on it; a reshape changes that
 * @has: it has what was written
 * @lost: some of it could not be copied, and is marked so that the array does not
 *	read it there
 */
struct md_dmabuf_copy_dev {
	struct md_rdev	*rdev;
	sector_t	sector;
	sector_t	offset;
	bool		has;
	bool		lost;
};

/**
 * struct md_dmabuf_retry - requests of raid1 and raid10 that a member has failed
 * @work: sends reads to another member, copies what writes have left out.  The thread
 *	of the array has others to serve, and neither may wait for the other
 * @lock: protects @list
 * @list: the requests, in order
 * @fn: does what there is to do for one of them
 * @devs: for the copy at hand, as many as there may be copies
 * @page: for the copy at hand where there is no memory
 */
struct md_dmabuf_retry {
	struct work_struct	work;
	spinlock_t		lock;	/* of the list */
	struct list_head	list;
	void			(*fn)(struct list_head *entry);
	struct md_dmabuf_copy_dev *devs;
	struct page		*page;
};

#ifdef CONFIG_DMA_BUF_IO
/**
 * struct md_dmabuf_deferred - dma-buf bios of one registration that may wait
 * @work: submits them again, or goes on with them
 * @node: entry in &md_dmabuf.deferred, under its lock, while there are any
 * @mddev: the array
 * @ctx: the registration, to tell it from others and for nothing else: once its
 *	bios are done it may go away; NULL in the ones for those of any
 * @begun: they are clones of md_account_bio(): a suspension waits for them, and
 *	what has not begun waits for the suspension, in another work
 * @bios: the bios, in order, under the same lock
 */
struct md_dmabuf_deferred {
	struct work_struct	work;
	struct list_head	node;
	struct mddev		*mddev;
	struct dma_buf_io_ctx	*ctx;
	bool			begun;
	struct bio_list		bios;
};

/**
 * struct md_dmabuf - what an array has for dma-bufs
 * @used: one has been registered for it, at some time
 * @lock: protects @deferred and what is in it
 * @deferred: &struct md_dmabuf_deferred with bios that were not to wait in their
 *	submitter's context
 * @spare: for bios of any registration, when there is no memory
 */
struct md_dmabuf {
	bool			used;
	spinlock_t		lock;	/* see above */
	struct list_head	deferred;
	struct md_dmabuf_deferred spare[2];
};

/**
 * struct md_dmabuf_access - the CPU's access to the data of a dma-buf bio
 * @access: for the exporter, which is told before and after
 * @begun: called when the first is done, see md_dmabuf_begin_access()
 * @open: the exporter is to be told of the end
 */
struct md_dmabuf_access {
	struct dma_buf_io_access access;
	void			(*begun)(struct bio *bio, int error);
	bool			open;
};

void md_dmabuf_init(struct mddev *mddev);
void md_dmabuf_exit(struct mddev *mddev);
int md_dmabuf_drain(struct mddev *mddev);
int md_dmabuf_create_wqs(void);
void md_dmabuf_destroy_wqs(void);
void md_dmabuf_register(struct block_device *bdev,
			struct dma_buf_io_walk *walk);
bool md_dmabuf_prepare(struct mddev *mddev, struct bio *bio);
void md_dmabuf_defer(struct mddev *mddev, struct bio *bio);
void md_dmabuf_queue(struct work_struct *work);
int md_dmabuf_retry_init(struct md_dmabuf_retry *retry, int nr,
			 void (*fn)(struct list_head *entry));
int md_dmabuf_retry_resize(struct md_dmabuf_retry *retry, int nr);
void md_dmabuf_retry_exit(struct md_dmabuf_retry *retry);
void md_dmabuf_retry(struct md_dmabuf_retry *retry, struct list_head *entry);
bool md_dmabuf_copy(struct md_dmabuf_retry *retry, int nr, int sectors,
		    blk_opf_t opf);

void md_dmabuf_begin_access(struct bio *clone,
			    void (*begun)(struct bio *clone, int error));
void md_dmabuf_tell_end(struct md_dmabuf_access *access);

static inline void md_dmabuf_init_access(struct md_dmabuf_access *access)
{
	access->open = false;
}

/* Is the clone, which has ended, for md_dmabuf_tell_end() to end? */
static inline bool md_dmabuf_end_access(struct md_dmabuf_access *access)
{
	if (likely(!access->open))
		return false;
	md_dmabuf_tell_end(access);
	return true;
}
#else
struct md_dmabuf {
};

struct md_dmabuf_access {
};

#define md_dmabuf_register	NULL

static inline void md_dmabuf_init(struct mddev *mddev)
{
}

static inline void md_dmabuf_exit(struct mddev *mddev)
{
}

static inline int md_dmabuf_drain(struct mddev *mddev)
{
	return 0;
}

static inline int md_dmabuf_create_wqs(void)
{
	return 0;
}

static inline void md_dmabuf_destroy_wqs(void)
{
}

static inline bool md_dmabuf_prepare(struct mddev *mddev, struct bio *bio)
{
	return true;
}

static inline void md_dmabuf_defer(struct mddev *mddev, struct bio *bio)
{
}

static inline int md_dmabuf_retry_init(struct md_dmabuf_retry *retry, int nr,
				       void (*fn)(struct list_head *entry))
{
	return 0;
}

static inline int md_dmabuf_retry_resize(struct md_dmabuf_retry *retry, int nr)
{
	return 0;
}

static inline void md_dmabuf_retry_exit(struct md_dmabuf_retry *retry)
{
}

static inline void md_dmabuf_retry(struct md_dmabuf_retry *retry,
				   struct list_head *entry)
{
}

static inline bool md_dmabuf_copy(struct md_dmabuf_retry *retry, int nr,
				  int sectors, blk_opf_t opf)
{
	return false;
}

static inline void md_dmabuf_init_access(struct md_dmabuf_access *access)
{
}

static inline bool md_dmabuf_end_access(struct md_dmabuf_access *access)
{
	return false;
}
#endif /* CONFIG_DMA_BUF_IO */
#endif /* _MD_DMABUF_H */
