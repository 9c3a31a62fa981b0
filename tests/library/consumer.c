// SPDX-License-Identifier: GPL-2.0
/*
 * Registered dma-bufs without io_uring: a consumer inside the kernel reads and
 * writes an NVMe namespace, plain direct I/O tells whether it did.
 *
 * The file is $TEST_FILE, or /dev/member/0.
 */
#define _GNU_SOURCE
#include <linux/fs.h>
#include <stdlib.h>

#include "dmabuf-test.h"
#include "kselftest_harness.h"

#define SIZE	(4L << 20)
#define POS	(1024L << 10)

static const char *test_file(void)
{
	return getenv("TEST_FILE") ?: "/dev/member/0";
}

FIXTURE(consumer) {
	int		dev;
	int		file;
	int		dmabuf;
	unsigned char		*mem;		/* the dma-buf */
	unsigned char		*plain;		/* as large */
	__u64		end;		/* of the file */
	int		lba;
	struct dmabuf_test_run run;
};

FIXTURE_VARIANT(consumer) {
	__u32	buffer;
	__u32	run;
};

FIXTURE_VARIANT_ADD(consumer, sync_scattered) {
	.buffer	= 0,
};

FIXTURE_VARIANT_ADD(consumer, async_scattered) {
	.run	= DMABUF_TEST_RUN_ASYNC,
};

FIXTURE_VARIANT_ADD(consumer, sync_contiguous) {
	.buffer	= DMABUF_TEST_CONTIGUOUS | DMABUF_TEST_NO_VMAP,
};

FIXTURE_VARIANT_ADD(consumer, async_contiguous) {
	.buffer	= DMABUF_TEST_CONTIGUOUS | DMABUF_TEST_NO_VMAP,
	.run	= DMABUF_TEST_RUN_ASYNC,
};

FIXTURE_SETUP(consumer)
{
	self->dev = dt_open();
	ASSERT_GE(self->dev, 0);
	self->file = open(test_file(), O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_GE(self->file, 0);
	ASSERT_EQ(ioctl(self->file, BLKGETSIZE64, &self->end), 0);
	ASSERT_EQ(ioctl(self->file, BLKSSZGET, &self->lba), 0);
	self->dmabuf = dt_create(self->dev, SIZE, variant->buffer, O_RDWR);
	ASSERT_GE(self->dmabuf, 0);
	self->mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->dmabuf, 0);
	ASSERT_NE(self->mem, MAP_FAILED);
	ASSERT_EQ(posix_memalign((void **)&self->plain, 4096, SIZE), 0);
	self->run = (struct dmabuf_test_run) {
		.dmabuf_fd	= self->dmabuf,
		.file_fd	= self->file,
		.pos		= POS,
		.len		= SIZE,
		.count		= 1,
		.flags		= variant->run,
	};
}

FIXTURE_TEARDOWN(consumer)
{
	EXPECT_EQ(dt_wait_detached(self->dev, self->dmabuf), 0);
	munmap(self->mem, SIZE);
	close(self->dmabuf);
	close(self->file);
	close(self->dev);
	free(self->plain);
}

TEST_F(consumer, write)
{
	const off_t before = POS - 4096;

	memset(self->plain, 0x55, SIZE);
	ASSERT_EQ(pwrite(self->file, self->plain, SIZE, before), SIZE);
	dt_fill(self->mem, SIZE, 1);
	self->run.flags |= DMABUF_TEST_RUN_WRITE;
	self->run.len = SIZE - 8192;
	ASSERT_EQ(dt_run(self->dev, &self->run), SIZE - 8192);

	ASSERT_EQ(pread(self->file, self->plain, SIZE, before), SIZE);
	EXPECT_EQ(dt_check(self->plain + 4096, SIZE - 8192, 1), -1);
	/* and nothing beside it */
	EXPECT_EQ(self->plain[4095], 0x55);
	EXPECT_EQ(self->plain[SIZE - 4096], 0x55);
	EXPECT_EQ(dt_check(self->mem, SIZE, 1), -1);
}

TEST_F(consumer, read)
{
	dt_fill(self->plain, SIZE, 2);
	ASSERT_EQ(pwrite(self->file, self->plain, SIZE, POS), SIZE);
	memset(self->mem, 0x55, SIZE);
	self->run.offset = 4096;
	self->run.len = SIZE - 8192;
	ASSERT_EQ(dt_run(self->dev, &self->run), SIZE - 8192);
	EXPECT_EQ(dt_check(self->mem + 4096, SIZE - 8192, 2), -1);
	EXPECT_EQ(self->mem[4095], 0x55);
	EXPECT_EQ(self->mem[SIZE - 4096], 0x55);
}

