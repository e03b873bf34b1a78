// What an operation did to a tree, told from its shape before and after: so that a scenario knows that what it is for
// did happen.
#ifndef SEALKV_TESTS_CRASH_SHAPE_CHANGE_H_
#define SEALKV_TESTS_CRASH_SHAPE_CHANGE_H_

#include <algorithm>
#include <cstdint>
#include <set>

#include "tests/crash/shape.h"

namespace sealkv::crash {

using internal::Kind;
using internal::SegmentKind;

inline uint64_t EntriesOf(const Shape& shape, Kind kind) {
  const auto found = shape.entries.find(kind);
  return found == shape.entries.end() ? 0 : found->second;
}
inline uint64_t SegmentsOf(const Shape& shape, SegmentKind kind) {
  const auto found = shape.segments.find(kind);
  return found == shape.segments.end() ? 0 : found->second;
}
inline uint64_t NewOnes(const std::set<uint64_t>& before, const std::set<uint64_t>& after) {
  return std::count_if(after.begin(), after.end(), [&](uint64_t offset) { return !before.contains(offset); });
}
inline bool SameNodes(const Shape& before, const Shape& after) {
  return before.leaves == after.leaves && before.inner == after.inner;
}
inline uint64_t Entries(const Shape& shape) {
  uint64_t count = 0;
  for (const auto& [kind, entries] : shape.entries) count += kind == Kind::kLayer ? 0 : entries;
  return count;
}

inline bool Inserted(const Shape& before, const Shape& after) {
  return SameNodes(before, after) && Entries(after) == Entries(before) + 1;
}
inline bool Updated(const Shape& before, const Shape& after) {
  return SameNodes(before, after) && before.entries == after.entries;
}
inline bool UpdatedInPlace(const Shape& before, const Shape& after) {
  return Updated(before, after) && before.records == after.records;
}
inline bool UpdatedByRecord(const Shape& before, const Shape& after) {
  return Updated(before, after) && NewOnes(before.records, after.records) == 1;
}
// Besides the one that was put.
inline bool RecordsMoved(const Shape& before, const Shape& after) {
  return NewOnes(before.records, after.records) >= 3 && Entries(after) == Entries(before) + 1;
}
// Nothing else has changed.
inline bool NodesMoved(const Shape& before, const Shape& after) {
  return before.entries == after.entries && before.leaves.size() == after.leaves.size() &&
         before.inner.size() == after.inner.size() && NewOnes(before.leaves, after.leaves) >= 2;
}
inline bool InnerNodesMoved(const Shape& before, const Shape& after) {
  return NodesMoved(before, after) && NewOnes(before.inner, after.inner) >= 1;
}
inline bool LayerRootsMoved(const Shape& before, const Shape& after) {
  return NodesMoved(before, after) && NewOnes(before.layer_roots, after.layer_roots) >= 1;
}
inline bool RootMoved(const Shape& before, const Shape& after) {
  return before.entries == after.entries && before.root != after.root;
}
inline bool PartAdded(const Shape& before, const Shape& after) { return before.parts < after.parts; }
inline bool PartRemoved(const Shape& before, const Shape& after) { return before.parts > after.parts; }
inline bool Deleted(const Shape& before, const Shape& after) {
  return SameNodes(before, after) && Entries(after) + 1 == Entries(before);
}
inline bool LeafSplit(const Shape& before, const Shape& after) {
  return after.leaves.size() == before.leaves.size() + 1 && NewOnes(before.leaves, after.leaves) == 2;
}
inline bool InnerSplit(const Shape& before, const Shape& after) {
  return after.inner.size() == before.inner.size() + 1 && after.top_level == before.top_level &&
         NewOnes(before.inner, after.inner) == 2;
}
inline bool RootGrew(const Shape& before, const Shape& after) { return after.top_level == before.top_level + 1; }
inline bool LeafRootSplit(const Shape& before, const Shape& after) {
  return RootGrew(before, after) && before.top_level == 0 && LeafSplit(before, after);
}
inline bool InnerRootSplit(const Shape& before, const Shape& after) {
  return RootGrew(before, after) && before.top_level == 1 && NewOnes(before.inner, after.inner) == 3;
}
// At the right edge the old leaves stay as they are.
inline bool RightEdgeSplit(const Shape& before, const Shape& after) {
  return after.leaves.size() == before.leaves.size() + 1 && NewOnes(before.leaves, after.leaves) == 1;
}
inline bool RightEdgeRootGrew(const Shape& before, const Shape& after) {
  return RightEdgeSplit(before, after) && RootGrew(before, after);
}
inline bool LayerRightEdgeRootGrew(const Shape& before, const Shape& after) {
  return after.inner.size() == before.inner.size() + 1 && before.root == after.root &&
         before.layer_roots != after.layer_roots && after.layer_roots.size() == before.layer_roots.size();
}
inline bool Merged(const Shape& before, const Shape& after) {
  return after.leaves.size() + 1 == before.leaves.size() && NewOnes(before.leaves, after.leaves) == 1;
}
inline bool InnerMerged(const Shape& before, const Shape& after) {
  return after.inner.size() < before.inner.size() && NewOnes(before.inner, after.inner) == 1;
}
inline bool LeafDropped(const Shape& before, const Shape& after) {
  return after.leaves.size() + 1 == before.leaves.size() && NewOnes(before.leaves, after.leaves) == 0 &&
         after.layer_roots == before.layer_roots;
}
inline bool RootShrank(const Shape& before, const Shape& after) { return after.top_level < before.top_level; }
inline bool LayerRootShrank(const Shape& before, const Shape& after) {
  return after.inner.size() < before.inner.size() && after.layer_roots.size() == before.layer_roots.size() &&
         after.layer_roots != before.layer_roots;
}
inline bool LayerMade(const Shape& before, const Shape& after) {
  return after.layer_roots.size() == before.layer_roots.size() + 1 && EntriesOf(before, Kind::kMore) >= 4 &&
         NewOnes(before.layer_roots, after.layer_roots) == 1;
}
inline bool PrefixShortened(const Shape& before, const Shape& after) {
  return after.layer_roots.size() == before.layer_roots.size() + 1 &&
         NewOnes(before.layer_roots, after.layer_roots) == 2;
}
inline bool LayerRemoved(const Shape& before, const Shape& after) {
  return after.layer_roots.size() + 1 == before.layer_roots.size();
}
inline bool NodeSegmentTaken(const Shape& before, const Shape& after) {
  return SegmentsOf(after, SegmentKind::kNodes) == SegmentsOf(before, SegmentKind::kNodes) + 1;
}
inline bool RecordSegmentTaken(const Shape& before, const Shape& after) {
  return SegmentsOf(after, SegmentKind::kRecords) == SegmentsOf(before, SegmentKind::kRecords) + 1;
}
inline bool RunTaken(const Shape& before, const Shape& after) {
  return SegmentsOf(after, SegmentKind::kLarge) == SegmentsOf(before, SegmentKind::kLarge) + 1;
}
inline bool SegmentReleased(const Shape& before, const Shape& after) { return after.segments != before.segments; }
inline bool BecameRecord(const Shape& before, const Shape& after) {
  return EntriesOf(after, Kind::kInline) + 1 == EntriesOf(before, Kind::kInline) &&
         EntriesOf(after, Kind::kEndsWith8) == EntriesOf(before, Kind::kEndsWith8) + 1;
}
inline bool Always(const Shape&, const Shape&) { return true; }

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_SHAPE_CHANGE_H_
