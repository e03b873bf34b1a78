// SPDX-License-Identifier: Apache-2.0
// tier_at_most static-dax|map-sync|msync PROGRAM ARGUMENT…: runs a program on a kernel that seems to have no daxctl(2),
// or no MAP_SYNC either, so that a store gets a weaker tier on the same filesystem. The filter is as long for each
// tier: what it costs a system call, it costs with all of them.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DAXCTL = 451 };

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(answer) BPF_STMT(BPF_RET | BPF_K, (answer))

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int is_msync = strcmp(argv[1], "msync") == 0;
  const int is_map_sync = strcmp(argv[1], "map-sync") == 0;
  if (!is_msync && !is_map_sync && strcmp(argv[1], "static-dax") != 0) return 2;
  const unsigned daxctl = is_msync || is_map_sync ? SECCOMP_RET_ERRNO | ENOSYS : SECCOMP_RET_ALLOW;
  const unsigned map_sync = is_msync ? SECCOMP_RET_ERRNO | EOPNOTSUPP : SECCOMP_RET_ALLOW;
  struct sock_filter code[] = {
      LOAD(nr),         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DAXCTL, 0, 1),
      ANSWER(daxctl),   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
      LOAD(args[3]),    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SYNC, 0, 1),
      ANSWER(map_sync), ANSWER(SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("tier_at_most");
    return 1;
  }
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 1;
}
