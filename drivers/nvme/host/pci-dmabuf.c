// SPDX-License-Identifier: GPL-2.0
/*
 * Requests whose data is in a registered dma-buf.  Included by pci.c.
 *
 * Their data is mapped already.  All that is left to do for a command is to look
 * the mapping up and to describe it: as PRPs (NVM Express Base Specification
 * 2.1, 4.3.1), which can describe any of it, or as an SGL (4.3.2) where that is
 * shorter.  PRP lists of a scattered mapping are written when it is made.
 */
#ifdef CONFIG_DMA_BUF_IO
#include <linux/dma-fence.h>

static blk_status_t nvme_pci_setup_data_prp(struct request *req,
					    struct blk_dma_iter *iter);
static void nvme_pci_sgl_set_data(struct nvme_sgl_desc *sge,
				  struct blk_dma_iter *iter);
static void nvme_pci_sgl_set_seg(struct nvme_sgl_desc *sge,
				 dma_addr_t dma_addr, int entries);
static inline bool nvme_poll_cq(struct nvme_queue *nvmeq,
				struct io_comp_batch *iob);

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
	unsigned int threshold = READ_ONCE(sgl_threshold);
	unsigned int nr_lists = DIV_ROUND_UP_ULL(pages, NVME_DMABUF_LIST_PAGES);
	unsigned int i, j, done, slot = 0;
	struct nvme_dmabuf_prps *prps;
	struct scatterlist *sg;

	/* long runs take less as they are, in memory and in an SGL */
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
				/* the table may be longer than the buffer */
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
 * Where the device finds a byte of the dma-buf, and how many bytes from there on
 * are contiguous.
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

/* Find and hold the mapping.  Returns false if there is none. */
static bool nvme_dmabuf_get(struct request *req)
{
	struct nvme_queue *nvmeq = req->mq_hctx->driver_data;
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);

	iod->dmabuf = dma_buf_io_get(req->bio->bi_dmabuf,
				     &nvmeq->dev->dmabuf_leaf);
	if (!iod->dmabuf)
		return false;
	iod->flags |= IOD_DMABUF;
	return true;
}

static void nvme_dmabuf_put(struct request *req)
{
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);

	if (iod->flags & IOD_DMABUF) {
		iod->flags &= ~IOD_DMABUF;
		dma_buf_io_put(iod->dmabuf);
		/* the next command of the tag finds no table of ranges here */
		iod->dmabuf = NULL;
	}
}

/*
 * The next run of contiguous addresses.  It goes on into the next bio if that is
 * its neighbour in the dma-buf: bios may meet inside a page, where a PRP entry
 * cannot end.
 */
static bool nvme_dmabuf_iter_next(struct request *req,
				  struct blk_dma_iter *iter)
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
	iter->addr = nvme_dmabuf_addr(iod->dmabuf->map, bi->bi_dmabuf_offset,
				      &len);
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

/* The number of runs, or @max + 1 if there are more than @max. */
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
	if (!sg_list)
		return BLK_STS_RESOURCE;
	iod->descriptors[iod->nr_descriptors++] = sg_list;
	do {
		nvme_pci_sgl_set_data(&sg_list[i++], iter);
	} while (nvme_dmabuf_iter_next(req, iter));
	nvme_pci_sgl_set_seg(&iod->cmd.common.dptr.sgl, sgl_dma, entries);
	return BLK_STS_OK;
}

/* Is the data of all bios one piece of the dma-buf? */
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

/* Contiguous data.  False if that would take a PRP list. */
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
	if (!READ_ONCE(sgl_threshold) ||
	    !nvme_ctrl_sgl_supported(&nvmeq->dev->ctrl))
		return false;
	iod->cmd.common.flags = NVME_CMD_SGL_METABUF;
	dptr->sgl.addr = cpu_to_le64(addr);
	dptr->sgl.length = cpu_to_le32(len);
	dptr->sgl.type = NVME_SGL_FMT_DATA_DESC << 4;
	return true;
}

