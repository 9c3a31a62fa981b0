// SPDX-License-Identifier: GPL-2.0
/* Arrays, on a sysfs made of files: states, and where their data is. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dmabuf-stack.h"
#include "test.h"

#define MD	makedev(9, 0)

const char *sysfs_root = ".";

static struct table *table;

bool sysfs_read(char *out, size_t size, const char *dir, const char *file)
{
	char path[512];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "r");
	ok = f && fgets(out, size, f);
	if (f)
		fclose(f);
	if (ok)
		out[strcspn(out, "\n")] = 0;
	return ok;
}

static void sh(const char *fmt, ...)
{
	char cmd[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, args);
	va_end(args);
	if (system(cmd))
		exit(99);
}

/* A new array; sizes are in sectors, @used of each member. */
static void array(const char *level, unsigned int disks, unsigned int chunk, unsigned int layout,
		  unsigned int size, unsigned int used)
{
	table_free(table);
	table = NULL;
	sh("rm -rf dev; mkdir -p dev/block/9:0/md; cd dev/block/9:0; echo %u > size; cd md; "
	   "echo %s > level; echo %u > raid_disks; echo %u > chunk_size; echo %u > layout; "
	   "echo %u > component_size; echo none > reshape_position; echo active > array_state; "
	   "echo 0 > degraded; echo idle > sync_action", size, level, disks, chunk * 512, layout,
	   used / 2);
}

/* Member a is 8:1 and starts at sector 1000, b is 8:2 and starts at 2000, ... */
static void member(char name, const char *slot, const char *state, unsigned int size)
{
	unsigned int n = name - 'a' + 1;

	sh("cd dev/block/9:0/md; mkdir -p dev-%c/block; cd dev-%c; echo 8:%u > block/dev; "
	   "echo %s > slot; echo '%s' > state; echo %u > offset; echo %u > size", name, name, n,
	   slot, state, n * 1000, size / 2);
}

static const struct table *lookup(dev_t dev)
{
	return dev == MD ? table : NULL;
}

/* Is copy @copy of @sector on member @name (0: missing, '-': none), at @at, @run long? */
static bool lands(uint64_t sector, unsigned int copy, char name, uint64_t at, uint64_t run)
{
	struct extent e = { MD, sector, 1 << 20 };
	unsigned int n = name ? name - 'a' + 1 : 0;
	bool there;

	if (!table)
		table = md_load(MD);
	if (!table)
		return false;
	there = map_walk(lookup, &e, copy);
	if (name == '-')
		return !there;
	if (there && !name && !e.dev)
		return true;
	if (there && e.dev == makedev(8, n) && e.sector == n * 1000 + at && e.len == run)
		return true;
	printf("# %s %u:%u sector %llu len %llu\n", there ? "found" : "not found", major(e.dev),
	       minor(e.dev), (unsigned long long)e.sector, (unsigned long long)e.len);
	return false;
}

static bool state(const char *expected)
{
	char got[64] = "";

	md_state("dev/block/9:0", got, sizeof(got));
	if (!strcmp(got, expected))
		return true;
	printf("# %s\n", got);
	return false;
}

static bool member_state(char name, bool has_data, const char *expected)
{
	char got[64] = "", member[] = { name, 0 };

	if (md_member_state("dev/block/9:0", member, got, sizeof(got)) == has_data &&
	    !strcmp(got, expected))
		return true;
	printf("# %s\n", got);
	return false;
}

static void striped(void)
{
	array("linear", 2, 0, 0, 300, 0);
	member('a', "0", "in_sync", 200);
	member('b', "1", "in_sync", 100);
	ok(lands(0, 0, 'a', 0, 200) && lands(250, 0, 'b', 50, 50), "linear");
	ok(lands(0, 1, '-', 0, 0), "... one copy");

	array("raid0", 3, 8, 2, 8 * 3 * 10 + 8 * 2 * 5 + 8 * 5, 0);
	member('a', "0", "in_sync", 81);
	member('b', "1", "in_sync", 160);
	member('c', "2", "in_sync", 120);
	ok(lands(9, 0, 'b', 1, 7) && lands(8 * 29, 0, 'c', 72, 8), "raid0, first zone");
	ok(lands(240, 0, 'b', 80, 8) && lands(248 + 3, 0, 'c', 83, 5), "... second, two members");
	ok(lands(320, 0, 'b', 120, 8) && lands(359, 0, 'b', 159, 1), "... third, one");

	array("raid0", 3, 8, 1, 8 * 3 * 9 + 8 * 2 * 5, 0);
	member('a', "0", "in_sync", 72);
	member('b', "1", "in_sync", 112);
	member('c', "2", "in_sync", 112);
	ok(lands(216, 0, 'c', 72, 8) && lands(224, 0, 'b', 72, 8),
	   "... zones as they once were: 27 chunks went before");
}

