/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * /dev/daxctl: daxctl(2) for a kernel that hasn't got it, by the module daxctl_static.
 *
 * Its flags and errnos are the system call's. What differs: a sealed file is mapped shared and writable through the
 * device, because the kernel takes the file itself for a swap file and refuses (ETXTBSY). And EBUSY may also say of a file on
 * xfs that it is mapped for writing, and shared blocks once (or is in so many pieces that one can't tell): reserve.c says why.
 * To seal such a file takes CAP_SYS_ADMIN as well (EPERM).
 *
 *   int control = open("/dev/daxctl", O_RDWR | O_CLOEXEC);
 *   struct daxctl_args args = { .fd = fd, .flags = DAXCTL_STATIC };
 *   ioctl(control, DAXCTL_IOC_CONTROL, &args);             // seal
 *   ioctl(control, DAXCTL_IOC_BIND, &fd);                  // `control` stands for the file now
 *   mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, control, offset);
 *   close(control);                                        // the mapping stays
 *
 * mmap: EINVAL if the file isn't sealed any more, EACCES if it is append-only. Who didn't seal the file himself asks
 * (DAXCTL_GET) once he has it mapped: if it is sealed then, the mapping keeps it so. (While somebody tries to unseal it, who
 * will be refused, the answer may be that it isn't, of mmap and of DAXCTL_IOC_BIND too: ask again.)
 */
#ifndef DAXCTL_IOCTL_H_
#define DAXCTL_IOCTL_H_

#include <linux/ioctl.h>
#include <linux/types.h>

#define DAXCTL_GET	(1 << 0) /* return the file's flags: DAXCTL_STATIC or 0 */
#define DAXCTL_STATIC	(1 << 2) /* seal; without it, and without DAXCTL_GET: unseal */

struct daxctl_args {
	__s32 fd;
	__u32 flags;
	__u64 align; /* with DAXCTL_STATIC; bytes, a power of two; 0: the page size */
};

/* What daxctl(2) does and returns, with the file by descriptor. */
#define DAXCTL_IOC_CONTROL	_IOW(0xDA, 0x00, struct daxctl_args)
/*
 * Make this open of the device stand for a sealed file, once, so that mmap(2) of it maps the file. EBADF: the
 * descriptor isn't for reading and writing. EINVAL: the file isn't sealed. EBUSY: this open stands for a file already.
 */
#define DAXCTL_IOC_BIND		_IOW(0xDA, 0x01, __s32)

#endif /* DAXCTL_IOCTL_H_ */
