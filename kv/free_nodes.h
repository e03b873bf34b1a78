// The nodes that nobody uses, by the segment that they lie in: so that a segment can be emptied, and given back whole.
//
// Nodes are handed out from the lowest segments first: what is in use gathers there, and the others run empty.
//
// Thread safety: none, the heap's mutex guards it.
#ifndef SEALKV_KV_FREE_NODES_H_
#define SEALKV_KV_FREE_NODES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "kv/reference.h"

namespace sealkv::internal {

class FreeNodes {
 public:
  uint64_t count() const { return count_; }
  uint64_t CountIn(uint64_t segment) const {
    const auto found = by_segment_.find(segment);
    return found != by_segment_.end() ? found->second.size() : 0;
  }
  // How many there are in segments before this one that aren't `passed_over`.
  template <typename PassedOver>
  uint64_t CountBelow(uint64_t segment, PassedOver passed_over) const {
    uint64_t count = 0;
    for (const auto& [other, list] : by_segment_) {
      if (other >= segment) break;
      if (!passed_over(other)) count += list.size();
    }
    return count;
  }
  const std::vector<Offset>& In(uint64_t segment) { return by_segment_[segment]; }

  void Put(uint64_t segment, Offset node) {
    by_segment_[segment].push_back(node);
    ++count_;
  }

  // Up to `most` nodes of one segment go to `nodes`; which segment that is. Nothing: there are none, but in segments
  // that are `passed_over`, a callable (uint64_t segment) -> bool.
  template <typename PassedOver>
  std::optional<uint64_t> Take(size_t most, std::vector<Offset>* nodes, PassedOver passed_over) {
    for (auto at = by_segment_.begin(); at != by_segment_.end();) {
      const auto [segment, list] = std::pair(at->first, &at->second);
      if (list->empty()) {
        at = by_segment_.erase(at);
        continue;
      }
      if (passed_over(segment)) {
        ++at;
        continue;
      }
      for (; most > 0 && !list->empty(); --most, --count_) {
        nodes->push_back(list->back());
        list->pop_back();
      }
      return segment;
    }
    return std::nullopt;
  }

  // The segment is used for something else.
  void Forget(uint64_t segment) {
    count_ -= CountIn(segment);
    by_segment_.erase(segment);
  }

 private:
  std::map<uint64_t, std::vector<Offset>> by_segment_;
  uint64_t count_ = 0;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_FREE_NODES_H_
