// SPDX-License-Identifier: GPL-2.0
/*
 * Every wrong registration and request gets its errno, and the right ones next
 * to them work.
 *
 *	errors DEVICE [incapable DEVICE...]
 *
 * cflags: -Wno-sign-compare -Wno-override-init
 */
#include "dbio.h"
#include "kselftest_harness.h"
#include <stddef.h>
#include <sys/socket.h>

#define SIZE	(1u << 20)

static const char *device;
static char **incapable;

FIXTURE(errors) {
	struct io_uring ring;
	struct dbio_buf buf;
	int fd;
};

FIXTURE_SETUP(errors)
{
	self->fd = open(device, O_RDWR | O_DIRECT);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(dbio_buf_create(&self->buf, "udmabuf", SIZE), 0);
	ASSERT_EQ(dbio_ring(&self->ring, 8, 0, 4), 0);
}

FIXTURE_TEARDOWN(errors)
{
	io_uring_queue_exit(&self->ring);
	dbio_buf_destroy(&self->buf);
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
	int memfd = memfd_create("x", 0), closed = dup(memfd), buffered, direct;

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
	buffered = open(device, O_RDWR);
	ASSERT_GE(buffered, 0);
	EXPECT_EQ(REGISTER(.target_fd = buffered), -EINVAL);
	EXPECT_EQ(REGISTER(), 1);
	close(buffered);
	close(memfd);
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

	EXPECT_EQ(REGISTER(.size = SIZE), 1);
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
	desc = (struct io_uring_regbuf_desc){ .type = IO_REGBUF_TYPE_EMPTY, .size = 1 };
	EXPECT_EQ(dbio_update(&self->ring, 0, &desc, 1, IORING_RSRC_UPDATE_EXTENDED), -EFAULT);
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

TEST_F(errors, io_direction)
{
	struct dbio_buf ro = { .fd = -1, .size = SIZE };
	int rdonly = open(device, O_RDONLY | O_DIRECT);
	int wronly = open(device, O_WRONLY | O_DIRECT);

	ASSERT_EQ(dbio_heap(&ro, "system", SIZE, O_RDONLY), 0);
	ASSERT_EQ(REGISTER(.dmabuf_fd = ro.fd), 1);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, 0), -EFAULT);
	EXPECT_EQ(IO(true, self->fd, 0, 4096, 0), 4096);

	ASSERT_EQ(REGISTER(.target_fd = rdonly), 1);
	EXPECT_EQ(IO(true, rdonly, 0, 4096, 0), -EBADF);
	EXPECT_EQ(IO(false, rdonly, 0, 4096, 0), 4096);
	ASSERT_EQ(REGISTER(.target_fd = wronly), 1);
	EXPECT_EQ(IO(false, wronly, 0, 4096, 0), -EBADF);
	EXPECT_EQ(IO(true, wronly, 0, 4096, 0), 4096);

	EXPECT_EQ(REGISTER(.dmabuf_fd = ro.fd, .target_fd = rdonly), -EACCES);
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

TEST_F(errors, clone)
{
	struct io_uring_clone_buffers clone = { .src_fd = self->ring.ring_fd, .nr = 0 };
	struct io_uring other;

	ASSERT_EQ(REGISTER(), 1);
	ASSERT_EQ(io_uring_queue_init(4, &other, 0), 0);
	EXPECT_EQ(syscall(__NR_io_uring_register, other.ring_fd,
			  IORING_REGISTER_CLONE_BUFFERS, &clone, 1), -1);
	EXPECT_EQ(errno, EOPNOTSUPP);
	io_uring_queue_exit(&other);
	EXPECT_EQ(IO(false, self->fd, 0, 4096, 0), 4096);
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
