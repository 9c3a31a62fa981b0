// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the library: the layout of a mapping.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/blkdev.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/err.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/swiotlb.h>

#include "internal.h"

#define ALIGN_MASK	(SZ_4K - 1)

struct run {
	dma_addr_t	addr;
	unsigned int	len;
};

/**
 * struct map_fixture - as much of a binding as a mapping needs
 * @binding: the binding
 * @attach: its attachment
 * @buffer: of this buffer
 * @dmabuf: which is a dma-buf
 * @leaf: to this device
 */
struct map_fixture {
	struct dma_buf_io_binding	binding;
	struct dma_buf_attachment	attach;
	struct dma_buf_io_buffer	buffer;
	struct dma_buf			dmabuf;
	struct dma_buf_io_leaf		leaf;
};

static const struct dma_buf_io_leaf_ops quiet_leaf_ops = {
};

static int map_init(struct kunit *test)
{
	struct map_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct device *dev;

	KUNIT_ASSERT_NOT_NULL(test, f);
	dev = kunit_device_register(test, "dma-buf-io-map");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
#ifdef CONFIG_SWIOTLB
	/* made-up addresses are no bounce buffers, wherever those are */
	dev->dma_io_tlb_mem = NULL;
#endif
	dma_buf_io_leaf_init(&f->leaf, dev, &quiet_leaf_ops, ALIGN_MASK);
	spin_lock_init(&f->buffer.lock);
	INIT_LIST_HEAD(&f->buffer.bindings);
	f->buffer.dmabuf = &f->dmabuf;
	f->attach.peer2peer = true;
	f->binding.attach = &f->attach;
	f->binding.buffer = &f->buffer;
	f->binding.leaf = &f->leaf;
	f->binding.dev = dev;
	list_add(&f->binding.node, &f->buffer.bindings);
	test->priv = f;
	return 0;
}

static void free_map(void *map)
{
	dma_buf_io_map_free(((struct dma_buf_io_map *)map)->binding, map);
}

static void free_table(void *sgt)
{
	sg_free_table(sgt);
}

static struct dma_buf_io_map *create_map(struct kunit *test,
					 const struct run *runs,
					 unsigned int nr, u64 size)
{
	struct sg_table *sgt = kunit_kzalloc(test, sizeof(*sgt), GFP_KERNEL);
	struct map_fixture *f = test->priv;
	struct dma_buf_io_map *map;
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, sgt);
	KUNIT_ASSERT_EQ(test, sg_alloc_table(sgt, nr, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_table, sgt),
			0);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		sg_dma_address(sg) = runs[i].addr;
		sg_dma_len(sg) = runs[i].len;
	}
	f->dmabuf.size = size;
	f->binding.why = NULL;
	ret = dma_buf_io_map_create(&f->binding, sgt);
	if (ret) {
		KUNIT_EXPECT_NULL(test, f->binding.map);
		return ERR_PTR(ret);
	}
	/* the test may make more of them */
	map = f->binding.map;
	f->binding.map = NULL;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_map, map), 0);
	KUNIT_EXPECT_PTR_EQ(test, map->sgt, sgt);
	return map;
}

static void expect_addr(struct kunit *test, const struct dma_buf_io_map *map,
			u64 offset, dma_addr_t addr, u64 len)
{
	u64 left = 0;

	KUNIT_EXPECT_EQ_MSG(test, dma_buf_io_map_addr(map, offset, &left), addr,
			    "offset %#llx", offset);
	KUNIT_EXPECT_EQ_MSG(test, left, len, "offset %#llx", offset);
}

static void map_single(struct kunit *test)
{
	static const struct run runs[] = { { 0x10000, SZ_64K } };
	struct dma_buf_io_map *map = create_map(test, runs, ARRAY_SIZE(runs),
						SZ_64K);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, map);
	KUNIT_EXPECT_EQ(test, map->nr_ranges, 1);
	expect_addr(test, map, 0, 0x10000, SZ_64K);
	expect_addr(test, map, 1, 0x10001, SZ_64K - 1);
	expect_addr(test, map, SZ_4K, 0x11000, SZ_64K - SZ_4K);
	expect_addr(test, map, SZ_64K - 1, 0x1ffff, 1);
}

