// What a change holds beyond its own, when it is a batch: copies of the nodes to work on, and where to find them.
#ifndef SEALKV_KV_BATCH_STATE_H_
#define SEALKV_KV_BATCH_STATE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "kv/change_log.h"
#include "kv/lanes.h"
#include "kv/node.h"
#include "kv/node_index.h"
#include "kv/superblock.h"

namespace sealkv::internal {

class BatchState {
 public:
  explicit BatchState(Lanes& lanes) : lanes_(lanes) {}

  Lanes& lanes() const { return lanes_; }

  // Space for a copy, at the same place until the batch is over.
  Node* NewCopy() {
    if (used_ % kCopiesAtOnce == 0) copies_.push_back(std::make_unique_for_overwrite<Node[]>(kCopiesAtOnce));
    return &copies_.back()[used_++ % kCopiesAtOnce];
  }

  // Those that the change holds, one after the other, are noted when one of them is looked for.
  size_t noted() const { return noted_; }
  void NoteHeld(Offset home) { index_of_.Insert(home, noted_++); }
  // Its place among them.
  const uint32_t* FindHeld(Offset home) const { return index_of_.Find(home); }

  // Of the nodes that have no copy: what is to be stored. What became void meanwhile is at offset 0.
  std::vector<RedoWord>& words() { return words_; }

  // Leaves to be offered as hints (kv/leaf_hints.h) when they are part of the tree.
  struct HintOffer {
    uint64_t first;
    uint64_t bound;
    Offset leaf;
  };
  std::vector<HintOffer>& hint_offers() { return hint_offers_; }

  // The root of a tree's top layer, if the batch changes that.
  Node* root(RootId id) const { return roots_[static_cast<size_t>(id)]; }
  void set_root(RootId id, Node* home) { roots_[static_cast<size_t>(id)] = home; }

  // The leaf that it has deleted from last, if few entries are left there, and a key of those.
  struct SparseLeaf {
    const Node* leaf = nullptr;
    std::string_view key;
  };
  SparseLeaf& sparse() { return sparse_; }

  // What the batch changes, if a log is kept (kv/change_log.h).
  LogEntry& log_entry() { return log_entry_; }

 private:
  static constexpr size_t kCopiesAtOnce = 32;

  Lanes& lanes_;
  std::vector<std::unique_ptr<Node[]>> copies_;
  size_t used_ = 0;
  NodeIndex index_of_;
  uint32_t noted_ = 0;
  std::vector<RedoWord> words_;
  std::vector<HintOffer> hint_offers_;
  std::array<Node*, kRoots> roots_{};
  SparseLeaf sparse_;
  LogEntry log_entry_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_BATCH_STATE_H_
