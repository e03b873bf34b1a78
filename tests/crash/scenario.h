// Scripts that make a small store do each thing that changes persistent memory, and how to run one over the recorder.
// A later feature registers its own here (AllScenarios) and is then covered by enumeration and mutation alike.
#ifndef SEALKV_TESTS_CRASH_SCENARIO_H_
#define SEALKV_TESTS_CRASH_SCENARIO_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/crash/recorder.h"
#include "tests/crash/shape.h"
#include "tests/model.h"

namespace sealkv::crash {

enum class Action : uint8_t { kFormat, kReopen, kPut, kDelete, kAdd, kCompareAndSwap };

struct Operation {
  Action action;
  std::string key;
  std::string value;    // kPut; kCompareAndSwap: what is expected
  uint64_t number = 0;  // kAdd, kCompareAndSwap
};

inline Operation Format() { return {Action::kFormat, {}, {}, 0}; }
inline Operation Reopen() { return {Action::kReopen, {}, {}, 0}; }
inline Operation Put(std::string key, std::string value) { return {Action::kPut, std::move(key), std::move(value), 0}; }
inline Operation Put(std::string key, uint64_t value) { return Put(std::move(key), testing::WordValue(value)); }
inline Operation Delete(std::string key) { return {Action::kDelete, std::move(key), {}, 0}; }
inline Operation Add(std::string key, uint64_t delta) { return {Action::kAdd, std::move(key), {}, delta}; }
inline Operation CompareAndSwap(std::string key, uint64_t expected, uint64_t desired) {
  return {Action::kCompareAndSwap, std::move(key), testing::WordValue(expected), desired};
}

// What a file holds: a store with these contents, or nothing that is a store.
using State = std::optional<testing::Model>;

struct Scenario {
  std::string kind;
  size_t memory_bytes = 64 << 10;
  uint8_t memory_fill = 0;  // what the memory holds before the first Format
  // The store begins with Format, unless the scenario is about that: then `setup` is empty and `operations` begin with
  // it.
  std::vector<Operation> setup;
  std::vector<Operation> operations;  // these are crashed at each store and fence
  // Whether an operation that found the tree as `before` and left it as `after` did what this scenario is for.
  std::function<bool(const Shape& before, const Shape& after)> happened;
  unsigned times = 1;  // how many of the operations must have done it
};

// How GoogleTest names one in its messages.
inline void PrintTo(const Scenario& scenario, std::ostream* out) { *out << scenario.kind; }

std::vector<Scenario> AllScenarios();

// A scenario that was run over the recorder.
struct Recording {
  Log log;
  uint64_t first_operation = 0;  // of log, that belongs to Scenario::operations
  // states[k]: before operation k of the log; states[k + 1]: after it.
  std::vector<State> states;
  std::vector<Operation> operations;
  unsigned times_happened = 0;
  std::vector<std::string> problems;  // statuses, strays, stores that bypassed the seam

  // The states that a crash inside of operation k may leave.
  std::vector<const State*> AllowedDuring(uint64_t k) const;
};

Recording Record(const Scenario& scenario);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_SCENARIO_H_
