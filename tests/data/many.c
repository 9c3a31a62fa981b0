// SPDX-License-Identifier: GPL-2.0
/*
 * One dma-buf registered for several targets, in several slots and rings, used
 * by as many threads at once.
 *
 *	many DEVICE...
 *
 * Each thread has a part of the buffer and a part of its device to itself. Two
 * threads share each ring's target, with slots of their own.
 */
#include "dbio.h"
#include "kselftest.h"
#include <pthread.h>

#define PART	(1u << 20)
#define ROUNDS	24

static struct dbio_buf buf;

struct worker {
	pthread_t thread;
	const char *device;
	unsigned int index;
	int ret;
};

static int work(struct worker *w, struct io_uring *ring, int fd, void *mem)
{
	size_t offset = w->index * PART;
	uint64_t pos = (uint64_t)w->index * PART;
	unsigned int slot = w->index % 4;
	int ret = 0, i;

	for (i = 0; i < ROUNDS && !ret; i++) {
		dbio_fill(buf.map + offset, PART, w->index * 1000 + i, pos);
		ret = dbio_io(ring, true, fd, offset, PART, pos, slot, false);
		if (ret != (int)PART)
			return ret < 0 ? ret : -EIO;
		ret = dbio_pread(fd, mem, PART, pos);
		if (!ret && dbio_differ(mem, buf.map + offset, PART) >= 0)
			ret = -EBADMSG;
		memset(buf.map + offset, 0, PART);
		if (!ret && dbio_io(ring, false, fd, offset, PART, pos, slot, false) != (int)PART)
			ret = -EIO;
		if (!ret && dbio_differ(mem, buf.map + offset, PART) >= 0)
			ret = -EBADMSG;
	}
	return ret;
}

static void *worker(void *arg)
{
	struct worker *w = arg;
	void *mem = dbio_mem(PART);
	struct io_uring ring;
	int fd;

	fd = open(w->device, O_RDWR | O_DIRECT);
	if (fd < 0) {
		w->ret = -errno;
		return NULL;
	}
	w->ret = dbio_ring(&ring, 8, 0, 4);
	if (w->ret)
		return NULL;
	w->ret = dbio_register(&ring, w->index % 4, buf.fd, fd);
	/* a slot more, replaced and emptied under way */
	if (!w->ret)
		w->ret = dbio_register(&ring, (w->index + 1) % 4, buf.fd, fd);
	if (!w->ret)
		w->ret = work(w, &ring, fd, mem);
	if (!w->ret)
		w->ret = dbio_unregister(&ring, (w->index + 1) % 4);
	if (!w->ret)
		w->ret = work(w, &ring, fd, mem);
	io_uring_queue_exit(&ring);
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int nr = (argc - 1) * 2, i;
	struct worker *workers = calloc(nr, sizeof(*workers));

	ksft_print_header();
	ksft_set_plan(nr);
	if (dbio_buf_create(&buf, "udmabuf", (size_t)nr * PART))
		ksft_exit_fail_msg("no udmabuf\n");
	for (i = 0; i < nr; i++) {
		workers[i].device = argv[1 + i / 2];
		workers[i].index = i;
		pthread_create(&workers[i].thread, NULL, worker, &workers[i]);
	}
	for (i = 0; i < nr; i++) {
		pthread_join(workers[i].thread, NULL);
		ksft_test_result(!workers[i].ret, "%s, slot %u of %u (%s)\n", workers[i].device,
				 i, nr, workers[i].ret ? strerror(-workers[i].ret) : "right");
	}
	ksft_finished();
}
