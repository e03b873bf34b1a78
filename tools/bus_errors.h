// Reads on where a mapped file can't be read: a block that its device reports as bad, or an end that was cut off
// meanwhile. Touching such a page raises SIGBUS, which ends every other command; salvage wants what is beside it.
#ifndef SEALKV_TOOLS_BUS_ERRORS_H_
#define SEALKV_TOOLS_BUS_ERRORS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daxfile/dax_file.h"

namespace sealkv::tools {

// While it lives, a page of the mapping that can't be read is replaced, in this process, by what can be had of it with
// read(), 512 bytes at a time, and zeros for the rest. One at a time; other SIGBUS go where they went before.
class BusErrors {
 public:
  // Of a file that is open read-only, and its parts; also those that are mapped while this lives.
  explicit BusErrors(const daxfile::DaxFile& file);
  ~BusErrors();
  BusErrors(const BusErrors&) = delete;
  BusErrors& operator=(const BusErrors&) = delete;

  // Where pages were replaced, as offsets in the store, and how many: the first kKept.
  std::vector<uint64_t> offsets() const;
  uint64_t count() const;

  static constexpr size_t kKept = 100;
};

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_BUS_ERRORS_H_
