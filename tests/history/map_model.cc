#include "tests/history/map_model.h"

#include <algorithm>
#include <utility>

namespace sealkv::history {
namespace {

void PerformScan(Step& step, const Map& state) {
  step.rows.clear();
  for (auto at = state.lower_bound(step.key); at != state.end() && (!step.upper.has_value() || at->first < *step.upper);
       ++at) {
    step.rows.emplace_back(at->first, at->second);
  }
  if (step.is_reverse) std::reverse(step.rows.begin(), step.rows.end());
}

void PerformDeleteRange(const Step& step, Map& state) {
  std::erase_if(state, [&](const auto& row) {
    return row.first >= step.key && (!step.upper.has_value() || row.first < *step.upper);
  });
}

}  // namespace

void SetIn(Map& state, const std::string& key, const Value& value) {
  if (value.has_value()) {
    state[key] = *value;
  } else {
    state.erase(key);
  }
}

void Overlay(Map& state, const std::map<std::string, Value>& values) {
  for (const auto& [key, value] : values) SetIn(state, key, value);
}

std::set<std::string> ChangedKeys(const Map& before, const Map& after) {
  std::set<std::string> changed;
  for (const auto& [key, value] : before) {
    if (ValueIn(after, key) != value) changed.insert(key);
  }
  for (const auto& [key, value] : after) {
    if (ValueIn(before, key) != value) changed.insert(key);
  }
  return changed;
}

Step Asking(Step step) {
  step.was_there = false;
  step.seen = "";
  return step;
}

Step Perform(Step step, Map& state) {
  const Value before = ValueIn(state, step.key);
  switch (step.action) {
    case Action::kGet:
      step.seen = before;
      break;
    case Action::kPut:
      state[step.key] = *step.value;
      break;
    case Action::kPutIfAbsent:
      step.was_there = before.has_value();
      state.try_emplace(step.key, *step.value);
      break;
    case Action::kDelete:
      if (step.was_there.has_value()) step.was_there = before.has_value();
      state.erase(step.key);
      break;
    case Action::kAdd: {
      const std::string sum = WordValue((before.has_value() ? WordOf(*before) : 0) + step.delta);
      if (step.seen.has_value()) step.seen = sum;
      state[step.key] = sum;
      break;
    }
    case Action::kCompareAndSwap:
      step.seen = before;
      if (before == step.expected) SetIn(state, step.key, step.value);
      break;
    case Action::kUpdate:
      step.seen = before;
      SetIn(state, step.key, step.value);
      break;
    case Action::kScan:
      PerformScan(step, state);
      break;
    case Action::kDeleteRange:
      PerformDeleteRange(step, state);
      break;
  }
  return step;
}

bool IsSameAnswer(const Step& a, const Step& b) {
  return a.seen == b.seen && a.was_there == b.was_there && a.rows == b.rows;
}

}  // namespace sealkv::history
