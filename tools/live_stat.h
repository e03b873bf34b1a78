// What kvdump stat can say of a store that another process is writing: what a walk through its keys counts, and what
// the segment table says. The rest is known to a walk through the tree at rest, or to the writer.
#ifndef SEALKV_TOOLS_LIVE_STAT_H_
#define SEALKV_TOOLS_LIVE_STAT_H_

#include <string>

#include "absl/status/statusor.h"

namespace sealkv::tools {

// Prints it; returns the exit code.
absl::StatusOr<int> StatBesideWriter(const std::string& path, bool as_json);

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_LIVE_STAT_H_
