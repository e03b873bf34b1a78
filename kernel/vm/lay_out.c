// SPDX-License-Identifier: Apache-2.0
// Files that look like a sealed store and aren't: the controls of the power-cut proof. And files of somebody else.
//
//   lay_out fallocated FROM TO   TO is allocated and synced, and then has FROM's bytes stored through a mapping
//   lay_out written FROM TO      TO is written and synced, as a store is before it is sealed
//   lay_out mapped FROM TO       TO is allocated, has FROM's bytes stored through a mapping, and is synced: the kernel flushes
//   lay_out clone FROM TO        TO is a reflink of FROM; exit status 1 and a message if that is refused
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <immintrin.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char* what) {
  printf("lay_out: %s: %s\n", what, strerrorname_np(errno));
  return 1;
}

__attribute__((target("clwb"))) static void store(char* to, const char* from, size_t bytes) {
  for (size_t line = 0; line < bytes; line += 64) {
    memcpy(to + line, from + line, 64);
    _mm_clwb(to + line);
  }
  _mm_sfence();
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const int from = open(argv[2], O_RDONLY);
  const int to = open(argv[3], O_RDWR | O_CREAT, 0600);
  struct stat status;
  if (from < 0 || to < 0 || fstat(from, &status) != 0) return fail("open");
  if (strcmp(argv[1], "clone") == 0) return ioctl(to, FICLONE, from) == 0 ? 0 : fail("reflink");

  const size_t bytes = (size_t)status.st_size;
  const char* content = mmap(NULL, bytes, PROT_READ, MAP_SHARED, from, 0);
  if (content == MAP_FAILED || fallocate(to, 0, 0, status.st_size) != 0) return fail("fallocate");
  if (strcmp(argv[1], "written") == 0) {
    for (size_t at = 0; at < bytes;) {
      const ssize_t written = write(to, content + at, bytes - at);
      if (written <= 0) return fail("write");
      at += (size_t)written;
    }
    return fsync(to) == 0 ? 0 : fail("fsync");
  }
  if (fsync(to) != 0) return fail("fsync");
  char* mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);
  if (mapping == MAP_FAILED) return fail("mmap");
  if (strcmp(argv[1], "mapped") == 0) {
    memcpy(mapping, content, bytes);
    return fsync(to) == 0 ? 0 : fail("fsync");
  }
  store(mapping, content, bytes);
  return 0;
}
