// SPDX-License-Identifier: GPL-2.0
/*
 * The layout of a mapping: where in a device's address space a byte of the
 * dma-buf is.
 */
#include <linux/dma-buf-io.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>

#include "internal.h"

/*
 * Write the runs of contiguous addresses that cover @size bytes to @ranges, if
 * there is a @ranges, and return how many they are.
 */
static int dma_buf_io_map_fill(struct dma_buf_io_range *ranges,
			       struct sg_table *sgt, u64 size,
			       unsigned long align_mask)
{
	struct scatterlist *sg;
	dma_addr_t next = 0;
	u64 offset = 0;
	int i, nr = 0;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (!sg_dma_len(sg))
			continue;
		if ((sg_dma_address(sg) | sg_dma_len(sg)) & align_mask)
			return -EINVAL;
		if (!nr || sg_dma_address(sg) != next) {
			if (ranges)
				ranges[nr] = (struct dma_buf_io_range) {
					.offset	= offset,
					.addr	= sg_dma_address(sg),
				};
			nr++;
		}
		next = sg_dma_address(sg) + sg_dma_len(sg);
		offset += sg_dma_len(sg);
		if (offset >= size)
			break;
	}
	/* a table that leaves a part of the buffer out is an exporter's bug */
	if (offset < size)
		return -EINVAL;
	if (ranges)
		ranges[nr].offset = offset;
	return nr;
}

/*
 * Lay out @sgt, which maps at least @size bytes for @leaf.  The map does not own
 * @sgt.  Returns an ERR_PTR() if the hardware cannot address the buffer this
 * way, or for lack of memory.
 */
struct dma_buf_io_map *dma_buf_io_map_create(struct dma_buf_io_leaf *leaf,
					     struct sg_table *sgt, u64 size)
{
	struct dma_buf_io_map *map;
	void *layout = NULL;
	int nr;

	nr = dma_buf_io_map_fill(NULL, sgt, size, leaf->align_mask);
	if (nr < 0)
		return ERR_PTR(nr);
	if (leaf->ops->create_layout)
		layout = leaf->ops->create_layout(leaf, sgt, size, nr);
	if (IS_ERR(layout))
		return ERR_CAST(layout);
	if (layout)
		nr = 0;

	map = kvmalloc_flex(*map, ranges, nr + 1, GFP_KERNEL_ACCOUNT);
	if (!map) {
		if (layout)
			leaf->ops->destroy_layout(leaf, layout);
		return ERR_PTR(-ENOMEM);
	}
	map->sgt = sgt;
	map->layout = layout;
	map->nr_ranges = nr;
	if (nr)
		dma_buf_io_map_fill(map->ranges, sgt, size, leaf->align_mask);
	return map;
}

void dma_buf_io_map_free(struct dma_buf_io_leaf *leaf,
			 struct dma_buf_io_map *map)
{
	if (map->layout)
		leaf->ops->destroy_layout(leaf, map->layout);
	kvfree(map);
}

/**
 * dma_buf_io_map_addr - where the device finds a byte of the dma-buf
 * @map: mapping of the dma-buf for the device, without a layout of the driver
 * @offset: the byte, less than the size of the dma-buf
 * @len: set to the number of bytes from there on that are contiguous
 *
 * Context: any, while the caller holds the binding, see dma_buf_io_get().
 * Return: the DMA address of the byte.
 */
dma_addr_t dma_buf_io_map_addr(const struct dma_buf_io_map *map, u64 offset,
			       u64 *len)
{
	const struct dma_buf_io_range *range = map->ranges;
	unsigned int nr = map->nr_ranges;

	/* find the last range that does not start behind the byte */
	while (nr > 1) {
		if (range[nr / 2].offset <= offset) {
			range += nr / 2;
			nr -= nr / 2;
		} else {
			nr /= 2;
		}
	}
	*len = range[1].offset - offset;
	return range->addr + (offset - range->offset);
}
EXPORT_SYMBOL_GPL(dma_buf_io_map_addr);
