// SPDX-License-Identifier: GPL-2.0
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "dmabuf-stack.h"
#include "test.h"

static struct {
	_Alignas(8) char data[4096];
	size_t len;
	unsigned int nr;
} spec;

static void spec_add(uint64_t start, uint64_t len, const char *type, const char *params)
{
	size_t size = sizeof(struct dm_target_spec) + strlen(params) + 1;
	struct dm_target_spec s = { .sector_start = start, .length = len };

	size = (size + 7) & ~7UL;
	s.next = spec.len + size;
	strncpy(s.target_type, type, sizeof(s.target_type) - 1);
	memcpy(spec.data + spec.len, &s, sizeof(s));
	strcpy(spec.data + spec.len + sizeof(s), params);
	spec.len += size;
	spec.nr++;
}

static struct table *spec_take(void)
{
	struct table *t = table_parse(spec.data, spec.len, spec.nr);

	spec.len = spec.nr = 0;
	return t;
}

#define TOP	makedev(253, 0)
#define STRIPE	makedev(253, 1)
#define PART	makedev(259, 1)
#define OPAQUE	makedev(253, 2)

static struct table *top, *stripe, *part, *opaque;

static const struct table *lookup(dev_t dev)
{
	return dev == TOP ? top : dev == STRIPE ? stripe : dev == PART ? part :
	       dev == OPAQUE ? opaque : NULL;
}

static bool lands(uint64_t sector, uint64_t len, unsigned int minor, uint64_t at, uint64_t run)
{
	struct extent e = { TOP, sector, len };

	map_walk(lookup, &e);
	if (e.dev == makedev(259, minor) && e.sector == at && e.len == run)
		return true;
	printf("# %u:%u sector %llu len %llu\n", major(e.dev), minor(e.dev),
	       (unsigned long long)e.sector, (unsigned long long)e.len);
	return false;
}

static bool bad(const char *type, const char *params)
{
	struct target t = { .len = 1024 };

	return !target_parse(&t, type, params);
}

int main(void)
{
	struct extent e = { OPAQUE, 5, 8 };

	/* top: 1000 sectors of a partition, then a 3-way stripe, then crypt. */
	spec_add(0, 1000, "linear", "259:1 24");
	spec_add(1000, 3 * 256, "linear", "253:1 0");
	spec_add(1768, 64, "crypt", "aes - 0 259:5 0");
	top = spec_take();
	spec_add(0, 3 * 256, "striped", "3 64 259:2 10 259:3 20 259:4 30");
	stripe = spec_take();
	spec_add(0, 5000, "linear", "259:0 2048");
	part = spec_take();
	spec_add(0, 64, "crypt", "aes - 0 259:5 0");
	opaque = spec_take();
	ok(top && stripe && part && opaque, "tables parse");
	ok(top->nr == 3 && !strcmp(top->target[2].type, "crypt") && !top->target[2].nr,
	   "a target that cannot be followed keeps its name");

	ok(lands(0, 8, 0, 2048 + 24, 8), "linear, partition");
	ok(lands(990, 100, 0, 2048 + 24 + 990, 10), "an extent ends with its target");
	ok(lands(1000, 1000, 2, 10, 64), "first chunk of the stripe");
	ok(lands(1063, 2, 2, 10 + 63, 1), "an extent ends with its chunk");
	ok(lands(1064, 64, 3, 20, 64), "second leg");
	ok(lands(1000 + 2 * 64 + 3, 4, 4, 30 + 3, 4), "third leg");
	ok(lands(1000 + 3 * 64 + 7, 8, 2, 10 + 64 + 7, 8), "second row");
	ok(lands(1000 + 11 * 64 + 63, 9, 4, 30 + 3 * 64 + 63, 1), "last sector of the stripe");

	map_walk(lookup, &e);
	ok(e.dev == OPAQUE && e.sector == 5 && e.len == 8, "the walk stops at other targets");

	ok(bad("linear", "259:0"), "linear without an offset");
	ok(bad("linear", "259:0 1 2"), "linear with more");
	ok(bad("striped", "2 64 259:0 0"), "a leg missing");
	ok(bad("striped", "0 64"), "no legs");
	ok(bad("striped", "1 0 259:0 0"), "no chunk");
	ok(bad("striped", "4000000000 8 259:0 0"), "more legs than text");
	ok(!bad("zero", ""), "no parameters to follow");

	spec_add(0, 8, "linear", "259:0 0");
	spec.nr++;
	ok(!spec_take(), "fewer targets than announced");
	spec_add(0, 8, "linear", "259:0 0");
	spec.len = sizeof(struct dm_target_spec) + 3;
	ok(!spec_take(), "parameters that do not end");

	table_free(top);
	table_free(stripe);
	table_free(part);
	table_free(opaque);
	return done_testing();
}
