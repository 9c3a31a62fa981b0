// SPDX-License-Identifier: GPL-2.0
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmabuf-stack.h"

const char *argp_program_version = "dmabuf-stack " VERSION;

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "probe", cmd_probe },
	{ "copy", cmd_copy },
	{ "verify", cmd_verify },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_ARG)
		argp_error(state, "unknown command '%s'", arg);
	if (key == ARGP_KEY_NO_ARGS)
		argp_usage(state);
	return key == ARGP_KEY_INIT ? 0 : ARGP_ERR_UNKNOWN;
}

static const struct argp top = {
	.parser = parse,
	.args_doc = "COMMAND [OPTION...]",
	.doc = "Move data between block devices and dma-bufs, through stacked devices.\v"
	       "Commands:\n"
	       "  probe DEV      which layers of DEV take dma-bufs, and why not\n"
	       "  copy SRC DST   copy between files and devices through a dma-buf\n"
	       "  verify DEV     write, read back and compare (destroys data)\n\n"
	       "'dmabuf-stack COMMAND --help' explains one.\n",
};

int main(int argc, char **argv)
{
	char name[64];
	int ret;

	argp_err_exit_status = EXIT_TROUBLE;
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		snprintf(name, sizeof(name), "dmabuf-stack %s", argv[1]);
		argv[1] = name;
		ret = commands[i].run(argc - 1, argv + 1);
		if (fflush(stdout) || ferror(stdout))
			err(EXIT_TROUBLE, "standard output");
		return ret;
	}
	argp_parse(&top, argc, argv, ARGP_IN_ORDER, NULL, NULL);
	return EXIT_OK;
}
