#include "bench/runner.h"

#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/marks.h"
#include "bench/report.h"
#include "bench/result_json.h"
#include "bench/session.h"
#include "bench/store_files.h"
#include "bench/worker.h"

namespace sealkv::bench {
namespace {

// An engine's session, here or in a worker.
struct Lane {
  std::string engine;
  std::function<absl::StatusOr<std::string>()> open;
  std::function<absl::StatusOr<Result>(const std::string& benchmark)> run;
};

Lane InThisProcess(const std::string& engine, std::shared_ptr<Session> session) {
  return {engine, [session] { return session->Open(); },
          [session](const std::string& benchmark) { return session->Run(benchmark); }};
}

constexpr char kOpenRequest[] = "begin";

absl::StatusOr<Lane> InWorker(const std::string& engine, const std::function<std::shared_ptr<Session>()>& make,
                              const std::atomic<bool>& stop) {
  const auto serve_by = [&]() -> Worker::Serve {
    return [session = make()](const std::string& request) -> absl::StatusOr<std::string> {
      if (request == kOpenRequest) return session->Open();
      absl::StatusOr<Result> result = session->Run(request);
      if (!result.ok()) return result.status();
      return Serialize(*result);
    };
  };
  auto started = Worker::Start(engine, serve_by, stop);
  if (!started.ok()) return started.status();
  const std::shared_ptr<Worker> worker = *std::move(started);
  return Lane{engine, [worker] { return worker->Ask(kOpenRequest); },
              [worker](const std::string& benchmark) -> absl::StatusOr<Result> {
                const absl::StatusOr<std::string> answer = worker->Ask(benchmark);
                if (!answer.ok()) return answer.status();
                return Deserialize(*answer);
              }};
}

class Runner {
 public:
  Runner(const Plan& plan, const std::atomic<bool>& stop) : plan_(plan), stop_(stop) {}

  absl::StatusOr<Outcome> Run() {
    if (absl::Status status = Prepare(); !status.ok()) return status;
    std::vector<std::vector<Result>> runs;
    for (uint32_t i = 0; i < plan_.repetitions; ++i) {
      absl::StatusOr<std::vector<Result>> results = RunList(i == 0);
      if (!results.ok()) return results.status();
      runs.push_back(*std::move(results));
    }
    outcome_.results = Medians(runs);
    return std::move(outcome_);
  }

 private:
  // Leaves out engines that aren't installed, or have nothing that exists; sees that no file of somebody else's is in
  // the way.
  absl::Status Prepare() {
    for (const std::string& name : plan_.engines) {
      const auto engine = MakeEngine(name, plan_.workload.data.key_kind, plan_.workload.data.value_bytes);
      if (!engine.ok()) {
        std::cout << absl::StrFormat("%-14s left out: %s\n", name, std::string(engine.status().message()));
        continue;
      }
      if (plan_.engine.use_existing && IsVolatile(name)) {
        std::cout << absl::StrFormat("%-14s left out: it forgets everything, so there is none to use\n", name);
        continue;
      }
      const std::string path = StorePath(name, plan_.db);
      const bool has_files = path != kInMemory && !IsVolatile(name);
      struct stat file;
      if (has_files && !plan_.engine.use_existing && lstat(path.c_str(), &file) == 0) {
        return absl::AlreadyExistsError(absl::StrCat(path, " exists: use it with --use_existing_db, or remove it"));
      }
      const FilesAre are = !has_files || plan_.engine.use_existing ? FilesAre::kNotOurs
                           : plan_.keep                            ? FilesAre::kKept
                                                                   : FilesAre::kTemporary;
      files_.push_back(std::make_unique<StoreFiles>(name, path, are));
      engines_.push_back(name);
    }
    if (engines_.empty()) return absl::FailedPreconditionError("all engines of --engines are left out");
    if (plan_.mark_operations.empty()) return absl::OkStatus();
    absl::StatusOr<std::unique_ptr<Marks>> marks = Marks::Open(plan_.mark_operations);
    if (!marks.ok()) return marks.status();
    marks_ = *std::move(marks);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Lane>> OpenLanes(bool is_first) {
    std::vector<Lane> lanes;
    for (size_t i = 0; i < engines_.size(); ++i) {
      const auto make = [this, i] {
        return std::make_shared<Session>(plan_, engines_[i], *files_[i], marks_.get(), stop_);
      };
      absl::StatusOr<Lane> lane =
          plan_.is_single() ? InThisProcess(engines_[i], make()) : InWorker(engines_[i], make, stop_);
      if (!lane.ok()) return lane.status();
      const absl::StatusOr<std::string> description = lane->open();
      if (!description.ok()) return About(engines_[i], "opening", description.status());
      lanes.push_back(*std::move(lane));
      if (!is_first) continue;
      outcome_.engines.emplace_back(engines_[i], *description);
      std::cout << absl::StrFormat("%-14s %s", engines_[i], *description) << std::endl;
    }
    if (is_first) std::cout << std::endl;
    return lanes;
  }

  // One run of the whole list; engines take turns at each benchmark, so that a noisy machine hurts all alike.
  absl::StatusOr<std::vector<Result>> RunList(bool is_first) {
    absl::StatusOr<std::vector<Lane>> lanes = OpenLanes(is_first);
    if (!lanes.ok()) return lanes.status();
    std::vector<Result> results;
    for (const std::string& benchmark : plan_.benchmarks) {
      for (const Lane& lane : *lanes) {
        absl::StatusOr<Result> result = lane.run(benchmark);
        if (absl::IsUnimplemented(result.status())) {
          if (is_first)
            std::cout << absl::StrFormat("%-12s : left out: %s  [%s]\n", benchmark,
                                         std::string(result.status().message()), lane.engine);
          continue;
        }
        if (!result.ok()) return About(lane.engine, benchmark, result.status());
        std::cout << Line(*result, plan_.histogram || benchmark == "open") << std::endl;
        results.push_back(*std::move(result));
      }
    }
    return results;
  }

  static absl::Status About(const std::string& engine, const std::string& what, const absl::Status& status) {
    return {status.code(), absl::StrCat(engine, " ", what, ": ", status.message())};
  }

  const Plan& plan_;
  const std::atomic<bool>& stop_;
  std::vector<std::string> engines_;                // that are installed
  std::vector<std::unique_ptr<StoreFiles>> files_;  // of each
  std::unique_ptr<Marks> marks_;
  Outcome outcome_;
};

}  // namespace

absl::StatusOr<Outcome> RunPlan(const Plan& plan, const std::atomic<bool>& stop) { return Runner(plan, stop).Run(); }

std::vector<Result> Medians(const std::vector<std::vector<Result>>& runs) {
  std::vector<Result> medians;
  for (size_t i = 0; i < runs.front().size(); ++i) {
    std::vector<const Result*> same;
    std::vector<double> all_ns;
    for (const std::vector<Result>& run : runs) {
      if (i >= run.size()) continue;
      same.push_back(&run[i]);
      all_ns.push_back(run[i].NsPerOperation());
    }
    const auto middle = same.begin() + (same.size() - 1) / 2;
    std::nth_element(same.begin(), middle, same.end(),
                     [](const Result* a, const Result* b) { return a->NsPerOperation() < b->NsPerOperation(); });
    medians.push_back(**middle);
    medians.back().runs_ns = std::move(all_ns);
  }
  return medians;
}

}  // namespace sealkv::bench
