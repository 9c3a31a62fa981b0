/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two instructions that do nothing and that no compiler emits: nopl with a
 * displacement of its own. They enclose what plugin.c counts.
 */
#ifndef BENCH_MARKER_H
#define BENCH_MARKER_H

#define MARKER_START	0x0f, 0x1f, 0x84, 0x00, 0x31, 0x73, 0x62, 0x64
#define MARKER_END	0x0f, 0x1f, 0x84, 0x00, 0x32, 0x73, 0x62, 0x64

#define MARKER_STRING_(...)	#__VA_ARGS__
#define MARKER_STRING(...)	MARKER_STRING_(__VA_ARGS__)

static inline void marker_start(void)
{
	asm volatile(".byte " MARKER_STRING(MARKER_START) : : : "memory");
}

static inline void marker_end(void)
{
	asm volatile(".byte " MARKER_STRING(MARKER_END) : : : "memory");
}

#endif
