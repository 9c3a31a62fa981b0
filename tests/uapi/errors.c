// SPDX-License-Identifier: GPL-2.0
/*
 * Every wrong registration and request gets its errno, and the right ones next
 * to them work.
 *
 *	errors DEVICE [incapable DEVICE...]
 *
 * What programs that were written for Linux 7.4 rely on: a wrong descriptor gets
 * the errno that it gets there, also where more than one thing is wrong with it.
 *
 * cflags: -Wno-sign-compare -Wno-override-init
 */
#include "dbio.h"
#include "kselftest_harness.h"
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define SIZE	(1u << 20)

static const char *device;
static char **incapable;

FIXTURE(errors) {
	struct io_uring ring;
	struct dbio_buf buf;
	int fd;
	int kmsg;
};

/* lines about dma-bufs in the kernel log since the last call */
static int lines_logged(int kmsg)
{
	char line[4096];
	int lines = 0;
	ssize_t len;

	while ((len = read(kmsg, line, sizeof(line) - 1)) > 0) {
		line[len] = 0;
		if (strstr(line, "dma-buf") || strstr(line, "dmabuf"))
			lines++;
	}
	return lines;
}

FIXTURE_SETUP(errors)
{
	self->fd = open(device, O_RDWR | O_DIRECT);
	ASSERT_GE(self->fd, 0);
	self->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	ASSERT_GE(self->kmsg, 0);
	lseek(self->kmsg, 0, SEEK_END);
	ASSERT_EQ(dbio_buf_create(&self->buf, "udmabuf", SIZE), 0);
	ASSERT_EQ(dbio_ring(&self->ring, 8, 0, 4), 0);
}

FIXTURE_TEARDOWN(errors)
{
	io_uring_queue_exit(&self->ring);
	dbio_buf_destroy(&self->buf);
	close(self->kmsg);
	close(self->fd);
}

#define DESC(...) ((struct io_uring_regbuf_desc) {			\
	.type = IO_REGBUF_TYPE_DMABUF, .dmabuf_fd = self->buf.fd,	\
	.target_fd = self->fd, __VA_ARGS__ })
#define REGISTER(...) ({						\
	struct io_uring_regbuf_desc desc_ = DESC(__VA_ARGS__);		\
	dbio_update(&self->ring, 0, &desc_, 1, IORING_RSRC_UPDATE_EXTENDED); })
#define IO(write, fd, offset, len, pos)	\
	dbio_io(&self->ring, write, fd, offset, len, pos, 0, false)

TEST_F(errors, abi)
{
	EXPECT_EQ(sizeof(struct io_uring_regbuf_desc), 80);
	EXPECT_EQ(offsetof(struct io_uring_regbuf_desc, flags), 4);
	EXPECT_EQ(offsetof(struct io_uring_regbuf_desc, size), 8);
	EXPECT_EQ(offsetof(struct io_uring_regbuf_desc, uaddr), 16);
	EXPECT_EQ(offsetof(struct io_uring_regbuf_desc, dmabuf_fd), 24);
	EXPECT_EQ(offsetof(struct io_uring_regbuf_desc, target_fd), 28);
	EXPECT_EQ(offsetof(struct io_uring_regbuf_desc, __resv), 32);
	EXPECT_EQ(sizeof(struct io_uring_rsrc_update2), 32);
	EXPECT_EQ(offsetof(struct io_uring_rsrc_update2, flags), 4);
	EXPECT_EQ(IORING_RSRC_UPDATE_EXTENDED, 2);
	EXPECT_EQ(IO_REGBUF_TYPE_EMPTY, 0);
	EXPECT_EQ(IO_REGBUF_TYPE_UADDR, 1);
	EXPECT_EQ(IO_REGBUF_TYPE_DMABUF, 2);
}

TEST_F(errors, register_fds)
{
	int memfd = memfd_create("x", 0), closed = dup(memfd), direct;

	close(closed);
	EXPECT_EQ(REGISTER(.dmabuf_fd = memfd), -EINVAL);
	EXPECT_EQ(REGISTER(.dmabuf_fd = closed), -EBADF);
	EXPECT_EQ(REGISTER(.dmabuf_fd = -1), -EBADF);
	EXPECT_EQ(REGISTER(.target_fd = closed), -EBADF);
	EXPECT_EQ(REGISTER(.target_fd = -1), -EBADF);
	EXPECT_EQ(REGISTER(.target_fd = self->buf.fd), -EOPNOTSUPP);
	EXPECT_EQ(REGISTER(.target_fd = self->ring.ring_fd), -EOPNOTSUPP);
	EXPECT_EQ(REGISTER(.target_fd = memfd), -EOPNOTSUPP);
	/* direct I/O alone does not make it a device */
	direct = open("/tmp/direct", O_RDWR | O_CREAT | O_DIRECT, 0600);
	ASSERT_GE(direct, 0);
	ASSERT_EQ(ftruncate(direct, SIZE), 0);
	EXPECT_EQ(REGISTER(.target_fd = direct), -EOPNOTSUPP);
	close(direct);
	/* an error of the user is an errno, not a line in the log */
	EXPECT_EQ(lines_logged(self->kmsg), 0);
	EXPECT_EQ(REGISTER(), 1);
	close(memfd);
}

