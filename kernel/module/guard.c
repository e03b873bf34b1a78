// SPDX-License-Identifier: GPL-2.0-only
/*
 * To the kernel a sealed file is a swap file, and those may grow: ftruncate would give it a hole. So a sealed inode gets
 * a copy of its inode operations that differs in one of them: setattr refuses each change of the size. It is called with
 * the inode lock held, like both functions here: so no call is under way when a guard goes.
 *
 * Others read i_op without a lock, and may hold a pointer to a copy for the time between two instructions. So copies,
 * one for each filesystem, live as long as the module, and a little longer.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "daxctl_static.h"

#ifndef CONFIG_TASKS_RCU
#error "synchronize_rcu_tasks() must wait until tasks have slept by themselves: the kernel needs CONFIG_TASKS_RCU"
#endif

struct guard {
	struct list_head list;
	const struct inode_operations *original;
	struct inode_operations guarded;
};

static LIST_HEAD(guards);	/* seal.c's sealing_mutex protects it */

static const struct guard *guard_of(const struct inode *inode)
{
	return container_of(inode->i_op, struct guard, guarded);
}

static int guarded_setattr(struct user_namespace *mnt_userns, struct dentry *dentry, struct iattr *attr)
{
	if (attr->ia_valid & ATTR_SIZE)
		return -ETXTBSY;
	return guard_of(d_inode(dentry))->original->setattr(mnt_userns, dentry, attr);
}

int guard_inode(struct inode *inode)
{
	struct guard *guard;

	list_for_each_entry(guard, &guards, list)
		if (guard->original == inode->i_op)
			goto found;
	guard = kzalloc(sizeof(*guard), GFP_KERNEL);
	if (!guard)
		return -ENOMEM;
	guard->original = inode->i_op;
	guard->guarded = *inode->i_op;
	guard->guarded.setattr = guarded_setattr;
	list_add(&guard->list, &guards);
found:
	/* The copy is whole before anybody finds it: readers' loads depend on the pointer. */
	smp_store_release(&inode->i_op, &guard->guarded);
	return 0;
}

void unguard_inode(struct inode *inode)
{
	WRITE_ONCE(inode->i_op, guard_of(inode)->original);
}

void guard_exit(void)
{
	struct guard *guard, *next;

	/* Whoever is between reading i_op and what it points to doesn't sleep there. */
	synchronize_rcu_tasks();
	list_for_each_entry_safe(guard, next, &guards, list)
		kfree(guard);
}
