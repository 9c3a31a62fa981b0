// SPDX-License-Identifier: GPL-2.0
/*
 * A PCI BAR as the dma-buf, exported by vfio-pci: the disk and the BAR exchange
 * data without memory of the machine, and the BAR may be revoked at any time, by
 * anybody, also by whoever does the I/O.
 *
 *	bar VFIO_DEVICE BLOCK_DEVICE
 *
 * cflags: -pthread
 *
 * Touching the BAR while it is revoked is a SIGBUS.
 */
#include "dbio.h"
#include "kselftest.h"
#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <time.h>

#define BAR_INDEX	VFIO_PCI_BAR2_REGION_INDEX
#define SIZE		(16u << 20)
#define LEN		(1u << 20)
#define PARTS		(SIZE / LEN)
#define TIMEOUT		"/sys/module/dma_buf_io/parameters/park_timeout_ms"

static int vfio, blk;
static uint64_t config_at;
static uint8_t *bar, *mem;
static struct dbio_buf buf;

static void set_timeout(unsigned int ms)
{
	char text[16];
	int fd = open(TIMEOUT, O_WRONLY);
	int len = snprintf(text, sizeof(text), "%u", ms);

	if (fd < 0 || write(fd, text, len) != len)
		ksft_exit_fail_msg("%s: %s\n", TIMEOUT, strerror(errno));
	close(fd);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* the memory enable bit; how long it took in ms */
static uint64_t enable_memory(bool on)
{
	uint64_t start = now_ms();
	uint16_t command;

	if (pread(vfio, &command, 2, config_at + PCI_COMMAND) != 2)
		ksft_exit_fail_msg("PCI_COMMAND: %s\n", strerror(errno));
	command = on ? command | PCI_COMMAND_MEMORY : command & ~PCI_COMMAND_MEMORY;
	if (pwrite(vfio, &command, 2, config_at + PCI_COMMAND) != 2)
		ksft_exit_fail_msg("PCI_COMMAND: %s\n", strerror(errno));
	return now_ms() - start;
}

static void open_vfio(const char *path)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_region_info info = { .argsz = sizeof(info), .index = BAR_INDEX };
	struct {
		struct vfio_device_feature head;
		struct vfio_device_feature_dma_buf get;
		struct vfio_region_dma_range ranges[2];
	} feature = {
		.head.argsz = sizeof(feature),
		.head.flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF,
		.get.region_index = BAR_INDEX,
		.get.open_flags = O_RDWR | O_CLOEXEC,
		.get.nr_ranges = 2,
		.ranges = { { 0, SIZE / 2 }, { SIZE / 2, SIZE / 2 } },
	};

	vfio = open(path, O_RDWR);
	bind.iommufd = open("/dev/iommu", O_RDWR);
	if (vfio < 0 || bind.iommufd < 0 || ioctl(vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		ksft_exit_fail_msg("%s: %s\n", path, strerror(errno));
	if (ioctl(vfio, VFIO_DEVICE_GET_REGION_INFO, &info) || info.size < SIZE)
		ksft_exit_fail_msg("BAR: %s\n", strerror(errno));
	bar = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vfio, info.offset);
	info = (struct vfio_region_info){
		.argsz = sizeof(info), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	if (bar == MAP_FAILED || ioctl(vfio, VFIO_DEVICE_GET_REGION_INFO, &info))
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	config_at = info.offset;
	enable_memory(true);
	buf.fd = ioctl(vfio, VFIO_DEVICE_FEATURE, &feature);
	if (buf.fd < 0)
		ksft_exit_fail_msg("dma-buf of the BAR: %s\n", strerror(errno));
	buf.size = SIZE;
}

/* the BAR is device memory: whole words */
static void bar_fill(size_t at, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i += 8)
		*(volatile uint64_t *)(bar + at + i) = seed * 0x9e3779b97f4a7c15ull + at + i;
}

static bool bar_is(size_t at, const void *want, size_t len)
{
	const uint64_t *w = want;

	for (size_t i = 0; i < len / 8; i++)
		if (((volatile uint64_t *)(bar + at))[i] != w[i])
			return false;
	return true;
}

static int both_ways(struct io_uring *ring, size_t at, unsigned int len, uint64_t pos)
{
	static uint64_t seed;
	int ret;

	bar_fill(at, len, ++seed);
	ret = dbio_io(ring, true, blk, at, len, pos, 0, false);
	if (ret != (int)len)
		return ret < 0 ? ret : -EIO;
	ret = dbio_pread(blk, mem, len, pos);
	if (ret)
		return ret;
	if (!bar_is(at, mem, len))
		return -EBADMSG;
	dbio_fill(mem, len, ++seed, pos);
	ret = dbio_pwrite(blk, mem, len, pos);
	if (ret)
		return ret;
	ret = dbio_io(ring, false, blk, at, len, pos, 0, false);
	if (ret != (int)len)
		return ret < 0 ? ret : -EIO;
	return bar_is(at, mem, len) ? 0 : -EBADMSG;
}

static void test_data(struct io_uring *ring)
{
	static const unsigned int lengths[] = { 512, 4096, 65536, LEN, 4 * LEN };

	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		int ret = both_ways(ring, 0, lengths[i], 0) ?:
			  both_ways(ring, 4096 + 512, lengths[i], LEN + 512) ?:
			  both_ways(ring, SIZE - lengths[i], lengths[i], 2 * LEN);

		ksft_test_result(!ret, "disk and BAR, %u bytes (%s)\n", lengths[i],
				 ret ? strerror(-ret) : "right");
	}
}