static void map_coalesces(struct kunit *test)
{
	static const struct run runs[] = {
		{ 0x10000, SZ_4K }, { 0x11000, SZ_8K }, { 0x13000, SZ_4K },
		/* empty entries are no gap */
		{ 0, 0 }, { 0x14000, SZ_4K },
		{ 0x20000, SZ_4K }, { 0x21000, SZ_4K },
	};
	struct dma_buf_io_map *map = create_map(test, runs, ARRAY_SIZE(runs),
						7 * SZ_4K);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, map);
	KUNIT_EXPECT_EQ(test, map->nr_ranges, 2);
	expect_addr(test, map, 0, 0x10000, 5 * SZ_4K);
	expect_addr(test, map, 5 * SZ_4K - 1, 0x14fff, 1);
	expect_addr(test, map, 5 * SZ_4K, 0x20000, 2 * SZ_4K);
}

/* address 0 is as good as any, and does not follow anything */
static void map_address_zero(struct kunit *test)
{
	static const struct run runs[] = { { 0, SZ_4K }, { SZ_8K, SZ_4K } };
	struct dma_buf_io_map *map = create_map(test, runs, ARRAY_SIZE(runs),
						SZ_8K);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, map);
	KUNIT_EXPECT_EQ(test, map->nr_ranges, 2);
	expect_addr(test, map, 0, 0, SZ_4K);
	expect_addr(test, map, SZ_4K, SZ_8K, SZ_4K);
}

/* every boundary and every byte beside one, for tables of any size up to 33 */
static void map_scattered(struct kunit *test)
{
	static struct run runs[33];
	unsigned int i, nr;

	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		/* descending, and of different sizes */
		runs[i].addr = SZ_64M - (dma_addr_t)i * SZ_64K;
		runs[i].len = (1 + i % 3) * SZ_4K;
	}
	for (nr = 1; nr <= ARRAY_SIZE(runs); nr++) {
		struct dma_buf_io_map *map;
		u64 size = 0, start = 0;

		for (i = 0; i < nr; i++)
			size += runs[i].len;
		map = create_map(test, runs, nr, size);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, map);
		KUNIT_EXPECT_EQ(test, map->nr_ranges, nr);
		for (i = 0; i < nr; i++) {
			const struct run *run = &runs[i];

			expect_addr(test, map, start, run->addr, run->len);
			expect_addr(test, map, start + 1, run->addr + 1,
				    run->len - 1);
			expect_addr(test, map, start + run->len - 1,
				    run->addr + run->len - 1, 1);
			start += run->len;
		}
	}
}

static void map_unaligned(struct kunit *test)
{
	static const struct run addr[] = { { 0x10000, SZ_4K },
					   { 0x20200, SZ_4K } };
	static const struct run len[] = { { 0x10000, SZ_4K - 512 },
					  { 0x20000, SZ_4K } };
	struct dma_buf_io_map *map;

	map = create_map(test, addr, ARRAY_SIZE(addr), SZ_8K);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map), -EINVAL);
	map = create_map(test, len, ARRAY_SIZE(len), SZ_4K);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map), -EINVAL);
}

static void map_too_short(struct kunit *test)
{
	static const struct run runs[] = { { 0x10000, SZ_4K },
					   { 0x20000, SZ_4K } };
	struct dma_buf_io_map *map;

	map = create_map(test, runs, ARRAY_SIZE(runs), SZ_8K + SZ_4K);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map), -EINVAL);
	map = create_map(test, runs, ARRAY_SIZE(runs), SZ_8K + 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map), -EINVAL);
}

/* what is behind the end of the buffer is not looked at */
static void map_too_long(struct kunit *test)
{
	static const struct run runs[] = {
		{ 0x10000, SZ_4K }, { 0x20000, SZ_8K }, { 0x30123, 77 },
	};
	struct dma_buf_io_map *map = create_map(test, runs, ARRAY_SIZE(runs),
						SZ_8K);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, map);
	KUNIT_EXPECT_EQ(test, map->nr_ranges, 2);
	/* but the device may go on to the end of the run */
	expect_addr(test, map, SZ_8K - 1, 0x20fff, SZ_4K + 1);
}

static void map_large_offsets(struct kunit *test)
{
	static const struct run runs[] = {
		{ 0x100000000, SZ_2G }, { 0x180000000, SZ_2G },
		{ 0x200000000, SZ_2G }, { 0x900000000, SZ_2G },
		{ 0x700000000, SZ_4K },
	};
	const u64 size = 4ULL * SZ_2G + SZ_4K;
	struct dma_buf_io_map *map = create_map(test, runs, ARRAY_SIZE(runs),
						size);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, map);
	KUNIT_EXPECT_EQ(test, map->nr_ranges, 3);
	expect_addr(test, map, 0, 0x100000000, 3ULL * SZ_2G);
	expect_addr(test, map, SZ_4G - 1, 0x1ffffffff, SZ_2G + 1);
	expect_addr(test, map, SZ_4G, 0x200000000, SZ_2G);
	expect_addr(test, map, SZ_4G + SZ_2G - 1, 0x27fffffff, 1);
	expect_addr(test, map, SZ_4G + SZ_2G, 0x900000000, SZ_2G);
	expect_addr(test, map, size - 1, 0x700000fff, 1);
}

