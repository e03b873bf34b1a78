#include "tests/history/simulation.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/history/map_model.h"
#include "tests/history/random_steps.h"
#include "tests/random.h"

namespace sealkv::history {
namespace {

using testing::Random;

constexpr size_t kMostPast = 3;  // how many commits a stale read may lag

// One transaction on its way: what it means to do, and what it sees.
struct Running {
  Transaction record;
  std::vector<Step> plan;
  Map view;  // what it sees: a snapshot, with its own writes
  std::map<std::string, Value> written;
  std::map<std::string, Value> replaced;  // of kDirtyWrites, to take it back
};

class Simulation {
 public:
  Simulation(uint64_t seed, const SimulationOptions& options)
      : random_(seed),
        options_(options),
        fault_(options.fault),
        steps_(random_, options.keys, options.are_values_unique),
        phases_(options.threads) {}

  History Run() {
    if (random_.OneIn(2)) committed_["k0"] = history_.initial["k0"] = steps_.NewValue();
    past_.push_back(committed_);
    unsigned started = 0;
    for (;;) {
      const auto thread = static_cast<unsigned>(random_.Below(options_.threads));
      if (IsStalled(thread)) continue;
      if (phases_[thread].empty() && started < options_.transactions) {
        Start(thread);
        ++started;
      }
      if (!phases_[thread].empty()) {
        const std::function<void()> phase = std::move(phases_[thread].front());
        phases_[thread].pop_front();
        phase();
      } else if (std::all_of(phases_.begin(), phases_.end(), [](const auto& left) { return left.empty(); })) {
        break;
      }
    }
    LeaveSomeInFlight();
    return std::move(history_);
  }

 private:
  // Not all at once: the first never is.
  bool IsStalled(unsigned thread) {
    if (options_.longest_stall == 0 || thread == 0) return false;
    ++step_count_;
    if (step_count_ < stalled_until_[thread]) return true;
    if (random_.OneIn(100)) stalled_until_[thread] = step_count_ + random_.Below(options_.longest_stall);
    return false;
  }

  void Start(unsigned thread) {
    running_.emplace_back();
    Running& running = running_.back();
    running.record.thread = thread;
    switch (random_.Below(4)) {
      case 0:
        return StartOperation(running);
      case 1:
        return StartBatch(running);
      case 2:
        return StartSnapshot(running);
      default:
        return StartTransaction(running);
    }
  }

  void Then(const Running& running, std::function<void()> phase) {
    phases_[running.record.thread].push_back(std::move(phase));
  }
  void ThenBegin(Running& running, Kind kind) {
    running.record.kind = kind;
    Then(running, [this, &running] { running.record.begin = running.record.commit = ++now_; });
  }
  void ThenEnd(Running& running) {
    Then(running, [this, &running] {
      running.record.end = ++now_;
      if (running.record.outcome == Outcome::kUnknown) running.record.outcome = Outcome::kCommitted;
    });
  }
  // The last phase of each.
  void ThenFile(Running& running) {
    Then(running, [this, &running] { history_.transactions.push_back(running.record); });
  }

  void StartOperation(Running& running) {
    running.plan.push_back(steps_.AnyOperation(running.record.thread, committed_));
    const Step& step = running.plan.front();
    ThenBegin(running, Kind::kOperation);
    if (fault_ == Fault::kTornUpdate && step.action != Action::kGet) {
      Then(running, [this, &running] {
        running.view = committed_;
        PerformAll(running, running.view);
      });
      Then(running, [this, &running] { Install(running.written); });
    } else if (fault_ == Fault::kStaleReads && step.action == Action::kGet) {
      Then(running, [this, &running] {
        Map stale = past_[random_.Below(past_.size())];
        PerformAll(running, stale);
      });
    } else {
      Then(running, [this, &running] { PerformAll(running, committed_); });
    }
    ThenEnd(running);
    ThenFile(running);
  }

  void StartBatch(Running& running) {
    for (uint64_t left = random_.Between(2, 3); left > 0; --left) {
      running.plan.push_back(steps_.BlindWrite(running.record.thread));
    }
    ThenBegin(running, Kind::kBatch);
    if (fault_ == Fault::kTornBatch) {
      for (size_t i = 0; i < running.plan.size(); ++i) {
        Then(running, [this, &running, i] { PerformOne(running, running.plan[i], committed_); });
      }
    } else {
      Then(running, [this, &running] { PerformAll(running, committed_); });
    }
    ThenEnd(running);
    ThenFile(running);
  }

  void StartSnapshot(Running& running) {
    ThenBegin(running, Kind::kSnapshot);
    Then(running, [this, &running] { running.view = committed_; });
    ThenEnd(running);
    for (uint64_t left = random_.Between(2, 3); left > 0; --left) {
      Then(running, [this, &running] {
        PerformOne(running, steps_.AnyRead(), fault_ == Fault::kMovingSnapshot ? committed_ : running.view);
      });
    }
    ThenFile(running);
  }

