#include "tests/history/chains.h"

#include <algorithm>
#include <numeric>

namespace sealkv::history {

Chains::Chains(const std::vector<Interval>& intervals) : places_(intervals.size()) {
  std::vector<Node> by_begin(intervals.size());
  std::iota(by_begin.begin(), by_begin.end(), 0);
  std::stable_sort(by_begin.begin(), by_begin.end(),
                   [&](Node a, Node b) { return intervals[a].first < intervals[b].first; });
  for (const Node node : by_begin) {
    size_t chain = 0;
    while (chain < chains_.size() && intervals[chains_[chain].back()].last >= intervals[node].first) ++chain;
    if (chain == chains_.size()) chains_.emplace_back();
    places_[node] = {static_cast<uint32_t>(chain), static_cast<uint32_t>(chains_[chain].size())};
    chains_[chain].push_back(node);
  }
}

Precedence Precedence::OfRealTime(const Chains& chains, const std::vector<Interval>& intervals) {
  Precedence order(chains);
  for (size_t i = 0; i < chains.size(); ++i) {
    for (Node node = 0; node < chains.node_count(); ++node) {
      const auto first_not_before = std::partition_point(chains[i].begin(), chains[i].end(), [&](Node other) {
        return intervals[other].last < intervals[node].first;
      });
      order.counts_[node * order.width_ + i] = static_cast<uint32_t>(first_not_before - chains[i].begin());
    }
  }
  return order;
}

void Precedence::Put(Node a, Node b) {
  for (size_t i = 0; i < width_; ++i) {
    counts_[b * width_ + i] = std::max(counts_[b * width_ + i], counts_[a * width_ + i]);
  }
  uint32_t& own = counts_[b * width_ + chains_->chain_of(a)];
  own = std::max(own, chains_->position_of(a) + 1);
}

}  // namespace sealkv::history
