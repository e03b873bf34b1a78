#include "tests/history/program.h"

#include <algorithm>
#include <utility>

namespace sealkv::history {

ValueNumber ValueNumbers::NumberOf(const Value& value) {
  if (!value.has_value()) return kAbsent;
  const auto found = numbers_.find(*value);
  if (found != numbers_.end()) return found->second;
  texts_.push_back(value);
  const auto number = static_cast<ValueNumber>(texts_.size() - 1);
  numbers_.emplace(*texts_.back(), number);
  return number;
}

Program::Program(const History& history, bool with_aborted) {
  CollectKeys(history);
  initial_.assign(keys_.size(), kAbsent);
  for (const auto& row : history.initial) initial_[KeyAtOrAfter(row.first)] = values_.NumberOf(row.second);
  for (const Transaction& transaction : history.transactions) {
    if (transaction.outcome == Outcome::kAborted) {
      for (const Step& step : transaction.steps) {
        if (step.value.has_value()) aborted_writes_.emplace(KeyAtOrAfter(step.key), values_.NumberOf(step.value));
      }
      if (!with_aborted) continue;
    }
    if (!transaction.steps.empty()) AddNode(transaction);
  }
  std::stable_sort(nodes_.begin(), nodes_.end(),
                   [](const ProgramNode& a, const ProgramNode& b) { return a.interval.first < b.interval.first; });
}

void Program::AddNode(const Transaction& transaction) {
  ProgramNode node{.transaction = &transaction,
                   .interval = IntervalOf(transaction),
                   .is_optional = transaction.outcome == Outcome::kUnknown,
                   .is_aborted = transaction.outcome == Outcome::kAborted};
  if (node.is_aborted) node.interval.first = transaction.begin;
  for (const Step& step : transaction.steps) node.instructions.push_back(Translate(step));
  nodes_.push_back(std::move(node));
}

void Program::CollectKeys(const History& history) {
  for (const auto& row : history.initial) keys_.push_back(row.first);
  for (const Transaction& transaction : history.transactions) {
    for (const Step& step : transaction.steps) {
      for (const Row& row : step.rows) keys_.push_back(row.first);
      if (step.action != Action::kScan && step.action != Action::kDeleteRange) keys_.push_back(step.key);
    }
  }
  std::sort(keys_.begin(), keys_.end());
  keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
}

std::vector<Interval> Program::Intervals() const {
  std::vector<Interval> intervals;
  for (const ProgramNode& node : nodes_) intervals.push_back(node.interval);
  return intervals;
}

Key Program::KeyAtOrAfter(std::string_view key) const {
  return static_cast<Key>(std::lower_bound(keys_.begin(), keys_.end(), key) - keys_.begin());
}

Instruction Program::Translate(const Step& step) {
  Instruction made{.action = step.action,
                   .first = KeyAtOrAfter(step.key),
                   .value = values_.NumberOf(step.value),
                   .expected = values_.NumberOf(step.expected),
                   .seen = values_.NumberOf(step.seen),
                   .delta = step.delta,
                   .was_there = step.was_there};
  made.last = made.first + 1;
  if (step.action != Action::kScan && step.action != Action::kDeleteRange) return made;
  made.last = step.upper.has_value() ? KeyAtOrAfter(*step.upper) : static_cast<Key>(keys_.size());
  made.last = std::max(made.first, made.last);
  if (step.action == Action::kDeleteRange) return made;
  made.rows.assign(made.last - made.first, kAbsent);
  for (size_t i = 0; i < step.rows.size(); ++i) {
    const auto& [key, value] = step.rows[i];
    const Key at = KeyAtOrAfter(key);
    const bool is_in_order = i == 0 || (step.is_reverse ? key < step.rows[i - 1].first : step.rows[i - 1].first < key);
    if (at < made.first || at >= made.last || !is_in_order) {
      made.is_malformed = true;
      break;
    }
    made.rows[at - made.first] = values_.NumberOf(value);
  }
  return made;
}

bool Program::Apply(Node node, State& state) {
  const ProgramNode& applied = nodes_[node];
  if (applied.is_aborted) {
    State seen_by_it = state;
    return std::all_of(applied.instructions.begin(), applied.instructions.end(),
                       [&](const Instruction& instruction) { return Apply(instruction, seen_by_it); });
  }
  return std::all_of(applied.instructions.begin(), applied.instructions.end(),
                     [&](const Instruction& instruction) { return Apply(instruction, state); });
}

bool Program::Apply(const Instruction& instruction, State& state) {
  if (instruction.action == Action::kScan) {
    return !instruction.is_malformed &&
           std::equal(instruction.rows.begin(), instruction.rows.end(), state.begin() + instruction.first);
  }
  if (instruction.action == Action::kDeleteRange) {
    std::fill(state.begin() + instruction.first, state.begin() + instruction.last, kAbsent);
    return true;
  }
  ValueNumber& value = state[instruction.first];
  const bool is_there = value != kAbsent;
  switch (instruction.action) {
    case Action::kGet:
      return value == instruction.seen;
    case Action::kPut:
      value = instruction.value;
      return true;
    case Action::kPutIfAbsent:
      if (instruction.was_there.has_value() && *instruction.was_there != is_there) return false;
      if (!is_there) value = instruction.value;
      return true;
    case Action::kDelete:
      if (instruction.was_there.has_value() && *instruction.was_there != is_there) return false;
      value = kAbsent;
      return true;
    case Action::kAdd:
      return ApplyAdd(instruction, value);
    case Action::kCompareAndSwap:
      if (value != instruction.seen) return false;
      if (value == instruction.expected) value = instruction.value;
      return true;
    case Action::kUpdate:
      if (value != instruction.seen) return false;
      value = instruction.value;
      return true;
    case Action::kScan:
    case Action::kDeleteRange:
      break;
  }
  return false;
}

bool Program::ApplyAdd(const Instruction& instruction, ValueNumber& value) {
  uint64_t word = 0;
  if (value != kAbsent) {
    const std::string& text = *values_.TextOf(value);
    if (text.size() != sizeof(uint64_t)) return false;
    word = WordOf(text);
  }
  const ValueNumber sum = values_.NumberOf(WordValue(word + instruction.delta));
  if (instruction.seen != kAbsent && instruction.seen != sum) return false;
  value = sum;
  return true;
}

}  // namespace sealkv::history