/* the first thing that is wrong counts */
TEST_F(errors, register_order)
{
	int memfd = memfd_create("x", 0);

	EXPECT_EQ(REGISTER(.size = SIZE, .target_fd = -1, .dmabuf_fd = -1), -EINVAL);
	EXPECT_EQ(REGISTER(.uaddr = 4096, .target_fd = -1, .dmabuf_fd = -1), -EINVAL);
	EXPECT_EQ(REGISTER(.flags = 1, .target_fd = -1, .dmabuf_fd = -1), -EINVAL);
	/* this is how libraries find out whether there is such a thing at all */
	EXPECT_EQ(REGISTER(.target_fd = -1, .dmabuf_fd = -1), -EBADF);
	EXPECT_EQ(REGISTER(.target_fd = -1, .dmabuf_fd = memfd), -EBADF);
	EXPECT_EQ(REGISTER(.target_fd = memfd, .dmabuf_fd = -1), -EBADF);
	EXPECT_EQ(REGISTER(.target_fd = memfd, .dmabuf_fd = memfd), -EINVAL);
	EXPECT_EQ(REGISTER(.dmabuf_fd = memfd), -EINVAL);
	EXPECT_EQ(REGISTER(.target_fd = memfd), -EOPNOTSUPP);
	/* an error of the user is an errno, not a line in the log */
	EXPECT_EQ(lines_logged(self->kmsg), 0);
	close(memfd);
}

/* O_DIRECT is a matter of each request */
TEST_F(errors, register_buffered)
{
	int buffered = open(device, O_RDWR);

	ASSERT_GE(buffered, 0);
	ASSERT_EQ(REGISTER(.target_fd = buffered), 1);
	EXPECT_EQ(IO(false, buffered, 0, 4096, 0), -EINVAL);
	EXPECT_EQ(IO(true, buffered, 0, 4096, 0), -EINVAL);
	ASSERT_EQ(fcntl(buffered, F_SETFL, O_DIRECT), 0);
	EXPECT_EQ(IO(false, buffered, 0, 4096, 0), 4096);
	EXPECT_EQ(IO(true, buffered, 0, 4096, 0), 4096);
	close(buffered);
}

TEST_F(errors, register_iopoll)
{
	struct io_uring_regbuf_desc desc = DESC();
	struct io_uring ring;

	ASSERT_EQ(dbio_ring(&ring, 4, IORING_SETUP_IOPOLL, 4), 0);
	EXPECT_EQ(dbio_update(&ring, 0, &desc, 1, IORING_RSRC_UPDATE_EXTENDED), 1);
	io_uring_queue_exit(&ring);
}

