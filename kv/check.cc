#include "kv/check.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "kv/check_findings.h"
#include "kv/check_segments.h"
#include "kv/check_walk.h"
#include "kv/lanes.h"

namespace sealkv::internal {
namespace {

// What the format says is zero, and no checksum covers.
void CheckZeros(const Image& image, Findings& findings) {
  const Superblock& superblock = image.superblock();
  std::vector<std::span<const uint64_t>> all = {superblock.zero_1, superblock.zero_2, superblock.zero_3,
                                                superblock.zero_4};
  if (!superblock.Has(Superblock::kGrows)) {
    all.emplace_back(&superblock.most_segments, 2);
    all.emplace_back(superblock.parts);
  }
  if (!superblock.Has(Superblock::kKeepsLog)) {
    all.emplace_back(&superblock.log_root, 1 + sizeof(LogTerms) / sizeof(uint64_t));
  }
  all.emplace_back(image.segment_words() + image.segment_count(), image.most_segments() - image.segment_count());
  for (const Superblock::Lane& lane : superblock.lanes) all.emplace_back(lane.zero);
  for (const std::span<const uint64_t> words : all) {
    const auto found = std::find_if(words.begin(), words.end(), [](uint64_t word) { return word != 0; });
    if (found != words.end()) findings.Minor(image.OffsetOf(&*found), "header: a reserved word is not zero");
  }
}

// A batch that waits to be finished is no problem, for whoever opens the store does that; but half of it may be in the
// tree, which shows as damage there.
void CheckLanes(const Image& image, Findings& findings) {
  const CommittedBatches batches(image);
  findings.report().batches_to_finish = batches.count();
  for (const DamagedLane& lane : batches.damaged()) {
    findings.Major(lane.at, "superblock: ", lane.why,
                   ". A committed batch may be missing in part, and the store can't be opened");
  }
}

}  // namespace

CheckReport Check(const Image& image, const CheckOptions& options) {
  Findings findings(options);
  CheckZeros(image, findings);
  CheckLanes(image, findings);
  CheckSegments segments(image, findings);
  TreeWalk(image, segments, findings).Run();
  const bool keeps_log = image.superblock().Has(Superblock::kKeepsLog);
  if (keeps_log && !findings.report().was_stopped) {
    TreeWalk(image, segments, findings, nullptr, RootId::kLog).Run();
  }
  if (!findings.report().was_stopped) segments.CountLive();
  return std::move(findings.report());
}

}  // namespace sealkv::internal
