/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of the module daxctl_static.
 *
 *   device.c     /dev/daxctl: its ioctls and its mmap
 *   seal.c       which files are sealed; how one is sealed and unsealed; /proc/static_dax
 *   guard.c      a sealed file can't be made larger, which a swap file can
 *   block_map.c  whether a file's blocks are such that it can be sealed
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
 * block_map.c: 0, and how many contiguous runs there are; or the reason why the blocks can't be relied on, an errno of
 * daxctl(2). Nobody may change the block map meanwhile, but for write faults.
 */
int check_block_map(struct file *file, unsigned long align, unsigned long *runs);

#endif /* DAXCTL_STATIC_H_ */
