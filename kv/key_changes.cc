#include "kv/key_changes.h"

#include <algorithm>
#include <utility>

#include "kv/node.h"

namespace sealkv::internal {

void KeyChanges::Fold(KeyChange& into, const KeyChange& next) {
  using Kind = KeyChange::Kind;
  if (next.kind != Kind::kAdd) {
    into = next;
    return;
  }
  if (into.kind == Kind::kAdd) {
    into.delta += next.delta;
    return;
  }
  uint64_t sum = 0;
  if (into.kind == Kind::kBadAdd || (into.kind == Kind::kPut && into.value.size() != sizeof(sum))) {
    into.kind = Kind::kBadAdd;
    return;
  }
  if (into.kind == Kind::kPut) std::memcpy(&sum, into.value.data(), sizeof(sum));
  sum += next.delta;
  into.kind = Kind::kPut;
  into.value = sums_.emplace_back(reinterpret_cast<const char*>(&sum), sizeof(sum));
}

// By the first slice, which nearly always decides, in one comparison of integers.
absl::Status KeyChanges::SortAndFold() {
  struct Sorted {
    uint64_t slice;
    uint32_t index;
  };
  std::vector<Sorted> order(changes_.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = {SliceAt(changes_[i].key, 0), i};
  std::sort(order.begin(), order.end(), [this](const Sorted& a, const Sorted& b) {
    if (a.slice != b.slice) [[likely]]
      return a.slice < b.slice;
    const int by_key = changes_[a.index].key.compare(changes_[b.index].key);
    return by_key != 0 ? by_key < 0 : a.index < b.index;
  });
  std::vector<KeyChange> folded;
  folded.reserve(changes_.size());
  for (const Sorted& at : order) {
    const KeyChange& change = changes_[at.index];
    if (folded.empty() || folded.back().key != change.key) {
      folded.push_back(change);
    } else {
      Fold(folded.back(), change);
    }
  }
  for (const KeyChange& change : folded) {
    if (change.kind == KeyChange::Kind::kBadAdd) {
      return absl::FailedPreconditionError("Add needs a value of 8 bytes");
    }
  }
  changes_ = std::move(folded);
  return absl::OkStatus();
}

}  // namespace sealkv::internal