TEST_F(errors, register_fields)
{
	struct io_uring_rsrc_update2 up = { .nr = 1, .resv2 = 1 };
	struct io_uring_rsrc_update old = { .resv = 1 };
	struct io_uring_regbuf_desc desc;
	int files[1] = { -1 }, i;

	EXPECT_EQ(REGISTER(.flags = 1), -EINVAL);
	EXPECT_EQ(REGISTER(.flags = 1u << 31), -EINVAL);
	EXPECT_EQ(REGISTER(.type = 3), -EINVAL);
	EXPECT_EQ(REGISTER(.type = -1), -EINVAL);
	EXPECT_EQ(REGISTER(.size = 1), -EINVAL);
	EXPECT_EQ(REGISTER(.size = SIZE), -EINVAL);
	EXPECT_EQ(REGISTER(.size = SIZE - 1), -EINVAL);
	EXPECT_EQ(REGISTER(.size = SIZE + 4096), -EINVAL);
	EXPECT_EQ(REGISTER(.size = 1ull << 63), -EINVAL);
	EXPECT_EQ(REGISTER(.uaddr = 4096), -EINVAL);
	for (i = 0; i < 6; i++) {
		desc = DESC();
		desc.__resv[i] = 1;
		EXPECT_EQ(dbio_update(&self->ring, 0, &desc, 1, IORING_RSRC_UPDATE_EXTENDED),
			  -EINVAL);
	}
	desc = DESC();
	EXPECT_EQ(dbio_update(&self->ring, 0, &desc, 1, 1), -EINVAL);
	EXPECT_EQ(dbio_update(&self->ring, 0, &desc, 1, 3), -EINVAL);
	EXPECT_EQ(dbio_update(&self->ring, 0, &desc, 1, 4), -EINVAL);
	EXPECT_EQ(dbio_update(&self->ring, 4, &desc, 1, IORING_RSRC_UPDATE_EXTENDED), -EINVAL);
	EXPECT_EQ(dbio_update(&self->ring, 3, &desc, 2, IORING_RSRC_UPDATE_EXTENDED), -EINVAL);
	EXPECT_EQ(dbio_update(&self->ring, 0, NULL, 1, IORING_RSRC_UPDATE_EXTENDED), -EFAULT);
	up.data = (uintptr_t)&desc;
	up.flags = IORING_RSRC_UPDATE_EXTENDED;
	EXPECT_EQ(syscall(__NR_io_uring_register, self->ring.ring_fd,
			  IORING_REGISTER_BUFFERS_UPDATE, &up, sizeof(up)), -1);
	EXPECT_EQ(errno, EINVAL);

	/* those who do not know the flag refuse it */
	ASSERT_EQ(io_uring_register_files(&self->ring, files, 1), 0);
	up.resv2 = 0;
	up.data = (uintptr_t)files;
	EXPECT_EQ(syscall(__NR_io_uring_register, self->ring.ring_fd,
			  IORING_REGISTER_FILES_UPDATE2, &up, sizeof(up)), -1);
	EXPECT_EQ(errno, EINVAL);
	old.data = (uintptr_t)files;
	EXPECT_EQ(syscall(__NR_io_uring_register, self->ring.ring_fd,
			  IORING_REGISTER_FILES_UPDATE, &old, 1), -1);
	EXPECT_EQ(errno, EINVAL);

	/* an error of the user is an errno, not a line in the log */
	EXPECT_EQ(lines_logged(self->kmsg), 0);
	EXPECT_EQ(REGISTER(), 1);
}

TEST_F(errors, register_incapable)
{
	for (char **dev = incapable; *dev; dev++) {
		int fd = open(*dev, O_RDWR | O_DIRECT);

		ASSERT_GE(fd, 0) TH_LOG("%s: %s", *dev, strerror(errno));
		EXPECT_EQ(REGISTER(.target_fd = fd), -EOPNOTSUPP) TH_LOG("%s", *dev);
		close(fd);
	}
}

TEST_F(errors, other_types)
{
	void *mem = dbio_mem(SIZE);
	struct io_uring_regbuf_desc desc = {
		.type = IO_REGBUF_TYPE_UADDR, .uaddr = (uintptr_t)mem, .size = SIZE,
	};
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;

	EXPECT_EQ(dbio_update(&self->ring, 0, &desc, 1, IORING_RSRC_UPDATE_EXTENDED), 1);
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_read_fixed(sqe, self->fd, mem, 4096, 0, 0);
	ASSERT_EQ(io_uring_submit(&self->ring), 1);
	ASSERT_EQ(io_uring_wait_cqe(&self->ring, &cqe), 0);
	EXPECT_EQ(cqe->res, 4096);
	io_uring_cqe_seen(&self->ring, cqe);

	desc.uaddr = 0;
	EXPECT_EQ(dbio_update(&self->ring, 0, &desc, 1, IORING_RSRC_UPDATE_EXTENDED), -EFAULT);
	EXPECT_EQ(REGISTER(.type = IO_REGBUF_TYPE_UADDR, .uaddr = (uintptr_t)mem, .size = SIZE,
			   .dmabuf_fd = 0), -EINVAL);
	EXPECT_EQ(REGISTER(.type = IO_REGBUF_TYPE_UADDR, .uaddr = (uintptr_t)mem, .size = SIZE,
			   .target_fd = 0), -EINVAL);
	EXPECT_EQ(REGISTER(.type = IO_REGBUF_TYPE_UADDR, .uaddr = (uintptr_t)mem, .size = SIZE,
			   .target_fd = -1, .dmabuf_fd = -1), -EINVAL);
	/* it has not been changed by any of them */
	EXPECT_EQ(IO(false, self->fd, (uintptr_t)mem, 4096, 0), 4096);

	EXPECT_EQ(REGISTER(.type = IO_REGBUF_TYPE_EMPTY, .dmabuf_fd = 0), -EINVAL);
	EXPECT_EQ(REGISTER(.type = IO_REGBUF_TYPE_EMPTY, .target_fd = 0), -EINVAL);
	EXPECT_EQ(REGISTER(.type = IO_REGBUF_TYPE_EMPTY, .size = 1), -EINVAL);
	EXPECT_EQ(REGISTER(.type = IO_REGBUF_TYPE_EMPTY, .dmabuf_fd = 0, .target_fd = 0,
			   .size = 1), -EFAULT);
	EXPECT_EQ(REGISTER(.type = IO_REGBUF_TYPE_EMPTY, .dmabuf_fd = 0, .target_fd = 0,
			   .uaddr = 4096), -EFAULT);
	EXPECT_EQ(REGISTER(.type = IO_REGBUF_TYPE_EMPTY, .dmabuf_fd = 0, .target_fd = 0), 1);
	EXPECT_EQ(REGISTER(), 1);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, 0), 4096);
	EXPECT_EQ(dbio_unregister(&self->ring, 0), 0);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, 0), -EFAULT);
}

