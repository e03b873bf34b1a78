// Of numbers that should ascend and don't: which are out of place?
#ifndef SEALKV_KV_CHECK_ORDER_H_
#define SEALKV_KV_CHECK_ORDER_H_

#include <algorithm>
#include <array>
#include <cstdint>

#include "kv/node.h"

namespace sealkv::internal {

// One bit a position of a node's permutation.
using Positions = uint16_t;
constexpr Positions PositionBit(unsigned position) { return static_cast<Positions>(1u << position); }
inline constexpr Positions kAllPositions = 0xffff;

// Those of `candidates` that are in every longest ascending run of them: where one entry is damaged, all others, unless
// it lies beyond just one neighbour, for then either of the two may be the wrong one.
// `ascends(i, j)`, i < j: whether position j may follow position i.
template <typename Ascends>
Positions InPlace(unsigned count, Positions candidates, const Ascends& ascends) {
  std::array<unsigned, kSlots> up_to{}, from{};  // lengths of the longest runs that end, and begin, at a position
  const auto is_candidate = [candidates](unsigned i) { return (candidates & PositionBit(i)) != 0; };
  unsigned longest = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (!is_candidate(i)) continue;
    up_to[i] = 1;
    for (unsigned j = 0; j < i; ++j) {
      if (is_candidate(j) && ascends(j, i)) up_to[i] = std::max(up_to[i], up_to[j] + 1);
    }
  }
  for (unsigned i = count; i-- > 0;) {
    if (!is_candidate(i)) continue;
    from[i] = 1;
    for (unsigned j = i + 1; j < count; ++j) {
      if (is_candidate(j) && ascends(i, j)) from[i] = std::max(from[i], from[j] + 1);
    }
    longest = std::max(longest, up_to[i] + from[i] - 1);
  }
  // In every longest run: the only one that can stand where it stands in such a run.
  std::array<unsigned, kSlots + 1> rivals{};
  const auto is_in_a_longest = [&](unsigned i) { return is_candidate(i) && up_to[i] + from[i] - 1 == longest; };
  for (unsigned i = 0; i < count; ++i) rivals[up_to[i]] += is_in_a_longest(i);
  Positions in_place = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (is_in_a_longest(i) && rivals[up_to[i]] == 1) in_place |= PositionBit(i);
  }
  return in_place;
}

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CHECK_ORDER_H_
