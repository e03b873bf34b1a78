// The walk's other half: which keys a problem costs, and which entries can still be believed beside it.
#include <bit>
#include <utility>

#include "kv/check_walk.h"

namespace sealkv::internal {
namespace {

// One wrong key puts at most itself and a neighbour out of order. Where more are, it is their cache line that was lost,
// and none of the keys in it is believed.
Positions BrokenLines(Perm perm, Positions out_of_order) {
  constexpr int kFewest = 3;
  Positions broken = 0;
  for (const auto& [first_slot, last_slot] : {std::pair{2u, 4u}, {5u, 7u}, {8u, 15u}}) {
    Positions line = 0;
    for (unsigned i = 0; i < perm.count(); ++i) {
      if (perm.slot(i) >= first_slot && perm.slot(i) <= last_slot) line |= PositionBit(i);
    }
    if (std::popcount(static_cast<Positions>(line & out_of_order)) >= kFewest) broken |= line;
  }
  return broken;
}

}  // namespace

// ---- leaves out of order

// Nothing but order and bounds proves an 8-byte key with an 8-byte value. Where one entry is out of bounds, it is the
// one that is wrong; where several are, and ascend, it is more likely the bounds (a separator, or the reference to this
// leaf).
void TreeWalk::FindEntriesInPlace(Frame& frame) {
  const Perm perm = frame.perm();
  const Kinds kinds = frame.node->kinds();
  const auto ascends = [&](unsigned before, unsigned after) {
    const unsigned slot = perm.slot(after), slot_before = perm.slot(before);
    const uint64_t slice = frame.node->slice(slot), slice_before = frame.node->slice(slot_before);
    if (slice != slice_before) return slice > slice_before;
    const Kind kind = kinds.kind(slot), kind_before = kinds.kind(slot_before);
    return KindRank(kind) > KindRank(kind_before) || (kind == Kind::kMore && kind_before == Kind::kMore);
  };
  Positions in_bounds = 0;
  for (unsigned i = 0; i < perm.count(); ++i) {
    if (IsInBounds(frame, frame.node->slice(perm.slot(i)))) in_bounds |= PositionBit(i);
  }
  const Positions all = static_cast<Positions>(PositionBit(perm.count()) - 1);
  const Positions in_order = InPlace(perm.count(), all, ascends);
  const Positions believed = static_cast<Positions>(~BrokenLines(perm, all & ~in_order));
  const Positions outside = all & ~in_bounds;
  frame.in_place = InPlace(perm.count(), in_bounds, ascends) & believed;
  if (std::popcount(outside) > 1) frame.strays = in_order & outside & believed;
  if (perm.count() == 0 || in_bounds != 0 || visitor_ == nullptr) return;
  Lose(
      [&] {
        return RangeOf(frame, {frame.lowest_slice, frame.last_slice});
      },
      {Problem::Severity::kMajor, Raw(frame.offset), "no entry of the leaf belongs where the way to it leads"});
}

void TreeWalk::LoseMisplaced(const Frame& frame, unsigned position) {
  const unsigned slot = frame.perm().slot(position);
  const uint64_t slice = frame.node->slice(slot);
  const Problem why{Problem::Severity::kMajor, Raw(frame.SliceWord(slot)),
                    absl::StrCat("an 8-byte key is out of place, or what is beside it: ", Findings::HexSlice(slice))};
  Lose([&] { return RangeOf(frame, SlicesBetweenNeighbours(frame, position)); }, why);
  const Perm perm = frame.perm();
  const bool ascends = (position == 0 || slice > frame.node->slice(perm.slot(position - 1))) &&
                       (position + 1 == perm.count() || slice < frame.node->slice(perm.slot(position + 1)));
  // Or the bounds are what is wrong, and the key right.
  if (!IsInBounds(frame, slice) && ascends) Lose([&] { return RangeOf(frame, {slice, slice}); }, why);
}

// ---- ranges

// A key found in a layer proves all slices and prefixes on the way to it.
void TreeWalk::NoteProvenWay(const Frame& frame) {
  for (const Frame* at = &frame; at->layer_depth > 0; at = &stack_[at->layer_parent]) {
    bool& is_proven = stack_[at->layer_parent].layer_below_is_proven;
    if (is_proven) return;
    is_proven = true;
  }
}

// Where not one key is where it should be, it is more likely the reference to the layer that is wrong.
void TreeWalk::LeaveLayer(const Frame& frame) {
  const Frame& parent = stack_[frame.layer_parent];
  if (visitor_ == nullptr) return;
  if (parent.layer_below_is_proven || findings_.report().major_problems == frame.problems_before_layer) return;
  const unsigned slot = parent.perm().slot(parent.position - 1);
  Lose([&] { return RangeOfEntry(parent, slot); }, {Problem::Severity::kMajor, Raw(parent.RefWord(slot)),
                                                    "the entry leads to a layer without one key that belongs there"});
}

KeyRange TreeWalk::RangeOf(const Frame& frame, Slices slices) const {
  return frame.path_is_known ? KeyRange::OfSlices(PathOf(frame), slices.first, slices.last) : RangeOfWay(frame);
}

// Where the slice is right, all keys with it are meant, for the kind may be what is damaged.
KeyRange TreeWalk::RangeOfEntry(const Frame& frame, unsigned slot) const {
  const unsigned position = frame.position - 1;
  const uint64_t slice = frame.node->slice(slot);
  return RangeOf(frame,
                 IsBelievable(frame, position) ? Slices{slice, slice} : SlicesBetweenNeighbours(frame, position));
}

// Where the way to a layer may be what is wrong: what lies around the last entry on the way that is certain.
KeyRange TreeWalk::RangeOfWay(const Frame& frame) const {
  const Frame* at = &frame;
  while (at->layer_depth > 0 && !(at->path_is_known && stack_[at->layer_parent].layer_below_is_proven)) {
    at = &stack_[at->layer_parent];
  }
  return KeyRange::OfSlices(PathOf(*at), SlicesBetweenNeighbours(*at, at->position - 1).first,
                            SlicesBetweenNeighbours(*at, at->position - 1).last);
}

// From the separator before to that behind: of those that are in place.
TreeWalk::Slices TreeWalk::SlicesOfChild(const Frame& parent, unsigned position) const {
  const Perm perm = parent.perm();
  const auto is_in_place = [&](unsigned i) { return (parent.in_place & PositionBit(i)) != 0; };
  Slices slices{parent.lowest_slice, parent.last_slice};
  unsigned first = position;
  while (!is_in_place(first)) --first;
  if (first > 0) slices.first = parent.node->slice(perm.slot(first));
  unsigned next = position + 1;
  while (next < perm.count() && !is_in_place(next)) ++next;
  if (next < perm.count()) slices.last = parent.node->slice(perm.slot(next)) - 1;
  return slices;
}

// Whether an entry's slice is right, as far as that can be told at a glance. Where its reference is damaged, the rest
// of the line may be, and the neighbours in it.
bool TreeWalk::IsBelievable(const Frame& leaf, unsigned position) const {
  if ((leaf.in_place & PositionBit(position)) == 0) return false;
  const unsigned slot = leaf.perm().slot(position);
  const Kind kind = leaf.node->kinds().kind(slot);
  if (kind == Kind::kLayer) {
    const Node* root = image_.NodeAt(leaf.node->child(slot));
    return root != nullptr && root->perm().IsWellFormed();
  }
  if (!IsRecord(kind)) return kind == Kind::kInline && leaf.layer_depth == 0;
  const RecordView record = image_.RecordAt(leaf.node->record(slot).offset());
  return !record.is_null() && record.key().size() >= leaf.depth &&
         SliceAt(record.key(), leaf.depth) == leaf.node->slice(slot);
}

TreeWalk::Slices TreeWalk::SlicesBetweenNeighbours(const Frame& leaf, unsigned position) const {
  const Perm perm = leaf.perm();
  Slices slices{leaf.lowest_slice, leaf.last_slice};
  for (unsigned i = 0; i < perm.count(); ++i) {
    if (i == position || !IsBelievable(leaf, i)) continue;
    (i < position ? slices.first : slices.last) = leaf.node->slice(perm.slot(i));
    if (i > position) break;
  }
  return slices;
}

}  // namespace sealkv::internal
