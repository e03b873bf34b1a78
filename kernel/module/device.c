// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/daxctl: daxctl(2) for a stock kernel. See daxctl_ioctl.h, which is its manual.
 *
 * do_mmap() refuses to map a swap file shared and writable. So an open of the device is bound to a sealed file, and
 * mmap of the device hands the mapping over to that file, as stacked filesystems do: from then on it is the file's own
 * mapping, which counts as such, and has nothing of this module in it.
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "daxctl_ioctl.h"
#include "daxctl_static.h"

static int check_file(const struct inode *inode)
{
	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	if (!IS_DAX(inode) || !inode->i_op->fiemap || !inode->i_op->setattr)
		return -EOPNOTSUPP;
	return 0;
}

static long control_file(struct file *file, u32 flags, unsigned long align)
{
	int ret;

	if (flags != DAXCTL_GET && !(file->f_mode & FMODE_WRITE))
		return -EBADF;
	ret = check_file(file_inode(file));
	if (ret)
		return ret;
	switch (flags) {
	case DAXCTL_GET:
		return is_sealed(file_inode(file)) ? DAXCTL_STATIC : 0;
	case DAXCTL_STATIC:
		return seal_file(file, align);
	default:
		return unseal_file(file);
	}
}

static long control(const struct daxctl_args *args)
{
	const u64 align = args->align ?: PAGE_SIZE;
	struct fd f;
	long ret;

	if (args->flags && args->flags != DAXCTL_GET && args->flags != DAXCTL_STATIC)
		return -EINVAL;
	if (args->flags != DAXCTL_STATIC && args->align)
		return -EINVAL;
	if (!is_power_of_2(align) || align < PAGE_SIZE)
		return -EINVAL;
	if (args->flags != DAXCTL_GET && !capable(CAP_LINUX_IMMUTABLE))
		return -EPERM;
	f = fdget(args->fd);
	if (!f.file)
		return -EBADF;
	ret = control_file(f.file, args->flags, align);
	fdput(f);
	return ret;
}

static long bind_device(struct file *device, int fd)
{
	struct file *file = fget(fd);
	long ret;

	if (!file)
		return -EBADF;
	ret = -EBADF;
	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) != (FMODE_READ | FMODE_WRITE))
		goto out;
	ret = check_file(file_inode(file));
	if (ret)
		goto out;
	ret = -EINVAL;
	if (!is_sealed(file_inode(file)))
		goto out;
	/* Whoever maps reads this once, and must not see it change. */
	ret = cmpxchg(&device->private_data, NULL, file) ? -EBUSY : 0;
out:
	if (ret)
		fput(file);
	return ret;
}

static long device_ioctl(struct file *device, unsigned int command, unsigned long argument)
{
	void __user *from = (void __user *)argument;
	struct daxctl_args args;
	s32 fd;

	switch (command) {
	case DAXCTL_IOC_CONTROL:
		return copy_from_user(&args, from, sizeof(args)) ? -EFAULT : control(&args);
	case DAXCTL_IOC_BIND:
		return copy_from_user(&fd, from, sizeof(fd)) ? -EFAULT : bind_device(device, fd);
	default:
		return -ENOTTY;
	}
}

/* do_mmap() has looked at the device, which has no end, may be executed, and is neither append-only nor a swap file. */
static int check_mapping(const struct file *file, struct vm_area_struct *vma)
{
	const struct inode *inode = file_inode(file);

	/* It may have been unsealed since it was bound, and be anything by now. */
	if (!is_sealed(inode))
		return -EINVAL;
	if (IS_APPEND(inode))
		return -EACCES;
	if (vma->vm_pgoff + vma_pages(vma) > (u64)MAX_LFS_FILESIZE >> PAGE_SHIFT)
		return -EOVERFLOW;
	return vma->vm_flags & VM_EXEC ? -EPERM : 0;
}

static int device_mmap(struct file *device, struct vm_area_struct *vma)
{
	struct file *file = READ_ONCE(device->private_data);
	int ret;

	if (!file)
		return -ENODEV;
	ret = check_mapping(file, vma);
	if (ret)
		return ret;
	vma->vm_flags &= ~VM_MAYEXEC;
	vma_set_file(vma, file);
	return call_mmap(file, vma);
}

/* Huge pages need an address that is aligned to them: the file's filesystem sees to it. */
static unsigned long device_get_unmapped_area(struct file *device, unsigned long address, unsigned long length,
					      unsigned long pgoff, unsigned long flags)
{
	struct file *file = READ_ONCE(device->private_data);

	if (file && file->f_op->get_unmapped_area)
		return file->f_op->get_unmapped_area(file, address, length, pgoff, flags);
	return current->mm->get_unmapped_area(device, address, length, pgoff, flags);
}

static int device_open(struct inode *inode, struct file *device)
{
	device->private_data = NULL;	/* misc_open() left the miscdevice there */
	return 0;
}

static int device_release(struct inode *inode, struct file *device)
{
	if (device->private_data)
		fput(device->private_data);
	return 0;
}

static const struct file_operations device_operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = device_mmap,
	.get_unmapped_area = device_get_unmapped_area,
	.mmap_supported_flags = MAP_SYNC,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "daxctl",
	.fops = &device_operations,
	.mode = 0666,	/* who may do what is asked at each call */
};

static int __init daxctl_init(void)
{
	int ret = seal_init();

	if (ret) {
		pr_err("daxctl_static: this kernel has /proc/static_dax, so it has daxctl(2): use that\n");
		return ret;
	}
	ret = misc_register(&device);
	if (ret)
		seal_exit();
	return ret;
}

static void __exit daxctl_exit(void)
{
	misc_deregister(&device);
	seal_exit();
	guard_exit();
}

module_init(daxctl_init);
module_exit(daxctl_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Static DAX files: seals the block map of a file, so that its mapping needs no fsync");