/* reads of all of the BAR; it and the disk are the same afterwards */
static void submit_all(struct io_uring *ring)
{
	for (unsigned int i = 0; i < PARTS; i++)
		dbio_prep(io_uring_get_sqe(ring), false, blk, (size_t)i * LEN, LEN,
			  (uint64_t)i * LEN, 0);
	if (io_uring_submit(ring) != (int)PARTS)
		ksft_exit_fail_msg("submit\n");
}

/* the result of all of them, the first error if there was one */
static int reap_all(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int ret = 0;

	for (unsigned int i = 0; i < PARTS; i++) {
		while (io_uring_wait_cqe(ring, &cqe))
			;
		if (cqe->res != (int)LEN && !ret)
			ret = cqe->res < 0 ? cqe->res : -EIO;
		io_uring_cqe_seen(ring, cqe);
	}
	return ret;
}

static void prepare_disk(uint64_t seed)
{
	for (unsigned int i = 0; i < PARTS; i++) {
		dbio_fill(mem + (size_t)i * LEN, LEN, seed, (uint64_t)i * LEN);
		if (dbio_pwrite(blk, mem + (size_t)i * LEN, LEN, (uint64_t)i * LEN))
			ksft_exit_fail_msg("plain write\n");
	}
}

/* revoked by the thread that has just submitted, and may have to complete */
static void test_revoke_in_flight(const char *name, unsigned int flags)
{
	struct io_uring ring;
	uint64_t took = 0;
	int ret;

	prepare_disk(flags + 11);
	ret = dbio_ring(&ring, PARTS, flags, 1) ?: dbio_register(&ring, 0, buf.fd, blk);
	if (ret)
		ksft_exit_fail_msg("%s: registration: %s\n", name, strerror(-ret));
	submit_all(&ring);
	took = enable_memory(false);
	enable_memory(true);
	ret = reap_all(&ring);
	if (!ret && !bar_is(0, mem, SIZE))
		ret = -EBADMSG;
	ksft_test_result(!ret, "%s: revoked with %u reads in flight, waited %llu ms (%s)\n",
			 name, PARTS, (unsigned long long)took, ret ? strerror(-ret) : "right");
	io_uring_queue_exit(&ring);
}

static sigjmp_buf touch_again;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(touch_again, 1);
}

static void *revoker(void *stop)
{
	while (!__atomic_load_n((bool *)stop, __ATOMIC_ACQUIRE)) {
		uint64_t took = enable_memory(false);

		usleep(2000);
		enable_memory(true);
		/* long enough to be mapped and used, on a slow kernel as well */
		usleep(20000 + 20000 * took);
	}
	return NULL;
}

