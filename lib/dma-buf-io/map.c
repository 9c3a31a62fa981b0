// SPDX-License-Identifier: GPL-2.0
/*
 * The layout of a mapping: where in a device's address space a byte of the
 * dma-buf is, and whether it may be there for more than one command.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-io.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>

#include "internal.h"

/**
 * struct dma_buf_io_memory - what kind of memory a mapping leads to
 * @bounced: some of it is a copy in a bounce buffer
 * @device: some of it is not memory of the system
 */
struct dma_buf_io_memory {
	bool	bounced;
	bool	device;
};

/*
 * Where @addr leads to.  The exporter's table must not be asked for that: it may have
 * no pages.
 */
static phys_addr_t dma_buf_io_phys(struct device *dev, dma_addr_t addr)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain ? iommu_iova_to_phys(domain, addr) :
			dma_to_phys(dev, addr);
}

static bool dma_buf_io_is_ram(phys_addr_t phys)
{
	unsigned long pfn = PHYS_PFN(phys);

	return pfn_valid(pfn) && !is_zone_device_page(pfn_to_page(pfn));
}

/*
 * The DMA layer maps each entry of a table as a whole, into bounce buffers or not, so
 * the first byte is as good as all.  Bus addresses lead to another device, and
 * to nothing that this host knows.
 */
static struct dma_buf_io_memory dma_buf_io_look(struct device *dev,
						struct sg_table *sgt)
{
	struct dma_buf_io_memory memory = { };
	struct scatterlist *sg;
	phys_addr_t phys;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (sg_dma_is_bus_address(sg))
			continue;
		phys = dma_buf_io_phys(dev, sg_dma_address(sg));
		memory.bounced |= !!swiotlb_find_pool(dev, phys);
		memory.device |= !dma_buf_io_is_ram(phys);
	}
	return memory;
}

/*
 * A mapping is made once and used by many commands, none of which is told to the DMA layer.
 * Refuses, and says why, what that is wrong for:
 *
 * - Devices that do not see the CPU's caches.
 * - Bounce buffers.  Even a sync for each command would not do: an exporter that is told
 *   of access by the CPU syncs its attachments as a whole, which would overwrite, in the
 *   copy, what the device has just written for a command that is still under way.
 * - Memory of a device to which the exporter has not agreed to peer-to-peer access.
 */
static int dma_buf_io_check_memory(struct dma_buf_io_binding *binding,
				   struct sg_table *sgt)
{
	bool p2p = binding->attach->peer2peer;
	struct dma_buf_io_memory memory = { };

	/* false as long as the device has never had a bounce buffer */
	if (dma_dev_need_sync(binding->dev) || !p2p)
		memory = dma_buf_io_look(binding->dev, sgt);

	if (!dev_is_dma_coherent(binding->dev))
		binding->why = "it does not see the caches of the CPU";
	else if (memory.bounced)
		binding->why = "the DMA layer would copy it to bounce buffers (swiotlb)";
	else if (memory.device && !p2p)
		binding->why = "it has no route to the memory of the other device";
	return binding->why ? -EOPNOTSUPP : 0;
}

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
 * What a mapping takes: the exporter's table, an entry of an IOMMU and an address of
 * ours for each run, and the binding.
 */
static unsigned long dma_buf_io_map_pages(struct sg_table *sgt)
{
	unsigned int entries = max(sgt->nents, sgt->orig_nents);

	return 1 + DIV_ROUND_UP(entries * (sizeof(struct scatterlist) +
					   sizeof(struct dma_buf_io_range)),
				PAGE_SIZE);
}

/*
 * Lay out @sgt, which maps the buffer for a device, as &dma_buf_io_binding.map.  The
 * map does not own @sgt.  The reservation lock is held.  Returns a negative errno if
 * the hardware cannot address the buffer this way, or for lack of memory.
 */
int dma_buf_io_map_create(struct dma_buf_io_binding *binding,
			  struct sg_table *sgt)
{
	struct dma_buf_io_buffer *buffer = binding->buffer;
	struct dma_buf_io_leaf *leaf = binding->leaf;
	u64 size = buffer->dmabuf->size;
	struct dma_buf_io_map *map;
	unsigned long pages;
	void *layout = NULL;
	int nr, ret;

	nr = dma_buf_io_check_memory(binding, sgt);
	if (nr < 0)
		return nr;
	nr = dma_buf_io_map_fill(NULL, sgt, size, leaf->align_mask);
	if (nr < 0)
		return nr;
	pages = dma_buf_io_map_pages(sgt);
	ret = dma_buf_io_charge(buffer, pages);
	if (ret) {
		binding->why = "RLIMIT_MEMLOCK is too small for what that takes";
		return ret;
	}
	if (leaf->ops->create_layout)
		layout = leaf->ops->create_layout(leaf, sgt, size, nr);
	ret = PTR_ERR_OR_ZERO(layout);
	if (ret)
		goto uncharge;
	if (layout)
		nr = 0;

	map = kvmalloc_flex(*map, ranges, nr + 1, GFP_KERNEL_ACCOUNT);
	ret = -ENOMEM;
	if (!map)
		goto destroy_layout;
	map->binding = binding;
	map->sgt = sgt;
	map->layout = layout;
	map->pages = pages;
	map->nr_ranges = nr;
	if (nr)
		dma_buf_io_map_fill(map->ranges, sgt, size, leaf->align_mask);
	binding->map = map;
	return 0;

destroy_layout:
	if (layout)
		leaf->ops->destroy_layout(leaf, layout);
uncharge:
	dma_buf_io_uncharge(buffer, pages);
	return ret;
}

/* The reservation lock is held. */
void dma_buf_io_map_free(struct dma_buf_io_binding *binding,
			 struct dma_buf_io_map *map)
{
	struct dma_buf_io_leaf *leaf = binding->leaf;

	if (map->layout)
		leaf->ops->destroy_layout(leaf, map->layout);
	dma_buf_io_uncharge(binding->buffer, map->pages);
	kvfree(map);
}

/**
 * dma_buf_io_map_addr - where the device finds a byte of the dma-buf
 * @map: mapping of the dma-buf for the device, without a layout of the driver
 * @offset: the byte, less than the size of the dma-buf
 * @len: set to the number of bytes from there on that are contiguous
 *
 * Context: any, while the caller holds the mapping, see dma_buf_io_get().
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
