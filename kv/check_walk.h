// The checker's walk over the tree, in key order, with a stack of its own: layers may be 8192 deep, and in a damaged
// file only the checks here end the descent. A visitor may come along, who takes what is sound and is told what isn't:
// salvage sees the store as the checker does.
#ifndef SEALKV_KV_CHECK_WALK_H_
#define SEALKV_KV_CHECK_WALK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kv/change_log.h"
#include "kv/check_findings.h"
#include "kv/check_order.h"
#include "kv/check_record.h"
#include "kv/check_segments.h"
#include "kv/image.h"
#include "kv/key_range.h"
#include "kv/node.h"
#include "kv/walk_visitor.h"

namespace sealkv::internal {

class TreeWalk {
 public:
  // With a visitor, `findings` keeps the latest problem.
  TreeWalk(const Image& image, CheckSegments& segments, Findings& findings, WalkVisitor* visitor = nullptr,
           RootId root = RootId::kKeys)
      : root_(root),
        image_(image),
        segments_(segments),
        findings_(findings),
        visitor_(visitor),
        records_(image, segments, findings) {}

  void Run();

 private:
  // A node on the way down, and what the way says about it.
  struct Frame {
    const Node* node;
    Offset offset;
    unsigned position;      // of the entry to look at next
    bool path_is_known;     // false below a prefix that can't be read: what keys begin with isn't compared then
    uint32_t layer_depth;   // layers above
    size_t depth;           // bytes of the keys before this layer's slices
    uint64_t lowest_slice;  // the node's slices lie in [lowest_slice, last_slice]
    uint64_t last_slice;
    std::string_view tie;  // the key of the entry before, if that is kMore
    // Which entries are where they belong, by order and bounds. Of an inner node: which separators; the first, which
    // isn't looked at, counts as one.
    Positions in_place = kAllPositions;
    Positions strays = 0;                // entries out of bounds, in such company that the bounds may be what is wrong
    bool is_doubtful = false;            // it, or a node above, was replaced
    size_t layer_parent = 0;             // where in the stack the leaf is whose entry led to this layer
    uint64_t problems_before_layer = 0;  // how many there were when the layer was entered
    bool layer_below_is_proven = false;  // a key found in the layer that was entered last shows that the way was right

    Perm perm() const { return node->perm(); }
    Offset SliceWord(unsigned slot) const { return offset + 8 * Node::SliceWord(slot); }
    Offset RefWord(unsigned slot) const { return offset + 8 * Node::RefWord(slot); }
    Offset PrefixWord() const { return offset + 8 * Node::kPrefixWord; }
    Offset KindsWord() const { return offset + 8 * Node::kKindsWord; }
  };

  // What must hold of a node, seen from the word that refers to it.
  static constexpr int kAnyLevel = -1;
  const Node* TakeNode(Offset at, Offset referrer, int level);
  bool CheckNodeWords(const Node& node, Offset at, int level);
  void Push(Frame frame);
  void NoteReplaced(Frame& frame);

  void EnterTopLayer();
  void EnterLayer(const Frame& parent, unsigned slot);
  bool TakePrefix(Frame& root, uint64_t slice);
  bool TakePrefixRecord(Frame& root);
  void CheckNoPrefix(const Frame& frame);
  void CheckBound(const Frame& frame);

  void CheckInnerOrder(Frame& frame);
  void VisitChild(const Frame& parent, unsigned position);
  void CheckLeafOrder(Frame& frame);
  void VisitEntry(Frame& frame, unsigned position);
  void FindEntriesInPlace(Frame& frame);
  void VisitInline(Frame& frame, unsigned position);
  void VisitRecord(Frame& frame, unsigned slot, Kind kind);
  void VisitLogRecord(Frame& frame, unsigned slot, Kind kind);
  // What the entry says of the key against the key itself.
  enum class KeyFault : uint8_t { kNone, kWay, kSlice, kKind };
  KeyFault CheckKey(Frame& frame, unsigned slot, Kind kind, std::string_view key);
  void PrefetchRecords(const Frame& frame) const;
  void CountKey(uint64_t key_bytes, uint64_t value_bytes);

  // For the visitor (check_walk_lost.cc): the keys that a problem costs. None is too small a range if one thing is
  // damaged.
  struct Slices {
    uint64_t first;
    uint64_t last;
  };
  template <typename MakeRange>
  void Lose(const MakeRange& make_range, const Problem& why) {
    if (visitor_ != nullptr) visitor_->OnLost(make_range(), why);
  }
  template <typename MakeRange>
  void Lose(const MakeRange& make_range) {
    Lose(make_range, findings_.latest_major());
  }
  void LoseMisplaced(const Frame& frame, unsigned position);
  void NoteProvenWay(const Frame& frame);
  void LeaveLayer(const Frame& frame);
  std::string_view PathOf(const Frame& frame) const { return std::string_view(path_).substr(0, frame.depth); }
  KeyRange RangeOf(const Frame& frame, Slices slices) const;
  KeyRange RangeOfEntry(const Frame& frame, unsigned slot) const;
  KeyRange RangeOfWay(const Frame& frame) const;
  Slices SlicesOfChild(const Frame& parent, unsigned position) const;
  bool IsBelievable(const Frame& leaf, unsigned position) const;
  Slices SlicesBetweenNeighbours(const Frame& leaf, unsigned position) const;
  static Place PlaceOf(const Frame& frame, bool is_proven) {
    return is_proven && !frame.is_doubtful ? Place::kProven : Place::kDoubtful;
  }
  bool IsInBounds(const Frame& frame, uint64_t slice) const {
    return slice >= frame.lowest_slice && slice <= frame.last_slice;
  }

  const RootId root_;
  const Image& image_;
  CheckSegments& segments_;
  Findings& findings_;
  WalkVisitor* const visitor_;
  LogEnd last_logged_;  // of the log: the entry before
  RecordChecker records_;
  std::vector<Frame> stack_;
  // What all keys of the topmost frame's layer begin with: `depth` bytes, or as many of them as are known.
  std::string path_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CHECK_WALK_H_
