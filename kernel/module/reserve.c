// SPDX-License-Identifier: GPL-2.0-only
/*
 * On xfs, the first store to a block that is shared with another file gets a new one, by copy on write, and reserves more
 * around it for the stores to come. A later write fault takes what was reserved, though nothing may be shared any more:
 * the block map of a sealed file would change. Inside the kernel one gives the reserve up; a module can't call that, but
 * it can do what does it on the way: unshare a file of which nothing is shared.
 */
#include <linux/fs.h>
#include <linux/falloc.h>	/* after fs.h, on which it relies */
#include <linux/pagemap.h>
#include <linux/stat.h>

#include "daxctl_static.h"

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

/*
 * Called by xfs's function: vfs_fallocate() refuses a file that is being sealed. It moves what it finds reserved into the
 * file before it gives up the rest, and Linux 6.1 leaves what is mapped as it was; so nobody may have the file mapped
 * for writing, and whoever reads it will find its blocks anew.
 */
static int unshare(struct file *file)
{
	struct inode *inode = file_inode(file);
	int ret;

	ret = mapping_deny_writable(inode->i_mapping);
	if (ret)
		return ret;
	ret = file->f_op->fallocate(file, FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE, 0,
				    round_up(i_size_read(inode), i_blocksize(inode)));
	if (!ret)
		ret = invalidate_inode_pages2(inode->i_mapping);
	mapping_allow_writable(inode->i_mapping);
	return ret;
}

int release_reserve(struct file *file, const struct block_map *map)
{
	return may_have_reserve(file, map) ? unshare(file) : 0;
}
