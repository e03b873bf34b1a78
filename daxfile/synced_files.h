// The files that a fence syncs where msync can't. Of a file that is open for reading only the kernel maps what it was
// asked to share as if it weren't (no VM_SHARED), and msync of such a mapping does nothing, and says that it has.
// fdatasync of the descriptor writes back whatever any process has stored.
//
// Thread safety: any.
#ifndef DAXFILE_SYNCED_FILES_H_
#define DAXFILE_SYNCED_FILES_H_

#include <mutex>
#include <vector>

namespace daxfile {

class SyncedFiles {
 public:
  // `fd` stays open as long as this is used.
  void Add(int fd);
  // 0, or the first error (errno); then the others were synced nevertheless.
  int SyncAll();

 private:
  std::mutex mutex_;
  std::vector<int> fds_;
};

}  // namespace daxfile

#endif  // DAXFILE_SYNCED_FILES_H_
