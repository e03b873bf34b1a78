#include "tests/crash/linearizable.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace sealkv::crash {
namespace {

constexpr size_t kMostCalls = 64;  // a bit each in the sets of those that have taken effect

}  // namespace

void KeyHistory::Begin(uint64_t call, const Operation& operation) {
  // Nothing in flight: the past comes down to the values it may have left.
  if (std::all_of(calls_.begin(), calls_.end(), [](const Call& earlier) { return earlier.is_done(); })) {
    initial_ = Allowed();
    calls_.clear();
  }
  if (calls_.size() == kMostCalls) {
    std::fprintf(stderr, "linearizable: more than %zu calls on one key overlap\n", kMostCalls);
    std::abort();
  }
  calls_.push_back({.number = call, .operation = &operation, .begin = clock_++});
  allowed_.reset();
}

void KeyHistory::End(uint64_t call, Answer answer) {
  const auto found = std::find_if(calls_.begin(), calls_.end(), [&](const Call& one) { return one.number == call; });
  found->end = clock_++;
  found->answer = std::move(answer);
  allowed_.reset();
}

const std::set<Value>& KeyHistory::Allowed() const {
  if (!allowed_.has_value()) {
    allowed_.emplace();
    visited_.clear();
    for (const Value& value : initial_) Search(0, value);
  }
  return *allowed_;
}

bool KeyHistory::MayBeNext(size_t i, uint64_t done) const {
  if ((done >> i & 1) != 0) return false;
  // One that was over before this began must have come first.
  for (size_t j = 0; j < calls_.size(); ++j) {
    if ((done >> j & 1) == 0 && calls_[j].end < calls_[i].begin) return false;
  }
  return true;
}

void KeyHistory::Search(uint64_t done, const Value& value) const {
  if (!visited_.emplace(done, value).second) return;
  bool all_done = true;
  for (size_t i = 0; i < calls_.size(); ++i) all_done &= !calls_[i].is_done() || (done >> i & 1) != 0;
  if (all_done) allowed_->insert(value);
  for (size_t i = 0; i < calls_.size(); ++i) {
    if (!MayBeNext(i, done)) continue;
    const Call& call = calls_[i];
    if (!call.is_done() && call.operation->action == Action::kGet) continue;
    const uint64_t done_then = done | uint64_t{1} << i;
    if (call.answer.code == absl::StatusCode::kResourceExhausted) {
      Search(done_then, value);  // it changed nothing
      continue;
    }
    Value value_then = value;
    const Answer answer = ApplyTo(value_then, *call.operation);
    if (!call.is_done() || answer == call.answer) Search(done_then, value_then);
  }
}

}  // namespace sealkv::crash
