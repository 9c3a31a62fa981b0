/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a stream of writes and reads knows of each sector, perhaps in a file, so that
 * its successor knows it as well if it is killed.
 *
 * A sector carries its place and its generation, see rounds_seed(). Before a write is
 * sent, hi is its generation, and when it has succeeded so is lo; what is seen of a
 * sector meanwhile, or after a failure, is to stay.
 */
#ifndef KNOWN_H
#define KNOWN_H

#include "rounds.h"
#include <stdatomic.h>

/* generations that a sector may have: one, or any between two after an error */
struct range {
	uint64_t lo, hi;
};

static struct range *ranges;
static atomic_ulong mismatches;

static void mismatch(const char *how, unsigned int sector, bool whole, uint64_t found)
{
	struct range *r = &ranges[sector];

	if (atomic_fetch_add(&mismatches, 1) >= 8)
		return;
	if (whole)
		fprintf(stderr, "%s: sector %u has generation %llu, wanted %llu to %llu\n", how,
			sector, (unsigned long long)found, (unsigned long long)r->lo,
			(unsigned long long)r->hi);
	else
		fprintf(stderr, "%s: sector %u is not whole or not of this place, wanted %llu\n",
			how, sector, (unsigned long long)r->hi);
}

/* what was read of a sector; what is seen after an error is to stay */
static void known_judge(const char *how, unsigned int sector, const uint8_t *data)
{
	struct range *r = &ranges[sector];
	uint64_t found;
	bool whole = rounds_seed(data, sector * 512ull, &found);

	if (!whole || found < r->lo || found > r->hi)
		mismatch(how, sector, whole, found);
	else
		r->lo = found;
	if (whole)
		r->hi = r->lo = found;
}

/* begin to know @nr sectors, or go on with what there is in @file */
static int known_open(const char *file, bool existing, size_t nr)
{
	const size_t size = nr * sizeof(*ranges);
	int fd = -1;

	if (file) {
		fd = open(file, O_RDWR | O_CLOEXEC | (existing ? 0 : O_CREAT | O_TRUNC), 0600);
		if (fd < 0 || ftruncate(fd, size))
			return -errno;
	}
	ranges = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | (file ? 0 : MAP_ANONYMOUS), fd, 0);
	return ranges == MAP_FAILED ? -errno : 0;
}

#endif
