// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "dmabuf-stack.h"

/* Positioned behind everything logged so far. -1 without the right to read it. */
int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* The first record about a dma-buf, which is the innermost layer's. Closes @fd. */
bool kmsg_find(int fd, char *out, size_t size)
{
	char record[8192], *text;
	bool found = false;
	ssize_t len;

	if (fd < 0)
		return false;
	while (!found && (len = read(fd, record, sizeof(record) - 1)) > 0) {
		record[len] = 0;
		text = strchr(record, ';');
		if (!text || (!strcasestr(text, "dma-buf") && !strcasestr(text, "dmabuf")))
			continue;
		text[strcspn(text, "\n")] = 0;
		snprintf(out, size, "%s", text + 1);
		found = true;
	}
	close(fd);
	return found;
}
