// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "dmabuf-stack.h"
#include "test.h"

int main(void)
{
	struct json j = { 0 };
	char *out;
	size_t len;

	j.out = open_memstream(&out, &len);
	json_begin(&j, NULL, '{');
	json_str(&j, "a\"b", "c\\d\n\x01é");
	json_str(&j, "nothing", NULL);
	json_begin(&j, "list", '[');
	json_num(&j, NULL, UINT64_MAX);
	json_bool(&j, NULL, true);
	json_begin(&j, NULL, '{');
	json_end(&j, '}');
	json_end(&j, ']');
	json_bool(&j, "last", false);
	json_end(&j, '}');
	fclose(j.out);
	ok(!strcmp(out, "{\"a\\\"b\": \"c\\\\d\\u000a\\u0001é\", \"nothing\": null, "
		   "\"list\": [18446744073709551615, true, {}], \"last\": false}"),
	   "nesting, commas and escapes: %s", out);
	free(out);
	return done_testing();
}
