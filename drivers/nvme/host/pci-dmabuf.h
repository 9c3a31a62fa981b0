/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NVME_PCI_DMABUF_H
#define _NVME_PCI_DMABUF_H

#include "pci.h"

struct blk_dma_iter;

/**
 * nvme_rq_is_dmabuf - does a request hold the mapping of a dma-buf?
 * @req: the request
 *
 * What depends on this, or on bio_is_dmabuf(), is not compiled without
 * CONFIG_DMA_BUF_IO, and needs no stubs.
 *
 * Return: true from nvme_dmabuf_map_data() to nvme_dmabuf_unmap_data().
 */
static inline bool nvme_rq_is_dmabuf(struct request *req)
{
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);

	return IS_ENABLED(CONFIG_DMA_BUF_IO) && (iod->flags & IOD_DMABUF);
}

blk_status_t nvme_dmabuf_map_data(struct request *req);
void nvme_dmabuf_unmap_data(struct request *req);
bool nvme_dmabuf_iter_next(struct request *req, struct blk_dma_iter *iter);
blk_status_t nvme_dmabuf_park(struct request *req);

#ifdef CONFIG_DMA_BUF_IO
void nvme_dmabuf_init(struct nvme_dev *dev);
void nvme_dmabuf_remove(struct nvme_dev *dev);
struct dma_buf_io_leaf *nvme_pci_dmabuf_leaf(struct nvme_ctrl *ctrl);
#else
static inline void nvme_dmabuf_init(struct nvme_dev *dev)
{
}

static inline void nvme_dmabuf_remove(struct nvme_dev *dev)
{
}

#define nvme_pci_dmabuf_leaf	NULL
#endif /* CONFIG_DMA_BUF_IO */
#endif /* _NVME_PCI_DMABUF_H */
