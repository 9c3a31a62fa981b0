/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/dmabuf-test: dma-bufs that do what a test asks for, and a consumer of
 * registered dma-bufs inside the kernel.
 */
#ifndef _DMABUF_TEST_EXPORTER_H
#define _DMABUF_TEST_EXPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMABUF_TEST_DEVICE	"/dev/dmabuf-test"

/* Memory that the device must not see any more is filled with this byte. */
#define DMABUF_TEST_POISON	0xdb

/* As few runs of physical memory as possible; else as many as possible. */
#define DMABUF_TEST_CONTIGUOUS	0x1
/* The kernel cannot map the buffer for the CPU. */
#define DMABUF_TEST_NO_VMAP	0x2
/*
 * Importers see addresses and no pages, and the kernel's mapping is one of I/O
 * memory.
 */
#define DMABUF_TEST_PAGELESS	0x4

/**
 * struct dmabuf_test_create - DMABUF_TEST_CREATE
 * @size: of the buffer, whole pages
 * @flags: DMABUF_TEST_*
 * @fd_flags: O_RDONLY, O_WRONLY or O_RDWR, and O_CLOEXEC
 * @fd: out: the dma-buf
 * @pad: 0
 */
struct dmabuf_test_create {
	__u64	size;
	__u32	flags;
	__u32	fd_flags;
	__s32	fd;
	__u32	pad;
};

/**
 * enum dmabuf_test_op_code - what to do to a dma-buf
 * @DMABUF_TEST_MOVE: move the contents to other memory; result is the time in ns
 *	that importers took to let go.  -EBUSY if one did not, or if there is a
 *	mapping for the CPU in the kernel
 * @DMABUF_TEST_REVOKE: take the buffer away and refuse to map it, with -ENODEV;
 *	result as above
 * @DMABUF_TEST_UNREVOKE: allow mappings again, without a notice to anybody
 * @DMABUF_TEST_FAIL_MAPS: fail the next mappings, see DMABUF_TEST_FAIL(); those
 *	for &dmabuf_test_op.device alone if it names one
 * @DMABUF_TEST_DELAY_MAPS: let the next mappings take a while, see
 *	DMABUF_TEST_DELAY()
 * @DMABUF_TEST_HOLD: hold the reservation lock for arg milliseconds
 * @DMABUF_TEST_FENCE: the contents are on their way until the fence of the
 *	sync_file arg signals
 * @DMABUF_TEST_FENCE_WRITE: somebody writes to the buffer until then
 * @DMABUF_TEST_FAIL_CALLS: fail the next of each of &dmabuf_test_op.calls, arg as
 *	of @DMABUF_TEST_FAIL_MAPS; attaching and mapping may be for one device
 * @DMABUF_TEST_REACHES: the buffer has two places, and &dmabuf_test_op.device
 *	reaches both; before anybody attaches.  A mapping for such a device that
 *	was attached for peer-to-peer, and is still, takes the buffer to place 1,
 *	every other mapping to place 0, and all importers are told
 * @DMABUF_TEST_INVALIDATE_MAPS: each of the next arg mappings tells all importers
 *	to let go first
 * @DMABUF_TEST_INVALIDATE_ONE: tell the importer of &dmabuf_test_op.device alone;
 *	result as of a move.  -ENOENT if there is none
 */
enum dmabuf_test_op_code {
	DMABUF_TEST_MOVE,
	DMABUF_TEST_REVOKE,
	DMABUF_TEST_UNREVOKE,
	DMABUF_TEST_FAIL_MAPS,
	DMABUF_TEST_DELAY_MAPS,
	DMABUF_TEST_HOLD,
	DMABUF_TEST_FENCE,
	DMABUF_TEST_FENCE_WRITE,
	DMABUF_TEST_FAIL_CALLS,
	DMABUF_TEST_REACHES,
	DMABUF_TEST_INVALIDATE_MAPS,
	DMABUF_TEST_INVALIDATE_ONE,
};

/* &dmabuf_test_op.calls */
#define DMABUF_TEST_CALL_MAP	0x1
#define DMABUF_TEST_CALL_ATTACH	0x2
#define DMABUF_TEST_CALL_VMAP	0x4
#define DMABUF_TEST_CALL_BEGIN	0x8	/* begin_cpu_access */

