// SPDX-License-Identifier: GPL-2.0
/*
 * An exporter of dma-bufs that are moved, revoked and held when a test asks for
 * it, and that notices importers who do not let go.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "buffer.h"

void dmabuf_test_free_pages(struct page **pages, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		if (pages[i])
			__free_page(pages[i]);
	kvfree(pages);
}

static bool dmabuf_test_alloc_run(struct page **pages, unsigned long nr)
{
	void *addr = alloc_pages_exact(nr << PAGE_SHIFT,
				       GFP_KERNEL | __GFP_ZERO);
	unsigned long i;

	if (!addr)
		return false;
	for (i = 0; i < nr; i++)
		pages[i] = virt_to_page(addr + (i << PAGE_SHIFT));
	return true;
}

/*
 * Pages that follow each other in an allocation are often neighbours in memory:
 * fill the array from both ends, so that they are not in the buffer.
 */
static bool dmabuf_test_alloc_scattered(struct page **pages, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

		if (!page)
			return false;
		pages[i & 1 ? nr - 1 - i / 2 : i / 2] = page;
	}
	return true;
}

struct page **dmabuf_test_alloc_pages(unsigned long nr, u32 flags)
{
	const unsigned long max = MAX_ORDER_NR_PAGES;
	struct page **pages = kvzalloc_objs(*pages, nr);
	unsigned long i;
	bool ok = true;

	if (!pages)
		return NULL;
	if (flags & DMABUF_TEST_CONTIGUOUS)
		for (i = 0; ok && i < nr; i += max)
			ok = dmabuf_test_alloc_run(pages + i, min(max, nr - i));
	else
		ok = dmabuf_test_alloc_scattered(pages, nr);
	if (ok)
		return pages;
	dmabuf_test_free_pages(pages, nr);
	return NULL;
}

/* dma_buf_ops */

/* what the @call of @dev, if it is one's, is to return */
static int dmabuf_test_fails(struct dma_buf *dmabuf, u32 call,
			     struct device *dev)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;
	struct dmabuf_test_failure *fail = &buf->fail[ilog2(call)];

	guard(spinlock)(&buf->fail_lock);
	if (!fail->nr)
		return 0;
	if (*fail->device && (!dev || strcmp(fail->device, dev_name(dev))))
		return 0;
	if (fail->nr != DMABUF_TEST_FOR_EVER)
		fail->nr--;
	return fail->error;
}

static bool dmabuf_test_reaches(struct dmabuf_test_buf *buf,
				struct device *dev)
{
	unsigned int i;

	for (i = 0; i < buf->nr_reach; i++)
		if (!strcmp(buf->reach[i], dev_name(dev)))
			return true;
	return false;
}

static int dmabuf_test_attach(struct dma_buf *dmabuf,
			      struct dma_buf_attachment *attach)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;

	/* places are given before anybody attaches */
	if (buf->nr_reach && !dmabuf_test_reaches(buf, attach->dev))
		attach->peer2peer = false;
	return dmabuf_test_fails(dmabuf, DMABUF_TEST_CALL_ATTACH, attach->dev);
}

/* The buffer changes places to where @attach can reach it, or wants it to be. */
static int dmabuf_test_go_to(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	struct dmabuf_test_buf *buf = dmabuf->priv;
	unsigned int place;
	struct page **pages;
	u64 wait;
	int ret;

	if (!buf->nr_reach)
		return 0;
	place = attach->peer2peer && dmabuf_test_reaches(buf, attach->dev);
	if (place == buf->place)
		return 0;
	/* the CPU has it pinned */
	if (dmabuf->vmapping_counter)
		return -EBUSY;
	pages = dmabuf_test_alloc_pages(buf->nr_pages, buf->flags);
	if (!pages)
		return -ENOMEM;
	ret = dmabuf_test_invalidate(dmabuf, &wait);
	if (!ret) {
		dmabuf_test_copy(dmabuf, &pages);
		buf->place = place;
		buf->places++;
	}
	dmabuf_test_free_pages(pages, buf->nr_pages);
	return ret;
}

/* a table of what the device sees of @sgt, or NULL */
static struct sg_table *dmabuf_test_without_pages(struct sg_table *sgt)
{
	struct scatterlist *from, *to;
	struct sg_table *bare;
	unsigned int i;