  void StartTransaction(Running& running) {
    ThenBegin(running, Kind::kTransaction);
    Then(running, [this, &running] { running.view = committed_; });
    for (uint64_t left = random_.Between(1, 4); left > 0; --left) {
      Then(running, [this, &running] { PerformInTransaction(running); });
    }
    Then(running, [this, &running] { running.record.commit = ++now_; });
    Then(running, [this, &running] { Commit(running); });
    ThenEnd(running);
    ThenFile(running);
  }

  void PerformInTransaction(Running& running) {
    const Step step = random_.OneIn(2) ? steps_.AnyRead() : steps_.TransactionWrite();
    if (fault_ == Fault::kReadCommitted || fault_ == Fault::kDirtyWrites) {
      running.view = committed_;
      Overlay(running.view, running.written);
    }
    PerformOne(running, step, running.view);
    if (fault_ != Fault::kDirtyWrites || !MayWrite(running.record.steps.back())) return;
    running.replaced.try_emplace(step.key, ValueIn(committed_, step.key));
    Install({{step.key, ValueIn(running.view, step.key)}});
  }

  void Commit(Running& running) {
    if (!IsReadOnly(running.record) && (!MayCommit(running) || random_.OneIn(8))) {
      running.record.outcome = Outcome::kAborted;
      Install(running.replaced);
    } else {
      Install(running.written);
    }
  }

  bool MayCommit(const Running& running) const {
    switch (fault_) {
      case Fault::kReadCommitted:
      case Fault::kDirtyWrites:
        return true;
      case Fault::kSnapshotIsolation:
        // A key that was replaced has been put into the past since: values are compared, which is enough where they are
        // unique.
        return std::all_of(running.written.begin(), running.written.end(), [&](const auto& write) {
          return ValueIn(committed_, write.first) == running.replaced.at(write.first);
        });
      default: {
        // Made again now, it would have had the same answers.
        Map again = committed_;
        for (const Step& step : running.record.steps) {
          if (!IsSameAnswer(Perform(step, again), step)) return false;
        }
        return true;
      }
    }
  }

  void PerformAll(Running& running, Map& state) {
    for (const Step& step : running.plan) PerformOne(running, step, state);
  }

  void PerformOne(Running& running, const Step& step, Map& state) {
    const Map before = state;
    running.record.steps.push_back(Perform(step, state));
    std::set<std::string> written = ChangedKeys(before, state);
    if (MayWrite(running.record.steps.back()) && step.action != Action::kDeleteRange) written.insert(step.key);
    for (const std::string& key : written) {
      running.written[key] = ValueIn(state, key);
      if (fault_ == Fault::kSnapshotIsolation) running.replaced.try_emplace(key, ValueIn(before, key));
    }
    if (&state == &committed_) Remember();
  }

  void Install(const std::map<std::string, Value>& values) {
    if (values.empty()) return;
    Overlay(committed_, values);
    Remember();
  }

  void Remember() {
    past_.push_back(committed_);
    if (past_.size() > kMostPast) past_.pop_front();
  }

  // At the end of a run some calls have begun, and their threads are gone.
  void LeaveSomeInFlight() {
    if (!random_.OneIn(3)) return;
    Transaction lost{.thread = static_cast<unsigned>(random_.Below(options_.threads)), .begin = ++now_};
    lost.commit = lost.begin;
    lost.steps.push_back(steps_.BlindWrite(lost.thread));
    if (random_.OneIn(2)) Perform(lost.steps.back(), committed_);
    history_.transactions.push_back(lost);
    Transaction reader{.kind = Kind::kSnapshot, .thread = options_.threads, .outcome = Outcome::kCommitted};
    reader.begin = reader.commit = ++now_;
    reader.end = ++now_;
    reader.steps.push_back(Perform(Scan("", std::nullopt, {}), committed_));
    history_.transactions.push_back(reader);
  }

  Random random_;
  const SimulationOptions& options_;
  const Fault fault_;
  RandomSteps steps_;
  std::vector<std::deque<std::function<void()>>> phases_;  // by thread: what it has yet to do of its transaction
  std::deque<Running> running_;
  Map committed_;
  std::deque<Map> past_;
  History history_;
  Time now_ = 0;
  std::map<unsigned, uint64_t> stalled_until_;  // by thread, in steps
  uint64_t step_count_ = 0;
};

}  // namespace

const char* NameOf(Fault fault) {
  static constexpr const char* kNames[] = {"none",       "read committed", "snapshot isolation", "dirty writes",
                                           "torn batch", "stale reads",    "torn update",        "moving snapshot"};
  return kNames[static_cast<size_t>(fault)];
}

History Simulate(uint64_t seed, const SimulationOptions& options) { return Simulation(seed, options).Run(); }

}  // namespace sealkv::history
