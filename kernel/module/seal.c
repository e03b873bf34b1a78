// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealing: from here on nobody changes a file's block map or its size, until it is unsealed.
 *
 * The kernel's own test for swap files does most of it: the flag S_SWAPFILE refuses write, fallocate, shrinking, reflink,
 * dedupe, exchange of extents, unlink and rename. guard.c adds growing. DAX faults never look at the flag.
 *
 * A seal holds the file open for writing, and with it the mount; and the module.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fileattr.h>	/* after fs.h, on which it relies */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu-rwsem.h>
#include <linux/proc_fs.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "daxctl_static.h"

struct seal {
	struct list_head list;
	struct file *file;
	unsigned long align;
	struct block_map map;
};

static LIST_HEAD(seals);
static DEFINE_MUTEX(seals_mutex);	/* protects the list and what is on it; nobody sleeps for long with it, for mmap takes it too */
/* One file is sealed or unsealed at a time, however long it takes. Protects the guards. Taken before all else. */
static DEFINE_MUTEX(sealing_mutex);

static struct seal *find_seal(const struct inode *inode)
{
	struct seal *seal, *found = NULL;

	mutex_lock(&seals_mutex);
	list_for_each_entry(seal, &seals, list)
		if (file_inode(seal->file) == inode)
			found = seal;
	mutex_unlock(&seals_mutex);
	return found;
}

bool is_sealed(const struct inode *inode)
{
	return find_seal(inode);
}

static void list_seal(struct seal *seal)
{
	mutex_lock(&seals_mutex);
	list_add_tail(&seal->list, &seals);
	mutex_unlock(&seals_mutex);
}

static void unlist_seal(struct seal *seal)
{
	mutex_lock(&seals_mutex);
	list_del(&seal->list);
	mutex_unlock(&seals_mutex);
}

/* The filesystems that were tested; and of xfs the part that lies on the main device. */
static int check_filesystem(struct file *file)
{
	const char *name = file_inode(file)->i_sb->s_type->name;
	struct fileattr attr;

	if (strcmp(name, "ext4") && strcmp(name, "xfs"))
		return -EOPNOTSUPP;
	if (vfs_fileattr_get(file->f_path.dentry, &attr))
		return -EOPNOTSUPP;
	return attr.fsx_xflags & FS_XFLAG_REALTIME ? -EOPNOTSUPP : 0;
}

static int begin_seal(struct inode *inode)
{
	int ret;

	if (IS_SWAPFILE(inode))
		return -EBUSY;
	if (!inode->i_nlink)
		return -ENOENT;
	if (!i_size_read(inode))
		return -ENODATA;
	ret = guard_inode(inode);
	if (!ret)
		inode_set_flags(inode, S_SWAPFILE, S_SWAPFILE);
	return ret;
}

static void end_seal(struct inode *inode)
{
	inode_set_flags(inode, 0, S_SWAPFILE);
	unguard_inode(inode);
}

/*
 * fallocate and xfs's swapext look for the flag first, then become writers of the filesystem (sb_start_write), and only
 * then take the lock. So whoever has looked before the flag was set may still be on the way to changing the blocks. To wait
 * for all of them:
 *   1. The flag is set.
 *   2. Every task has slept once, or is in user space (RCU-tasks): whoever had looked before 1 is now inside of
 *      sb_start_write, as a writer; or asleep in it because the filesystem is frozen, in the queue before us.
 *   3. The lock that a freeze takes is taken: the writers of 2 are through. And given back.
 */
static void drain(struct super_block *sb)
{
	struct percpu_rw_semaphore *writers = &sb->s_writers.rw_sem[SB_FREEZE_WRITE - 1];

	synchronize_rcu_tasks();
	percpu_down_write(writers);
	percpu_up_write(writers);
}

/*
 * When a walk has seen nothing but written extents that are the file's own, and nothing is reserved, there is nothing left
 * that a write fault could change. Then what faults have changed before is made durable.
 */
static int settle_blocks(struct seal *seal)
{
	int ret;

	ret = check_block_map(seal->file, seal->align, &seal->map);
	if (!ret)
		ret = release_reserve(seal->file, &seal->map);
	if (!ret)
		ret = check_block_map(seal->file, seal->align, &seal->map);
	if (!ret)
		ret = vfs_fsync(seal->file, 0);
	return ret;
}

