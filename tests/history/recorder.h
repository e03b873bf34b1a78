// Records a run while it goes on. Each thread appends to a log of its own; the one thing that threads share is the
// clock, an atomic counter that ticks before a call and after it. If a call's second tick is less than another's first
// one, the former was over before the latter began.
//
//   Transaction& put = log.Begin(Kind::kOperation);
//   store->Put(key, value);
//   log.End(put, {Put(key, value)});
#ifndef SEALKV_TESTS_HISTORY_RECORDER_H_
#define SEALKV_TESTS_HISTORY_RECORDER_H_

#include <atomic>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "tests/history/history.h"

namespace sealkv::history {

class Clock {
 public:
  Time Tick() { return now_.fetch_add(1) + 1; }

 private:
  std::atomic<Time> now_{0};
};

// One thread's. References to transactions stay good: a snapshot may be read, and its steps added, while other
// operations go on.
class alignas(64) ThreadLog {
 public:
  ThreadLog(Clock& clock, unsigned thread) : clock_(clock), thread_(thread) {}

  // Before the first call.
  Transaction& Begin(Kind kind) {
    Transaction& added = transactions_.emplace_back(Transaction{.kind = kind, .thread = thread_});
    added.begin = added.commit = clock_.Tick();
    return added;
  }
  // Before the call of Commit, where that isn't the first call.
  void Commit(Transaction& transaction) { transaction.commit = clock_.Tick(); }
  // After the call that makes it take effect.
  void End(Transaction& transaction, Outcome outcome = Outcome::kCommitted) {
    transaction.end = clock_.Tick();
    transaction.outcome = outcome;
  }
  void End(Transaction& transaction, std::vector<Step> steps) {
    End(transaction);
    transaction.steps = std::move(steps);
  }

  // Appends to the history. Once: the log is empty then.
  void MoveTo(History& history) {
    history.transactions.insert(history.transactions.end(), std::move_iterator(transactions_.begin()),
                                std::move_iterator(transactions_.end()));
    transactions_.clear();
  }

 private:
  Clock& clock_;
  unsigned thread_;
  std::deque<Transaction> transactions_;
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_RECORDER_H_
