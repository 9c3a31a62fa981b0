// SPDX-License-Identifier: GPL-2.0
/*
 * Requests whose data is in a registered dma-buf.
 *
 * The data is mapped already when a request arrives.  The driver looks the mapping
 * up, holds it until the command completes, and describes the data to the
 * hardware: with PRPs (NVM Express Base Specification 2.1, 4.3.1), which can
 * describe any of it, or with an SGL (4.3.2) where that is shorter.  PRP lists of
 * a scattered mapping are written when the mapping is made.
 */
#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/blk-mq-dma.h>
#include <linux/blkdev.h>
#include <linux/dma-buf-io.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/err.h>
#include <linux/math64.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "pci-dmabuf.h"

/*
 * An exporter that invalidates a mapping waits for the commands that use it, with
 * its reservation lock held and without a way to be interrupted.  Bound that wait
 * where an administrator has set a longer timeout, or practically none: a command
 * with a dma-buf is aborted after this time, and the controller is reset after the
 * same time again.
 */
#define NVME_DMABUF_MAX_TIMEOUT	(60 * HZ)

/*
 * The pages of a mapping, in order, as PRP lists that commands can point into at
 * any entry.  The last entry of each list points to the next list.
 */
struct nvme_dmabuf_prps {
	unsigned int nr_lists;
	struct {
		__le64 *entries;
		dma_addr_t dma;
	} lists[] __counted_by(nr_lists);
};

#define NVME_DMABUF_LIST_PAGES	(NVME_CTRL_PAGE_SIZE / sizeof(__le64) - 1)

static void nvme_dmabuf_destroy_prps(struct dma_buf_io_leaf *leaf, void *layout)
{
	struct nvme_dmabuf_prps *prps = layout;
	unsigned int i;

	for (i = 0; i < prps->nr_lists && prps->lists[i].entries; i++)
		dma_free_coherent(leaf->dev, NVME_CTRL_PAGE_SIZE,
				  prps->lists[i].entries, prps->lists[i].dma);
	kvfree(prps);
}

static void *nvme_dmabuf_create_prps(struct dma_buf_io_leaf *leaf,
				     struct sg_table *sgt, u64 size,
				     unsigned int nr_ranges)
{
	struct nvme_dev *dev = container_of(leaf, struct nvme_dev, dmabuf_leaf);
	u64 pages = DIV_ROUND_UP_ULL(size, NVME_CTRL_PAGE_SIZE);
	unsigned int threshold = READ_ONCE(nvme_sgl_threshold);
	unsigned int nr_lists = DIV_ROUND_UP_ULL(pages, NVME_DMABUF_LIST_PAGES);
	unsigned int i, j, done, slot = 0;
	struct nvme_dmabuf_prps *prps;
	struct scatterlist *sg;

	/* an SGL is shorter for long runs, and finds them without PRP lists */
	if (threshold && nvme_ctrl_sgl_supported(&dev->ctrl) &&
	    div_u64(size, nr_ranges) >= threshold)
		return NULL;

	prps = kvzalloc_flex(*prps, lists, nr_lists, GFP_KERNEL_ACCOUNT);
	if (!prps)
		return ERR_PTR(-ENOMEM);
	prps->nr_lists = nr_lists;
	for (i = 0; i < nr_lists; i++) {
		prps->lists[i].entries =
			dma_alloc_coherent(leaf->dev, NVME_CTRL_PAGE_SIZE,
					   &prps->lists[i].dma,
					   GFP_KERNEL_ACCOUNT);
		if (!prps->lists[i].entries) {
			nvme_dmabuf_destroy_prps(leaf, prps);
			return ERR_PTR(-ENOMEM);
		}
	}

	i = 0;
	for_each_sgtable_dma_sg(sgt, sg, j) {
		for (done = 0; done < sg_dma_len(sg);
		     done += NVME_CTRL_PAGE_SIZE) {
			if (slot == NVME_DMABUF_LIST_PAGES) {
				/* the scatterlist may be longer than the dma-buf */
				if (++i == nr_lists)
					return prps;
				prps->lists[i - 1].entries[slot] =
					cpu_to_le64(prps->lists[i].dma);
				slot = 0;
			}
			prps->lists[i].entries[slot++] =
				cpu_to_le64(sg_dma_address(sg) + done);
		}
	}
	return prps;
}

/*
 * Returns the DMA address of a byte of the dma-buf, and in @len the number of
 * bytes from there on that are contiguous.
 */