	bare = kzalloc_obj(*bare);
	if (!bare)
		return NULL;
	if (sg_alloc_table(bare, sgt->nents, GFP_KERNEL)) {
		kfree(bare);
		return NULL;
	}
	to = bare->sgl;
	for_each_sgtable_dma_sg(sgt, from, i) {
		sg_dma_address(to) = sg_dma_address(from);
		sg_dma_len(to) = sg_dma_len(from);
		to = sg_next(to);
	}
	return bare;
}

static struct sg_table *dmabuf_test_map(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	struct dmabuf_test_buf *buf = attach->dmabuf->priv;
	struct sg_table *sgt, *bare;
	u64 wait;
	int ret;

	if (buf->delay_maps) {
		buf->delay_maps--;
		msleep(buf->delay_ms);
	}
	if (buf->revoked)
		return ERR_PTR(-ENODEV);
	ret = dmabuf_test_fails(attach->dmabuf, DMABUF_TEST_CALL_MAP,
				attach->dev);
	if (ret)
		return ERR_PTR(ret);
	/* as with exporters that keep the table in the attachment */
	if (WARN_ON_ONCE(attach->priv))
		return ERR_PTR(-EBUSY);
	if (buf->invalidate_maps) {
		buf->invalidate_maps--;
		ret = dmabuf_test_invalidate(attach->dmabuf, &wait);
		if (ret)
			return ERR_PTR(ret);
	}
	ret = dmabuf_test_go_to(attach);
	if (ret)
		return ERR_PTR(ret);

	sgt = kzalloc_obj(*sgt);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	ret = sg_alloc_table_from_pages_segment(sgt, buf->pages, buf->nr_pages,
						0, attach->dmabuf->size,
						dma_get_max_seg_size(attach->dev),
						GFP_KERNEL);
	if (ret)
		goto free;
	ret = dma_map_sgtable(attach->dev, sgt, dir, 0);
	if (ret)
		goto free_table;
	bare = sgt;
	if (buf->flags & DMABUF_TEST_PAGELESS)
		bare = dmabuf_test_without_pages(sgt);
	if (!bare) {
		ret = -ENOMEM;
		goto unmap;
	}
	attach->priv = sgt;
	buf->maps++;
	return bare;

unmap:
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
free_table:
	sg_free_table(sgt);
free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void dmabuf_test_unmap(struct dma_buf_attachment *attach,
			      struct sg_table *bare,
			      enum dma_data_direction dir)
{
	struct sg_table *sgt = attach->priv;

	if (bare != sgt) {
		sg_free_table(bare);
		kfree(bare);
	}
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
	attach->priv = NULL;
}

static void dmabuf_test_release(struct dma_buf *dmabuf)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;

	dmabuf_test_free_pages(buf->pages, buf->nr_pages);
	kfree(buf);
}

/* Whoever copies outside of the brackets meets a fault. */
static int dmabuf_test_show(struct dmabuf_test_buf *buf)
{
	unsigned long start;

	if (!buf->area || !buf->accesses)
		return 0;
	start = (unsigned long)buf->area->addr;
	return vm_area_map_pages(buf->area, start,
				 start + buf->nr_pages * PAGE_SIZE, buf->pages);
}

static void dmabuf_test_hide(struct dmabuf_test_buf *buf)
{
	unsigned long start;

	if (!buf->area)
		return;
	start = (unsigned long)buf->area->addr;
	vm_area_unmap_pages(buf->area, start,
			    start + buf->nr_pages * PAGE_SIZE);
}

static int dmabuf_test_begin_cpu_access(struct dma_buf *dmabuf,
					enum dma_data_direction dir)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;
	struct dma_buf_attachment *attach;
	int ret;

	ret = dmabuf_test_fails(dmabuf, DMABUF_TEST_CALL_BEGIN, NULL);
	if (ret)
		return ret;
	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	if (!buf->accesses++)
		ret = dmabuf_test_show(buf);
	if (ret) {
		buf->accesses--;
		goto unlock;
	}
	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (attach->priv)
			dma_sync_sgtable_for_cpu(attach->dev, attach->priv,
						 dir);
unlock:
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static int dmabuf_test_end_cpu_access(struct dma_buf *dmabuf,
				      enum dma_data_direction dir)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;
	struct dma_buf_attachment *attach;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	/* user space need not be so careful */
	if (buf->accesses && !--buf->accesses)
		dmabuf_test_hide(buf);
	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (attach->priv)
			dma_sync_sgtable_for_device(attach->dev, attach->priv,
						    dir);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}

