// SPDX-License-Identifier: GPL-2.0
/*
 * The mapping that dm-linear, dm-stripe, raid0, raid1 and raid10 do, done again
 * from their tables: an opinion of our own on where the kernel should have put a
 * sector.
 */
#include <linux/dm-ioctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "dmabuf-stack.h"

static char *next(char **words)
{
	char *word;

	do {
		word = strsep(words, " ");
	} while (word && !*word);
	return word;
}

static bool parse_dev(const char *word, dev_t *dev)
{
	unsigned int major, minor;

	*dev = 0;
	if (word && sscanf(word, "%u:%u", &major, &minor) == 2)
		*dev = makedev(major, minor);
	return *dev || (word && !strcmp(word, "-"));
}

static bool parse_u64(const char *word, uint64_t *value)
{
	char *end;

	*value = word ? strtoull(word, &end, 10) : 0;
	return word && end != word && !*end;
}

static bool add_legs(struct target *t, uint64_t nr, const char *params)
{
	if (!nr || nr > strlen(params))
		return false;
	t->leg = calloc(nr, sizeof(*t->leg));
	t->nr = t->set = nr;
	return t->leg;
}

/* "DEVICE START ..." for each leg */
static bool parse_legs(struct target *t, char **words)
{
	for (unsigned int i = 0; i < t->nr; i++) {
		const char *dev = next(words);

		if (!parse_dev(dev, &t->leg[i].dev) || !t->leg[i].dev ||
		    !parse_u64(next(words), &t->leg[i].start))
			return false;
	}
	return !next(words);
}

/* "LEVEL COUNT CHUNK OPTIONS LEGS METADATA DATA ..." */
static bool parse_raid(struct target *t, const char *params, char **words)
{
	bool simple = true, near = true;
	uint64_t count, copies = 2, nr;
	const char *level = next(words), *word;

	if (!level || !parse_u64(next(words), &count) || !count ||
	    !parse_u64(next(words), &t->chunk))
		return false;
	snprintf(t->level, sizeof(t->level), "%s", level);
	for (uint64_t i = 1; i < count; i++) {
		word = next(words);
		if (!word)
			return false;
		if (!strcmp(word, "raid10_copies")) {
			i++;
			if (!parse_u64(next(words), &copies) || !copies)
				return false;
		} else if (!strcmp(word, "raid10_format")) {
			i++;
			word = next(words);
			near = word && !strcmp(word, "near");
		} else if (!strcmp(word, "data_offset") || !strcmp(word, "delta_disks")) {
			simple = false;
		}
	}
	if (!parse_u64(next(words), &nr) || !add_legs(t, nr, params))
		return false;
	for (unsigned int i = 0; i < nr; i++) {
		if (!parse_dev(next(words), &t->leg[i].meta) ||
		    !parse_dev(next(words), &t->leg[i].dev))
			return false;
		t->leg[i].health = 'A';
	}
	if (!strcmp(level, "raid1")) {
		t->near = nr;
		t->chunk = t->len;
	} else if (!strcmp(level, "raid10") && near) {
		t->near = copies;
	} else if (strcmp(level, "raid0") && strcmp(level, "raid0_meta")) {
		simple = false;
	}
	t->followed = simple && t->chunk && t->near <= nr;
	return true;
}

/* Returns false when the parameters of a known target make no sense. */
bool target_parse(struct target *t, const char *type, const char *params)
{
	char *copy = strdup(params), *words = copy;
	uint64_t nr;
	bool ok;

	snprintf(t->type, sizeof(t->type), "%s", type);
	t->nr = 0;
	t->leg = NULL;
	t->followed = false;
	t->near = t->far = 1;
	t->chunk = t->len;
	if (!copy)
		return false;
	if (!strcmp(type, "linear")) {
		ok = t->chunk && add_legs(t, 1, params) && parse_legs(t, &words);
		t->followed = ok;
	} else if (!strcmp(type, "striped")) {
		ok = parse_u64(next(&words), &nr) && parse_u64(next(&words), &t->chunk) &&
		     t->chunk && add_legs(t, nr, params) && parse_legs(t, &words);
		t->followed = ok;
	} else if (!strcmp(type, "raid")) {
		ok = parse_raid(t, params, &words);
	} else {
		ok = true;
	}
	free(copy);
	if (!ok) {
		free(t->leg);
		t->leg = NULL;
		t->nr = 0;
	}
	return ok;
}