static dma_addr_t nvme_dmabuf_addr(const struct dma_buf_io_map *map, u64 offset,
				   u64 *len)
{
	const struct nvme_dmabuf_prps *prps = map->layout;
	unsigned int in_page = offset & (NVME_CTRL_PAGE_SIZE - 1);
	u32 list, slot;

	if (!prps)
		return dma_buf_io_map_addr(map, offset, len);
	*len = NVME_CTRL_PAGE_SIZE - in_page;
	list = div_u64_rem(offset / NVME_CTRL_PAGE_SIZE, NVME_DMABUF_LIST_PAGES,
			   &slot);
	return le64_to_cpu(prps->lists[list].entries[slot]) + in_page;
}

/**
 * nvme_dmabuf_iter_next - find the next run of contiguous DMA addresses
 * @req: request that holds the mapping of a dma-buf
 * @iter: iterator that nvme_dmabuf_iter_start() has begun
 *
 * A run continues in the next bio if that bio's data follows in the dma-buf: bios
 * may meet inside a page, where a PRP entry cannot end.
 *
 * Return: false if there is no more data.
 */
bool nvme_dmabuf_iter_next(struct request *req, struct blk_dma_iter *iter)
{
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);
	struct bvec_iter *bi = &iter->iter.iter;
	struct bio *next;
	u64 len;

	if (!bi->bi_size) {
		iter->iter.bio = iter->iter.bio->bi_next;
		if (!iter->iter.bio)
			return false;
		*bi = iter->iter.bio->bi_iter;
	}
	iter->addr = nvme_dmabuf_addr(iod->dmabuf, bi->bi_dmabuf_offset, &len);
	iter->len = 0;
	for (;;) {
		unsigned int part = min_t(u64, len - iter->len, bi->bi_size);

		iter->len += part;
		dmabuf_iter_advance(bi, part);
		next = iter->iter.bio->bi_next;
		if (iter->len == len || bi->bi_size || !next ||
		    next->bi_iter.bi_dmabuf_offset != bi->bi_dmabuf_offset)
			return true;
		iter->iter.bio = next;
		*bi = next->bi_iter;
	}
}

static void nvme_dmabuf_iter_start(struct request *req,
				   struct blk_dma_iter *iter)
{
	*iter = (struct blk_dma_iter) {
		.iter.bio	= req->bio,
		.iter.iter	= req->bio->bi_iter,
	};
	nvme_dmabuf_iter_next(req, iter);
}

/* Count the runs that are left.  Returns @max + 1 if there are more than @max. */
static unsigned int nvme_dmabuf_count(struct request *req,
				      struct blk_dma_iter iter,
				      unsigned int max)
{
	unsigned int nr = 1;

	while (nr <= max && nvme_dmabuf_iter_next(req, &iter))
		nr++;
	return nr;
}

static blk_status_t nvme_dmabuf_setup_sgl(struct request *req,
					  struct blk_dma_iter *iter,
					  unsigned int entries)
{
	struct nvme_queue *nvmeq = req->mq_hctx->driver_data;
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);
	struct nvme_sgl_desc *sg_list;
	unsigned int i = 0;
	dma_addr_t sgl_dma;

	iod->cmd.common.flags = NVME_CMD_SGL_METABUF;
	if (entries == 1) {
		nvme_pci_sgl_set_data(&iod->cmd.common.dptr.sgl, iter);
		return BLK_STS_OK;
	}

	if (entries <= NVME_SMALL_POOL_SIZE / sizeof(*sg_list))
		iod->flags |= IOD_SMALL_DESCRIPTOR;
	sg_list = dma_pool_alloc(nvme_dma_pool(nvmeq, iod), GFP_ATOMIC,
				 &sgl_dma);
	if (!sg_list) {
		nvme_dmabuf_unmap_data(req);
		return BLK_STS_RESOURCE;
	}
	iod->descriptors[iod->nr_descriptors++] = sg_list;
	do {
		nvme_pci_sgl_set_data(&sg_list[i++], iter);
	} while (nvme_dmabuf_iter_next(req, iter));
	nvme_pci_sgl_set_seg(&iod->cmd.common.dptr.sgl, sgl_dma, entries);
	return BLK_STS_OK;
}

/* Is the data of all bios of @req one piece of the dma-buf? */
static bool nvme_dmabuf_is_one_piece(struct request *req)
{
	struct bio *bio = req->bio;
	u64 next;

	for (;;) {
		next = bio->bi_iter.bi_dmabuf_offset + bio->bi_iter.bi_size;
		bio = bio->bi_next;
		if (!bio)
			return true;
		if (bio->bi_iter.bi_dmabuf_offset != next)
			return false;
	}
}