TEST_F(errors, io_range)
{
	uint64_t end = lseek(self->fd, 0, SEEK_END);

	ASSERT_EQ(REGISTER(), 1);
	EXPECT_EQ(IO(false, self->fd, 0, SIZE, 0), SIZE);
	EXPECT_EQ(IO(false, self->fd, SIZE - 4096, 4096, 0), 4096);
	EXPECT_EQ(IO(false, self->fd, SIZE - 4096, 8192, 0), -EFAULT);
	EXPECT_EQ(IO(true, self->fd, SIZE - 4096, 8192, 0), -EFAULT);
	EXPECT_EQ(IO(false, self->fd, SIZE, 4096, 0), -EFAULT);
	EXPECT_EQ(IO(false, self->fd, -4096ul, 8192, 0), -EFAULT);
	EXPECT_EQ(IO(false, self->fd, 1ull << 40, 4096, 0), -EFAULT);
	EXPECT_EQ(IO(false, self->fd, 0, 0, 0), 0);

	/* the end of the device */
	EXPECT_EQ(IO(false, self->fd, 0, 8192, end - 4096), 4096);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, end), 0);
	EXPECT_EQ(IO(true, self->fd, 0, 4096, end), -ENOSPC);
	EXPECT_EQ(IO(true, self->fd, 0, 8192, end - 4096), 4096);
}

TEST_F(errors, io_alignment)
{
	ASSERT_EQ(REGISTER(), 1);
	EXPECT_EQ(IO(false, self->fd, 1, 4096, 0), -EINVAL);
	EXPECT_EQ(IO(true, self->fd, 2, 4096, 0), -EINVAL);
	EXPECT_EQ(IO(false, self->fd, 0, 4095, 0), -EINVAL);
	EXPECT_EQ(IO(true, self->fd, 0, 100, 0), -EINVAL);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, 256), -EINVAL);
	EXPECT_EQ(IO(true, self->fd, 0, 4096, 1), -EINVAL);
	EXPECT_EQ(IO(false, self->fd, 512, 4096, 4096), 4096);
}

TEST_F(errors, io_files)
{
	int other = open(device, O_RDWR | O_DIRECT), flags;

	ASSERT_EQ(REGISTER(), 1);
	EXPECT_EQ(IO(false, other, 0, 4096, 0), -EBADF);
	EXPECT_EQ(IO(true, other, 0, 4096, 0), -EBADF);
	close(other);

	/* O_DIRECT goes away: neither zeroes nor a page cache */
	flags = fcntl(self->fd, F_GETFL);
	memset(self->buf.map, 0x77, 4096);
	ASSERT_EQ(IO(true, self->fd, 0, 4096, 8192), 4096);
	ASSERT_EQ(fcntl(self->fd, F_SETFL, flags & ~O_DIRECT), 0);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, 8192), -EINVAL);
	EXPECT_EQ(IO(true, self->fd, 0, 4096, 8192), -EINVAL);
	ASSERT_EQ(fcntl(self->fd, F_SETFL, flags), 0);
	memset(self->buf.map, 0, 4096);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, 8192), 4096);
	EXPECT_EQ(self->buf.map[0], 0x77);
	EXPECT_EQ(self->buf.map[4095], 0x77);
}

