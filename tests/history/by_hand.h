// Histories that one writes down. Times are numbers of one's choice; a smaller end than another's begin: it was before.
#ifndef SEALKV_TESTS_HISTORY_BY_HAND_H_
#define SEALKV_TESTS_HISTORY_BY_HAND_H_

#include <utility>
#include <vector>

#include "tests/history/history.h"

namespace sealkv::history {

// A thread for each, unless it is said: only counters care.
inline Transaction Call(Time begin, Time end, Step step, unsigned thread = 0) {
  return {.kind = Kind::kOperation,
          .thread = thread,
          .outcome = Outcome::kCommitted,
          .begin = begin,
          .commit = begin,
          .end = end,
          .steps = {std::move(step)}};
}
inline Transaction Batch(Time begin, Time end, std::vector<Step> steps, unsigned thread = 0) {
  Transaction made = Call(begin, end, {}, thread);
  made.kind = Kind::kBatch;
  made.steps = std::move(steps);
  return made;
}
// The times are those of OpenSnapshot.
inline Transaction Snapshot(Time begin, Time end, std::vector<Step> steps) {
  Transaction made = Batch(begin, end, std::move(steps));
  made.kind = Kind::kSnapshot;
  return made;
}
inline Transaction Txn(Time begin, Time commit, Time end, std::vector<Step> steps,
                       Outcome outcome = Outcome::kCommitted) {
  Transaction made = Batch(begin, end, std::move(steps));
  made.kind = Kind::kTransaction;
  made.commit = commit;
  made.outcome = outcome;
  return made;
}
inline Transaction InFlight(Time begin, Step step, unsigned thread = 0) {
  Transaction made = Call(begin, kNever, std::move(step), thread);
  made.outcome = Outcome::kUnknown;
  return made;
}

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_BY_HAND_H_
