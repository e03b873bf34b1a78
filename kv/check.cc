#include "kv/check.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "kv/check_findings.h"
#include "kv/check_segments.h"
#include "kv/check_walk.h"

namespace sealkv::internal {
namespace {

// What the format says is zero, and no checksum covers.
void CheckZeros(const Image& image, Findings& findings) {
  const Superblock& superblock = image.superblock();
  for (const std::span<const uint64_t> words :
       {std::span<const uint64_t>(superblock.zero_1), std::span<const uint64_t>(superblock.zero_2),
        std::span<const uint64_t>(superblock.zero_3), std::span<const uint64_t>(superblock.zero_4)}) {
    const auto found = std::find_if(words.begin(), words.end(), [](uint64_t word) { return word != 0; });
    if (found != words.end()) findings.Minor(image.OffsetOf(&*found), "superblock: a reserved word is not zero");
  }
}

}  // namespace

CheckReport Check(const Image& image, const CheckOptions& options) {
  Findings findings(options);
  CheckZeros(image, findings);
  CheckSegments segments(image, findings);
  TreeWalk(image, segments, findings).Run();
  if (!findings.report().was_stopped) segments.CountLive();
  return std::move(findings.report());
}

}  // namespace sealkv::internal