/* instead of a number of calls to fail */
#define DMABUF_TEST_FOR_EVER	0xffffffffu

/* arg of DMABUF_TEST_FAIL_MAPS and _CALLS: @nr of them, a positive errno to 4095 */
#define DMABUF_TEST_FAIL(nr, error)	((__u64)(nr) << 32 | (error))
/* arg of DMABUF_TEST_DELAY_MAPS: @nr mappings, by @ms milliseconds each */
#define DMABUF_TEST_DELAY(nr, ms)	((__u64)(nr) << 32 | (ms))

/* with the terminating 0 */
#define DMABUF_TEST_NAME_LEN	32

/**
 * struct dmabuf_test_op - DMABUF_TEST_OP
 * @dmabuf_fd: a dma-buf of this device
 * @op: an &enum dmabuf_test_op_code
 * @arg: its argument, else 0
 * @result: out
 * @device: name of the device that is meant, as in /sys/bus/pci/devices; empty:
 *	every device
 * @calls: DMABUF_TEST_CALL_*, of DMABUF_TEST_FAIL_CALLS, else 0
 * @pad: 0
 */
struct dmabuf_test_op {
	__s32	dmabuf_fd;
	__u32	op;
	__u64	arg;
	__u64	result;
	char	device[DMABUF_TEST_NAME_LEN];
	__u32	calls;
	__u32	pad;
};

/**
 * struct dmabuf_test_stats - DMABUF_TEST_STATS
 * @dmabuf_fd: a dma-buf of this device
 * @attachments: out: devices that are attached now
 * @mappings: out: how many of them have it mapped
 * @to_come: out: calls that are yet to be failed, delayed or to invalidate
 * @maps: out: mappings made so far
 * @moves: out: moves made so far
 * @places: out: changes of place, see DMABUF_TEST_REACHES
 * @worst_wait_ns: out: the longest that importers took to let go
 */
struct dmabuf_test_stats {
	__s32	dmabuf_fd;
	__u32	attachments;
	__u32	mappings;
	__u32	to_come;
	__u64	maps;
	__u64	moves;
	__u64	places;
	__u64	worst_wait_ns;
};

/* Write to the file; else read from it. */
#define DMABUF_TEST_RUN_WRITE		0x1
/* Submit, and wait for the completion afterwards. */
#define DMABUF_TEST_RUN_ASYNC		0x2
/* Bring mappings back before each I/O, rather than let the bio wait. */
#define DMABUF_TEST_RUN_REVALIDATE	0x4

/**
 * struct dmabuf_test_run - DMABUF_TEST_RUN
 * @dmabuf_fd: any dma-buf
 * @file_fd: file to register it for, and to read or write
 * @offset: first byte in the dma-buf
 * @pos: position in the file
 * @len: bytes
 * @count: how often to do the same I/O with this registration; ends early with
 *	the first that does not do all of @len.  0: register it and no more
 * @flags: DMABUF_TEST_RUN_*
 * @result: out: bytes that the last I/O did
 */
struct dmabuf_test_run {
	__s32	dmabuf_fd;
	__s32	file_fd;
	__u64	offset;
	__u64	pos;
	__u64	len;
	__u32	count;
	__u32	flags;
	__u64	result;
};

#define DMABUF_TEST_CREATE	_IOWR(0xdb, 0, struct dmabuf_test_create)
#define DMABUF_TEST_OP		_IOWR(0xdb, 1, struct dmabuf_test_op)
#define DMABUF_TEST_STATS	_IOWR(0xdb, 2, struct dmabuf_test_stats)
#define DMABUF_TEST_RUN		_IOWR(0xdb, 3, struct dmabuf_test_run)

#ifdef __KERNEL__
struct dma_buf;

struct dma_buf *dmabuf_test_export(struct dmabuf_test_create *create);
struct dma_buf *dmabuf_test_get(int fd);
int dmabuf_test_do_op(struct dma_buf *dmabuf, struct dmabuf_test_op *op);
int dmabuf_test_do_stats(struct dma_buf *dmabuf,
			 struct dmabuf_test_stats *stats);
long dmabuf_test_run(struct dmabuf_test_run __user *arg);
#endif

#endif /* _DMABUF_TEST_EXPORTER_H */
