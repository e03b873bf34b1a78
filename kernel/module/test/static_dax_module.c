// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module has that the system call hasn't: its device, and an end.
 *
 *   static_dax_module DIRECTORY     as for static_dax_test; the module is loaded, and isn't afterwards
 */
#define _GNU_SOURCE
#include <linux/fs.h>
#include <sys/syscall.h>
#include <time.h>

#include "static_dax.h"

enum { FILE_BYTES = 1 << 20 };

static int claims, failed;

static void expect(int expected, long result, const char *what)
{
	const int error = result < 0 ? errno : 0;

	printf("%s %d - %s: %s\n", error == expected ? "ok" : "not ok", ++claims, what,
	       error ? strerrorname_np(error) : "OK");
	failed += error != expected;
}

static long unload(void)
{
	return syscall(SYS_delete_module, "daxctl_static", O_NONBLOCK);
}

static int open_control(void)
{
	return open_file("/dev/daxctl", O_RDWR);
}

static long map_at(int control, int prot, off_t offset)
{
	void *at = mmap(NULL, FILE_BYTES, prot, MAP_SHARED, control, offset);

	return at == MAP_FAILED ? -1 : munmap(at, FILE_BYTES);
}

static long map(int control)
{
	return map_at(control, PROT_READ | PROT_WRITE, 0);
}

static int set_append_only(int fd, int is_wanted)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0)
		return -1;
	flags = is_wanted ? flags | FS_APPEND_FL : flags & ~FS_APPEND_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static void test_binding(int fd)
{
	const int control = open_control(), readable = open_file("file", O_RDONLY), none = -1;
	int writable = open_file("file", O_WRONLY);

	expect(ENOTTY, ioctl(control, _IO(0xDA, 99)), "an unknown ioctl");
	expect(EFAULT, ioctl(control, DAXCTL_IOC_CONTROL, (void *)1), "a bad pointer to CONTROL");
	expect(EFAULT, ioctl(control, DAXCTL_IOC_BIND, (void *)1), "a bad pointer to BIND");
	expect(EBADF, ioctl(control, DAXCTL_IOC_BIND, &none), "bind no descriptor");
	expect(ENODEV, map(control), "map what isn't bound");
	expect(EINVAL, ioctl(control, DAXCTL_IOC_BIND, &fd), "bind a file that isn't sealed");
	expect(0, seal(fd), "seal");
	expect(EBADF, ioctl(control, DAXCTL_IOC_BIND, &readable), "bind a descriptor for reading");
	expect(EBADF, ioctl(control, DAXCTL_IOC_BIND, &writable), "bind a descriptor for writing only");
	expect(0, ioctl(control, DAXCTL_IOC_BIND, &fd), "bind");
	expect(EBUSY, ioctl(control, DAXCTL_IOC_BIND, &fd), "bind again");
	expect(0, map_at(control, PROT_READ, (off_t)1 << 62), "map far behind the end, as of any file");
	expect(EOVERFLOW, map_at(control, PROT_READ, (off_t)(1ull << 63)), "map at an offset that is negative to files");
	expect(EPERM, map_at(control, PROT_READ | PROT_EXEC, 0), "map to execute");
	expect(0, unseal(fd), "unseal what is bound and not mapped");
	expect(EINVAL, map(control), "map what is bound and not sealed any more");
	expect(0, seal(fd), "seal it again");
	expect(0, map(control), "map through the device that was bound before");
	expect(0, set_append_only(fd, 1), "make it append-only");
	expect(EACCES, map(control), "map what is append-only");
	expect(0, set_append_only(fd, 0), "make it plain again");
	expect(0, unseal(fd), "unseal");
	close(control);
	close(readable);
	close(writable);
}

/* A mapping holds the seal, a seal holds the module; neither needs a descriptor. */
static void test_what_holds_what(int fd)
{
	struct timespec start, end;
	char *at;

	clock_gettime(CLOCK_MONOTONIC, &start);
	expect(0, seal(fd), "seal");
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("# that took %ld ms\n", (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000);
	at = map_sealed(fd, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED);
	expect(0, at == MAP_FAILED ? -1 : 0, "map, close the device");
	at[5] = 5;
	expect(EBUSY, unseal(fd), "unseal while mapped");
	expect(EWOULDBLOCK, unload(), "unload while sealed and mapped");
	munmap(at, FILE_BYTES / 2);
	expect(EBUSY, unseal(fd), "unseal while the half of it is mapped");
	munmap(at + FILE_BYTES / 2, FILE_BYTES / 2);
	expect(EWOULDBLOCK, unload(), "unload while sealed");
	expect(0, unseal(fd), "unseal");
}

static void test_protection(int fd)
{
	char *at = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);

	expect(0, seal(fd), "seal what is mapped for reading");
	expect(0, mprotect(at, FILE_BYTES, PROT_READ | PROT_WRITE), "make that mapping writable");
	at[7] = 7;
	expect(EBUSY, unseal(fd), "it holds the seal");
	munmap(at, FILE_BYTES);
	expect(0, unseal(fd), "unseal");
}

int main(int argc, char **argv)
{
	int fd, control;

	if (argc != 2 || chdir(argv[1]) != 0) {
		fprintf(stderr, "usage: static_dax_module DIRECTORY\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = prepare("file", FILE_BYTES);
	test_binding(fd);
	test_what_holds_what(fd);
	test_protection(fd);
	/* The device that sys_daxctl() has open holds the module as well. */
	for (control = 3; control < 64; ++control)
		if (control != fd)
			close(control);
	expect(0, unload(), "unload");
	expect(ENOENT, open("/dev/daxctl", O_RDWR), "the device is gone");
	expect(0, ftruncate(fd, FILE_BYTES * 2), "grow the file");
	expect(0, unlink("file"), "unlink it");
	close(fd);
	printf("1..%d\n# %d of %d claims hold\n", claims, claims - failed, claims);
	return failed > 0 ? 1 : 0;
}
