// The order of time, in little space. Transactions are dealt into chains, within which each was over before the next
// began: as many chains as transactions overlapped at most, so about one a thread. Who comes before whom is then said,
// of each transaction, by a number a chain: a vector clock (Fidge 1988; Mattern 1989).
//
// Any serial order keeps the order within each chain. A set of transactions that is closed under "before" is therefore
// a number a chain as well.
#ifndef SEALKV_TESTS_HISTORY_CHAINS_H_
#define SEALKV_TESTS_HISTORY_CHAINS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/history/history.h"

namespace sealkv::history {

using Node = uint32_t;  // a transaction, numbered by the program (program.h)

class Chains {
 public:
  explicit Chains(const std::vector<Interval>& intervals);

  size_t size() const { return chains_.size(); }
  size_t node_count() const { return places_.size(); }
  const std::vector<Node>& operator[](size_t chain) const { return chains_[chain]; }
  uint32_t chain_of(Node node) const { return places_[node].chain; }
  uint32_t position_of(Node node) const { return places_[node].position; }

 private:
  struct Place {
    uint32_t chain = 0;
    uint32_t position = 0;
  };
  std::vector<std::vector<Node>> chains_;
  std::vector<Place> places_;
};

// A partial order of the nodes.
class Precedence {
 public:
  explicit Precedence(const Chains& chains)
      : chains_(&chains), counts_(chains.node_count() * chains.size()), width_(chains.size()) {}
  // By time alone: what was over before what began.
  static Precedence OfRealTime(const Chains& chains, const std::vector<Interval>& intervals);

  bool IsBefore(Node a, Node b) const { return Count(b, chains_->chain_of(a)) > chains_->position_of(a); }
  // How many nodes of the chain, from its first, come before this one.
  uint32_t Count(Node node, size_t chain) const { return counts_[node * width_ + chain]; }
  // All that comes before `a`, and `a`, come before `b`.
  void Put(Node a, Node b);

 private:
  const Chains* chains_;
  std::vector<uint32_t> counts_;
  size_t width_;
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_CHAINS_H_
