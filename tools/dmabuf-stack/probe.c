// SPDX-License-Identifier: GPL-2.0
/* Which layers of a stack take dma-bufs: what sysfs says, then by trying. */
#include <argp.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "dmabuf-stack.h"

#define TRY_SIZE	(64 << 10)

struct probe {
	struct options opts;
	const char *path;
};

struct verdict {
	bool tried;
	int error;
	char why[768];
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct probe *p = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &p->opts;
		return 0;
	case ARGP_KEY_ARG:
		if (p->path)
			argp_usage(state);
		p->path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
	}
	return ARGP_ERR_UNKNOWN;
}

static void try_device(const struct device *d, const char *provider, struct verdict *v)
{
	struct buffer b;
	struct ring r;
	int error;

	if (!buffer_create(&b, provider, TRY_SIZE, v->why, sizeof(v->why)))
		return;
	error = ring_open(&r, 1);
	if (error) {
		snprintf(v->why, sizeof(v->why), "io_uring: %s", strerror(error));
		return;
	}
	v->tried = true;
	v->error = device_register(d, &r, 0, &b, v->why, sizeof(v->why));
	if (!v->error)
		snprintf(v->why, sizeof(v->why), "registered a dma-buf (%s, %zu bytes)",
			 provider, b.size);
	io_uring_queue_exit(&r.uring);
}

static const char *verdict_word(const struct verdict *v)
{
	return !v->tried ? "unknown" : v->error ? "no" : "yes";
}

static const char *max_command(const struct layer *l, char out[static 24])
{
	if (!l->capable)
		return "-";
	if (l->max_kb % 1024)
		snprintf(out, 24, "%lluK", (unsigned long long)l->max_kb);
	else
		snprintf(out, 24, "%lluM", (unsigned long long)l->max_kb / 1024);
	return out;
}

struct widths {
	int name, kind, state;
};

/* Each level of the tree takes two columns. */
static void measure(const struct layer *l, int depth, struct widths *w)
{
	int name = 2 * depth + strlen(l->name), kind = strlen(l->kind), state = strlen(l->state);

	if (name > w->name)
		w->name = name;
	if (kind > w->kind)
		w->kind = kind;
	if (state > w->state)
		w->state = state;
	for (unsigned int i = 0; i < l->nr; i++)
		measure(l->member[i], depth + 1, w);
}

static void print_layer(const struct layer *l, const char *indent, const char *branch,
			int depth, const struct widths *w)
{
	char max[24], below[256];

	printf("%s%s%-*s  %-*s  ", indent, branch, w->name - 2 * depth, l->name, w->kind, l->kind);
	if (w->state)
		printf("%-*s  ", w->state, l->state);
	printf("%-7s  %7s%s%s\n", l->capable ? "yes" : "no", max_command(l, max),
	       *l->reason ? "  " : "", l->reason);
	snprintf(below, sizeof(below), "%s%s", indent,
		 !*branch ? "" : !strcmp(branch, "├─") ? "│ " : "  ");
	for (unsigned int i = 0; i < l->nr; i++)
		print_layer(l->member[i], below, i + 1 < l->nr ? "├─" : "└─", depth + 1, w);
}

static void print_tree(const struct layer *l)
{
	struct widths w = { strlen("NAME"), strlen("KIND"), 0 };

	measure(l, 0, &w);
	printf("%-*s  %-*s  ", w.name, "NAME", w.kind, "KIND");
	/* only where there is an array */
	if (w.state)
		printf("%-*s  ", w.state, "STATE");
	puts("DMA-BUF  MAX-CMD  REASON");
	print_layer(l, "", "", 0, &w);
}

static void json_layer(struct json *j, const char *key, const struct layer *l)
{
	json_begin(j, key, '{');
	json_str(j, "name", l->name);
	json_str(j, "kind", l->kind);
	json_str(j, "state", *l->state ? l->state : NULL);
	json_bool(j, "capable", l->capable);
	json_str(j, "reason", *l->reason ? l->reason : NULL);
	json_num(j, "max_command_kb", l->max_kb);
	json_begin(j, "members", '[');
	for (unsigned int i = 0; i < l->nr; i++)
		json_layer(j, NULL, l->member[i]);
	json_end(j, ']');
	json_end(j, '}');
}

static void print_json(const struct probe *p, const struct layer *l, const struct verdict *v)
{
	struct json j = { .out = stdout };

	json_begin(&j, NULL, '{');
	json_str(&j, "device", p->path);
	json_str(&j, "verdict", verdict_word(v));
	json_str(&j, "errno", v->error ? strerrorname_np(v->error) : NULL);
	json_str(&j, "reason", v->why);
	json_layer(&j, "stack", l);
	json_end(&j, '}');
	putchar('\n');
}

int cmd_probe(int argc, char **argv)
{
	static const struct argp_child children[] = { { &buffer_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "DEV",
		.doc = "Show the layers of DEV and which of them take dma-bufs.",
		.children = children,
	};
	struct probe p = { .opts = OPTIONS_DEFAULT };
	struct verdict v = { 0 };
	struct device d;
	struct layer *l;

	argp_parse(&argp, argc, argv, 0, NULL, &p);
	device_open(&d, p.path, O_RDONLY, false);
	l = stack_walk(d.dev);
	try_device(&d, p.opts.buffer, &v);
	if (p.opts.json) {
		print_json(&p, l, &v);
	} else {
		print_tree(l);
		printf("%s: %s: %s\n", p.path, verdict_word(&v), v.why);
	}
	stack_free(l);
	return !v.tried ? EXIT_TROUBLE : v.error ? EXIT_NO : EXIT_OK;
}