static int seal_blocks(struct seal *seal)
{
	struct inode *inode = file_inode(seal->file);
	int ret;

	inode_lock(inode);
	ret = begin_seal(inode);
	inode_unlock(inode);
	if (ret)
		return ret;
	drain(inode->i_sb);
	ret = settle_blocks(seal);
	if (ret) {
		inode_lock(inode);
		end_seal(inode);
		inode_unlock(inode);
	}
	return ret;
}

static int seal_again(struct seal *seal, unsigned long align)
{
	struct block_map map;

	return align <= seal->align ? 0 : check_block_map(seal->file, align, &map);
}

static int seal_anew(struct file *file, unsigned long align)
{
	struct seal *seal;
	int ret;

	ret = check_filesystem(file);
	if (ret)
		return ret;
	seal = kzalloc(sizeof(*seal), GFP_KERNEL_ACCOUNT);
	if (!seal)
		return -ENOMEM;
	seal->align = align;
	/* The seal's own: the caller's may be closed, and may lack O_RDWR. */
	seal->file = dentry_open(&file->f_path, O_RDWR | O_LARGEFILE, current_cred());
	ret = PTR_ERR_OR_ZERO(seal->file);
	if (ret)
		goto free_seal;
	ret = seal_blocks(seal);
	if (ret)
		goto close_file;
	__module_get(THIS_MODULE);
	list_seal(seal);
	return 0;

close_file:
	fput(seal->file);
free_seal:
	kfree(seal);
	return ret;
}

int seal_file(struct file *file, unsigned long align)
{
	struct seal *seal;
	int ret;

	mutex_lock(&sealing_mutex);
	seal = find_seal(file_inode(file));
	ret = seal ? seal_again(seal, align) : seal_anew(file, align);
	mutex_unlock(&sealing_mutex);
	return ret;
}

/*
 * Whoever has it mapped for writing relies on the seal. A mapping made through the device isn't stopped by the denial, for
 * mmap asks the device's own pages for leave, and only then counts as the file's. So the seal is off the list first: who
 * maps is counted before the denial, which fails; or asks after it whether the file is sealed, and is told that it isn't.
 */
static int drop_seal(struct seal *seal)
{
	struct inode *inode = file_inode(seal->file);
	int ret;

	unlist_seal(seal);
	ret = mapping_deny_writable(inode->i_mapping);
	if (ret) {
		list_seal(seal);
		return ret;
	}
	inode_lock(inode);
	end_seal(inode);
	inode_unlock(inode);
	mapping_allow_writable(inode->i_mapping);
	return 0;
}

int unseal_file(struct file *file)
{
	struct seal *seal;
	int ret = 0;

	mutex_lock(&sealing_mutex);
	seal = find_seal(file_inode(file));
	if (seal)
		ret = drop_seal(seal);
	if (seal && !ret) {
		fput(seal->file);
		kfree(seal);
		module_put(THIS_MODULE);
	}
	mutex_unlock(&sealing_mutex);
	return ret;
}

static void *seals_start(struct seq_file *m, loff_t *pos)
{
	mutex_lock(&seals_mutex);
	return seq_list_start_head(&seals, *pos);
}

static void *seals_next(struct seq_file *m, void *v, loff_t *pos)
{
	return seq_list_next(v, &seals, pos);
}

static void seals_stop(struct seq_file *m, void *v)
{
	mutex_unlock(&seals_mutex);
}

static int seals_show(struct seq_file *m, void *v)
{
	struct seal *seal = list_entry(v, struct seal, list);

	if (v == &seals) {
		seq_puts(m, "Bytes\tAlign\tExtents\tFilename\n");
		return 0;
	}
	seq_printf(m, "%lld\t%lu\t%lu\t", i_size_read(file_inode(seal->file)), seal->align, seal->map.runs);
	seq_file_path(m, seal->file, " \t\n\\");
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations seals_seq_ops = {
	.start = seals_start,
	.next = seals_next,
	.stop = seals_stop,
	.show = seals_show,
};

int seal_init(void)
{
	/* A kernel that has daxctl(2) has this file, and no need of the module. */
	return proc_create_seq("static_dax", 0400, NULL, &seals_seq_ops) ? 0 : -EEXIST;
}

void seal_exit(void)
{
	remove_proc_entry("static_dax", NULL);
}
