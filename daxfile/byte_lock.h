// Open file description locks on ranges of a file's offsets, and the ranges that this library uses.
//
// An offset here is a number, no place in the file: all lie behind the largest file that there can be, and the kernel
// keeps locks there as anywhere.
#ifndef DAXFILE_BYTE_LOCK_H_
#define DAXFILE_BYTE_LOCK_H_

#include <cstdint>
#include <optional>

namespace daxfile {

struct ByteRange {
  uint64_t begin;
  uint64_t bytes;

  constexpr uint64_t end() const { return begin + bytes; }
};

// A process, as a number of kProcessIdBits bits: its pid, and the pid namespace in which it has that.
inline constexpr unsigned kProcessIdBits = 54;
uint64_t OwnProcessId();
// The pid, or 0 if it is that of another namespace.
int PidOf(uint64_t process_id);

inline constexpr ByteRange kWriterByte{uint64_t{1} << 60, 1};
// A reader's byte is at its process id.
inline constexpr ByteRange kPresence{uint64_t{3} << 59, uint64_t{1} << kProcessIdBits};
// daxfile/reader_marks.h
inline constexpr ByteRange kMarks{uint64_t{1} << 61, uint64_t{1} << 61};

enum class ByteLock : short { kShared, kExclusive };

// 0, or an errno; EAGAIN: another descriptor's lock is in the way.
int LockBytes(int fd, ByteRange range, ByteLock lock);
int UnlockBytes(int fd, ByteRange range);

// A lock of another descriptor that would be in the way of this one; nothing if there is none. Where several are, any
// of them. A kernel that can't tell is taken to say that the whole range is locked.
std::optional<ByteRange> FindLock(int fd, ByteRange range, ByteLock lock);

}  // namespace daxfile

#endif  // DAXFILE_BYTE_LOCK_H_
