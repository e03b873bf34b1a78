// Durable linearizability (Izraelevitz, Mendes, Scott, DISC 2016): what is there after a crash must be what some order
// of the calls leaves, in which each call that returned has its answer, calls that didn't overlap keep their order, and
// of those in flight any may be missing. A value that a get returned is therefore there, or was replaced by a later
// one.
//
// Each call concerns one key, and the property is local: it is decided key by key.
#ifndef SEALKV_TESTS_CRASH_LINEARIZABLE_H_
#define SEALKV_TESTS_CRASH_LINEARIZABLE_H_

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "tests/crash/operation.h"

namespace sealkv::crash {

// The calls on one key.
class KeyHistory {
 public:
  explicit KeyHistory(Value initial) : initial_{std::move(initial)} {}

  // Calls have numbers of the caller's, each its own. The operation must live as long as the history.
  void Begin(uint64_t call, const Operation& operation);
  void End(uint64_t call, Answer answer);

  // The values that the key may have after a crash now. None: no order explains the answers.
  const std::set<Value>& Allowed() const;

 private:
  struct Call {
    uint64_t number;
    const Operation* operation;
    uint64_t begin;
    uint64_t end = ~uint64_t{0};  // of those in flight
    Answer answer = {};
    bool is_done() const { return end != ~uint64_t{0}; }
  };
  // What follows when the calls in `done` (a bit each) have taken effect and the value is this.
  void Search(uint64_t done, const Value& value) const;
  bool MayBeNext(size_t i, uint64_t done) const;

  std::set<Value> initial_;  // before the calls
  std::vector<Call> calls_;
  uint64_t clock_ = 0;
  mutable std::optional<std::set<Value>> allowed_;
  mutable std::set<std::pair<uint64_t, Value>> visited_;
};

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_LINEARIZABLE_H_