static void mirrored(void)
{
	array("raid1", 3, 0, 0, 100, 100);
	member('a', "0", "in_sync,write_mostly", 100);
	member('b', "1", "spare", 100);
	member('c', "2", "in_sync", 100);
	member('d', "none", "spare", 100);
	ok(lands(40, 0, 'a', 40, 60) && lands(40, 2, 'c', 40, 60), "raid1");
	ok(lands(40, 1, 0, 0, 0), "... a copy that is being rebuilt");
	ok(lands(40, 3, '-', 0, 0), "... no more copies");

	array("raid10", 3, 8, 0x102, 240, 160);
	member('a', "0", "in_sync", 160);
	member('b', "1", "in_sync", 160);
	member('c', "2", "in_sync", 160);
	ok(lands(3, 0, 'a', 3, 5) && lands(3, 1, 'b', 3, 5), "raid10 near");
	ok(lands(8, 0, 'c', 0, 8) && lands(8, 1, 'a', 8, 8), "... round the corner");

	array("raid10", 3, 8, 0x201, 240, 160);
	member('a', "0", "in_sync", 160);
	member('b', "1", "in_sync", 160);
	member('c', "2", "in_sync", 160);
	ok(lands(16, 0, 'c', 0, 8) && lands(16, 1, 'a', 80, 8), "raid10 far");

	array("raid10", 3, 8, 0x10201, 240, 160);
	member('a', "0", "in_sync", 160);
	member('b', "1", "in_sync", 160);
	member('c', "2", "in_sync", 160);
	ok(lands(24, 0, 'a', 16, 8) && lands(24, 1, 'b', 24, 8), "raid10 offset");

	array("raid10", 5, 8, 0x40201, 400, 160);
	for (int i = 0; i < 5; i++)
		member('a' + i, (char[]){ '0' + i, 0 }, "in_sync", 160);
	ok(lands(0, 1, 'b', 80, 8) && lands(8, 1, 'a', 80, 8) && lands(32, 1, 'c', 80, 8),
	   "raid10 far, in sets");
}

int main(void)
{
	char dir[] = "/tmp/test_md.XXXXXX";

	if (!mkdtemp(dir) || chdir(dir))
		return 99;
	striped();
	mirrored();

	array("raid5", 3, 8, 2, 320, 160);
	member('a', "0", "in_sync", 160);
	ok(lands(0, 0, '-', 0, 0) || (table && !table->target->followed), "raid5: not followed");

	array("raid1", 2, 0, 0, 100, 100);
	ok(state("2/2 in sync"), "state of an array");
	sh("cd dev/block/9:0/md; echo 1 > degraded; echo recover > sync_action");
	ok(state("1/2 in sync, recover"), "... degraded");
	sh("cd dev/block/9:0/md; echo inactive > array_state");
	ok(state("inactive"), "... inactive");
	member('a', "0", "in_sync,want_replacement", 100);
	member('b', "0", "spare,replacement", 100);
	member('c', "1", "faulty", 100);
	member('d', "none", "spare", 100);
	member('e', "1", "in_sync,write_mostly", 100);
	member('f', "1", "spare", 100);
	member('g', "journal", "journal", 100);
	ok(member_state('a', true, "0"), "state of a member");
	ok(member_state('b', true, "replacement of 0"), "... replacement");
	ok(member_state('c', false, "failed"), "... failed");
	ok(member_state('d', false, "spare"), "... spare");
	ok(member_state('e', true, "1, write-mostly"), "... write-mostly");
	ok(member_state('f', true, "rebuilding 1"), "... rebuilding");
	ok(member_state('g', false, "journal"), "... journal");

	table_free(table);
	sh("rm -r %s", dir);
	return done_testing();
}