/* One more target, with legs to be filled in. NULL: no memory. */
struct target *table_add(struct table *t, const char *type, unsigned int legs)
{
	struct target *target = reallocarray(t->target, t->nr + 1, sizeof(*target));

	if (!target)
		return NULL;
	t->target = target;
	target += t->nr;
	*target = (struct target) { .near = 1, .far = 1, .set = legs, .nr = legs };
	target->leg = calloc(legs ? legs : 1, sizeof(*target->leg));
	if (!target->leg)
		return NULL;
	target->followed = legs;
	snprintf(target->type, sizeof(target->type), "%s", type);
	t->nr++;
	return target;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (unsigned int i = 0; i < t->nr; i++)
		free(t->target[i].leg);
	free(t->target);
	free(t);
}

/* @specs: the data that DM_TABLE_STATUS returns. NULL when it makes no sense. */
struct table *table_parse(const void *specs, size_t size, unsigned int count)
{
	struct table *table = calloc(1, sizeof(*table));
	struct dm_target_spec spec;
	size_t at = 0;

	if (!table)
		return NULL;
	table->target = calloc(count ? count : 1, sizeof(*table->target));
	while (table->target && table->nr < count) {
		struct target *t = &table->target[table->nr];
		const char *params = (const char *)specs + at + sizeof(spec);

		if (at > size || size - at <= sizeof(spec))
			break;
		memcpy(&spec, (const char *)specs + at, sizeof(spec));
		spec.target_type[sizeof(spec.target_type) - 1] = 0;
		if (!memchr(params, 0, size - at - sizeof(spec)))
			break;
		t->start = spec.sector_start;
		t->len = spec.length;
		if (!target_parse(t, spec.target_type, params))
			break;
		table->nr++;
		at = spec.next;
	}
	if (table->target && table->nr == count)
		return table;
	table_free(table);
	return NULL;
}

const struct target *table_find(const struct table *table, uint64_t sector)
{
	for (unsigned int i = 0; i < table->nr; i++) {
		const struct target *t = &table->target[i];

		if (sector >= t->start && sector - t->start < t->len)
			return t;
	}
	return NULL;
}

/* Where copy @copy of chunk @chunk is. */
static const struct leg *target_place(const struct target *t, uint64_t chunk, unsigned int copy,
				      uint64_t *sector)
{
	unsigned int far = copy / t->near;
	uint64_t index = chunk * t->near + copy % t->near;
	unsigned int leg = index % t->nr;
	unsigned int first = leg / t->set * t->set, in_set = t->set;

	/* the last set has what is left over, too */
	if (first / t->set >= t->nr / t->set - 1) {
		first = (t->nr / t->set - 1) * t->set;
		in_set = t->nr - first;
	}
	leg = first + (leg - first + far * t->near) % in_set;
	*sector = t->leg[leg].start + far * t->stride +
		  index / t->nr * (t->offset ? t->far : 1) * t->chunk;
	return &t->leg[leg];
}

/*
 * Follow an extent down to the lowest device that can be reached; its length
 * shrinks to what is contiguous there. Where there are several copies, @copy
 * counts through all of them, layer by layer. Returns false when there are not
 * so many. The device is 0 when that copy is missing.
 */
bool map_walk(table_lookup lookup, struct extent *e, unsigned int copy)
{
	const struct table *table;
	const struct target *t;

	while (e->dev && (table = lookup(e->dev)) && (t = table_find(table, e->sector)) &&
	       t->followed) {
		uint64_t sector = e->sector - t->start;
		uint64_t inside = sector % t->chunk;
		unsigned int copies = t->near * t->far;
		const struct leg *leg = target_place(t, sector / t->chunk, copy % copies, &e->sector);

		copy /= copies;
		if (e->len > t->len - sector)
			e->len = t->len - sector;
		if (e->len > t->chunk - inside)
			e->len = t->chunk - inside;
		e->dev = leg->health == 'a' || leg->health == 'D' ? 0 : leg->dev;
		e->sector += inside;
	}
	return !copy;
}
