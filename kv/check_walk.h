// The checker's walk over the tree, in key order, with a stack of its own: layers may be 8192 deep, and in a damaged
// file only the checks here end the descent.
#ifndef SEALKV_KV_CHECK_WALK_H_
#define SEALKV_KV_CHECK_WALK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kv/check_findings.h"
#include "kv/check_record.h"
#include "kv/check_segments.h"
#include "kv/image.h"
#include "kv/node.h"

namespace sealkv::internal {

class TreeWalk {
 public:
  TreeWalk(const Image& image, CheckSegments& segments, Findings& findings)
      : image_(image), segments_(segments), findings_(findings), records_(image, segments, findings) {}

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

  void EnterTopLayer();
  void EnterLayer(const Frame& parent, unsigned slot);
  bool TakePrefix(Frame& root, uint64_t slice);
  bool TakePrefixRecord(Frame& root);
  void CheckNoPrefix(const Frame& frame);
  void CheckBound(const Frame& frame);

  void CheckInnerOrder(const Frame& frame);
  void VisitChild(const Frame& parent, unsigned position);
  void CheckLeafOrder(const Frame& frame);
  void VisitEntry(Frame& frame, unsigned position);
  void VisitRecord(Frame& frame, unsigned slot, Kind kind);
  void CheckKey(Frame& frame, unsigned slot, Kind kind, std::string_view key);
  void PrefetchRecords(const Frame& frame) const;
  void CountKey(uint64_t key_bytes, uint64_t value_bytes);

  const Image& image_;
  CheckSegments& segments_;
  Findings& findings_;
  RecordChecker records_;
  std::vector<Frame> stack_;
  // What all keys of the topmost frame's layer begin with, if that is known: `depth` bytes.
  std::string path_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CHECK_WALK_H_
