// SPDX-License-Identifier: GPL-2.0
/*
 * A sector names itself: word 0 is its number, word 1 the seed of the run, the
 * rest depends on both. A sector in the wrong place is recognised as such.
 */
#include <string.h>

#include "dmabuf-stack.h"

#define WORDS	(SECTOR_SIZE / sizeof(uint64_t))

uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void pattern_sector(uint64_t words[WORDS], uint64_t sector, uint64_t seed)
{
	uint64_t state = sector;

	state = splitmix64(&state) ^ seed;
	words[0] = sector;
	words[1] = seed;
	for (size_t i = 2; i < WORDS; i++)
		words[i] = splitmix64(&state);
}

void pattern_fill(void *buf, uint64_t sector, size_t nr, uint64_t seed)
{
	uint64_t words[WORDS];

	for (size_t i = 0; i < nr; i++) {
		pattern_sector(words, sector + i, seed);
		memcpy((char *)buf + i * SECTOR_SIZE, words, SECTOR_SIZE);
	}
}

static void pattern_explain(const unsigned char *got, const unsigned char *expected,
			    uint64_t sector, uint64_t seed, struct mismatch *m)
{
	uint64_t words[WORDS];
	unsigned int byte = 0;

	while (got[byte] == expected[byte])
		byte++;
	*m = (struct mismatch) {
		.sector = sector,
		.byte = byte,
		.expected = expected[byte],
		.got = got[byte],
	};
	memcpy(&m->other, got, sizeof(m->other));
	pattern_sector(words, m->other, seed);
	m->known = !memcmp(got, words, SECTOR_SIZE);
}

/* Returns the number of sectors that differ, and describes the first of them. */
size_t pattern_check(const void *buf, uint64_t sector, size_t nr, uint64_t seed,
		     struct mismatch *first)
{
	uint64_t words[WORDS];
	size_t different = 0;

	for (size_t i = 0; i < nr; i++) {
		const void *got = (const char *)buf + i * SECTOR_SIZE;

		pattern_sector(words, sector + i, seed);
		if (!memcmp(got, words, SECTOR_SIZE))
			continue;
		if (!different++)
			pattern_explain(got, (void *)words, sector + i, seed, first);
	}
	return different;
}
