// SPDX-License-Identifier: GPL-2.0
/*
 * An io_uring with sparse slots for dma-bufs. An I/O that is queued here comes
 * back once, whole or failed: short and -EAGAIN completions are re-issued.
 */
#include <err.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "dmabuf-stack.h"

#define SLOTS		2
#define AGAIN_LIMIT	30000	/* times a millisecond */
#define IO_LIMIT	((size_t)1 << 30)

int ring_open(struct ring *r, unsigned int depth)
{
	int ret;

	r->inflight = 0;
	ret = io_uring_queue_init(depth, &r->uring, 0);
	if (ret)
		return -ret;
	ret = io_uring_register_buffers_sparse(&r->uring, SLOTS);
	if (ret)
		io_uring_queue_exit(&r->uring);
	return -ret;
}

/* Returns 0 or an errno. */
int ring_register(struct ring *r, unsigned int slot, const struct buffer *b,
		  int target_fd)
{
	struct io_uring_regbuf_desc desc = {
		.type = IO_REGBUF_TYPE_DMABUF,
		.dmabuf_fd = b->fd,
		.target_fd = target_fd,
	};
	struct io_uring_rsrc_update2 update = {
		.offset = slot,
		.flags = IORING_RSRC_UPDATE_EXTENDED,
		.data = (uintptr_t)&desc,
		.nr = 1,
	};
	int ret;

	do {
		ret = io_uring_register(r->uring.ring_fd, IORING_REGISTER_BUFFERS_UPDATE,
					&update, sizeof(update));
	} while (ret == -EINTR);
	if (ret < 0)
		return -ret;
	return ret == 1 ? 0 : EIO;
}

/* No I/O has two entries at a time: the ring has one for each. */
static void ring_issue(struct ring *r, struct io *io)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);
	void *offset = (void *)(uintptr_t)(io->buf + io->done);
	size_t len = io->len - io->done;

	if (len > IO_LIMIT)
		len = IO_LIMIT;
	if (io->write)
		io_uring_prep_write_fixed(sqe, io->fd, offset, len, io->pos + io->done,
					  io->slot);
	else
		io_uring_prep_read_fixed(sqe, io->fd, offset, len, io->pos + io->done,
					 io->slot);
	io_uring_sqe_set_data(sqe, io);
}

void ring_queue(struct ring *r, struct io *io)
{
	io->done = 0;
	io->again = 0;
	io->error = 0;
	r->inflight++;
	ring_issue(r, io);
}

static bool io_finished(struct io *io, int res)
{
	struct timespec pause = { .tv_nsec = 1000000 };

	if (res == -EINTR)
		return false;
	if (res == -EAGAIN && io->again++ < AGAIN_LIMIT) {
		while (nanosleep(&pause, &pause))
			;
		return false;
	}
	if (res > 0) {
		io->done += res;
		return io->done >= io->len;
	}
	io->error = res ? -res : io->write ? ENOSPC : ENODATA;
	return true;
}

/* Returns NULL when nothing is in flight. */
struct io *ring_wait(struct ring *r)
{
	struct io_uring_cqe *cqe;
	struct io *io;
	int ret, res;

	while (r->inflight) {
		ret = io_uring_submit(&r->uring);
		if (ret >= 0)
			ret = io_uring_wait_cqe(&r->uring, &cqe);
		if (ret == -EINTR || ret == -EAGAIN || ret == -EBUSY)
			continue;
		if (ret < 0)
			errx(EXIT_TROUBLE, "io_uring: %s", strerror(-ret));
		io = io_uring_cqe_get_data(cqe);
		res = cqe->res;
		io_uring_cqe_seen(&r->uring, cqe);
		if (io_finished(io, res)) {
			r->inflight--;
			return io;
		}
		ring_issue(r, io);
	}
	return NULL;
}

/* One I/O, nothing else being in flight. Returns 0 or an errno. */
int ring_do(struct ring *r, struct io *io)
{
	ring_queue(r, io);
	ring_wait(r);
	return io->error;
}
