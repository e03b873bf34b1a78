// What a concurrent run did and was answered: the input of the checkers.
//
// Everything is a transaction: a single operation, an atomic batch, a snapshot and what was read at it, a transaction
// proper. Each took effect, if it did, at one point between two times; times are ticks of one counter (recorder.h), so
// only their order means anything.
#ifndef SEALKV_TESTS_HISTORY_HISTORY_H_
#define SEALKV_TESTS_HISTORY_HISTORY_H_

#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sealkv::history {

using Value = std::optional<std::string>;  // nothing: the key isn't there
using Row = std::pair<std::string, std::string>;
using Time = uint64_t;

inline constexpr Time kNever = std::numeric_limits<Time>::max();

enum class Action : uint8_t { kGet, kPut, kPutIfAbsent, kDelete, kAdd, kCompareAndSwap, kUpdate, kScan, kDeleteRange };

// One operation within a transaction, with its answer. Made by the functions below, which say what is set.
struct Step {
  Action action;
  std::string key;                // of kScan, kDeleteRange: the lower bound
  Value upper;                    // of kScan, kDeleteRange: keys < upper; nothing: there is no end
  Value value;                    // what is written
  Value expected;                 // of kCompareAndSwap
  uint64_t delta = 0;             // of kAdd
  Value seen;                     // what the store answered was there; of kAdd: the sum, or nothing if that wasn't told
  std::optional<bool> was_there;  // of kPutIfAbsent, kDelete; nothing: it wasn't told
  bool is_reverse = false;
  std::vector<Row> rows;  // of kScan, in the order in which they were shown
};

// Numbers are 8 bytes in the machine's order, as for Store::Add.
inline std::string WordValue(uint64_t word) { return {reinterpret_cast<const char*>(&word), sizeof(word)}; }
inline uint64_t WordOf(std::string_view value) {
  uint64_t word;
  std::memcpy(&word, value.data(), sizeof(word));
  return word;
}

inline Step Get(std::string key, Value seen) {
  return {.action = Action::kGet, .key = std::move(key), .seen = std::move(seen)};
}
inline Step Put(std::string key, std::string value) {
  return {.action = Action::kPut, .key = std::move(key), .value = std::move(value)};
}
inline Step PutIfAbsent(std::string key, std::string value, bool was_there) {
  return {.action = Action::kPutIfAbsent, .key = std::move(key), .value = std::move(value), .was_there = was_there};
}
inline Step Delete(std::string key, std::optional<bool> was_there = std::nullopt) {
  return {.action = Action::kDelete, .key = std::move(key), .was_there = was_there};
}
inline Step Add(std::string key, uint64_t delta, std::optional<uint64_t> sum = std::nullopt) {
  Step step{.action = Action::kAdd, .key = std::move(key), .delta = delta};
  if (sum.has_value()) step.seen = WordValue(*sum);
  return step;
}
// `seen`: what was there before; the swap was made if that is `expected`.
inline Step CompareAndSwap(std::string key, std::string expected, std::string desired, Value seen) {
  return {.action = Action::kCompareAndSwap,
          .key = std::move(key),
          .value = std::move(desired),
          .expected = std::move(expected),
          .seen = std::move(seen)};
}
// `seen`: what the caller's function was given. `value`: what it returned; nothing: the key goes.
inline Step Update(std::string key, Value seen, Value value) {
  return {.action = Action::kUpdate, .key = std::move(key), .value = std::move(value), .seen = std::move(seen)};
}
// All rows of [lower, upper) were shown. Of a walk that was left early: bounds that hold no more than it went over.
inline Step Scan(std::string lower, Value upper, std::vector<Row> rows, bool is_reverse = false) {
  return {.action = Action::kScan,
          .key = std::move(lower),
          .upper = std::move(upper),
          .is_reverse = is_reverse,
          .rows = std::move(rows)};
}
inline Step DeleteRange(std::string lower, Value upper) {
  return {.action = Action::kDeleteRange, .key = std::move(lower), .upper = std::move(upper)};
}

// Whether the step may change something. A failed compare-and-swap or put-if-absent is known to have changed nothing.
bool MayWrite(const Step& step);

enum class Kind : uint8_t { kOperation, kBatch, kSnapshot, kTransaction };

// kUnknown: it was in flight when the run ended, or its answer leaves open whether it took effect.
enum class Outcome : uint8_t { kCommitted, kAborted, kUnknown };

struct Transaction {
  Kind kind = Kind::kOperation;
  unsigned thread = 0;
  Outcome outcome = Outcome::kUnknown;
  Time begin = 0;     // before its first call
  Time commit = 0;    // before the call that makes it take effect; where there is one call only: begin
  Time end = kNever;  // after that call; of a snapshot: after OpenSnapshot
  std::vector<Step> steps;
};

bool IsReadOnly(const Transaction& transaction);

// The times between which it takes effect. What writes does so in the call of commit; what only reads, anywhere from
// its begin. What may or may not have taken effect may do so for ever.
struct Interval {
  Time first = 0;
  Time last = kNever;
};
Interval IntervalOf(const Transaction& transaction);

struct History {
  std::map<std::string, std::string> initial;  // what the store held before
  std::vector<Transaction> transactions;       // in any order
};

// For people.
std::string Describe(const Value& value);
std::string Describe(const Step& step);
std::string Describe(const Transaction& transaction);
std::string Describe(const History& history);

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_HISTORY_H_
