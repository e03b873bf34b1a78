// Is there a serial order of the transactions that explains every answer and keeps the order of time? Decided by
// search: the algorithm of Wing and Gong (J. Parallel Distrib. Comput. 1993) with Lowe's memory of what has been tried
// ("Testing for linearizability", 2016): a set of transactions done and the state they leave is looked at once. It
// takes whole transactions as steps, so it decides linearizability and strict serializability alike, with blind
// writes, deletes and ranges.
//
// As time orders each chain (chains.h), a set of transactions is a number a chain.
#ifndef SEALKV_TESTS_HISTORY_SERIAL_ORDER_H_
#define SEALKV_TESTS_HISTORY_SERIAL_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/history/chains.h"
#include "tests/history/history.h"
#include "tests/history/program.h"

namespace sealkv::history {

enum class Verdict : uint8_t { kYes, kNo, kUndecided };

struct SearchOptions {
  // States looked at before the answer is kUndecided.
  uint64_t most_states = 1 << 20;
  // Two ways to look at less, neither of which changes the answer. Without them the search is the plain one, and the
  // measure of the others.
  bool is_plain = false;
};

struct SerialOrder {
  Verdict verdict = Verdict::kUndecided;
  std::vector<Node> order;  // of kYes
  // Otherwise the furthest that the search got: so many transactions, and those of which none would do as the next.
  size_t longest = 0;
  std::vector<Node> stuck;
  uint64_t states = 0;
};

// `before`: what the order must keep, at least that of time. `is_certain`: what must be in it.
SerialOrder FindSerialOrder(Program& program, const Chains& chains, const Precedence& before,
                            const std::vector<bool>& is_certain, const SearchOptions& options = {});

// Of a whole history, by time alone.
SerialOrder FindSerialOrder(const History& history, const SearchOptions& options = {});
inline bool SerialOrderExists(const History& history) { return FindSerialOrder(history).verdict == Verdict::kYes; }

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_SERIAL_ORDER_H_
