// Where tests make files: in memory, and on whatever the test's own directory lies on.
#ifndef DAXFILE_TEST_PLACES_H_
#define DAXFILE_TEST_PLACES_H_

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "daxfile/sealing.h"
#include "daxfile/static_dax.h"
#include "daxfile/tier.h"
#include "gtest/gtest.h"
#include "tests/run_name.h"

namespace daxfile::testing {

// A path of its own for each process and call; what lies there is removed at the end.
class TestPath {
 public:
  explicit TestPath(const std::string& directory, std::string_view name = "file") {
    static int count = 0;
    path_ = directory + "/daxfile_test." + sealkv::testing::RunName() + "." + std::to_string(count++) + ".";
    path_ += name;
  }
  ~TestPath() { RemoveFile(path_).IgnoreError(); }  // it may be sealed
  TestPath(const TestPath&) = delete;
  TestPath& operator=(const TestPath&) = delete;

  const std::string& str() const { return path_; }
  bool exists() const { return access(path_.c_str(), F_OK) == 0; }

 private:
  std::string path_;
};

inline std::string MemoryDirectory() { return "/dev/shm"; }

// TEST_TMPDIR without its last slash. What it lies on differs between machines: ask TierOf.
inline std::string PlainDirectory() {
  std::string directory = ::testing::TempDir();
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  return directory;
}

inline bool IsMemory(const std::string& directory) {
  struct statfs filesystem;
  if (statfs(directory.c_str(), &filesystem) != 0) return false;
  return filesystem.f_type == TMPFS_MAGIC || filesystem.f_type == RAMFS_MAGIC;
}

// The tier that a file in this directory must be found to have, by other means than the library's.
inline Tier TierOf(const std::string& directory) {
  if (IsMemory(directory)) return Tier::kVolatile;
  const TestPath path(directory, "tier");
  const int fd = open(path.str().c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  const bool has_a_block = pwrite(fd, "", 1, 0) == 1;
  void* at = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
  close(fd);
  if (!has_a_block || at == MAP_FAILED) return Tier::kMsync;
  munmap(at, 4096);
  return geteuid() == 0 && FindSealer().ok() ? Tier::kStaticDax : Tier::kMapSync;
}

}  // namespace daxfile::testing

#endif  // DAXFILE_TEST_PLACES_H_