/* where the exporter has not agreed to it, memory of another device is out of reach */
static void map_no_route(struct kunit *test)
{
	/* above all memory that there can be */
	static const struct run runs[] = { { 1ULL << 51, SZ_64K } };
	struct map_fixture *f = test->priv;
	struct dma_buf_io_map *map;

	KUNIT_ASSERT_FALSE(test, pfn_valid(PHYS_PFN(runs[0].addr)));
	map = create_map(test, runs, ARRAY_SIZE(runs), SZ_64K);
	KUNIT_EXPECT_FALSE(test, IS_ERR(map));
	f->attach.peer2peer = false;
	map = create_map(test, runs, ARRAY_SIZE(runs), SZ_64K);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map), -EOPNOTSUPP);
	KUNIT_EXPECT_NOT_NULL(test, f->binding.why);
}

/* and memory of the system is not */
static void map_no_route_needed(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct map_fixture *f = test->priv;
	struct dma_buf_io_map *map;
	struct run run;

	KUNIT_ASSERT_NOT_NULL(test, page);
	run.addr = page_to_phys(page);
	run.len = PAGE_SIZE;
	f->attach.peer2peer = false;
	map = create_map(test, &run, 1, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, IS_ERR(map));
	__free_page(page);
}

#define BOUNCED		0x40000

#if defined(CONFIG_SWIOTLB) && !defined(CONFIG_SWIOTLB_DYNAMIC)
static void fake_bounce(struct kunit *test)
{
	struct io_tlb_mem *mem = kunit_kzalloc(test, sizeof(*mem), GFP_KERNEL);
	struct map_fixture *f = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, mem);
	mem->defpool.start = BOUNCED;
	mem->defpool.end = BOUNCED + SZ_64K;
	f->binding.dev->dma_io_tlb_mem = mem;
}

static void no_bounce(struct kunit *test)
{
	struct map_fixture *f = test->priv;

	f->binding.dev->dma_io_tlb_mem = NULL;
}
#else
static void fake_bounce(struct kunit *test)
{
	kunit_skip(test, "bounce buffers cannot be faked here");
}

static void no_bounce(struct kunit *test)
{
}
#endif

/* what is copied behind the exporter's back is refused, and says why */
static void map_bounced(struct kunit *test)
{
	static const struct run runs[] = {
		{ 0x10000, SZ_4K }, { BOUNCED, SZ_4K }, { BOUNCED + SZ_4K, SZ_4K },
	};
	struct map_fixture *f = test->priv;
	struct dma_buf_io_map *map;

	fake_bounce(test);
	map = create_map(test, runs, ARRAY_SIZE(runs), 3 * SZ_4K);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map), -EOPNOTSUPP);
	KUNIT_EXPECT_NOT_NULL(test, f->binding.why);

	/* the same table without */
	no_bounce(test);
	f->binding.why = NULL;
	map = create_map(test, runs, ARRAY_SIZE(runs), 3 * SZ_4K);
	KUNIT_ASSERT_FALSE(test, IS_ERR(map));
	KUNIT_EXPECT_EQ(test, map->nr_ranges, 2);
}

/* what others call stale has nothing to do with data buffers */
static void status_of_errno(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, blk_status_to_errno(BLK_STS_BUFFER), -ESTALE);
	KUNIT_EXPECT_EQ(test, (__force int)errno_to_blk_status(-ESTALE),
			(__force int)BLK_STS_IOERR);
}

static struct kunit_case dma_buf_io_map_cases[] = {
	KUNIT_CASE(map_single),
	KUNIT_CASE(map_coalesces),
	KUNIT_CASE(map_address_zero),
	KUNIT_CASE(map_scattered),
	KUNIT_CASE(map_unaligned),
	KUNIT_CASE(map_too_short),
	KUNIT_CASE(map_too_long),
	KUNIT_CASE(map_large_offsets),
	KUNIT_CASE(map_no_route),
	KUNIT_CASE(map_no_route_needed),
	KUNIT_CASE(map_bounced),
	KUNIT_CASE(status_of_errno),
	{}
};

static struct kunit_suite dma_buf_io_map_suite = {
	.name		= "dma-buf-io-map",
	.init		= map_init,
	.test_cases	= dma_buf_io_map_cases,
};

kunit_test_suite(dma_buf_io_map_suite);
