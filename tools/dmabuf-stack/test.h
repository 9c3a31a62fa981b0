/* SPDX-License-Identifier: GPL-2.0 */
/* TAP, as little of it as is needed. */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>

static int tests, failed;

#define ok(cond, ...) do {						\
	int good = !!(cond);						\
									\
	failed += !good;						\
	printf("%sok %d - ", good ? "" : "not ", ++tests);		\
	printf(__VA_ARGS__);						\
	putchar('\n');							\
	if (!good)							\
		printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);	\
} while (0)

static inline int done_testing(void)
{
	printf("1..%d\n", tests);
	return failed != 0;
}

#endif
