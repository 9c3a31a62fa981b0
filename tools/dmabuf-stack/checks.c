// SPDX-License-Identifier: GPL-2.0
/* What verify compared, how much of it, and the first thing that was wrong. */
#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dmabuf-stack.h"

struct check *check_add(struct checks *checks, const char *name, const char *through)
{
	struct check **last = &checks->head;
	struct check *c = calloc(1, sizeof(*c));

	if (!c)
		err(EXIT_TROUBLE, "%s", name);
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->through = through;
	while (*last)
		last = &(*last)->next;
	*last = c;
	return c;
}

void check_data(struct checks *checks, struct check *c, const void *data, uint64_t pos,
		size_t len)
{
	struct mismatch m;
	size_t different = pattern_check(data, pos / SECTOR_SIZE, len / SECTOR_SIZE,
					 checks->seed, &m);
	const bool worse = !checks->bad ||
			   (checks->bad == c && m.sector < checks->first.sector);

	c->ios++;
	c->bytes += len;
	c->different += different;
	if (different && worse) {
		checks->bad = c;
		checks->first = m;
	}
}

static void print_table(const struct checks *checks)
{
	int name = strlen("CHECK"), through = strlen("THROUGH");

	for (const struct check *c = checks->head; c; c = c->next) {
		if ((int)strlen(c->name) > name)
			name = strlen(c->name);
		if ((int)strlen(c->through) > through)
			through = strlen(c->through);
	}
	printf("%-*s  %-*s  %8s  %12s  DIFFERENT\n", name, "CHECK", through, "THROUGH", "I/OS",
	       "BYTES");
	for (const struct check *c = checks->head; c; c = c->next)
		printf("%-*s  %-*s  %8" PRIu64 "  %12" PRIu64 "  %9" PRIu64 "\n", name, c->name,
		       through, c->through, c->ios, c->bytes, c->different);
}

static void print_json(const struct checks *checks, const char *device, uint64_t length,
		       const char *difference)
{
	struct json j = { .out = stdout };
	char seed[24];

	snprintf(seed, sizeof(seed), "0x%016" PRIx64, checks->seed);
	json_begin(&j, NULL, '{');
	json_str(&j, "device", device);
	json_str(&j, "seed", seed);
	json_num(&j, "length", length);
	json_bool(&j, "equal", !checks->bad);
	json_str(&j, "difference", difference);
	json_begin(&j, "checks", '[');
	for (const struct check *c = checks->head; c; c = c->next) {
		json_begin(&j, NULL, '{');
		json_str(&j, "check", c->name);
		json_str(&j, "through", c->through);
		json_num(&j, "ios", c->ios);
		json_num(&j, "bytes", c->bytes);
		json_num(&j, "different", c->different);
		json_end(&j, '}');
	}
	json_end(&j, ']');
	json_end(&j, '}');
	putchar('\n');
}

static void describe(const struct checks *checks, char *out, size_t size)
{
	const struct mismatch *m = &checks->first;
	const struct check *bad = checks->bad;
	int len = snprintf(out, size, "%s through %s: ", bad->name, bad->through);

	out += len;
	size -= len;
	if (*checks->overrun) {
		snprintf(out, size, "%s", checks->overrun);
		return;
	}
	len = snprintf(out, size, "sector %" PRIu64 ", byte %u: expected 0x%02x, got 0x%02x",
		       m->sector, m->byte, m->expected, m->got);
	if (m->known)
		snprintf(out + len, size - len, " (it holds the data of sector %" PRIu64 ")",
			 m->other);
}

/* Returns whether everything was equal. */
bool checks_report(const struct checks *checks, const char *device, uint64_t length, bool json)
{
	char difference[512];

	if (checks->bad)
		describe(checks, difference, sizeof(difference));
	if (json)
		print_json(checks, device, length, checks->bad ? difference : NULL);
	else
		print_table(checks);
	fflush(stdout);
	if (checks->bad)
		warnx("%s: %s", device, difference);
	return !checks->bad;
}
