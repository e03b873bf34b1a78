// A history in integers: keys in their order, values by number; and the sequential specification, which says whether a
// transaction's answers are right in a given state, and what state it leaves.
#ifndef SEALKV_TESTS_HISTORY_PROGRAM_H_
#define SEALKV_TESTS_HISTORY_PROGRAM_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/history/chains.h"
#include "tests/history/history.h"

namespace sealkv::history {

using Key = uint32_t;
using ValueNumber = uint32_t;
inline constexpr ValueNumber kAbsent = 0;

class ValueNumbers {
 public:
  ValueNumbers() { texts_.emplace_back(); }
  ValueNumber NumberOf(const Value& value);
  const Value& TextOf(ValueNumber number) const { return texts_[number]; }

 private:
  std::deque<Value> texts_;  // by number
  std::unordered_map<std::string_view, ValueNumber> numbers_;
};

struct Instruction {
  Action action;
  Key first = 0;  // the key; or those of the range: first to last - 1
  Key last = 0;
  ValueNumber value = kAbsent;
  ValueNumber expected = kAbsent;
  ValueNumber seen = kAbsent;
  uint64_t delta = 0;
  std::optional<bool> was_there;
  std::vector<ValueNumber> rows;  // of kScan: what each key of the range was shown to have
  bool is_malformed = false;      // kScan showed keys out of order, twice, or out of its range
};

using State = std::vector<ValueNumber>;  // by key

// What may take part in a serial order.
struct ProgramNode {
  const Transaction* transaction = nullptr;
  Interval interval;
  bool is_optional = false;  // it may not have taken effect
  bool is_aborted = false;   // only its reads count; what it wrote it alone may see
  std::vector<Instruction> instructions;
};

class Program {
 public:
  // Aborted transactions are left out, unless their reads are wanted: opacity (Guerraoui and Kapałka, PPoPP 2008) asks
  // that what will abort, too, sees a state that was. The history must live as long.
  explicit Program(const History& history, bool with_aborted = false);

  // In the order of the times from which they may take effect.
  const std::vector<ProgramNode>& nodes() const { return nodes_; }
  std::vector<Interval> Intervals() const;
  const std::vector<std::string>& keys() const { return keys_; }
  const State& initial() const { return initial_; }
  bool WroteAborted(Key key, ValueNumber value) const { return aborted_writes_.count({key, value}) != 0; }
  ValueNumbers& values() { return values_; }
  const ValueNumbers& values() const { return values_; }

  // Whether the node's answers are those that this state gives; it is the state after the node then.
  bool Apply(Node node, State& state);

  Instruction Translate(const Step& step);
  Key KeyAtOrAfter(std::string_view key) const;

 private:
  void CollectKeys(const History& history);
  void AddNode(const Transaction& transaction);
  bool Apply(const Instruction& instruction, State& state);
  bool ApplyAdd(const Instruction& instruction, ValueNumber& value);

  std::vector<std::string> keys_;  // all that occur, ascending
  ValueNumbers values_;
  State initial_;
  std::vector<ProgramNode> nodes_;
  std::set<std::pair<Key, ValueNumber>> aborted_writes_;
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_PROGRAM_H_