/* the mode of the dma-buf's fd does not matter, that of the file does */
TEST_F(errors, io_direction)
{
	struct dbio_buf ro = { .fd = -1, .size = SIZE };
	int rdonly = open(device, O_RDONLY | O_DIRECT);
	int wronly = open(device, O_WRONLY | O_DIRECT);

	ASSERT_EQ(dbio_heap(&ro, "system", SIZE, O_RDONLY), 0);
	ASSERT_EQ(REGISTER(.dmabuf_fd = ro.fd), 1);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, 0), 4096);
	EXPECT_EQ(IO(true, self->fd, 0, 4096, 0), 4096);
	ASSERT_EQ(REGISTER(.dmabuf_fd = ro.fd, .target_fd = rdonly), 1);
	EXPECT_EQ(IO(true, rdonly, 0, 4096, 0), -EBADF);
	EXPECT_EQ(IO(false, rdonly, 0, 4096, 0), 4096);

	ASSERT_EQ(REGISTER(.target_fd = rdonly), 1);
	EXPECT_EQ(IO(true, rdonly, 0, 4096, 0), -EBADF);
	EXPECT_EQ(IO(false, rdonly, 0, 4096, 0), 4096);
	ASSERT_EQ(REGISTER(.target_fd = wronly), 1);
	EXPECT_EQ(IO(false, wronly, 0, 4096, 0), -EBADF);
	EXPECT_EQ(IO(true, wronly, 0, 4096, 0), 4096);

	close(rdonly);
	close(wronly);
	dbio_buf_destroy(&ro);
}

TEST_F(errors, other_opcodes)
{
	struct iovec iov = { .iov_base = NULL, .iov_len = 4096 };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int sv[2], op;

	ASSERT_EQ(REGISTER(), 1);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);

	/* READV_FIXED, WRITEV_FIXED */
	for (op = IORING_OP_READV_FIXED; op <= IORING_OP_WRITEV_FIXED; op++) {
		sqe = io_uring_get_sqe(&self->ring);
		io_uring_prep_rw(op, sqe, self->fd, &iov, 1, 0);
		sqe->buf_index = 0;
		ASSERT_EQ(io_uring_submit(&self->ring), 1);
		ASSERT_EQ(io_uring_wait_cqe(&self->ring, &cqe), 0);
		EXPECT_EQ(cqe->res, -EOPNOTSUPP) TH_LOG("opcode %d", op);
		io_uring_cqe_seen(&self->ring, cqe);
	}

	/* send, receive and zero-copy send from a registered buffer */
	static const int net_ops[] = { IORING_OP_SEND, IORING_OP_RECV, IORING_OP_SEND_ZC };

	for (unsigned int i = 0; i < 3; i++) {
		sqe = io_uring_get_sqe(&self->ring);
		io_uring_prep_rw(net_ops[i], sqe, sv[0], NULL, 4096, 0);
		sqe->ioprio = IORING_RECVSEND_FIXED_BUF;
		sqe->buf_index = 0;
		ASSERT_EQ(io_uring_submit(&self->ring), 1);
		ASSERT_EQ(io_uring_wait_cqe(&self->ring, &cqe), 0);
		EXPECT_LT(cqe->res, 0) TH_LOG("opcode %d", net_ops[i]);
		/* unix sockets do no zero copy, and older opcodes no fixed buffers */
		if (cqe->res != -EOPNOTSUPP && cqe->res != -EINVAL)
			EXPECT_EQ(cqe->res, -EFAULT) TH_LOG("opcode %d", net_ops[i]);
		io_uring_cqe_seen(&self->ring, cqe);
	}
	close(sv[0]);
	close(sv[1]);
}

static int clone_buffers(struct io_uring *to, struct io_uring *from, unsigned int flags,
			 unsigned int to_slot, unsigned int from_slot, unsigned int nr)
{
	struct io_uring_clone_buffers clone = {
		.src_fd = from->ring_fd, .flags = flags,
		.src_off = from_slot, .dst_off = to_slot, .nr = nr,
	};
	int ret = syscall(__NR_io_uring_register, to->ring_fd, IORING_REGISTER_CLONE_BUFFERS,
			  &clone, 1);

	return ret < 0 ? -errno : ret;
}

/* what is written with one is read with another, at @pos, and back again */
static int clones_agree(struct io_uring *a, struct io_uring *b, int fd, uint8_t *map,
			uint64_t pos)
{
	struct io_uring *ring[2] = { a, b };
	int ret;

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t seed = pos + i + 1;

		dbio_fill(map, 65536, seed, pos);
		memcpy(map + 65536, map, 65536);
		ret = dbio_io(ring[i], true, fd, 0, 65536, pos, 0, false);
		if (ret != 65536)
			return ret;
		memset(map, 0, 65536);
		ret = dbio_io(ring[!i], false, fd, 0, 65536, pos, 0, false);
		if (ret != 65536)
			return ret;
		if (memcmp(map, map + 65536, 65536))
			return -EILSEQ;
	}
	return 0;
}

