#include "daxfile/tier.h"

namespace daxfile {

std::string_view TierName(Tier tier) {
  switch (tier) {
    case Tier::kVolatile:
      return "volatile";
    case Tier::kMsync:
      return "msync";
    case Tier::kMapSync:
      return "map-sync";
    case Tier::kDeviceDax:
      return "device-dax";
    case Tier::kStaticDax:
      return "static-dax";
  }
  return "unknown";
}

std::optional<Tier> TierFromName(std::string_view name) {
  for (const Tier tier : {Tier::kVolatile, Tier::kMsync, Tier::kMapSync, Tier::kDeviceDax, Tier::kStaticDax}) {
    if (TierName(tier) == name) return tier;
  }
  return std::nullopt;
}

}  // namespace daxfile
