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

	if (!map_walk(lookup, &e, 0))
		return false;
	if (e.dev == makedev(259, minor) && e.sector == at && e.len == run)
		return true;
	printf("# %u:%u sector %llu len %llu\n", major(e.dev), minor(e.dev),
	       (unsigned long long)e.sector, (unsigned long long)e.len);
	return false;
}

/* of OPAQUE; minor 0: that copy is missing */
static bool copy_lands(uint64_t sector, unsigned int copy, unsigned int minor, uint64_t at,
		       uint64_t run)
{
	struct extent e = { OPAQUE, sector, 2000 };

	return map_walk(lookup, &e, copy) &&
	       (minor ? e.dev == makedev(259, minor) && e.sector == at && e.len == run : !e.dev);
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
	ok(top->nr == 3 && !strcmp(top->target[2].type, "crypt") && !top->target[2].followed,
	   "a target that cannot be followed keeps its name");

	ok(lands(0, 8, 0, 2048 + 24, 8), "linear, partition");
	ok(lands(990, 100, 0, 2048 + 24 + 990, 10), "an extent ends with its target");
	ok(lands(1000, 1000, 2, 10, 64), "first chunk of the stripe");
	ok(lands(1063, 2, 2, 10 + 63, 1), "an extent ends with its chunk");
	ok(lands(1064, 64, 3, 20, 64), "second leg");
	ok(lands(1000 + 2 * 64 + 3, 4, 4, 30 + 3, 4), "third leg");
	ok(lands(1000 + 3 * 64 + 7, 8, 2, 10 + 64 + 7, 8), "second row");
	ok(lands(1000 + 11 * 64 + 63, 9, 4, 30 + 3 * 64 + 63, 1), "last sector of the stripe");

	map_walk(lookup, &e, 0);
	ok(e.dev == OPAQUE && e.sector == 5 && e.len == 8, "the walk stops at other targets");

	ok(bad("linear", "259:0"), "linear without an offset");
	ok(bad("linear", "259:0 1 2"), "linear with more");
	ok(bad("striped", "2 64 259:0 0"), "a leg missing");
	ok(bad("striped", "0 64"), "no legs");
	ok(bad("striped", "1 0 259:0 0"), "no chunk");
	ok(bad("striped", "4000000000 8 259:0 0"), "more legs than text");
	ok(!bad("zero", ""), "no parameters to follow");
	ok(bad("raid", "raid1 3 0 region_size 1024 2 254:0 254:1 254:2"), "half a leg of dm-raid");
	ok(bad("raid", "raid1 9 0 region_size"), "fewer parameters than announced");

	spec_add(0, 1000, "raid", "raid1 3 0 region_size 1024 2 254:0 259:7 254:2 259:8");
	spec_add(1000, 1024, "raid", "raid10 7 64 region_size 1024 raid10_copies 2 raid10_format near "
		 "4 254:0 259:3 - - 254:1 259:5 254:2 259:6");
	spec_add(2024, 1024, "raid", "raid5_ls 1 64 3 254:0 259:3 254:3 259:4 254:1 259:5");
	table_free(opaque);
	opaque = spec_take();
	ok(opaque && opaque->target[0].followed && opaque->target[1].followed &&
	   !opaque->target[2].followed && !strcmp(opaque->target[2].level, "raid5_ls"), "dm-raid parses");
	ok(copy_lands(10, 0, 7, 10, 990) && copy_lands(10, 1, 8, 10, 990), "dm-raid raid1");
	ok(copy_lands(1000 + 64 + 5, 0, 5, 5, 59) && copy_lands(1000 + 64 + 5, 1, 6, 5, 59),
	   "dm-raid raid10");
	ok(copy_lands(1000, 1, 0, 0, 0), "... a leg that is not there");
	opaque->target[0].leg[1].health = 'a';
	ok(copy_lands(10, 1, 0, 0, 0), "... a leg that is not in sync");
	e = (struct extent) { OPAQUE, 10, 8 };
	ok(!map_walk(lookup, &e, 2), "... no third copy");

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
