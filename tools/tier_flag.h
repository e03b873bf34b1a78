// --tier=TIER: the weakest durability that the user accepts for a file.
#ifndef SEALKV_TOOLS_TIER_FLAG_H_
#define SEALKV_TOOLS_TIER_FLAG_H_

#include "absl/status/statusor.h"
#include "daxfile/tier.h"
#include "tools/args.h"

namespace sealkv::tools {

// Without the flag: msync, which takes every tier that survives a power cut. InvalidArgument: there is no such tier.
absl::StatusOr<daxfile::Tier> TierFromArgs(const Args& args);

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_TIER_FLAG_H_
