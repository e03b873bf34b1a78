// Files that live in memory (tmpfs, ramfs, hugetlbfs) are filled through their mapping: written to instead, they would
// be made of small pages even where huge ones may be had, and each first store would still fault.
#ifndef DAXFILE_POPULATE_H_
#define DAXFILE_POPULATE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "daxfile/zero_fill.h"

namespace daxfile {

// What a size must be a multiple of: 4 KiB, and on hugetlbfs its page.
uint64_t SizeUnit(int fd);

// Gives the file its size, if there is room for it now.
absl::Status SizeMemoryFile(int fd, const std::string& path, uint64_t bytes);

// Takes every page of the mapping, which is of the file from `offset` on, zeroed. Needs a kernel of 5.14 for
// MADV_POPULATE_WRITE; before that pages are reserved and stores still fault. ResourceExhausted if the room is gone
// meanwhile: better here than as a SIGBUS at some store.
absl::Status Populate(int fd, const std::string& path, uint64_t offset, std::byte* data, uint64_t bytes,
                      const GoOn& go_on);

}  // namespace daxfile

#endif  // DAXFILE_POPULATE_H_
