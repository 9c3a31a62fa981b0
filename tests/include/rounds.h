/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rounds of writes and reads of one buffer, all parts at once, while something
 * happens to the device or the buffer. A part is done, or ends with an error
 * that is tolerated, and then each sector on the medium holds its data or what
 * was there before.
 */
#ifndef ROUNDS_H
#define ROUNDS_H

#include "dbio.h"
#include "kselftest.h"

#define ROUND_LEN	(64u << 10)
#define ROUND_PARTS	64
#define ROUND_SIZE	(ROUND_PARTS * ROUND_LEN)
#define ROUND_SECTOR	512

struct rounds {
	struct io_uring ring;
	struct dbio_buf buf;
	int dev;
	int tolerated[4];		/* negative errnos, 0 at the end */
	uint8_t *mem;			/* what the medium held after the last write round */
	uint64_t seed;
	uint64_t oldest[ROUND_PARTS];	/* of the seeds that a part may have on the medium */
	unsigned int done, refused;
};

/* @r->buf and @r->dev are there; register one for the other */
static inline int rounds_init(struct rounds *r)
{
	int ret = dbio_ring(&r->ring, ROUND_PARTS, 0, 1);

	r->mem = dbio_mem(ROUND_SIZE);
	return ret ?: r->mem ? dbio_register_buf(&r->ring, 0, &r->buf, r->dev) : -ENOMEM;
}

static inline bool rounds_tolerates(const struct rounds *r, int ret)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(r->tolerated); i++)
		if (ret < 0 && ret == r->tolerated[i])
			return true;
	return false;
}

/* all parts; what came of each */
static inline int rounds_all(struct rounds *r, bool write, int res[ROUND_PARTS])
{
	struct io_uring_cqe *cqe;

	for (unsigned int i = 0; i < ROUND_PARTS; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

		dbio_prep(sqe, write, r->dev, r->buf.base + i * ROUND_LEN, ROUND_LEN,
			  i * ROUND_LEN, 0);
		sqe->user_data = i;
	}
	if (io_uring_submit(&r->ring) != ROUND_PARTS)
		return -EIO;
	for (unsigned int i = 0; i < ROUND_PARTS; i++) {
		int ret;

		do {
			ret = io_uring_wait_cqe(&r->ring, &cqe);
		} while (ret == -EINTR);
		if (ret)
			return ret;
		res[cqe->user_data] = cqe->res;
		io_uring_cqe_seen(&r->ring, cqe);
	}
	return 0;
}

/* the seed that a sector was written with, if it is whole */
static inline bool rounds_seed(const uint8_t *sector, uint64_t pos, uint64_t *found)
{
	const uint64_t k = 0x9e3779b97f4a7c15ull;	/* as in dbio_fill() */
	uint64_t inverse = k, expected[ROUND_SECTOR / 8];

	for (int i = 0; i < 5; i++)
		inverse *= 2 - k * inverse;
	*found = (*(const uint64_t *)sector ^ pos) * inverse;
	dbio_fill(expected, ROUND_SECTOR, *found, pos);
	return !memcmp(sector, expected, ROUND_SECTOR);
}

/* is every sector of what was read plainly of a round that may be there? */
static inline int rounds_check(struct rounds *r, unsigned int part)
{
	uint64_t pos = part * ROUND_LEN, got;

	for (; pos < (part + 1) * ROUND_LEN; pos += ROUND_SECTOR) {
		if (rounds_seed(r->mem + pos, pos, &got) && got >= r->oldest[part] &&
		    got <= r->seed)
			continue;
		ksft_print_msg("byte %llu: data of round %lld, wanted %llu to %llu\n",
			       (unsigned long long)pos, (long long)got,
			       (unsigned long long)r->oldest[part],
			       (unsigned long long)r->seed);
		return -EBADMSG;
	}
	return 0;
}

/* write with a new seed, and look at the medium */
static inline int rounds_write(struct rounds *r)
{
	int res[ROUND_PARTS], ret;

	dbio_fill(r->buf.map, ROUND_SIZE, ++r->seed, 0);
	ret = rounds_all(r, true, res);
	if (!ret)
		ret = dbio_pread(r->dev, r->mem, ROUND_SIZE, 0);
	for (unsigned int i = 0; i < ROUND_PARTS && !ret; i++) {
		if (res[i] == (int)ROUND_LEN) {
			r->oldest[i] = r->seed;
			r->done++;
		} else if (rounds_tolerates(r, res[i])) {
			r->refused++;
		} else {
			ksft_print_msg("write of part %u: %d\n", i, res[i]);
			return res[i] < 0 ? res[i] : -EIO;
		}
		ret = rounds_check(r, i);
	}
	return ret;
}

/* read what is on the medium; @must: nothing is tolerated */
static inline int rounds_read(struct rounds *r, bool must)
{
	int res[ROUND_PARTS], ret;

	memset(r->buf.map, 0xa5, ROUND_SIZE);
	ret = rounds_all(r, false, res);
	for (unsigned int i = 0; i < ROUND_PARTS && !ret; i++) {
		if (!must && rounds_tolerates(r, res[i]))
			continue;
		if (res[i] != (int)ROUND_LEN)
			ret = res[i] < 0 ? res[i] : -EIO;
		else if (dbio_differ(r->mem + i * ROUND_LEN, r->buf.map + i * ROUND_LEN,
				     ROUND_LEN) >= 0)
			ret = -EBADMSG;
		if (ret)
			ksft_print_msg("read of part %u: %d\n", i, res[i]);
	}
	return ret;
}

/* everything works, and the medium is whole */
static inline int rounds_good(struct rounds *r)
{
	unsigned int before = r->refused;
	int ret = rounds_write(r);

	if (!ret && r->refused != before)
		ret = -ESTALE;
	return ret ?: rounds_read(r, true);
}

#endif