static void test_revoked_by_another(struct io_uring *ring)
{
	static volatile unsigned int touched, buses;
	static bool stop;
	pthread_t thread;
	uint64_t until;
	int ret = 0;

	stop = false;
	prepare_disk(21);
	until = now_ms() + 3000;
	signal(SIGBUS, on_sigbus);
	pthread_create(&thread, NULL, revoker, &stop);
	while (now_ms() < until && !ret) {
		submit_all(ring);
		if (sigsetjmp(touch_again, 1))
			buses++;
		else
			for (size_t i = 0; i < SIZE; i += 65536, touched++)
				(void)*(volatile uint8_t *)(bar + i);
		ret = reap_all(ring);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	signal(SIGBUS, SIG_DFL);
	if (!ret && !bar_is(0, mem, SIZE))
		ret = -EBADMSG;
	ksft_test_result(!ret && touched, "revoked by another thread while it is touched: %u, %u not there (%s)\n",
			 touched, buses, ret ? strerror(-ret) : "right");
}

static void test_revoked(struct io_uring *ring)
{
	int ret;

	set_timeout(500);
	enable_memory(false);
	ret = dbio_io(ring, false, blk, 0, LEN, 0, 0, false);
	ksft_test_result(ret == -ESTALE, "revoked for good: %d\n", ret);
	enable_memory(true);
	set_timeout(8000);
	ret = both_ways(ring, 0, LEN, 0);
	ksft_test_result(!ret, "and back (%s)\n", ret ? strerror(-ret) : "right");

	prepare_disk(31);
	enable_memory(false);
	submit_all(ring);
	usleep(300000);
	enable_memory(true);
	ret = reap_all(ring);
	if (!ret && !bar_is(0, mem, SIZE))
		ret = -EBADMSG;
	ksft_test_result(!ret, "submitted while revoked for 300 ms (%s)\n",
			 ret ? strerror(-ret) : "right");
}

/* in the kernel's trace */
static void mark(const char *text)
{
	int fd = open("/sys/kernel/tracing/trace_marker", O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror("trace_marker");
	close(fd);
}

static void test_reset(struct io_uring *ring)
{
	int ret, reset;

	prepare_disk(41);
	submit_all(ring);
	mark("bar: reset\n");
	reset = ioctl(vfio, VFIO_DEVICE_RESET) ? -errno : 0;
	mark("bar: has been reset\n");
	enable_memory(true);
	ret = reap_all(ring);
	ksft_test_result(!reset && !ret, "device reset with reads in flight (%s, %s)\n",
			 reset ? strerror(-reset) : "reset", ret ? strerror(-ret) : "right");
	ret = both_ways(ring, 0, LEN, 0);
	ksft_test_result(!ret, "data after the reset (%s)\n", ret ? strerror(-ret) : "right");
}

int main(int argc, char **argv)
{
	struct io_uring ring;
	int ret;

	ksft_print_header();
	if (argc < 3)
		ksft_exit_fail_msg("which devices?\n");
	ksft_set_plan(14);
	/* nothing here may hang */
	alarm(240);
	mem = dbio_mem(SIZE);
	blk = open(argv[2], O_RDWR | O_DIRECT);
	if (!mem || blk < 0)
		ksft_exit_fail_msg("%s: %s\n", argv[2], strerror(errno));
	open_vfio(argv[1]);
	ret = dbio_ring(&ring, PARTS, 0, 1) ?: dbio_register(&ring, 0, buf.fd, blk);
	if (ret)
		ksft_exit_fail_msg("registration: %s\n", strerror(-ret));

	test_data(&ring);
	test_revoke_in_flight("plain", 0);
	test_revoke_in_flight("defer-taskrun", IORING_SETUP_DEFER_TASKRUN |
			      IORING_SETUP_SINGLE_ISSUER);
	test_revoked_by_another(&ring);
	test_revoked(&ring);
	test_reset(&ring);

	/* the device is given back with the buffer still registered */
	munmap(bar, SIZE);
	close(vfio);
	set_timeout(500);
	ret = dbio_io(&ring, false, blk, 0, LEN, 0, 0, false);
	ksft_test_result(ret == -ESTALE, "closed: %d\n", ret);
	set_timeout(8000);
	io_uring_queue_exit(&ring);
	ksft_finished();
}
