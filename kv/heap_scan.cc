#include "kv/heap_scan.h"

#include <algorithm>

#include "kv/check_record.h"

namespace sealkv::internal {
namespace {

bool IsTopLeaf(const Node& node) {
  const Perm perm = node.perm();
  const Kinds kinds = node.kinds();
  if (!perm.IsWellFormed() || perm.count() == 0 || !kinds.is_leaf_without_prefix() || node.bound() == 0) return false;
  if (node.lock().was_replaced()) return false;
  for (unsigned i = 0; i < perm.count(); ++i) {
    if (kinds.kind(perm.slot(i)) > Kind::kInline) return false;
    if (i > 0 && node.slice(perm.slot(i)) < node.slice(perm.slot(i - 1))) return false;
  }
  return true;
}

}  // namespace

bool HeapScan::Next() {
  while (next_ + sizeof(RecordHeader) <= image_.size_bytes()) {
    if (next_ >= pause_) {
      pause_ = next_ + kBytesPerPause;
      record_ = RecordView();
      return true;
    }
    if (next_ % image_.segment_bytes() == 0 && IsNodeSegment(next_)) {
      next_ += image_.segment_bytes();
      continue;
    }
    const RecordView record = image_.RecordAt(Offset{next_});
    if (record.is_null() || !IsRecord(next_, record)) {
      next_ += 8;
      continue;
    }
    offset_ = Offset{next_};
    record_ = record;
    next_ += record.bytes();
    end_of_last_ = next_;
    return true;
  }
  return false;
}

bool HeapScan::IsNodeSegment(uint64_t at) const {
  const uint64_t segment = image_.SegmentOf(Offset{at});
  const SegmentWord word = image_.segment_word(segment);
  return word.IsWellFormed(segment, image_.segment_count()) && word.kind() == SegmentKind::kNodes;
}

bool HeapScan::IsRecord(uint64_t at, RecordView record) {
  // The first number is of generation 1; and so most of what is zero needn't be hashed.
  if (record.header().sequence == 0 || !RecordHeaderFault(record.header()).empty()) return false;
  const bool is_likely = at % image_.segment_bytes() == 0 || at == end_of_last_;
  const uint64_t bytes = record.bytes();
  if (hash_budget_ == 0 && bytes > kBytesMaxBeyondBudget && !is_likely) return false;
  if (record.ChecksumHolds()) return true;
  hash_budget_ -= std::min(hash_budget_, bytes);
  return false;
}

bool LeafScan::Next() {
  for (; Raw(next_) < image_.size_bytes(); next_ = next_ + kNodeBytes) {
    const uint64_t segment = image_.SegmentOf(next_);
    const SegmentWord word = image_.segment_word(segment);
    const bool is_of_records = word.IsWellFormed(segment, image_.segment_count()) &&
                               (word.kind() == SegmentKind::kRecords || word.kind() == SegmentKind::kLarge);
    if (is_of_records || !IsTopLeaf(*image_.NodeAt(next_))) continue;
    offset_ = next_;
    next_ = next_ + kNodeBytes;
    return true;
  }
  return false;
}

}  // namespace sealkv::internal
