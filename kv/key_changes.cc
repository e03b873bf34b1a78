#include "kv/key_changes.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "absl/numeric/int128.h"
#include "kv/expiry.h"
#include "kv/node.h"

namespace sealkv::internal {

// By the first slice, which nearly always decides, in one comparison of integers.
bool KeyChanges::IsBefore(const Sorted& a, const Sorted& b) const {
  if (a.slice != b.slice) [[likely]]
    return a.slice < b.slice;
  const int by_key = changes_[a.index].key.compare(changes_[b.index].key);
  return by_key != 0 ? by_key < 0 : a.index < b.index;
}

// Into as many buckets as there are keys, by how far along the range each lies: then most are in their place, and no
// branch had to be guessed. Where keys aren't spread evenly it is std::sort that has most to do.
void KeyChanges::Sort(std::vector<Sorted>& order) const {
  const auto is_before = [this](const Sorted& a, const Sorted& b) { return IsBefore(a, b); };
  if (std::is_sorted(order.begin(), order.end(), is_before)) return;
  const auto [least, most] = std::minmax_element(order.begin(), order.end(),
                                                 [](const Sorted& a, const Sorted& b) { return a.slice < b.slice; });
  const uint64_t from = least->slice;
  const int shift = std::countl_zero(most->slice - from);
  if (shift < 64) {
    const auto bucket_of = [&](const Sorted& at) {
      return static_cast<size_t>((absl::uint128((at.slice - from) << shift) * order.size()) >> 64);
    };
    std::vector<uint32_t> ends(order.size() + 1);
    for (const Sorted& at : order) ++ends[bucket_of(at) + 1];
    std::partial_sum(ends.begin(), ends.end(), ends.begin());
    std::vector<Sorted> spread(order.size());
    for (const Sorted& at : order) spread[ends[bucket_of(at)]++] = at;
    order = std::move(spread);
  }
  constexpr size_t kMostMoves = 8;  // an element, on average
  size_t moves = 0;
  for (size_t i = 1; i < order.size(); ++i) {
    const Sorted at = order[i];
    size_t to = i;
    for (; to > 0 && IsBefore(at, order[to - 1]); --to) order[to] = order[to - 1];
    order[to] = at;
    moves += i - to;
    if (moves > kMostMoves * order.size()) return std::sort(order.begin(), order.end(), is_before);
  }
}

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
  if (into.kind == Kind::kPut && IsOver(into.expiry)) {  // as if it weren't there
    into.expiry = kNeverOver;
  } else if (into.kind == Kind::kPut) {
    std::memcpy(&sum, into.value.data(), sizeof(sum));
  }
  sum += next.delta;
  into.kind = Kind::kPut;
  into.value = sums_.emplace_front(reinterpret_cast<const char*>(&sum), sizeof(sum));
}

absl::Status KeyChanges::SortAndFold() {
  std::vector<Sorted> order(changes_.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = {SliceAt(changes_[i].key, 0), i};
  Sort(order);
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
