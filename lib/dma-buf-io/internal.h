/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _DMA_BUF_IO_INTERNAL_H
#define _DMA_BUF_IO_INTERNAL_H

#include <linux/dma-buf-io.h>

/* binding.c */
struct dma_buf_io_binding *dma_buf_io_binding_create(struct dma_buf_io_ctx *ctx,
						     struct dma_buf_io_leaf *leaf);
void dma_buf_io_binding_destroy(struct dma_buf_io_binding *binding, bool idle);
int dma_buf_io_binding_map(struct dma_buf_io_binding *binding,
			   enum dma_buf_io_wait wait);
bool dma_buf_io_binding_lost_lately(struct dma_buf_io_binding *binding);

/* ctx.c */
struct dma_buf_io_ctx *dma_buf_io_ctx_create(struct dma_buf *dmabuf,
					     enum dma_data_direction dir);
void dma_buf_io_ctx_put(struct dma_buf_io_ctx *ctx);

/* map.c */
struct dma_buf_io_map *dma_buf_io_map_create(struct dma_buf_io_leaf *leaf,
					     struct sg_table *sgt, u64 size);
void dma_buf_io_map_free(struct dma_buf_io_leaf *leaf,
			 struct dma_buf_io_map *map);

/* park.c */
void dma_buf_io_park_init(struct dma_buf_io_ctx *ctx);
bool dma_buf_io_transient(int error);
unsigned long dma_buf_io_park_timeout(void);
unsigned long dma_buf_io_now(struct dma_buf_io_ctx *ctx);
unsigned long dma_buf_io_give_up_at(struct dma_buf_io_ctx *ctx);
unsigned long dma_buf_io_backoff(unsigned long delay);

/* vmap.c */
extern struct workqueue_struct *dma_buf_io_cpu_wq;
void dma_buf_io_vmap_init(struct dma_buf_io_ctx *ctx);
void dma_buf_io_vmap_exit(struct dma_buf_io_ctx *ctx);
void dma_buf_io_vunmap(struct dma_buf_io_ctx *ctx);

#endif /* _DMA_BUF_IO_INTERNAL_H */