/*
 * One piece of the dma-buf by the lists of its mapping.  False where they cannot
 * be used: the entry before that of the command's last page is a pointer to the
 * next list, but for the hardware the last entry of a list is a pointer only
 * if there is more than one page to come.
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

static blk_status_t nvme_dmabuf_setup_data(struct request *req)
{
	struct nvme_queue *nvmeq = req->mq_hctx->driver_data;
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);
	const struct dma_buf_io_map *map = iod->dmabuf->map;
	u64 offset = req->bio->bi_iter.bi_dmabuf_offset, run;
	unsigned int len = blk_rq_payload_bytes(req), nr, max_sgl;
	/* an administrator may change it */
	unsigned int threshold = READ_ONCE(sgl_threshold);
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

/*
 * From nvme_dmabuf_get() to the completion an exporter may be waiting for this
 * command, as if for a fence: let lockdep check that nothing that is done for it
 * waits for memory or for a reservation lock.
 */
static blk_status_t nvme_dmabuf_map_data(struct request *req)
{
	blk_status_t ret;
	bool cookie;

	if (!nvme_dmabuf_get(req))
		return BLK_STS_BUFFER;

	cookie = dma_fence_begin_signalling();
	ret = nvme_dmabuf_setup_data(req);
	dma_fence_end_signalling(cookie);
	if (ret)
		nvme_dmabuf_put(req);
	return ret;
}

/*
 * There is no mapping: give the bios away.  Whatever this request was to ring
 * the doorbell for is rung for here.
 */
static blk_status_t nvme_dmabuf_park(struct blk_mq_hw_ctx *hctx,
				     const struct blk_mq_queue_data *bd)
{
	if (bd->last)
		nvme_commit_rqs(hctx);
	return blk_mq_dmabuf_park(bd->rq);
}

static void nvme_dmabuf_reap(struct dma_buf_io_leaf *leaf)
{
	struct nvme_dev *dev = container_of(leaf, struct nvme_dev, dmabuf_leaf);
	unsigned int i;

	for (i = 1; i < READ_ONCE(dev->online_queues); i++) {
		struct nvme_queue *nvmeq = &dev->queues[i];

		if (!test_bit(NVMEQ_POLLED, &nvmeq->flags))
			continue;
		/* a reset disables the queue, then takes the lock to reap it */
		spin_lock(&nvmeq->cq_poll_lock);
		if (test_bit(NVMEQ_ENABLED, &nvmeq->flags))
			nvme_poll_cq(nvmeq, NULL);
		spin_unlock(&nvmeq->cq_poll_lock);
	}
}

static const struct dma_buf_io_leaf_ops nvme_dmabuf_leaf_ops = {
	.reap		= nvme_dmabuf_reap,
	.create_layout	= nvme_dmabuf_create_prps,
	.destroy_layout	= nvme_dmabuf_destroy_prps,
};

static struct dma_buf_io_leaf *nvme_pci_dmabuf_leaf(struct nvme_ctrl *ctrl)
{
	return &to_nvme_dev(ctrl)->dmabuf_leaf;
}

static int nvme_dmabuf_init(struct nvme_dev *dev)
{
	dev->ctrl.max_hw_dmabuf_sectors = NVME_MAX_BYTES >> SECTOR_SHIFT;
	return dma_buf_io_leaf_init(&dev->dmabuf_leaf, dev->dev,
				    &nvme_dmabuf_leaf_ops,
				    NVME_CTRL_PAGE_SIZE - 1);
}

static void nvme_dmabuf_remove(struct nvme_dev *dev)
{
	dma_buf_io_leaf_remove(&dev->dmabuf_leaf);
}

static void nvme_dmabuf_exit(struct nvme_dev *dev)
{
	dma_buf_io_leaf_exit(&dev->dmabuf_leaf);
}

#else /* !CONFIG_DMA_BUF_IO */

static inline void nvme_dmabuf_put(struct request *req)
{
}

static inline bool nvme_dmabuf_iter_next(struct request *req,
					 struct blk_dma_iter *iter)
{
	return false;
}

static inline blk_status_t nvme_dmabuf_map_data(struct request *req)
{
	return BLK_STS_IOERR;
}

static inline blk_status_t nvme_dmabuf_park(struct blk_mq_hw_ctx *hctx,
					    const struct blk_mq_queue_data *bd)
{
	return BLK_STS_IOERR;
}

static inline int nvme_dmabuf_init(struct nvme_dev *dev)
{
	return 0;
}

static inline void nvme_dmabuf_remove(struct nvme_dev *dev)
{
}

static inline void nvme_dmabuf_exit(struct nvme_dev *dev)
{
}

#endif /* CONFIG_DMA_BUF_IO */