TEST_F(errors, clone)
{
	int other = open(device, O_RDWR | O_DIRECT), attached;
	struct dmabuf_test_stats stats = { };
	struct io_uring clone, third, poll;
	struct dbio_buf buf;
	int test_dev = open(DMABUF_TEST_DEVICE, O_RDWR);

	ASSERT_EQ(dbio_buf_create(&buf, "test", SIZE), 0);
	ASSERT_EQ(REGISTER(.dmabuf_fd = buf.fd), 1);
	stats.dmabuf_fd = buf.fd;
	ASSERT_EQ(ioctl(test_dev, DMABUF_TEST_STATS, &stats), 0);
	attached = stats.attachments;
	EXPECT_GE(attached, 1);

	ASSERT_EQ(io_uring_queue_init(4, &clone, 0), 0);
	ASSERT_EQ(clone_buffers(&clone, &self->ring, 0, 0, 0, 0), 0);
	EXPECT_EQ(clone_buffers(&clone, &self->ring, 0, 0, 0, 0), -EBUSY);
	EXPECT_EQ(clone_buffers(&clone, &self->ring, IORING_REGISTER_DST_REPLACE, 0, 0, 0), 0);
	/* polled rings, and other slots of the same ring */
	ASSERT_EQ(io_uring_queue_init(4, &poll, IORING_SETUP_IOPOLL), 0);
	EXPECT_EQ(clone_buffers(&poll, &clone, 0, 0, 0, 0), 0);
	EXPECT_EQ(clone_buffers(&clone, &clone, IORING_REGISTER_DST_REPLACE, 3, 0, 1), 0);
	EXPECT_EQ(dbio_io(&clone, false, self->fd, 0, 4096, 0, 3, false), 4096);
	io_uring_queue_exit(&poll);

	ASSERT_EQ(ioctl(test_dev, DMABUF_TEST_STATS, &stats), 0);
	EXPECT_EQ(stats.attachments, attached);
	EXPECT_EQ(clones_agree(&self->ring, &clone, self->fd, buf.map, 1 << 20), 0);

	/* the target, the range, the opcodes */
	EXPECT_EQ(dbio_io(&clone, false, other, 0, 4096, 0, 0, false), -EBADF);
	EXPECT_EQ(dbio_io(&clone, false, self->fd, SIZE, 4096, 0, 0, false), -EFAULT);
	EXPECT_EQ(dbio_io(&clone, false, self->fd, 1, 4096, 0, 0, false), -EINVAL);

	/* the slot that it was cloned from goes away; other slots of both do not matter */
	ASSERT_EQ(dbio_unregister(&self->ring, 0), 0);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, 0), -EFAULT);
	EXPECT_EQ(dbio_unregister(&clone, 3), 0);
	EXPECT_EQ(dbio_io(&clone, false, self->fd, 0, 4096, 0, 0, false), 4096);
	ASSERT_EQ(clone_buffers(&self->ring, &clone, IORING_REGISTER_DST_REPLACE, 0, 0, 1), 0);
	EXPECT_EQ(clones_agree(&self->ring, &clone, self->fd, buf.map, 2 << 20), 0);

	/* a clone of a clone, and the ring in between goes away */
	ASSERT_EQ(io_uring_queue_init(4, &third, 0), 0);
	ASSERT_EQ(clone_buffers(&third, &clone, 0, 0, 0, 0), 0);
	io_uring_queue_exit(&clone);
	EXPECT_EQ(clones_agree(&self->ring, &third, self->fd, buf.map, 3 << 20), 0);

	/* the last one keeps it alive, file and all */
	ASSERT_EQ(dbio_unregister(&self->ring, 0), 0);
	EXPECT_EQ(dbio_io(&third, false, self->fd, 0, 4096, 3 << 20, 0, false), 4096);
	ASSERT_EQ(ioctl(test_dev, DMABUF_TEST_STATS, &stats), 0);
	EXPECT_EQ(stats.attachments, attached);
	io_uring_queue_exit(&third);
	for (unsigned int i = 0; i < 100 && stats.attachments; i++) {
		usleep(50000);
		ASSERT_EQ(ioctl(test_dev, DMABUF_TEST_STATS, &stats), 0);
	}
	EXPECT_EQ(stats.attachments, 0);
	close(other);
	close(test_dev);
	dbio_buf_destroy(&buf);
}

