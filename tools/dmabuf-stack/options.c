// SPDX-License-Identifier: GPL-2.0
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dmabuf-stack.h"

uint64_t parse_size(struct argp_state *state, const char *arg)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t size, shift = 0;
	char *end;

	errno = 0;
	size = strtoull(arg, &end, 0);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unit - units + 1);
		end++;
	}
	if (errno || *end || *arg == '-' || end == arg || size > (uint64_t)INT64_MAX >> shift)
		argp_error(state, "'%s' is not a size: a number, then K, M, G or T", arg);
	return size << shift;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'b':
		o->buffer = arg;
		return 0;
	case 's':
		o->size = parse_size(state, arg);
		return 0;
	case 'd':
		o->depth = parse_size(state, arg);
		if (!o->depth || o->depth > 4096)
			argp_error(state, "the depth is 1 to 4096");
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'f':
		o->force = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option buffer_options[] = {
	{ "buffer", 'b', "TYPE", 0, "udmabuf (default), udmabuf-huge or heap:NAME", 0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 },
};

static const struct argp_option io_options[] = {
	{ "size", 's', "BYTES", 0, "Size of the buffer, with K, M, G or T (default 8M)", 0 },
	{ "depth", 'd', "N", 0, "Chunks of the buffer in flight (default 8)", 0 },
	{ "force", 'f', NULL, 0, "Write to a device that is in use", 0 },
	{ 0 },
};

const struct argp buffer_argp = { buffer_options, parse, NULL, NULL, NULL, NULL, NULL };
const struct argp io_argp = { io_options, parse, NULL, NULL, NULL, NULL, NULL };
