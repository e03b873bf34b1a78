#include "kv/salvage.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "kv/check_findings.h"
#include "kv/check_segments.h"
#include "kv/check_walk.h"
#include "kv/expiry.h"
#include "kv/heap_scan.h"

namespace sealkv::internal {
namespace {

// Sorted, and merged where they touch: to ask of each record in the heap whether it is missed.
class RangeSet {
 public:
  explicit RangeSet(const std::vector<LostKeys>& lost) {
    std::vector<const KeyRange*> ranges;
    for (const LostKeys& each : lost) ranges.push_back(&each.range);
    std::sort(ranges.begin(), ranges.end(), [](const KeyRange* a, const KeyRange* b) { return a->from < b->from; });
    for (const KeyRange* range : ranges) {
      if (ranges_.empty() || (ranges_.back().to.has_value() && range->from > *ranges_.back().to)) {
        ranges_.push_back(*range);
      } else if (ranges_.back().to.has_value() && (!range->to.has_value() || *range->to > *ranges_.back().to)) {
        ranges_.back().to = range->to;
      }
    }
  }

  bool Contains(std::string_view key) const {
    const auto behind = std::upper_bound(ranges_.begin(), ranges_.end(), key,
                                         [](std::string_view k, const KeyRange& range) { return k < range.from; });
    return behind != ranges_.begin() && std::prev(behind)->Contains(key);
  }

 private:
  std::vector<KeyRange> ranges_;
};

absl::Status PutRecoveredKey(Store& target, const RecoveredKey& found) {
  const auto expiry = ExpiryFrom(found.expiry());
  return expiry.has_value() ? target.PutUntil(found.key(), found.value(), *expiry)
                            : target.Put(found.key(), found.value());
}

// What the walk gives goes into the target at once; what is doubtful waits until all else is known.
class TreeSalvage : public WalkVisitor {
 public:
  TreeSalvage(Store& target, const SalvageOptions& options, SalvageReport& report)
      : target_(target), options_(options), report_(report) {}

  void OnInline(uint64_t slice, uint64_t value, Offset entry, Place place) override {
    const RecoveredKey found(slice, value, entry, LockWord(0));
    Take(found, place);
  }
  void OnRecord(RecordView record, Offset at, Place place) override { Take(RecoveredKey(record, at), place); }
  void OnLost(KeyRange range, const Problem& why) override {
    // One separator out of place shows in many leaves.
    if (!report_.lost.empty() && report_.lost.back().range == range) return;
    report_.lost.push_back({std::move(range), why.offset, why.text});
  }
  bool GoesOn() override {
    return status_.ok() &&
           (options_.progress == nullptr || options_.progress({.keys_from_tree = report_.keys_from_tree}));
  }

  const absl::Status& status() const { return status_; }

 private:
  void Take(const RecoveredKey& found, Place place) {
    if (place == Place::kDoubtful) return report_.recovered.push_back(found);
    if (!status_.ok()) return;
    if (IsOver(found.expiry())) return;
    status_ = target_.PutIfAbsent(found.key(), found.value());
    if (status_.ok() && found.expiry() != kNeverOver) status_ = PutRecoveredKey(target_, found);
    if (status_.ok()) ++report_.keys_from_tree;
    if (absl::IsAlreadyExists(status_)) status_ = absl::OkStatus();  // twice in the tree: no saying which is right
  }

  Store& target_;
  const SalvageOptions& options_;
  SalvageReport& report_;
  absl::Status status_;
};

// Adds what lies in a lost range. False: it was stopped.
bool FindInHeap(const Image& image, const CheckSegments& segments, const SalvageOptions& options,
                SalvageReport& report) {
  const RangeSet missed(report.lost);
  for (LeafScan scan(image); scan.Next();) {
    if (segments.IsClaimed(scan.offset())) continue;  // the walk has seen it
    const Node& leaf = scan.leaf();
    for (unsigned i = 0; i < leaf.perm().count(); ++i) {
      const unsigned slot = leaf.perm().slot(i);
      if (leaf.kinds().kind(slot) != Kind::kInline) continue;
      const RecoveredKey found(leaf.slice(slot), leaf.ref(slot), scan.offset() + 8 * Node::SliceWord(slot),
                               leaf.lock());
      if (missed.Contains(found.key())) report.recovered.push_back(found);
    }
  }
  for (HeapScan scan(image); scan.Next();) {
    const RecordView record = scan.record();
    const SalvageProgress progress{report.keys_from_tree, scan.bytes_done(), image.size_bytes(),
                                   report.recovered.size()};
    if (record.is_null()) {
      if (options.progress != nullptr && !options.progress(progress)) return false;
    } else if (record.header().flags() == kPlainRecord && missed.Contains(record.key())) {
      report.recovered.emplace_back(record, scan.offset());
    }
  }
  return true;
}

// Leaves one find a key, the latest; none where the target has the key from the tree. False: it was stopped.
absl::StatusOr<bool> PutRecovered(Store& target, const SalvageOptions& options, SalvageReport& report) {
  std::vector<RecoveredKey>& all = report.recovered;
  std::sort(all.begin(), all.end(), [](const RecoveredKey& a, const RecoveredKey& b) {
    if (const int order = a.key().compare(b.key()); order != 0) return order < 0;
    return a.sequence() != b.sequence() ? a.sequence() > b.sequence() : Raw(a.offset()) < Raw(b.offset());
  });
  const auto same_key = [](const RecoveredKey& a, const RecoveredKey& b) { return a.key() == b.key(); };
  all.erase(std::unique(all.begin(), all.end(), same_key), all.end());
  absl::Status failure;
  const auto is_there = [&](const RecoveredKey& found) {
    const absl::StatusOr<bool> exists = target.Exists(found.key());
    if (!exists.ok()) failure = exists.status();
    return exists.ok() && *exists;
  };
  all.erase(std::remove_if(all.begin(), all.end(), is_there), all.end());
  if (!failure.ok()) return failure;
  if (options.trusted_only) return true;
  SalvageProgress progress{report.keys_from_tree, 1, 1, 0};
  for (const RecoveredKey& found : all) {
    if (IsOver(found.expiry())) continue;
    if (absl::Status status = PutRecoveredKey(target, found); !status.ok()) return status;
    ++progress.keys_recovered;
    if (options.progress != nullptr && !options.progress(progress)) return false;
  }
  return true;
}

}  // namespace

RecoveredKey::RecoveredKey(uint64_t slice, uint64_t value, Offset at, LockWord lock)
    : slice_(U64KeyBytes(slice)), value_(std::bit_cast<std::array<char, 8>>(value)), at_(at) {
  sequence_ = lock.generation() << kGenerationShift | lock.version();
}

absl::StatusOr<SalvageReport> Salvage(const Image& damaged, Store& target, const SalvageOptions& options) {
  SalvageReport report;
  const CheckOptions check_options;
  Findings findings(check_options, /*keeps_latest=*/true);
  CheckSegments segments(damaged, findings);
  TreeSalvage visitor(target, options, report);
  TreeWalk(damaged, segments, findings, &visitor).Run();
  if (!visitor.status().ok()) return visitor.status();
  report.was_stopped = findings.report().was_stopped;
  if (report.was_stopped || (report.lost.empty() && report.recovered.empty())) return report;
  report.was_stopped = !FindInHeap(damaged, segments, options, report);
  if (report.was_stopped) return report;
  const absl::StatusOr<bool> done = PutRecovered(target, options, report);
  if (!done.ok()) return done.status();
  report.was_stopped = !*done;
  return report;
}

}  // namespace sealkv::internal
