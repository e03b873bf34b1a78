#include "daxfile/reader_marks.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "daxfile/byte_lock.h"

namespace daxfile {
namespace {

// The kernel refuses if it has no memory for a lock, or another program locks these offsets against us. Reading on
// would be to look at what the writer takes for free.
void CheckDone(int error) {
  if (error == 0) return;
  std::fprintf(
      stderr,
      "daxfile: a reader can't show its writer where it reads (fcntl: %s), and reading on would be to read what the "
      "writer may overwrite; it ends here. Does another program lock all of the file (fcntl, F_SETLK)?\n",
      std::strerror(error));
  std::abort();
}

}  // namespace

ReaderMark::ReaderMark(int fd) : fd_(fd), bytes_(OwnProcessId() + 1) {}

void ReaderMark::Set(uint64_t number) {
  number = std::min(number, kMostMark);
  if (number_ == number) return;
  CheckDone(LockBytes(fd_, {kMarks.begin + number, bytes_}, ByteLock::kShared));
  // The two overlap, or don't; in either case what is left is the new one.
  const uint64_t new_end = number + bytes_;
  if (number_.has_value() && *number_ < number) {
    const uint64_t end = std::min(*number_ + bytes_, number);
    CheckDone(UnlockBytes(fd_, {kMarks.begin + *number_, end - *number_}));
  } else if (number_.has_value() && *number_ + bytes_ > new_end) {
    const uint64_t begin = std::max(*number_, new_end);
    CheckDone(UnlockBytes(fd_, {kMarks.begin + begin, *number_ + bytes_ - begin}));
  }
  number_ = number;
}

void ReaderMark::Clear() {
  if (!number_.has_value()) return;
  CheckDone(UnlockBytes(fd_, {kMarks.begin + *number_, bytes_}));
  number_.reset();
}

std::optional<LowestMark> FindLowestMark(int fd) {
  std::optional<LowestMark> lowest;
  // Each find lies below the one before. A mark set meanwhile, below them all, is of a reader that came meanwhile.
  for (uint64_t end = kMarks.bytes; end > 0;) {
    const std::optional<ByteRange> found = FindLock(fd, {kMarks.begin, end}, ByteLock::kExclusive);
    if (!found.has_value()) break;
    end = found->begin > kMarks.begin ? found->begin - kMarks.begin : 0;
    lowest = {end, PidOf(found->bytes - 1)};
  }
  return lowest;
}

}  // namespace daxfile
