// SPDX-License-Identifier: GPL-2.0
/*
 * The mapping that dm-linear and dm-stripe do, done again from their tables: an
 * opinion of our own on where the kernel should have put a sector.
 */
#include <linux/dm-ioctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "dmabuf-stack.h"

static const char *parse_leg(struct target *t, unsigned int i, const char *s)
{
	unsigned int major, minor;
	unsigned long long start;
	int used = 0;

	if (sscanf(s, "%u:%u %llu%n", &major, &minor, &start, &used) != 3)
		return NULL;
	t->stripe[i].dev = makedev(major, minor);
	t->stripe[i].start = start;
	return s + used;
}

/* Returns false when the parameters of a known target make no sense. */
bool target_parse(struct target *t, const char *type, const char *params)
{
	unsigned int nr = 1;
	unsigned long long chunk = t->len;
	int used = 0;

	snprintf(t->type, sizeof(t->type), "%s", type);
	t->nr = 0;
	t->stripe = NULL;
	if (!strcmp(type, "striped")) {
		if (sscanf(params, "%u %llu%n", &nr, &chunk, &used) != 2)
			return false;
	} else if (strcmp(type, "linear")) {
		return true;
	}
	if (!nr || !chunk || nr > strlen(params))
		return false;

	t->stripe = calloc(nr, sizeof(*t->stripe));
	if (!t->stripe)
		return false;
	params += used;
	for (unsigned int i = 0; params && i < nr; i++)
		params = parse_leg(t, i, params);
	if (!params || params[strspn(params, " ")]) {
		free(t->stripe);
		t->stripe = NULL;
		return false;
	}
	t->chunk = chunk;
	t->nr = nr;
	return true;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (unsigned int i = 0; i < t->nr; i++)
		free(t->target[i].stripe);
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

static const struct target *table_find(const struct table *table, uint64_t sector)
{
	for (unsigned int i = 0; i < table->nr; i++) {
		const struct target *t = &table->target[i];

		if (sector >= t->start && sector - t->start < t->len)
			return t;
	}
	return NULL;
}

/*
 * Follow an extent down to the lowest device that can be reached; its length
 * shrinks to what is contiguous there.
 */
void map_walk(table_lookup lookup, struct extent *e)
{
	const struct table *table;
	const struct target *t;

	while ((table = lookup(e->dev)) && (t = table_find(table, e->sector)) && t->nr) {
		uint64_t sector = e->sector - t->start;
		uint64_t chunk = sector / t->chunk;
		uint64_t inside = sector % t->chunk;
		unsigned int leg = chunk % t->nr;

		if (e->len > t->len - sector)
			e->len = t->len - sector;
		if (e->len > t->chunk - inside)
			e->len = t->chunk - inside;
		e->dev = t->stripe[leg].dev;
		e->sector = t->stripe[leg].start + chunk / t->nr * t->chunk + inside;
	}
}
