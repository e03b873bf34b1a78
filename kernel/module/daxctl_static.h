/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of the module daxctl_static.
 *
 *   device.c     /dev/daxctl: its ioctls and its mmap
 *   seal.c       which files are sealed; how one is sealed and unsealed; /proc/static_dax
 *   guard.c      a sealed file can't be made larger, which a swap file can
 *   block_map.c  whether a file's blocks are such that it can be sealed
 *   reserve.c    what copy on write has reserved for a file on xfs, which would change its blocks
 */
#ifndef DAXCTL_STATIC_H_
#define DAXCTL_STATIC_H_

#include <linux/fs.h>

/* seal.c. All may sleep; seal_file() for some tenths of a second. */
int seal_file(struct file *file, unsigned long align);
int unseal_file(struct file *file);
bool is_sealed(const struct inode *inode);
int seal_init(void);
void seal_exit(void);

/* guard.c. With the inode lock held; unguard_inode() only what was guarded. */
int guard_inode(struct inode *inode);
void unguard_inode(struct inode *inode);
void guard_exit(void);

/*
 * What is found out about a file's blocks. Nobody may change them meanwhile, but for write faults.
 */
struct block_map {
	unsigned long runs; /* contiguous in the file and on the device */
	u64 bytes;	    /* of all its extents */
};

/* block_map.c: 0; or the reason why the blocks can't be relied on, an errno of daxctl(2). */
int check_block_map(struct file *file, unsigned long align, struct block_map *map);

/* reserve.c: 0 when there is nothing reserved any more; EBUSY if that can't be found out, because the file is mapped. */
int release_reserve(struct file *file, const struct block_map *map);

#endif /* DAXCTL_STATIC_H_ */
