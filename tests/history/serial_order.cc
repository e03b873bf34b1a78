#include "tests/history/serial_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "tests/history/needs.h"

namespace sealkv::history {
namespace {

constexpr uint64_t kStatesToExplain = 1 << 14;

class Search {
 public:
  Search(Program& program, const Chains& chains, const Precedence& before, const std::vector<bool>& is_certain,
         const SearchOptions& options)
      : program_(program),
        chains_(chains),
        before_(before),
        is_certain_(is_certain),
        options_(options),
        needs_(program, chains, is_certain) {
    for (const ProgramNode& node : program.nodes()) {
      is_reader_.push_back(node.is_aborted || IsReadOnly(*node.transaction));
    }
  }

  SerialOrder Run() {
    Point start{.done = std::vector<uint32_t>(chains_.size()), .state = program_.initial()};
    if (Enter(std::move(start))) return Found();
    while (!path_.empty()) {
      if (result_.states > options_.most_states) return std::move(result_);
      Point& point = path_.back();
      if (point.next == point.candidates.size()) {
        path_.pop_back();
        continue;
      }
      Point after;
      if (Take(point, point.candidates[point.next++], after) && Enter(std::move(after))) return Found();
    }
    result_.verdict = Verdict::kNo;
    return std::move(result_);
  }

 private:
  // Where the search stands: what has been done, what that leaves, and what may be done next.
  struct Point {
    std::vector<uint32_t> done;  // by chain
    State state;
    std::vector<Node> taken;  // since the point before
    std::vector<Node> candidates;
    size_t next = 0;
  };

  // True: all is done.
  bool Enter(Point point) {
    if (!options_.is_plain) TakeReaders(point);
    std::vector<uint32_t> memory = point.done;
    memory.insert(memory.end(), point.state.begin(), point.state.end());
    if (!visited_.insert(std::move(memory)).second) return false;
    ++result_.states;
    for (size_t i = 0; i < chains_.size(); ++i) {
      if (IsNext(i, point.done)) point.candidates.push_back(chains_[i][point.done[i]]);
    }
    // Who was over first is likely to have been first.
    std::sort(point.candidates.begin(), point.candidates.end(),
              [&](Node a, Node b) { return program_.nodes()[a].interval.last < program_.nodes()[b].interval.last; });
    const bool is_all_done = IsAllDone(point.done);
    path_.push_back(std::move(point));
    NoteLongest();
    return is_all_done;
  }

  // What only looks, and sees this state, may as well do so now: it is in nobody's way.
  void TakeReaders(Point& point) {
    bool is_changed = true;
    while (is_changed) {
      is_changed = false;
      for (size_t i = 0; i < chains_.size(); ++i) {
        if (!IsNext(i, point.done)) continue;
        const Node node = chains_[i][point.done[i]];
        if (!is_reader_[node]) continue;
        State state = point.state;
        if (!program_.Apply(node, state)) continue;
        ++point.done[i];
        point.taken.push_back(node);
        is_changed = true;
      }
    }
  }

  bool IsNext(size_t chain, const std::vector<uint32_t>& done) const {
    if (done[chain] == chains_[chain].size()) return false;
    const Node node = chains_[chain][done[chain]];
    for (size_t i = 0; i < chains_.size(); ++i) {
      if (before_.Count(node, i) > done[i]) return false;
    }
    return true;
  }

  bool Take(const Point& from, Node node, Point& to) {
    to.state = from.state;
    if (!program_.Apply(node, to.state)) return false;
    to.done = from.done;
    ++to.done[chains_.chain_of(node)];
    to.taken = {node};
    if (options_.is_plain) return true;
    for (Key key = 0; key < to.state.size(); ++key) {
      if (to.state[key] != from.state[key] && needs_.IsNeeded(key, from.state[key], to.done)) return false;
    }
    return true;
  }

  bool IsAllDone(const std::vector<uint32_t>& done) const {
    for (size_t i = 0; i < chains_.size(); ++i) {
      for (size_t at = done[i]; at < chains_[i].size(); ++at) {
        if (is_certain_[chains_[i][at]]) return false;
      }
    }
    return true;
  }

  void NoteLongest() {
    const Point& point = path_.back();
    const size_t length = std::accumulate(point.done.begin(), point.done.end(), size_t{0});
    if (length <= result_.longest && !result_.stuck.empty()) return;
    result_.longest = length;
    result_.stuck = point.candidates;
  }

  SerialOrder Found() {
    result_.verdict = Verdict::kYes;
    for (const Point& point : path_) result_.order.insert(result_.order.end(), point.taken.begin(), point.taken.end());
    return std::move(result_);
  }

  Program& program_;
  const Chains& chains_;
  const Precedence& before_;
  const std::vector<bool>& is_certain_;
  const SearchOptions& options_;
  Needs needs_;
  std::vector<bool> is_reader_;
  std::vector<Point> path_;
  absl::flat_hash_set<std::vector<uint32_t>> visited_;
  SerialOrder result_;
};

}  // namespace

SerialOrder FindSerialOrder(Program& program, const Chains& chains, const Precedence& before,
                            const std::vector<bool>& is_certain, const SearchOptions& options) {
  SerialOrder found = Search(program, chains, before, is_certain, options).Run();
  if (found.verdict == Verdict::kNo && !options.is_plain) {
    // It turned back before the answer that doesn't fit. To show that one, the plain search has a try.
    const SearchOptions plain{.most_states = std::min(options.most_states, kStatesToExplain), .is_plain = true};
    SerialOrder shown = Search(program, chains, before, is_certain, plain).Run();
    found.longest = shown.longest;
    found.stuck = std::move(shown.stuck);
  }
  return found;
}

SerialOrder FindSerialOrder(const History& history, const SearchOptions& options) {
  Program program(history);
  const std::vector<Interval> intervals = program.Intervals();
  const Chains chains(intervals);
  std::vector<bool> is_certain;
  for (const ProgramNode& node : program.nodes()) is_certain.push_back(!node.is_optional);
  return FindSerialOrder(program, chains, Precedence::OfRealTime(chains, intervals), is_certain, options);
}

}  // namespace sealkv::history
