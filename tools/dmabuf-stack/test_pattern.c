// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "dmabuf-stack.h"
#include "test.h"

#define NR	64

int main(void)
{
	static unsigned char data[NR * SECTOR_SIZE + 4], other[NR * SECTOR_SIZE];
	struct mismatch m;

	pattern_fill(data, 1000, NR, 42);
	ok(!pattern_check(data, 1000, NR, 42, &m), "what was filled compares equal");
	pattern_fill(other, 1010, 1, 42);
	ok(!memcmp(data + 10 * SECTOR_SIZE, other, SECTOR_SIZE),
	   "a sector does not depend on where the fill began");
	ok(pattern_check(data, 1000, NR, 43, &m) == NR, "another seed differs everywhere");
	ok(m.sector == 1000 && m.byte == 8, "... first in the word of the seed");

	data[20 * SECTOR_SIZE + 300] ^= 0x10;
	ok(pattern_check(data, 1000, NR, 42, &m) == 1, "one flipped bit is one sector");
	ok(m.sector == 1020 && m.byte == 300 && (m.expected ^ m.got) == 0x10 && !m.known,
	   "... found in its byte");
	data[20 * SECTOR_SIZE + 300] ^= 0x10;

	memcpy(data + 5 * SECTOR_SIZE, data + 7 * SECTOR_SIZE, SECTOR_SIZE);
	ok(pattern_check(data, 1000, NR, 42, &m) == 1 && m.known && m.other == 1007,
	   "a sector in the wrong place is recognised");

	memset(other, 0, sizeof(other));
	ok(pattern_check(other, 0, NR, 42, &m) == NR && !m.known, "zeroes are nobody's data");

	pattern_fill(data + 4, 7, NR, 1);
	ok(!pattern_check(data + 4, 7, NR, 1, &m), "the buffer need not be aligned");
	return done_testing();
}