/* closing the source is closing the ring, not the clone */
TEST_F(errors, clone_source_closed)
{
	struct io_uring clone;

	ASSERT_EQ(REGISTER(), 1);
	ASSERT_EQ(io_uring_queue_init(4, &clone, 0), 0);
	ASSERT_EQ(clone_buffers(&clone, &self->ring, 0, 0, 0, 0), 0);
	io_uring_queue_exit(&self->ring);
	/* what is left of a ring goes away a little later */
	for (unsigned int i = 0; i < 10; i++) {
		EXPECT_EQ(dbio_io(&clone, i & 1, self->fd, 0, 4096, 0, 0, false), 4096);
		usleep(20000);
	}
	ASSERT_EQ(dbio_ring(&self->ring, 8, 0, 4), 0);
	ASSERT_EQ(clone_buffers(&self->ring, &clone, IORING_REGISTER_DST_REPLACE, 0, 0, 1), 0);
	io_uring_queue_exit(&clone);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, 0), 4096);
}

/* memory of ordinary buffers is charged to these; a dma-buf has none */
TEST_F(errors, unprivileged)
{
	struct rlimit small = { SIZE / 2, SIZE / 2 };
	struct io_uring ring, clone;
	struct io_uring_regbuf_desc desc = DESC();

	ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &small), 0);
	ASSERT_EQ(setresuid(65534, 65534, 65534), 0);
	ASSERT_EQ(dbio_ring(&ring, 4, 0, 4), 0);
	ASSERT_EQ(dbio_update(&ring, 0, &desc, 1, IORING_RSRC_UPDATE_EXTENDED), 1);
	ASSERT_EQ(io_uring_queue_init(4, &clone, 0), 0);
	ASSERT_EQ(clone_buffers(&clone, &ring, 0, 0, 0, 0), 0);
	EXPECT_EQ(clones_agree(&ring, &clone, self->fd, self->buf.map, 1 << 20), 0);
	/* another user's ring */
	EXPECT_EQ(clone_buffers(&clone, &self->ring, IORING_REGISTER_DST_REPLACE, 0, 0, 1),
		  -EINVAL);
	EXPECT_EQ(dbio_unregister(&ring, 0), 0);
	io_uring_queue_exit(&clone);
	io_uring_queue_exit(&ring);
}

/* RWF_NOWAIT does not wait for an exporter, neither here nor in a worker */
TEST_F(errors, nowait)
{
	int test_dev = open(DMABUF_TEST_DEVICE, O_RDWR);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct dbio_buf buf;
	uint64_t begin;

	ASSERT_EQ(dbio_buf_create(&buf, "test", SIZE), 0);
	ASSERT_EQ(REGISTER(.dmabuf_fd = buf.fd), 1);
	ASSERT_EQ(IO(false, self->fd, 0, 4096, 0), 4096);
	ASSERT_EQ(dbio_test_op(test_dev, buf.fd, DMABUF_TEST_REVOKE, 0, NULL, NULL), 0);
	for (unsigned int i = 0; i < 4; i++) {
		sqe = io_uring_get_sqe(&self->ring);
		dbio_prep(sqe, i & 2, self->fd, 0, 4096, 0, 0);
		sqe->rw_flags = RWF_NOWAIT;
		if (i & 1)
			sqe->flags |= IOSQE_ASYNC;
		begin = dbio_now_ns();
		ASSERT_EQ(io_uring_submit(&self->ring), 1);
		ASSERT_EQ(io_uring_wait_cqe(&self->ring, &cqe), 0);
		EXPECT_EQ(cqe->res, -EAGAIN) TH_LOG("variant %u", i);
		EXPECT_LT(dbio_now_ns() - begin, 1000000000) TH_LOG("variant %u", i);
		io_uring_cqe_seen(&self->ring, cqe);
	}
	ASSERT_EQ(dbio_test_op(test_dev, buf.fd, DMABUF_TEST_UNREVOKE, 0, NULL, NULL), 0);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, 0), 4096);
	sqe = io_uring_get_sqe(&self->ring);
	dbio_prep(sqe, false, self->fd, 0, 4096, 0, 0);
	sqe->rw_flags = RWF_NOWAIT;
	ASSERT_EQ(io_uring_submit(&self->ring), 1);
	ASSERT_EQ(io_uring_wait_cqe(&self->ring, &cqe), 0);
	EXPECT_EQ(cqe->res, 4096);
	io_uring_cqe_seen(&self->ring, cqe);
	close(test_dev);
	dbio_buf_destroy(&buf);
}

#define MANY	16384

/*
 * SIGKILL in the middle of an update of all slots that there can be: what has been
 * done stays, the rest is not done, and the process does not linger. The ring is
 * this process's, too, and tells afterwards.
 */
