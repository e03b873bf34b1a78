#include "bench/session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/existing.h"

namespace sealkv::bench {

Session::Session(const Plan& plan, const std::string& engine, const StoreFiles& files, Marks* marks,
                 const std::atomic<bool>& stop)
    : plan_(plan), files_(files), marks_(marks), stop_(stop), is_empty_(!plan.engine.use_existing) {
  subject_.name = engine;
  subject_.options = plan.engine;
  subject_.options.path = files.path();
}

absl::StatusOr<std::string> Session::Open() {
  const auto& benchmarks = plan_.benchmarks;
  const bool has_open = std::find(benchmarks.begin(), benchmarks.end(), "open") != benchmarks.end();
  if (has_open && files_.path() != kInMemory) {
    auto writer = DoomedWriter::Start(subject_.name, subject_.options);
    if (!writer.ok()) return writer.status();
    subject_.doomed_writer = *std::move(writer);
  }
  if (absl::Status status = OpenEngine(); !status.ok()) return status;
  if (plan_.engine.use_existing) {
    if (absl::Status status = TakeOver(); !status.ok()) return status;
  }
  return subject_.engine->Describe();
}

absl::Status Session::TakeOver() {
  const WorkloadOptions& workload = plan_.workload;
  const auto has_random_keys = HasRandomKeys(*subject_.engine, workload.data, workload.num);
  if (!has_random_keys.ok()) return has_random_keys.status();
  const auto& benchmarks = plan_.benchmarks;
  if (!has_random_keys->has_value() && std::any_of(benchmarks.begin(), benchmarks.end(), NeedsRecords)) {
    return absl::DataLossError(absl::StrCat(subject_.options.path,
                                            ": none of the records that were asked for is there. Give the run the "
                                            "--num, --seed, --key_kind and --key_size that the store was made with"));
  }
  subject_.contents.TakeOver(workload.num, has_random_keys->value_or(true), workload.data.value_bytes);
  return absl::OkStatus();
}

absl::Status Session::OpenEngine() {
  subject_.engine.reset();
  files_.Remove();  // of a fill before this one
  auto engine = MakeEngine(subject_.name, plan_.workload.data.key_kind, plan_.workload.data.value_bytes);
  if (!engine.ok()) return engine.status();
  subject_.engine = *std::move(engine);
  // What the others store is no persistent memory of ours.
  if (marks_ != nullptr && subject_.name == "sealkv") {
    subject_.engine = MarkOperations(std::move(subject_.engine), *marks_);
  }
  return subject_.engine->Open(subject_.options);
}

absl::StatusOr<Result> Session::Run(const std::string& benchmark) {
  if (IsFill(benchmark) && !is_empty_) {
    if (absl::Status status = OpenEngine(); !status.ok()) return status;
  }
  is_empty_ = false;
  absl::StatusOr<Result> result = RunWorkload(benchmark, plan_.workload, subject_, progress_, stop_);
  if (result.ok() && marks_ != nullptr && !marks_->status().ok()) return marks_->status();
  return result;
}

}  // namespace sealkv::bench