static vm_fault_t dmabuf_test_fault(struct vm_fault *vmf)
{
	struct dma_buf *dmabuf = vmf->vma->vm_private_data;
	struct dmabuf_test_buf *buf = dmabuf->priv;
	vm_fault_t ret;

	/* a signal: handle it and fault again */
	if (dma_resv_lock_interruptible(dmabuf->resv, NULL))
		return VM_FAULT_NOPAGE;
	/* dma_buf_mmap() has checked the range */
	ret = vmf_insert_pfn(vmf->vma, vmf->address,
			     page_to_pfn(buf->pages[vmf->pgoff]));
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static const struct vm_operations_struct dmabuf_test_vm_ops = {
	.fault	= dmabuf_test_fault,
};

static int dmabuf_test_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vma->vm_ops = &dmabuf_test_vm_ops;
	vma->vm_private_data = dmabuf;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

static int dmabuf_test_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;
	int ret;

	ret = dmabuf_test_fails(dmabuf, DMABUF_TEST_CALL_VMAP, NULL);
	if (ret)
		return ret;
	buf->area = get_vm_area(buf->nr_pages * PAGE_SIZE, VM_SPARSE);
	if (!buf->area)
		return -ENOMEM;
	ret = dmabuf_test_show(buf);
	if (ret) {
		free_vm_area(buf->area);
		buf->area = NULL;
		return ret;
	}
	if (buf->flags & DMABUF_TEST_PAGELESS)
		iosys_map_set_vaddr_iomem(map, (void __iomem *)buf->area->addr);
	else
		iosys_map_set_vaddr(map, buf->area->addr);
	return 0;
}

static void dmabuf_test_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dmabuf_test_buf *buf = dmabuf->priv;

	dmabuf_test_hide(buf);
	free_vm_area(buf->area);
	buf->area = NULL;
}

static const struct dma_buf_ops dmabuf_test_ops = {
	.attach			= dmabuf_test_attach,
	.map_dma_buf		= dmabuf_test_map,
	.unmap_dma_buf		= dmabuf_test_unmap,
	.release		= dmabuf_test_release,
	.begin_cpu_access	= dmabuf_test_begin_cpu_access,
	.end_cpu_access		= dmabuf_test_end_cpu_access,
	.mmap			= dmabuf_test_mmap,
	.vmap			= dmabuf_test_vmap,
	.vunmap			= dmabuf_test_vunmap,
};

static const struct dma_buf_ops dmabuf_test_no_vmap_ops = {
	.attach			= dmabuf_test_attach,
	.map_dma_buf		= dmabuf_test_map,
	.unmap_dma_buf		= dmabuf_test_unmap,
	.release		= dmabuf_test_release,
	.begin_cpu_access	= dmabuf_test_begin_cpu_access,
	.end_cpu_access		= dmabuf_test_end_cpu_access,
	.mmap			= dmabuf_test_mmap,
};

struct dma_buf *dmabuf_test_export(struct dmabuf_test_create *create)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dmabuf_test_buf *buf;
	struct dma_buf *dmabuf;

	buf = kzalloc_obj(*buf);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	buf->nr_pages = create->size >> PAGE_SHIFT;
	buf->flags = create->flags;
	spin_lock_init(&buf->fail_lock);
	buf->pages = dmabuf_test_alloc_pages(buf->nr_pages, buf->flags);
	if (!buf->pages) {
		kfree(buf);
		return ERR_PTR(-ENOMEM);
	}

	info.ops = buf->flags & DMABUF_TEST_NO_VMAP ? &dmabuf_test_no_vmap_ops :
						      &dmabuf_test_ops;
	info.size = create->size;
	info.flags = create->fd_flags & O_ACCMODE;
	info.priv = buf;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		dmabuf_test_free_pages(buf->pages, buf->nr_pages);
		kfree(buf);
	}
	return dmabuf;
}

/* a dma-buf of ours */
struct dma_buf *dmabuf_test_get(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (IS_ERR(dmabuf) || dmabuf->ops == &dmabuf_test_ops ||
	    dmabuf->ops == &dmabuf_test_no_vmap_ops)
		return dmabuf;
	dma_buf_put(dmabuf);
	return ERR_PTR(-EINVAL);
}