TEST_F_TIMEOUT(errors, update_killed, 120)
{
	struct io_uring_regbuf_desc *desc = calloc(MANY, sizeof(*desc));
	static const unsigned int delays_us[] = { 30000, 10000, 3000, 1000, 300 };
	bool in_between = false;
	struct io_uring ring;
	uint64_t begin;
	int fds[2], status;
	pid_t child;
	char c;

	ASSERT_NE(desc, NULL);
	for (unsigned int i = 0; i < MANY; i++)
		desc[i] = DESC();
	for (unsigned int i = 0; i < 5 && !in_between; i++) {
		ASSERT_EQ(dbio_ring(&ring, 4, 0, MANY), 0);
		ASSERT_EQ(pipe(fds), 0);
		child = fork();
		ASSERT_GE(child, 0);
		if (!child) {
			if (write(fds[1], "x", 1) != 1)
				_exit(1);
			dbio_update(&ring, 0, desc, MANY, IORING_RSRC_UPDATE_EXTENDED);
			pause();
		}
		ASSERT_EQ(read(fds[0], &c, 1), 1);
		usleep(delays_us[i]);
		ASSERT_EQ(kill(child, SIGKILL), 0);
		begin = dbio_now_ns();
		ASSERT_EQ(waitpid(child, &status, 0), child);
		EXPECT_LT(dbio_now_ns() - begin, 1000000000) TH_LOG("lingers");
		EXPECT_TRUE(WIFSIGNALED(status));
		in_between = dbio_io(&ring, false, self->fd, 0, 4096, 0, MANY - 1, false) == -EFAULT &&
			     dbio_io(&ring, false, self->fd, 0, 4096, 0, 0, false) == 4096;
		io_uring_queue_exit(&ring);
		close(fds[0]);
		close(fds[1]);
	}
	EXPECT_TRUE(in_between) TH_LOG("never killed in the middle");
	free(desc);
}

static void *thread_exits(void *arg)
{
	struct io_uring *ring = arg;

	/* so that it has something to do with the ring when it exits */
	io_uring_prep_nop(io_uring_get_sqe(ring));
	io_uring_submit(ring);
	return NULL;
}

/* a thread that exits has no say in what others wait for */
TEST_F(errors, thread_exits)
{
	int test_dev = open(DMABUF_TEST_DEVICE, O_RDWR);
	struct io_uring_cqe *cqe;
	struct dbio_buf buf;
	pthread_t thread;

	ASSERT_EQ(dbio_buf_create(&buf, "test", SIZE), 0);
	ASSERT_EQ(REGISTER(.dmabuf_fd = buf.fd), 1);
	ASSERT_EQ(dbio_test_op(test_dev, buf.fd, DMABUF_TEST_REVOKE, 0, NULL, NULL), 0);
	ASSERT_EQ(dbio_test_op(test_dev, buf.fd, DMABUF_TEST_UNREVOKE, 0, NULL, NULL), 0);
	ASSERT_EQ(dbio_test_op(test_dev, buf.fd, DMABUF_TEST_FAIL_MAPS,
			       DMABUF_TEST_FAIL(1 << 20, EBUSY), NULL, NULL), 0);
	dbio_prep(io_uring_get_sqe(&self->ring), false, self->fd, 0, 4096, 0, 0);
	ASSERT_EQ(io_uring_submit(&self->ring), 1);
	ASSERT_EQ(pthread_create(&thread, NULL, thread_exits, &self->ring), 0);
	ASSERT_EQ(pthread_join(thread, NULL), 0);
	usleep(300000);
	ASSERT_EQ(io_uring_wait_cqe(&self->ring, &cqe), 0);
	EXPECT_EQ(cqe->res, 0) TH_LOG("the I/O is not to have ended: %d", cqe->res);
	io_uring_cqe_seen(&self->ring, cqe);
	EXPECT_EQ(io_uring_peek_cqe(&self->ring, &cqe), -EAGAIN);
	ASSERT_EQ(dbio_test_op(test_dev, buf.fd, DMABUF_TEST_FAIL_MAPS,
			       DMABUF_TEST_FAIL(0, EBUSY), NULL, NULL), 0);
	ASSERT_EQ(io_uring_wait_cqe(&self->ring, &cqe), 0);
	EXPECT_EQ(cqe->res, 4096);
	io_uring_cqe_seen(&self->ring, cqe);
	close(test_dev);
	dbio_buf_destroy(&buf);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: errors DEVICE [INCAPABLE...]\n");
		return 1;
	}
	device = argv[1];
	incapable = argv + 2;
	argv[1] = NULL;
	return test_harness_run(1, argv);
}
