// A disk that refuses: this program's msync() stands in for libc's, and keeps what it was given; all else is lost when
// the power goes. For tests of one source file.
#ifndef SEALKV_TESTS_FAILING_DISK_H_
#define SEALKV_TESTS_FAILING_DISK_H_

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <vector>

namespace sealkv::testing {

struct FailingDisk {
  // What it holds of the mapping that begins at `from`; nothing of any if that is nullptr.
  const std::byte* from = nullptr;
  std::vector<std::byte> bytes;
  uint64_t syncs = 0;
  uint64_t failing = ~uint64_t{0};  // the number of the sync that fails
  bool fails_again = false;         // each second one, from then on
  std::mutex mutex;

  void Clear() {
    from = nullptr;
    bytes.clear();
    syncs = 0;
    failing = ~uint64_t{0};
    fails_again = false;
  }

  int Sync(const std::byte* at, size_t size) {
    const std::lock_guard<std::mutex> lock(mutex);
    const uint64_t sync = syncs++;
    if (sync == failing || (fails_again && sync > failing && (sync - failing) % 2 == 0)) {
      errno = EIO;
      return -1;
    }
    if (from == nullptr) return 0;
    const auto offset = static_cast<size_t>(at - from);
    std::memcpy(bytes.data() + offset, at, std::min(size, bytes.size() - offset));
    return 0;
  }
};
inline FailingDisk disk;

}  // namespace sealkv::testing

extern "C" int msync(void* at, size_t bytes, int) {
  return sealkv::testing::disk.Sync(static_cast<const std::byte*>(at), bytes);
}

#endif  // SEALKV_TESTS_FAILING_DISK_H_
