// A number that a reader of a file shows to the file's writer, in another process: the oldest thing that it may still
// be looking at, whatever that is counted in.
//
// The number is the offset of a lock that the reader holds on the file (an open file description lock, shared). So the
// kernel keeps it, and lets go of it when the process ends, however it ends; there is no second file that could be left
// over, be cut short or be forged, and who may read the file may say so. And all of the kernel's work on a file's locks
// is done under one lock of its own. So if a writer looks for marks and doesn't find one that is set later, then
// the reader, once its mark is set, sees all that the writer had stored before it looked.
//
// The lock is as long as the process's number says, so that the writer can name who it waits for.
#ifndef DAXFILE_READER_MARKS_H_
#define DAXFILE_READER_MARKS_H_

#include <cstdint>
#include <optional>

namespace daxfile {

inline constexpr uint64_t kMostMark = uint64_t{1} << 60;

// One descriptor's mark. Thread safety: none.
class ReaderMark {
 public:
  // The descriptor must stay open as long as this is used, and is of this process alone: a fork shares its locks.
  explicit ReaderMark(int fd);

  // Shows this number, in place of what was shown before, without a moment between. At most kMostMark.
  void Set(uint64_t number);
  void Clear();
  std::optional<uint64_t> number() const { return number_; }

 private:
  const int fd_;
  const uint64_t bytes_;
  std::optional<uint64_t> number_;
};

struct LowestMark {
  uint64_t number;
  int pid;  // 0: in another pid namespace
};
// Of all other descriptors. Thread safety: any.
std::optional<LowestMark> FindLowestMark(int fd);

}  // namespace daxfile

#endif  // DAXFILE_READER_MARKS_H_