/* Describe contiguous data.  Returns false if that would take a PRP list. */
static bool nvme_dmabuf_setup_run(struct request *req, dma_addr_t addr,
				  unsigned int len)
{
	struct nvme_queue *nvmeq = req->mq_hctx->driver_data;
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);
	union nvme_data_ptr *dptr = &iod->cmd.common.dptr;
	unsigned int in_page = addr & (NVME_CTRL_PAGE_SIZE - 1);

	if (in_page + len <= 2 * NVME_CTRL_PAGE_SIZE) {
		dptr->prp1 = cpu_to_le64(addr);
		if (in_page + len > NVME_CTRL_PAGE_SIZE)
			dptr->prp2 = cpu_to_le64(addr - in_page +
						 NVME_CTRL_PAGE_SIZE);
		else
			dptr->prp2 = 0;
		return true;
	}
	if (!READ_ONCE(nvme_sgl_threshold) ||
	    !nvme_ctrl_sgl_supported(&nvmeq->dev->ctrl))
		return false;
	iod->cmd.common.flags = NVME_CMD_SGL_METABUF;
	dptr->sgl.addr = cpu_to_le64(addr);
	dptr->sgl.length = cpu_to_le32(len);
	dptr->sgl.type = NVME_SGL_FMT_DATA_DESC << 4;
	return true;
}

/*
 * Describe one piece of the dma-buf with the PRP lists of its mapping.  Returns
 * false where they cannot be used: if the last page of the command is the first
 * entry of a list, the entry before it is a pointer to that list, but the hardware
 * takes the last entry of a list for a pointer only if more than one page is left.
 */
static bool nvme_dmabuf_setup_prps(struct request *req,
				   const struct nvme_dmabuf_prps *prps,
				   u64 offset, unsigned int len)
{
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);
	union nvme_data_ptr *dptr = &iod->cmd.common.dptr;
	unsigned int in_page = offset & (NVME_CTRL_PAGE_SIZE - 1);
	unsigned int pages = DIV_ROUND_UP(in_page + len, NVME_CTRL_PAGE_SIZE);
	u32 list, slot, last_list, last_slot;
	u64 first = offset / NVME_CTRL_PAGE_SIZE;

	list = div_u64_rem(first, NVME_DMABUF_LIST_PAGES, &slot);
	dptr->prp1 = cpu_to_le64(le64_to_cpu(prps->lists[list].entries[slot]) +
				 in_page);
	dptr->prp2 = 0;
	if (pages == 1)
		return true;

	if (++slot == NVME_DMABUF_LIST_PAGES) {
		list++;
		slot = 0;
	}
	if (pages == 2) {
		dptr->prp2 = prps->lists[list].entries[slot];
		return true;
	}
	last_list = div_u64_rem(first + pages - 1, NVME_DMABUF_LIST_PAGES,
				&last_slot);
	if (last_list != list && last_slot == 0)
		return false;
	dptr->prp2 = cpu_to_le64(prps->lists[list].dma +
				 slot * sizeof(__le64));
	return true;
}

/* Describe the data.  The mapping has been dropped if this fails. */
static blk_status_t nvme_dmabuf_setup_data(struct request *req)
{
	struct nvme_queue *nvmeq = req->mq_hctx->driver_data;
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);
	const struct dma_buf_io_map *map = iod->dmabuf;
	u64 offset = req->bio->bi_iter.bi_dmabuf_offset, run;
	unsigned int len = blk_rq_payload_bytes(req), nr, max_sgl;
	/* an administrator may change it */
	unsigned int threshold = READ_ONCE(nvme_sgl_threshold);
	struct blk_dma_iter iter;
	dma_addr_t addr;

	if (nvme_dmabuf_is_one_piece(req)) {
		if (map->layout && nvme_dmabuf_setup_prps(req, map->layout,
							  offset, len))
			return BLK_STS_OK;
		addr = nvme_dmabuf_addr(map, offset, &run);
		if (len <= run && nvme_dmabuf_setup_run(req, addr, len))
			return BLK_STS_OK;
	}

	nvme_dmabuf_iter_start(req, &iter);

	if (threshold && len >= threshold &&
	    nvme_ctrl_sgl_supported(&nvmeq->dev->ctrl)) {
		max_sgl = min(len / threshold, NVME_CTRL_PAGE_SIZE /
			      sizeof(struct nvme_sgl_desc));
		nr = nvme_dmabuf_count(req, iter, max_sgl);
		if (nr <= max_sgl)
			return nvme_dmabuf_setup_sgl(req, &iter, nr);
	}
	return nvme_pci_setup_data_prp(req, &iter);
}

