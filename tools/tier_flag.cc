#include "tools/tier_flag.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

namespace sealkv::tools {

absl::StatusOr<daxfile::Tier> TierFromArgs(const Args& args) {
  const std::optional<std::string> name = args.Value("tier");
  if (!name.has_value()) return daxfile::Tier::kMsync;
  const std::optional<daxfile::Tier> tier = daxfile::TierFromName(*name);
  if (tier.has_value()) return *tier;
  return absl::InvalidArgumentError(
      absl::StrCat("--tier=", *name, ": no such tier; there are volatile, msync, map-sync, device-dax and static-dax"));
}

}  // namespace sealkv::tools
