// SPDX-License-Identifier: GPL-2.0
/*
 * Reset the subsystem of an NVMe controller.
 *
 *	subsystem-reset DEVICE
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <linux/nvme_ioctl.h>

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0 || ioctl(fd, NVME_IOCTL_SUBSYS_RESET)) {
		perror("subsystem-reset");
		return 1;
	}
	return 0;
}