/**
 * nvme_dmabuf_map_data - describe the data of a request with dma-buf bios
 * @req: request that is about to be started
 *
 * Looks up the mapping of the dma-buf for this device and holds it until
 * nvme_dmabuf_unmap_data().  From here to the completion an exporter may wait for
 * the command, as for a fence, and lockdep checks that nothing that is done for the
 * command waits for memory or for a reservation lock.
 *
 * Context: that of &blk_mq_ops.queue_rq.
 * Return: BLK_STS_OK; BLK_STS_BUFFER if there is no mapping now, see
 * nvme_dmabuf_park(); or BLK_STS_RESOURCE.  Nothing is held after a failure.
 */
blk_status_t nvme_dmabuf_map_data(struct request *req)
{
	struct nvme_queue *nvmeq = req->mq_hctx->driver_data;
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);
	struct dma_buf_io_map *map;
	blk_status_t ret;
	bool cookie;

	map = dma_buf_io_get(req->bio->bi_dmabuf, &nvmeq->dev->dmabuf_leaf);
	if (!map)
		return BLK_STS_BUFFER;
	iod->dmabuf = map;
	iod->flags |= IOD_DMABUF;
	/* blk_mq_rq_ctx_init() resets it when the tag is used again */
	req->timeout = min(READ_ONCE(req->q->rq_timeout),
			   NVME_DMABUF_MAX_TIMEOUT);

	cookie = dma_fence_begin_signalling();
	ret = nvme_dmabuf_setup_data(req);
	dma_fence_end_signalling(cookie);
	return ret;
}

/**
 * nvme_dmabuf_unmap_data - drop the mapping that a request holds
 * @req: request for which nvme_rq_is_dmabuf() is true, with its bios
 *
 * Once the hardware has ended it, or has been stopped.
 *
 * Context: any.
 */
void nvme_dmabuf_unmap_data(struct request *req)
{
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);
	struct dma_buf_io_map *map = iod->dmabuf;

	iod->flags &= ~IOD_DMABUF;
	/* nvme_free_prps() frees dma_vecs even of a request that has none */
	iod->dma_vecs = NULL;
	dma_buf_io_put(map);
}

/**
 * nvme_dmabuf_park - put a request's bios aside that found no mapping
 * @req: request for which nvme_dmabuf_map_data() has returned BLK_STS_BUFFER
 *
 * Ends @req.  The caller rings the doorbell for the commands before it, if @req
 * was the last of a batch.
 *
 * Context: that of &blk_mq_ops.queue_rq.
 * Return: what &blk_mq_ops.queue_rq is to return.
 */
blk_status_t nvme_dmabuf_park(struct request *req)
{
	return blk_mq_dmabuf_park(req);
}

static bool nvme_dmabuf_reap(struct dma_buf_io_leaf *leaf)
{
	return nvme_reap_polled_queues(container_of(leaf, struct nvme_dev,
						    dmabuf_leaf));
}

static const struct dma_buf_io_leaf_ops nvme_dmabuf_leaf_ops = {
	.reap		= nvme_dmabuf_reap,
	.create_layout	= nvme_dmabuf_create_prps,
	.destroy_layout	= nvme_dmabuf_destroy_prps,
};

/**
 * nvme_pci_dmabuf_leaf - the device that does the DMA for a controller
 * @ctrl: the controller
 *
 * Return: what its namespaces share for I/O with dma-bufs.
 */
struct dma_buf_io_leaf *nvme_pci_dmabuf_leaf(struct nvme_ctrl *ctrl)
{
	return &to_nvme_dev(ctrl)->dmabuf_leaf;
}

/**
 * nvme_dmabuf_init - let a device do I/O with dma-bufs
 * @dev: the device, before it has namespaces
 */
void nvme_dmabuf_init(struct nvme_dev *dev)
{
	dev->ctrl.max_hw_dmabuf_sectors = NVME_MAX_BYTES >> SECTOR_SHIFT;
	dma_buf_io_leaf_init(&dev->dmabuf_leaf, dev->dev,
			     &nvme_dmabuf_leaf_ops, NVME_CTRL_PAGE_SIZE - 1);
}

/**
 * nvme_dmabuf_remove - detach all dma-bufs from a device
 * @dev: the device, which has been disabled: no command holds a mapping
 *
 * Context: process context.  Waits until every dma-buf is detached.
 */
void nvme_dmabuf_remove(struct nvme_dev *dev)
{
	dma_buf_io_leaf_remove(&dev->dmabuf_leaf);
}
