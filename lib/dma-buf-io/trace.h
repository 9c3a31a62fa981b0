/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_buf_io

#if !defined(_DMA_BUF_IO_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _DMA_BUF_IO_TRACE_H

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/tracepoint.h>

#include "internal.h"

#ifndef _DMA_BUF_IO_TRACE_HELPERS
#define _DMA_BUF_IO_TRACE_HELPERS
static inline const char *
dma_buf_io_trace_dev(const struct dma_buf_io_binding *binding)
{
	return binding->dev ? dev_name(binding->dev) : "CPU";
}

static inline unsigned long
dma_buf_io_trace_ino(const struct dma_buf_io_binding *binding)
{
	return file_inode(binding->buffer->dmabuf->file)->i_ino;
}
#endif

/* What the exporter has answered to an attempt to attach or to map a device */
TRACE_EVENT(dma_buf_io_bind,
	TP_PROTO(struct dma_buf_io_binding *binding, int ret),
	TP_ARGS(binding, ret),
	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__string(dev,		dma_buf_io_trace_dev(binding))
		__field(int,		ret)
	),
	TP_fast_assign(
		__entry->ino = dma_buf_io_trace_ino(binding);
		__assign_str(dev);
		__entry->ret = ret;
	),
	TP_printk("dmabuf=%lu dev=%s ret=%d", __entry->ino, __get_str(dev),
		  __entry->ret)
);

/* A new mapping; no runs if the driver has its own layout */
TRACE_EVENT(dma_buf_io_map,
	TP_PROTO(struct dma_buf_io_binding *binding),
	TP_ARGS(binding),
	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__string(dev,		dma_buf_io_trace_dev(binding))
		__field(u64,		size)
		__field(unsigned int,	nr_ranges)
	),
	TP_fast_assign(
		__entry->ino = dma_buf_io_trace_ino(binding);
		__assign_str(dev);
		__entry->size = binding->buffer->dmabuf->size;
		__entry->nr_ranges = binding->map->nr_ranges;
	),
	TP_printk("dmabuf=%lu dev=%s size=%llu runs=%u", __entry->ino,
		  __get_str(dev), __entry->size, __entry->nr_ranges)
);

/* The exporter took a mapping back, and waited that long for the hardware */
TRACE_EVENT(dma_buf_io_invalidate,
	TP_PROTO(struct dma_buf_io_binding *binding, u64 waited),
	TP_ARGS(binding, waited),
	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__string(dev,		dma_buf_io_trace_dev(binding))
		__field(u64,		waited)
	),
	TP_fast_assign(
		__entry->ino = dma_buf_io_trace_ino(binding);
		__assign_str(dev);
		__entry->waited = waited;
	),
	TP_printk("dmabuf=%lu dev=%s waited_ns=%llu", __entry->ino,
		  __get_str(dev), __entry->waited)
);

#endif /* _DMA_BUF_IO_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../lib/dma-buf-io
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

#include <trace/define_trace.h>
