// Durable linearizability (Izraelevitz, Mendes, Scott, DISC 2016): what is there after a crash must be what some order
// of the calls leaves, in which each call that returned has its answer, calls that didn't overlap keep their order, and
// of those in flight any may be missing. A value that a get returned is therefore there, or was replaced by a later
// one.
//
// A call may concern many keys at once (a batch, a transaction, a range, a snapshot), so it isn't decided key by key:
// the state is the whole of what the store holds, and each call takes effect at one moment. That is exact: nothing
// that an order explains is refused, nothing else is allowed.
//
// It is searched for as calls return ("just in time": Lowe, Testing for linearizability, 2017): of what may have
// happened so far it is enough to know the states, and which of the calls in flight have taken effect, with what
// answer.
#ifndef SEALKV_TESTS_CRASH_LINEARIZABLE_H_
#define SEALKV_TESTS_CRASH_LINEARIZABLE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "tests/crash/operation.h"

namespace sealkv::crash {

class History {
 public:
  explicit History(testing::Model initial) : possible_{{std::move(initial), {}}} {}

  // Calls have numbers of the caller's, each its own. The operation must live as long as the history.
  void Begin(uint64_t call, const Operation& operation);
  void End(uint64_t call, const Answer& answer);

  // Whether any order explains the answers so far.
  bool IsExplained() const { return !possible_.empty(); }
  // What the store may hold after a crash now.
  const std::set<testing::Model>& Allowed() const;

 private:
  // What may have happened: the state, and those calls in flight that have taken effect, with their answers.
  struct Possible {
    testing::Model state;
    std::map<uint64_t, Answer> taken;
    friend bool operator<(const Possible& a, const Possible& b) {
      return a.taken != b.taken ? a.taken < b.taken : a.state < b.state;
    }
  };
  // Those that follow when one more call in flight takes effect; reads among them, or not.
  std::vector<Possible> Successors(const Possible& from, bool with_reads) const;

  std::map<uint64_t, const Operation*> in_flight_;
  std::set<Possible> possible_;
  mutable std::optional<std::set<testing::Model>> allowed_;
};

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_LINEARIZABLE_H_
