// SPDX-License-Identifier: GPL-2.0
/* The walk, on a sysfs made of files. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dmabuf-stack.h"
#include "test.h"

bool dm_types(dev_t dev, char *out, size_t size)
{
	static const char * const types[] = { "linear, striped", "crypt", "raid (raid1)" };

	if (minor(dev) > 2)
		return false;
	snprintf(out, size, "%s", types[minor(dev)]);
	return true;
}

bool dm_state(dev_t dev, char *out, size_t size)
{
	if (minor(dev) != 2)
		return false;
	snprintf(out, size, "1/2 in sync");
	return true;
}

bool dm_member_state(dev_t dev, dev_t member, char *out, size_t size)
{
	if (minor(dev) != 2)
		return true;
	snprintf(out, size, "%s", minor(member) ? "1" : "failed 0");
	return minor(member) != 0;
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

static void disk(const char *path, const char *dev, const char *limit)
{
	sh("d=devices/%s; mkdir -p $d/slaves $d/queue dev/block; echo %s > $d/dev; "
	   "ln -s ../../$d dev/block/%s", path, dev, dev);
	if (limit)
		sh("echo %s > devices/%s/queue/max_hw_dmabuf_sectors_kb", limit, path);
}

static void nvme(int n, const char *limit)
{
	char path[64], dev[16];

	snprintf(path, sizeof(path), "nvme%dn1", n);
	snprintf(dev, sizeof(dev), "259:%d", n);
	disk(path, dev, limit);
	sh("d=devices/nvme%dn1/device; mkdir $d; echo pcie > $d/transport", n);
}

static void slave(const char *of, const char *path)
{
	sh("ln -s ../../../devices/%s devices/%s/slaves/", path, of);
}

static void build(void)
{
	nvme(0, "2048");
	nvme(1, "2048");
	nvme(2, "0");
	nvme(3, "0");
	sh("mkdir devices/nvme3n1/integrity; echo nop > devices/nvme3n1/integrity/format");
	disk("loop3", "7:3", "0");
	sh("d=devices/nvme0n1/nvme0n1p1; mkdir $d; echo 1 > $d/partition; echo 259:10 > $d/dev; "
	   "ln -s ../../$d dev/block/259:10; echo 511 > devices/nvme0n1/queue/dma_alignment");

	disk("dm-0", "253:0", "2147483647");
	sh("mkdir devices/dm-0/dm; echo vg-good > devices/dm-0/dm/name");
	slave("dm-0", "nvme0n1/nvme0n1p1");
	slave("dm-0", "nvme1n1");

	disk("dm-1", "253:1", "0");
	sh("mkdir devices/dm-1/dm; echo secret > devices/dm-1/dm/name");
	slave("dm-1", "dm-0");

	disk("md5", "9:5", "2147483647");
	sh("mkdir devices/md5/md; echo raid1 > devices/md5/md/level");
	slave("md5", "dm-0");
	slave("md5", "loop3");
	sh("cd devices/md5/md; echo clean > array_state; echo 1 > degraded; echo 2 > raid_disks; "
	   "mkdir dev-dm-0 dev-loop3; echo 0 > dev-dm-0/slot; echo in_sync > dev-dm-0/state; "
	   "echo 1 > dev-loop3/slot; echo spare > dev-loop3/state");

	disk("md6", "9:6", "0");
	sh("mkdir -p devices/md6/md/dev-loop3; cd devices/md6/md; echo inactive > array_state; "
	   "echo none > dev-loop3/slot; echo spare > dev-loop3/state");
	slave("md6", "loop3");

	disk("dm-2", "253:2", "2147483647");
	sh("mkdir devices/dm-2/dm; echo vg-raid > devices/dm-2/dm/name");
	slave("dm-2", "nvme0n1");
	slave("dm-2", "loop3");
	disk("zram0", "252:0", NULL);
	sh("cd devices/nvme1n1; mkdir multipath nvme1c0n1 nvme1c1n1; cp -r queue nvme1c0n1; "
	   "cp -r queue nvme1c1n1; ln -s ../nvme1c0n1 ../nvme1c1n1 multipath");
	sh("echo host-managed > devices/nvme2n1/queue/zoned");
}

static bool reason(const struct layer *l, const char *expected)
{
	if (!strcmp(l->reason, expected))
		return true;
	printf("# reason: %s\n", l->reason);
	return false;
}

int main(void)
{
	char dir[] = "/tmp/test_stack.XXXXXX";
	struct layer *l;

	if (!mkdtemp(dir) || chdir(dir))
		return 99;
	sysfs_root = dir;
	build();

	l = stack_walk(makedev(253, 0));
	ok(l->capable && l->max_kb == 2048 && !*l->reason && !stack_blame(l), "a capable stack");
	ok(!strcmp(l->name, "vg-good") && !strcmp(l->kind, "dm linear, striped"), "dm name, targets");
	ok(l->nr == 2 && !strcmp(l->member[0]->kind, "partition") && l->member[0]->capable &&
	   !strcmp(l->member[0]->member[0]->name, "nvme0n1"), "a partition is as its disk");
	ok(!strcmp(l->member[0]->member[0]->kind, "nvme"), "nvme");
	ok(!strcmp(l->member[1]->kind, "nvme multipath") && l->member[1]->dev == makedev(259, 1) &&
	   l->member[1]->nr == 2 && l->member[1]->member[1]->capable, "nvme with two paths");
	ok(stack_leaves(l) == 2, "two disks");
	stack_free(l);

	l = stack_walk(makedev(253, 1));
	ok(!l->capable && reason(l, "target \"crypt\" is not opted in"),
	   "members can, the target cannot");
	ok(stack_blame(l) == l, "... and it is to blame");
	stack_free(l);

	l = stack_walk(makedev(9, 5));
	ok(!strcmp(l->kind, "md raid1") && reason(l, "member loop3 cannot"), "a member cannot");
	ok(stack_blame(l) == l->member[1] &&
	   reason(l->member[1], "driver \"loop\" has no dma-buf support"), "... the leaf is to blame");
	ok(stack_leaves(l) == 3, "three disks");
	ok(!strcmp(l->state, "1/2 in sync") && !strcmp(l->member[0]->state, "0") &&
	   !strcmp(l->member[1]->state, "rebuilding 1"), "states of an array and its members");
	stack_free(l);

	l = stack_walk(makedev(9, 6));
	ok(l->member[0]->idle && reason(l, "the array is not running") && stack_blame(l) == l,
	   "an array that is not running");
	stack_free(l);

	l = stack_walk(makedev(253, 2));
	ok(!strcmp(l->kind, "dm raid (raid1)") && !strcmp(l->state, "1/2 in sync") &&
	   !strcmp(l->member[1]->state, "failed 0"), "dm-raid");
	ok(reason(l, "member loop3 cannot"), "... a failed member is no reason, another is");
	stack_free(l);

	l = stack_walk(makedev(259, 2));
	ok(reason(l, "zoned (host-managed)"), "zoned");
	stack_free(l);
	l = stack_walk(makedev(259, 3));
	ok(reason(l, "integrity format \"nop\""), "metadata without a checksum");
	stack_free(l);
	l = stack_walk(makedev(252, 0));
	ok(reason(l, "kernel without dma-buf block I/O") && !strcmp(l->kind, "zram"), "an old kernel");
	stack_free(l);

	ok(sysfs_num(makedev(259, 10), "queue/dma_alignment", 3) == 511,
	   "a partition has its disk's queue");
	ok(sysfs_num(makedev(259, 1), "queue/dma_alignment", 3) == 3, "a missing number");

	sh("rm -r %s", dir);
	return done_testing();
}
