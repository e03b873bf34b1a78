// The pages that a thread has flushed since its last fence, on files that only msync makes durable.
#ifndef DAXFILE_PENDING_PAGES_H_
#define DAXFILE_PENDING_PAGES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace daxfile {

class PendingPages {
 public:
  struct Run {
    uintptr_t begin;
    uintptr_t end;
    size_t bytes() const { return end - begin; }
  };
  // Those that these bytes lie in.
  static Run PagesOf(const void* address, size_t bytes);

  void Add(const void* address, size_t bytes);

  // Gives each maximal run of remembered pages to `sync` once, ascending, and forgets them. Returns the first error
  // (an errno) that `sync` returned, else 0; goes on after an error, so that as much as can be is durable.
  int SyncAll(const std::function<int(Run)>& sync);

 private:
  std::vector<Run> runs_;
};

}  // namespace daxfile

#endif  // DAXFILE_PENDING_PAGES_H_
