#include "kv/check_walk.h"

#include <algorithm>

#include "kv/sealkv.h"

namespace sealkv::internal {
namespace {

constexpr uint64_t kLastSlice = ~uint64_t{0};

void AppendSlice(std::string& path, uint64_t slice) {
  const uint64_t bytes = __builtin_bswap64(slice);
  path.append(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
}

}  // namespace

void TreeWalk::Run() {
  EnterTopLayer();
  while (!stack_.empty() && !findings_.report().was_stopped) {
    Frame& frame = stack_.back();
    if (frame.position == frame.perm().count()) {
      if (frame.layer_depth > 0 && stack_.size() == frame.layer_parent + 2) LeaveLayer(frame);
      stack_.pop_back();
      continue;
    }
    if (frame.path_is_known) path_.resize(frame.depth);  // what layers below have added goes
    const unsigned position = frame.position++;
    if (frame.node->is_leaf()) {
      VisitEntry(frame, position);
    } else {
      VisitChild(Frame(frame), position);  // by value: the stack may move
    }
    if (visitor_ != nullptr && !visitor_->GoesOn()) findings_.report().was_stopped = true;
  }
  records_.CheckGeneration();
}

// ---- nodes

// Claims the node: each is entered once, so every walk ends.
const Node* TreeWalk::TakeNode(Offset at, Offset referrer, int level) {
  const Node* node = image_.NodeAt(at);
  if (node == nullptr) {
    findings_.Major(referrer, "the reference leads to ", Findings::Hex(at), ", where no node can be");
    return nullptr;
  }
  if (!segments_.Claim(at, kNodeBytes)) {
    findings_.Major(referrer, "the reference leads to the node at ", Findings::Hex(at),
                    ", which belongs to something else already: two references to one node, or a cycle");
    return nullptr;
  }
  segments_.CheckPlaceOfNode(at);
  return CheckNodeWords(*node, at, level) ? node : nullptr;
}

bool TreeWalk::CheckNodeWords(const Node& node, Offset at, int level) {
  const Perm perm = node.perm();
  if (!perm.IsWellFormed()) {
    findings_.Major(at, "the node's permutation is damaged: ", Findings::HexSlice(perm.raw()),
                    "; what is below isn't checked");
    return false;
  }
  if (level != kAnyLevel && node.level() != static_cast<unsigned>(level)) {
    findings_.Major(at + 8 * Node::kKindsWord, "the node says that it is of level ", node.level(),
                    ", but its parent's child is of level ", level, "; what is below isn't checked");
    return false;
  }
  if (!node.is_leaf() && perm.count() == 0) {
    findings_.Major(at, "an inner node without children");
    return false;
  }
  return true;
}

void TreeWalk::Push(Frame frame) {
  CheckReport& report = findings_.report();
  const unsigned count = frame.perm().count();
  const unsigned level = frame.node->level();
  report.nodes += 1;
  report.nodes_by_level[level].nodes += 1;
  report.nodes_by_level[level].entries += count;
  if (report.nodes_by_layer_depth.size() <= frame.layer_depth)
    report.nodes_by_layer_depth.resize(frame.layer_depth + 1);
  report.nodes_by_layer_depth[frame.layer_depth].nodes += 1;
  report.nodes_by_layer_depth[frame.layer_depth].entries += count;
  report.layer_depth_max = std::max<uint64_t>(report.layer_depth_max, frame.layer_depth);
  report.height_max = std::max<uint64_t>(report.height_max, level + 1);
  NoteReplaced(frame);
  if (level == 0) {
    report.leaves += 1;
    report.leaf_entries += count;
    report.empty_leaves += count == 0;
    PrefetchRecords(frame);
    CheckLeafOrder(frame);
  } else {
    report.inner_entries += count;
    CheckInnerOrder(frame);
  }
  stack_.push_back(frame);
}

// Lock words may hold anything after a crash, so this is no problem that is reported: but whatever an old version leads
// to may have been replaced since, or deleted, and salvage looks for what is newer.
void TreeWalk::NoteReplaced(Frame& frame) {
  if (!frame.node->lock().was_replaced()) return;
  CheckReport& report = findings_.report();
  const Offset mark = frame.offset + 8 * Node::kLockWord;
  if (report.nodes_marked_replaced++ == 0) report.first_marked_replaced = Raw(mark);
  if (!frame.is_doubtful) {
    Lose(
        [&] {
          return RangeOf(frame, {frame.lowest_slice, frame.last_slice});
        },
        {Problem::Severity::kMajor, Raw(mark),
         "the node is marked as replaced: what leads to it leads to an old version, or the mark is wrong"});
  }
  frame.is_doubtful = true;
}

// ---- layers

void TreeWalk::EnterTopLayer() {
  const Offset at{Node::Load(RootWord(image_.superblock(), root_))};
  const Node* root = TakeNode(at, Offset{RootWordOffset(root_)}, kAnyLevel);
  if (root == nullptr) return Lose([&] { return KeyRange::All(); });
  if (root_ == RootId::kKeys) findings_.report().height_top = root->level() + 1;
  const Frame frame{root, at, 0, true, 0, 0, 0, kLastSlice, {}};
  CheckNoPrefix(frame);
  Push(frame);
}

void TreeWalk::EnterLayer(const Frame& parent, unsigned slot) {
  const Offset at = parent.node->child(slot);
  const uint64_t problems_before = findings_.report().major_problems;
  const Node* node = TakeNode(at, parent.RefWord(slot), kAnyLevel);
  if (node == nullptr) return Lose([&] { return RangeOfEntry(parent, slot); });
  Frame root{node, at, 0, parent.path_is_known, parent.layer_depth + 1, parent.depth + kSliceBytes, 0, kLastSlice, {}};
  root.is_doubtful = parent.is_doubtful;
  root.layer_parent = stack_.size() - 1;
  root.problems_before_layer = problems_before;
  stack_.back().layer_below_is_proven = false;
  if (!TakePrefix(root, parent.node->slice(slot))) return Lose([&] { return RangeOfEntry(parent, slot); });
  if (root.depth >= kMaxKeyBytes) {
    findings_.Major(parent.RefWord(slot), "the entry leads to a layer ", root.depth,
                    " bytes into the key, which is deeper than any key goes; what is below isn't checked");
    return Lose([&] { return RangeOfEntry(parent, slot); });
  }
  ++findings_.report().layers;
  Push(root);
}

// Adds the slice that led to the layer, and its prefix, to the path. False: there is no saying how long the prefix is.
bool TreeWalk::TakePrefix(Frame& root, uint64_t slice) {
  if (root.path_is_known) AppendSlice(path_, slice);
  switch (root.node->kinds().prefix()) {
    case PrefixKind::kNone:
      CheckNoPrefix(root);
      return true;
    case PrefixKind::kInline: {
      const uint64_t prefix = root.node->prefix_word();
      if (root.path_is_known) path_.append(reinterpret_cast<const char*>(&prefix), sizeof(prefix));
      root.depth += kSliceBytes;
      ++findings_.report().layers_with_prefix;
      return true;
    }
    case PrefixKind::kRecord:
      ++findings_.report().layers_with_prefix;
      return TakePrefixRecord(root);
  }
  findings_.Major(root.KindsWord(), "the root of a layer has a prefix of unknown kind; what is below isn't checked");
  return false;
}

bool TreeWalk::TakePrefixRecord(Frame& root) {
  // The word's upper bits hold the length in slices, so the way down goes on even where the record is lost.
  const Offset word = root.PrefixWord();
  const RecordRef ref = RecordRef::FromRaw(root.node->prefix_word());
  const size_t bytes = size_t{ref.fingerprint()} * kSliceBytes;
  root.depth += bytes;
  const RecordView record = records_.Take(ref.offset(), word, kPrefixRecord);
  if (record.is_null()) {
    root.path_is_known = false;
    return true;
  }
  ++findings_.report().prefix_records;
  findings_.report().prefix_record_bytes += record.bytes();
  if (record.key().size() != bytes || bytes < 2 * kSliceBytes) {
    findings_.Major(word, "the word says that the layer's prefix has ", bytes, " bytes, its record says ",
                    record.key().size(), "; what is below isn't checked");
    return false;
  }
  if (root.path_is_known) path_.append(record.key());
  return true;
}

void TreeWalk::CheckNoPrefix(const Frame& frame) {
  if (frame.node->kinds().prefix() != PrefixKind::kNone) {
    findings_.Major(frame.KindsWord(), "the node has a prefix, and is not the root of a layer below the top");
  } else if (frame.node->is_leaf() && frame.layer_depth == 0 && root_ == RootId::kKeys) {
    CheckBound(frame);
  } else if (frame.node->prefix_word() != 0) {
    findings_.Minor(frame.PrefixWord(), "the prefix word of a node without a prefix is not zero");
  }
}

// N6.
void TreeWalk::CheckBound(const Frame& frame) {
  const uint64_t bound = frame.node->bound();
  if (bound == 0 || bound - 1 > frame.last_slice) {
    findings_.Major(frame.PrefixWord(), "the leaf's bound ", Findings::HexSlice(bound),
                    " is none: the last slice that it covers is ", Findings::HexSlice(frame.last_slice));
  }
}

// ---- inner nodes

// N4. The slice of the first entry isn't looked at, but must be below the next one's for the search to work.
void TreeWalk::CheckInnerOrder(Frame& frame) {
  const Perm perm = frame.perm();
  const uint64_t problems_before = findings_.report().major_problems;
  for (unsigned i = 1; i < perm.count(); ++i) {
    const uint64_t before = frame.node->slice(perm.slot(i - 1));
    const uint64_t slice = frame.node->slice(perm.slot(i));
    if (slice <= before) {
      findings_.Major(frame.SliceWord(perm.slot(i)), "separators don't ascend: ", Findings::HexSlice(slice), " after ",
                      Findings::HexSlice(before));
    } else if (slice <= frame.lowest_slice || slice > frame.last_slice) {
      findings_.Major(frame.SliceWord(perm.slot(i)), "the separator ", Findings::HexSlice(slice),
                      " is outside its node's bounds ", Findings::HexSlice(frame.lowest_slice), " to ",
                      Findings::HexSlice(frame.last_slice));
    }
  }
  if (findings_.report().major_problems == problems_before) return;
  const auto slice_at = [&](unsigned position) { return frame.node->slice(perm.slot(position)); };
  Positions candidates = 0;
  for (unsigned i = 1; i < perm.count(); ++i) {
    if (slice_at(i) > frame.lowest_slice && slice_at(i) <= frame.last_slice) candidates |= PositionBit(i);
  }
  frame.in_place = InPlace(perm.count(), candidates,
                           [&](unsigned before, unsigned after) { return slice_at(before) < slice_at(after); }) |
                   PositionBit(0);
}

void TreeWalk::VisitChild(const Frame& parent, unsigned position) {
  const unsigned slot = parent.perm().slot(position);
  const Slices slices = SlicesOfChild(parent, position);
  const Node* node =
      TakeNode(parent.node->child(slot), parent.RefWord(slot), static_cast<int>(parent.node->level()) - 1);
  if (node == nullptr) return Lose([&] { return RangeOf(parent, slices); });
  Frame child = parent;
  child.node = node;
  child.offset = parent.node->child(slot);
  child.position = 0;
  child.in_place = kAllPositions;
  child.lowest_slice = slices.first;
  child.last_slice = slices.last;
  CheckNoPrefix(child);
  Push(child);
}

}  // namespace sealkv::internal
