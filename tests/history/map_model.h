// The sequential specification once more, on a std::map: it fills in the answers. What the checkers hold to be right is
// written in program.cc; that the two agree is tested with everything else.
#ifndef SEALKV_TESTS_HISTORY_MAP_MODEL_H_
#define SEALKV_TESTS_HISTORY_MAP_MODEL_H_

#include <map>
#include <set>
#include <string>

#include "tests/history/history.h"

namespace sealkv::history {

using Map = std::map<std::string, std::string>;

inline Value ValueIn(const Map& state, const std::string& key) {
  const auto found = state.find(key);
  return found == state.end() ? Value() : Value(found->second);
}
void SetIn(Map& state, const std::string& key, const Value& value);
void Overlay(Map& state, const std::map<std::string, Value>& values);
std::set<std::string> ChangedKeys(const Map& before, const Map& after);

// Wants the answers that may also be left out: whether the key was there, the sum.
Step Asking(Step step);
// Does it, and returns it with its answers.
Step Perform(Step step, Map& state);
bool IsSameAnswer(const Step& a, const Step& b);

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_MAP_MODEL_H_