/* the smallest I/O, at offsets all over the buffer, page boundaries among them */
TEST_F(consumer, small)
{
	const __u64 offsets[] = {
		0, 4, 512, 4096 - 512, 4096 - 4, 4096, SIZE / 2 - 256,
		SIZE - self->lba,
	};
	unsigned int i;

	for (i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		dt_fill(self->plain, self->lba, 10 + i);
		ASSERT_EQ(pwrite(self->file, self->plain, self->lba, POS),
			  self->lba);
		memset(self->mem, 0x55, SIZE);
		self->run.offset = offsets[i];
		self->run.len = self->lba;
		self->run.flags = variant->run;
		ASSERT_EQ(dt_run(self->dev, &self->run), self->lba);
		EXPECT_EQ(dt_check(self->mem + offsets[i], self->lba, 10 + i),
			  -1) {
			TH_LOG("read to offset %llu", offsets[i]);
		}

		dt_fill(self->mem + offsets[i], self->lba, 100 + i);
		self->run.flags |= DMABUF_TEST_RUN_WRITE;
		ASSERT_EQ(dt_run(self->dev, &self->run), self->lba);
		ASSERT_EQ(pread(self->file, self->plain, self->lba, POS),
			  self->lba);
		EXPECT_EQ(dt_check(self->plain, self->lba, 100 + i), -1) {
			TH_LOG("write from offset %llu", offsets[i]);
		}
	}
}

