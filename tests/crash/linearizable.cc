#include "tests/crash/linearizable.h"

#include <cstdio>
#include <cstdlib>

namespace sealkv::crash {
namespace {

constexpr size_t kMostPossible = 200'000;  // more would take minutes: the scenario is at fault

bool ChangedNothing(const Answer& answer) { return answer.code == absl::StatusCode::kResourceExhausted; }

bool IsRead(const Operation& operation) {
  switch (operation.action) {
    case Action::kGet:
    case Action::kScan:
    case Action::kCompact:
    case Action::kGrow:
    case Action::kShrink:
    case Action::kOpenSnapshot:
    case Action::kOpenIterator:
    case Action::kClose:
    case Action::kPin:
      return true;
    default:
      return false;
  }
}

}  // namespace

void History::Begin(uint64_t call, const Operation& operation) {
  in_flight_.emplace(call, &operation);
  allowed_.reset();
}

std::vector<History::Possible> History::Successors(const Possible& from, bool with_reads) const {
  std::vector<Possible> all;
  for (const auto& [call, operation] : in_flight_) {
    if (from.taken.contains(call) || (!with_reads && IsRead(*operation))) continue;
    Possible next = from;
    Answer answer = ApplyTo(next.state, *operation);
    next.taken.emplace(call, std::move(answer));
    all.push_back(std::move(next));
  }
  return all;
}

// The call takes effect now at the latest; others may do so before it.
void History::End(uint64_t call, const Answer& answer) {
  std::set<Possible> after;
  std::set<Possible> seen = std::move(possible_);
  std::vector<Possible> open(seen.begin(), seen.end());
  while (!open.empty()) {
    Possible one = std::move(open.back());
    open.pop_back();
    const auto found = one.taken.find(call);
    if (ChangedNothing(answer)) {
      if (found == one.taken.end()) after.insert(std::move(one));
      continue;
    }
    if (found != one.taken.end()) {
      if (found->second != answer) continue;
      one.taken.erase(found);
      after.insert(std::move(one));
      continue;
    }
    for (Possible& next : Successors(one, /*with_reads=*/true)) {
      if (seen.insert(next).second) open.push_back(std::move(next));
    }
    if (seen.size() > kMostPossible) {
      std::fprintf(stderr, "linearizable: more than %zu possible histories\n", kMostPossible);
      std::abort();
    }
  }
  in_flight_.erase(call);
  possible_ = std::move(after);
  allowed_.reset();
}

const std::set<testing::Model>& History::Allowed() const {
  if (allowed_.has_value()) return *allowed_;
  allowed_.emplace();
  std::set<Possible> seen = possible_;
  std::vector<Possible> open(seen.begin(), seen.end());
  while (!open.empty()) {
    const Possible one = std::move(open.back());
    open.pop_back();
    for (Possible& next : Successors(one, /*with_reads=*/false)) {
      if (seen.insert(next).second) open.push_back(std::move(next));
    }
    allowed_->insert(one.state);
  }
  return *allowed_;
}

}  // namespace sealkv::crash
