// What a transaction has read, and whether it is still so when its writes become visible: then it could have run at
// that moment, as a whole. Keys that weren't there, and ranges without them, are part of it.
//
// Compare looks at the store as it is, and remembers the leaves that it looked at, with their versions; a leaf that
// somebody else is about to change counts as changed. When these versions are looked at again (IsStillTrue), all that
// was compared was true at once, in between.
//
// Origin: the validation of Silo (Tu, Zheng, Kohler, Liskov, Madden, SOSP 2013), whose node sets find phantoms. Other
// than there, values are compared and not versions: so a write to a leaf is no conflict for a transaction that has read
// another key in it.
#ifndef SEALKV_KV_READ_SET_H_
#define SEALKV_KV_READ_SET_H_

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kv/cursor.h"
#include "kv/epoch.h"
#include "kv/key_range.h"
#include "kv/tree.h"
#include "kv/validation.h"

namespace sealkv::internal {

class ReadSet : public Validation {
 public:
  ReadSet(Tree& tree, Epochs& epochs, const ChangeContext& context, const SnapshotView& snapshot)
      : tree_(tree), epochs_(epochs), context_(context), snapshot_(snapshot) {}

  // The key led to this; nothing: it wasn't there.
  void AddKey(std::string key, const std::optional<EntryIdentity>& identity) {
    keys_.push_back({std::move(key), identity});
  }
  // All of the range was read at the snapshot. The reference stays good: the range may grow.
  KeyRange& AddRange(KeyRange range) { return ranges_.emplace_back(std::move(range)); }

  bool empty() const { return keys_.empty() && ranges_.empty(); }

  absl::Status Compare(Change& change) override;
  bool IsStillTrue(const Change& change) override;

 private:
  struct Key {
    std::string key;
    std::optional<EntryIdentity> identity;
  };
  absl::Status CompareKey(const Key& key, Arena& arena);
  bool HaveSameValue(const std::optional<EntryIdentity>& a, const std::optional<EntryIdentity>& b) const;
  absl::Status CompareRange(const KeyRange& range);
  absl::Status CheckLeavesAreFree(Change& change) const;

  Tree& tree_;
  Epochs& epochs_;
  const ChangeContext& context_;
  const SnapshotView snapshot_;
  std::vector<Key> keys_;
  std::deque<KeyRange> ranges_;
  std::vector<LeafRead> leaves_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_READ_SET_H_
