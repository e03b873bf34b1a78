// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a file's blocks can be relied on. A module can't call the filesystem's iomap operations, which are static in
 * it, but fiemap, which walks by them. It writes what it finds to the caller's memory: so some is mapped there for the
 * time of the walk. Another thread of the caller could forge what is read back from it: whoever may seal files is trusted to
 * tell the truth of them.
 */
#include <linux/dax.h>
#include <linux/fiemap.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pfn_t.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "daxctl_static.h"

#define EXTENTS_AT_ONCE 256

struct walk {
	struct dax_device *dax_dev;
	u64 device_offset;   /* of the filesystem in the device: a partition */
	unsigned long align;
	struct block_map *map;
	/* Extents that follow one another in the file and in the filesystem: one run. */
	u64 start;
	u64 physical;
	u64 length;
};

static int check_flags(u32 flags)
{
	if (flags & FIEMAP_EXTENT_DATA_INLINE)
		return -ENOTBLK;
	if (flags & (FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN))
		return -ENXIO;
	if (flags & FIEMAP_EXTENT_UNWRITTEN)
		return -ENODATA;
	if (flags & FIEMAP_EXTENT_SHARED)
		return -EMLINK;
	if (flags & ~FIEMAP_EXTENT_LAST)
		return -EOPNOTSUPP;
	return 0;
}

/* What is one run to the filesystem the device may put together from several. */
static int end_run(struct walk *walk)
{
	u64 done = 0;

	while (done < walk->length) {
		u64 at = walk->device_offset + walk->physical + done;
		long nr_pages;
		pfn_t pfn;
		int id;

		id = dax_read_lock();
		nr_pages = dax_direct_access(walk->dax_dev, PHYS_PFN(at),
					     DIV_ROUND_UP(walk->length - done, PAGE_SIZE), DAX_ACCESS, NULL, &pfn);
		dax_read_unlock(id);
		if (nr_pages <= 0)
			return nr_pages ? nr_pages : -EIO;
		if (((walk->start + done) | pfn_t_to_phys(pfn)) & (walk->align - 1))
			return -EADDRNOTAVAIL;
		walk->map->runs++;
		done += PFN_PHYS((u64)nr_pages);
	}
	return 0;
}

static u64 end_of(const struct walk *walk)
{
	return walk->start + walk->length;
}

static int check_extent(struct walk *walk, const struct fiemap_extent *extent)
{
	int ret;

	if (extent->fe_logical > end_of(walk))
		return -ENXIO;
	ret = check_flags(extent->fe_flags);
	if (ret)
		return ret;
	walk->map->bytes += extent->fe_length;
	if (walk->length && extent->fe_physical == walk->physical + walk->length) {
		walk->length += extent->fe_length;
		return 0;
	}
	ret = end_run(walk);
	walk->start = extent->fe_logical;
	walk->physical = extent->fe_physical;
	walk->length = extent->fe_length;
	return ret;
}

static int check_extents(struct inode *inode, struct walk *walk, struct fiemap_extent __user *buffer)
{
	const u64 size = i_size_read(inode);

	while (end_of(walk) < size) {
		struct fiemap_extent_info info = { .fi_extents_max = EXTENTS_AT_ONCE, .fi_extents_start = buffer };
		unsigned int i;
		int ret;

		ret = inode->i_op->fiemap(inode, &info, end_of(walk), size - end_of(walk));
		if (ret)
			return ret;
		if (!info.fi_extents_mapped)
			return -ENXIO;
		for (i = 0; i < info.fi_extents_mapped; i++) {
			struct fiemap_extent extent;

			if (copy_from_user(&extent, &buffer[i], sizeof(extent)))
				return -EFAULT;
			ret = check_extent(walk, &extent);
			if (ret)
				return ret;
		}
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return end_run(walk);
}

int check_block_map(struct file *file, unsigned long align, struct block_map *map)
{
	const unsigned long bytes = PAGE_ALIGN(EXTENTS_AT_ONCE * sizeof(struct fiemap_extent));
	struct inode *inode = file_inode(file);
	struct walk walk = { .align = align, .map = map };
	unsigned long buffer;
	int ret = -EOPNOTSUPP;

	*map = (struct block_map){ };
	walk.dax_dev = fs_dax_get_by_bdev(inode->i_sb->s_bdev, &walk.device_offset, NULL, NULL);
	if (!walk.dax_dev || !dax_synchronous(walk.dax_dev))
		goto out;
	buffer = vm_mmap(NULL, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	ret = (int)buffer;
	if (IS_ERR_VALUE(buffer))
		goto out;
	ret = check_extents(inode, &walk, (struct fiemap_extent __user *)buffer);
	vm_munmap(buffer, bytes);
out:
	fs_put_dax(walk.dax_dev, NULL);
	return ret;
}
