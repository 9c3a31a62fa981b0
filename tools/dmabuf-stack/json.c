// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>

#include "dmabuf-stack.h"

static void json_quote(struct json *j, const char *s)
{
	fputc('"', j->out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(j->out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			fprintf(j->out, "\\u%04x", *s);
		else
			fputc(*s, j->out);
	}
	fputc('"', j->out);
}

static void json_key(struct json *j, const char *key)
{
	if (j->comma)
		fputs(", ", j->out);
	j->comma = true;
	if (key) {
		json_quote(j, key);
		fputs(": ", j->out);
	}
}

void json_begin(struct json *j, const char *key, char bracket)
{
	json_key(j, key);
	fputc(bracket, j->out);
	j->comma = false;
}

void json_end(struct json *j, char bracket)
{
	fputc(bracket, j->out);
	j->comma = true;
}

void json_str(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	if (value)
		json_quote(j, value);
	else
		fputs("null", j->out);
}

void json_num(struct json *j, const char *key, uint64_t value)
{
	json_key(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	fputs(value ? "true" : "false", j->out);
}
