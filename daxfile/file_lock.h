// Who may have a file open beside whom. All locks are advisory, and the kernel's: they go with the descriptor, however
// its process ends.
//
//   WHO        TAKES                                              BESIDE
//   kAlone     flock exclusive; writer byte; the presence range   nobody
//   kWriter    flock exclusive; writer byte                       kLiveReader
//   kReader    flock shared                                       kReader, kLiveReader: nobody writes meanwhile
//   kLiveReader  its own byte of the presence range, shared       all but kAlone
//
// flock is there between writers because /proc/locks names its holder. The bytes are open file description locks
// (fcntl(2), F_OFD_SETLK): another process can ask about them without taking them, as it can't about flock, and a
// reader needs no permission to write. They lie far behind what any file holds (kv's readers put more there:
// daxfile/reader_marks.h).
#ifndef DAXFILE_FILE_LOCK_H_
#define DAXFILE_FILE_LOCK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace daxfile {

enum class LockMode : uint8_t { kAlone, kWriter, kReader, kLiveReader };

// Unavailable, naming the process in the way, if it can't be had at once.
absl::Status LockFile(int fd, const std::string& path, LockMode mode);

// From kAlone to kWriter.
void AdmitReaders(int fd);

// Whether any process has the file open for writing: kAlone or kWriter, by another descriptor than this.
bool HasWriter(int fd);
// Its process, or 0 if there is none or it isn't known.
int WriterPid(int fd);

// The processes that are there as kLiveReader by other descriptors; 0 for one in another pid namespace.
std::vector<int> LiveReaderPids(int fd);

}  // namespace daxfile

#endif  // DAXFILE_FILE_LOCK_H_
