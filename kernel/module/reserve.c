// SPDX-License-Identifier: GPL-2.0-only
/*
 * On xfs, the first store to a block that is shared with another file gets a new one, by copy on write, and reserves more
 * around it for the stores to come. A later write fault takes what was reserved, though nothing may be shared any more:
 * the block map of a sealed file would change. Inside the kernel one gives the reserve up; a module can't call that, but
 * can ask for it: XFS_IOC_FREE_EOFBLOCKS does it for each file that is clean, and moves nothing.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/stat.h>
#include <linux/uaccess.h>

#include "daxctl_static.h"

/* Of xfs's interface, which has no header among the kernel's. */
struct xfs_fs_eofblocks {
	__u32 eof_version;
	__u32 eof_flags;
	__u32 eof_uid;
	__u32 eof_gid;
	__u32 eof_prid;
	__u32 pad32;
	__u64 eof_min_file_size;
	__u64 pad64[12];
};

#define XFS_EOFBLOCKS_VERSION	1
#define XFS_EOF_FLAGS_SYNC	(1 << 0)	/* wait for who holds a file's locks */
#define XFS_EOF_FLAGS_MINFILESIZE (1 << 4)
#define XFS_IOC_FREE_EOFBLOCKS	_IOR('X', 58, struct xfs_fs_eofblocks)

/*
 * xfs counts what is reserved among a file's blocks. What else it counts beyond its extents are blocks of the map itself,
 * of a file in many pieces, and of extended attributes.
 */
static bool may_have_reserve(struct file *file, const struct block_map *map)
{
	struct kstat stat;

	if (strcmp(file_inode(file)->i_sb->s_type->name, "xfs"))
		return false;
	return vfs_getattr_nosec(&file->f_path, &stat, STATX_BLOCKS, AT_STATX_SYNC_AS_STAT) ||
	       stat.blocks << 9 != map->bytes;
}

/* Of all files that are this large. */
static int free_reserves(struct file *file)
{
	const struct xfs_fs_eofblocks args = {
		.eof_version = XFS_EOFBLOCKS_VERSION,
		.eof_flags = XFS_EOF_FLAGS_SYNC | XFS_EOF_FLAGS_MINFILESIZE,
		.eof_min_file_size = i_size_read(file_inode(file)),
	};
	unsigned long buffer = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	int ret = -EFAULT;

	if (IS_ERR_VALUE(buffer))
		return (int)buffer;
	if (!copy_to_user((void __user *)buffer, &args, sizeof(args)))
		ret = file->f_op->unlocked_ioctl(file, XFS_IOC_FREE_EOFBLOCKS, buffer);
	vm_munmap(buffer, PAGE_SIZE);
	return ret;
}

/* A file is clean when what was stored through mappings is written back, and there are none through which more comes. */
static int free_reserve_of_clean_file(struct file *file)
{
	struct inode *inode = file_inode(file);
	int ret;

	ret = mapping_deny_writable(inode->i_mapping);
	if (ret)
		return ret;
	ret = vfs_fsync(file, 0);
	if (!ret)
		ret = write_inode_now(inode, 1);
	if (!ret)
		ret = free_reserves(file);
	mapping_allow_writable(inode->i_mapping);
	return ret;
}

int release_reserve(struct file *file, const struct block_map *map)
{
	return may_have_reserve(file, map) ? free_reserve_of_clean_file(file) : 0;
}
