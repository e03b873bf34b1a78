/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes the place of the selftest's file of this name: the same tests, by way of /dev/daxctl.
 */
#ifndef DAXCTL_CALL_H_
#define DAXCTL_CALL_H_

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daxctl_ioctl.h"

#define DAXFILE_F_GET DAXCTL_GET
#define DAXFILE_F_DAX (1 << 1)
#define DAXFILE_F_STATIC DAXCTL_STATIC

static const bool daxctl_takes_paths;
static const bool maps_directly;

static inline long sys_daxctl(int fd, const char *path, unsigned int flags, unsigned long align)
{
	struct daxctl_args args = { .fd = fd, .flags = flags, .align = align };
	static int control = -1;

	if (path) {
		errno = ENOSYS;
		return -1;
	}
	if (control < 0)
		control = open("/dev/daxctl", O_RDWR | O_CLOEXEC);
	return ioctl(control, DAXCTL_IOC_CONTROL, &args);
}

static inline void *map_sealed(int fd, size_t bytes, int prot, int flags)
{
	const int control = open("/dev/daxctl", O_RDWR | O_CLOEXEC);
	void *at = MAP_FAILED;
	int error;

	if (ioctl(control, DAXCTL_IOC_BIND, &fd) == 0)
		at = mmap(NULL, bytes, prot, flags, control, 0);
	error = errno;
	close(control);
	errno = error;
	return at;
}

static inline void *map_file(int fd, size_t bytes, int prot, int flags)
{
	void *at = mmap(NULL, bytes, prot, flags, fd, 0);

	return at == MAP_FAILED && errno == ETXTBSY ? map_sealed(fd, bytes, prot, flags) : at;
}

#endif /* DAXCTL_CALL_H_ */