TEST_F(consumer, unaligned)
{
	const struct {
		__u64 offset, pos, len;
	} bad[] = {
		{ 2, POS, 4096 },
		{ 4097, POS, 4096 },
		{ 0, POS + 256, 4096 },
		{ 0, POS, 4096 + 256 },
		{ 0, POS, 4 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		self->run.offset = bad[i].offset;
		self->run.pos = bad[i].pos;
		self->run.len = bad[i].len;
		self->run.flags = variant->run;
		EXPECT_EQ(dt_run(self->dev, &self->run), -EINVAL) {
			TH_LOG("read %u", i);
		}
		self->run.flags |= DMABUF_TEST_RUN_WRITE;
		EXPECT_EQ(dt_run(self->dev, &self->run), -EINVAL) {
			TH_LOG("write %u", i);
		}
	}
}

TEST_F(consumer, outside)
{
	const struct {
		__u64 offset, len;
	} bad[] = {
		{ 0, SIZE + 4096 },
		{ SIZE, 4096 },
		{ SIZE - 4096, 8192 },
		{ -4096L, 8192 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		self->run.offset = bad[i].offset;
		self->run.len = bad[i].len;
		EXPECT_EQ(dt_run(self->dev, &self->run), -EFAULT) {
			TH_LOG("%u", i);
		}
	}
	self->run.offset = SIZE;
	self->run.len = 0;
	EXPECT_EQ(dt_run(self->dev, &self->run), 0);
}

/* short at the end of the device, with the rest of the buffer as it was */
TEST_F(consumer, end_of_file)
{
	memset(self->mem, 0x55, SIZE);
	self->run.pos = self->end - 4096;
	self->run.len = 8192;
	EXPECT_EQ(dt_run(self->dev, &self->run), 4096);
	EXPECT_EQ(self->mem[4096], 0x55);
	self->run.pos = self->end;
	EXPECT_EQ(dt_run(self->dev, &self->run), 0);

	self->run.flags |= DMABUF_TEST_RUN_WRITE;
	EXPECT_EQ(dt_run(self->dev, &self->run), -ENOSPC);
	dt_fill(self->mem, SIZE, 3);
	self->run.pos = self->end - 4096;
	EXPECT_EQ(dt_run(self->dev, &self->run), 4096);
	ASSERT_EQ(pread(self->file, self->plain, 4096, self->end - 4096), 4096);
	EXPECT_EQ(dt_check(self->plain, 4096, 3), -1);
}

TEST_F(consumer, registered_for_many)
{
	struct dmabuf_test_stats before, after;

	dt_fill(self->plain, SIZE, 4);
	ASSERT_EQ(pwrite(self->file, self->plain, SIZE, POS), SIZE);
	ASSERT_EQ(dt_stats(self->dev, self->dmabuf, &before), 0);
	self->run.count = 20;
	self->run.len = 65536;
	ASSERT_EQ(dt_run(self->dev, &self->run), 65536);
	EXPECT_EQ(dt_check(self->mem, 65536, 4), -1);
	ASSERT_EQ(dt_stats(self->dev, self->dmabuf, &after), 0);
	EXPECT_EQ(after.maps, before.maps + 1);
}

TEST_F(consumer, moved)
{
	struct dmabuf_test_stats stats;

	dt_fill(self->mem, SIZE, 5);
	ASSERT_EQ(dt_op(self->dev, self->dmabuf, DMABUF_TEST_MOVE, 0, NULL), 0);
	EXPECT_EQ(dt_check(self->mem, SIZE, 5), -1);
	self->run.flags |= DMABUF_TEST_RUN_WRITE;
	ASSERT_EQ(dt_run(self->dev, &self->run), SIZE);
	ASSERT_EQ(pread(self->file, self->plain, SIZE, POS), SIZE);
	EXPECT_EQ(dt_check(self->plain, SIZE, 5), -1);
	ASSERT_EQ(dt_stats(self->dev, self->dmabuf, &stats), 0);
	EXPECT_EQ(stats.moves, 1ULL);
}

TEST_F(consumer, exporter_refuses)
{
	ASSERT_EQ(dt_op(self->dev, self->dmabuf, DMABUF_TEST_FAIL_MAPS,
			DMABUF_TEST_FAIL(2, ENOSPC), NULL), 0);
	EXPECT_EQ(dt_run(self->dev, &self->run), -ENOSPC);
	EXPECT_EQ(dt_run(self->dev, &self->run), -ENOSPC);
	EXPECT_EQ(dt_run(self->dev, &self->run), SIZE);

	ASSERT_EQ(dt_op(self->dev, self->dmabuf, DMABUF_TEST_REVOKE, 0, NULL),
		  0);
	EXPECT_EQ(dt_run(self->dev, &self->run), -ENODEV);
	ASSERT_EQ(dt_op(self->dev, self->dmabuf, DMABUF_TEST_UNREVOKE, 0, NULL),
		  0);
	EXPECT_EQ(dt_run(self->dev, &self->run), SIZE);
}

TEST_F(consumer, file_without_direct)
{
	ASSERT_EQ(fcntl(self->file, F_SETFL, O_RDWR), 0);
	EXPECT_EQ(dt_run(self->dev, &self->run), -EINVAL);
	ASSERT_EQ(fcntl(self->file, F_SETFL, O_RDWR | O_DIRECT), 0);
	EXPECT_EQ(dt_run(self->dev, &self->run), SIZE);
}

TEST_F(consumer, not_a_block_device)
{
	int file = memfd_create("file", MFD_CLOEXEC);

	ASSERT_GE(file, 0);
	self->run.file_fd = file;
	EXPECT_EQ(dt_run(self->dev, &self->run), -EOPNOTSUPP);
	close(file);
	EXPECT_EQ(dt_run(self->dev, &self->run), -EBADF);
	self->run.file_fd = self->file;
	self->run.dmabuf_fd = self->file;
	EXPECT_EQ(dt_run(self->dev, &self->run), -EINVAL);
}

TEST_F(consumer, access_modes)
{
	int file = open(test_file(), O_RDONLY | O_DIRECT | O_CLOEXEC);
	int dmabuf = dt_create(self->dev, SIZE, variant->buffer, O_RDONLY);

	ASSERT_GE(file, 0);
	ASSERT_GE(dmabuf, 0);

	/* the mode of the dma-buf is about its descriptor, not about devices */
	self->run.dmabuf_fd = dmabuf;
	EXPECT_EQ(dt_run(self->dev, &self->run), SIZE);
	self->run.flags |= DMABUF_TEST_RUN_WRITE;
	EXPECT_EQ(dt_run(self->dev, &self->run), SIZE);
	EXPECT_EQ(mmap(NULL, SIZE, PROT_WRITE, MAP_SHARED, dmabuf, 0),
		  MAP_FAILED);

	/* that of the file counts */
	self->run.file_fd = file;
	EXPECT_EQ(dt_run(self->dev, &self->run), -EBADF);
	self->run.flags &= ~DMABUF_TEST_RUN_WRITE;
	self->run.dmabuf_fd = self->dmabuf;
	EXPECT_EQ(dt_run(self->dev, &self->run), SIZE);

	EXPECT_EQ(dt_wait_detached(self->dev, dmabuf), 0);
	close(dmabuf);
	close(file);
}

TEST_HARNESS_MAIN
