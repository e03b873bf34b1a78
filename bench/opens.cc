#include "bench/opens.h"

#include <string>

#include "bench/clock.h"

namespace sealkv::bench {
namespace {

constexpr int kOpens = 21;

}  // namespace

absl::StatusOr<Result> TimeOpens(Subject& subject, const std::atomic<bool>& stop) {
  if (!subject.engine->is_persistent()) {
    return absl::UnimplementedError("memory ends with its process: there is nothing to open");
  }
  EngineOptions options = subject.options;
  options.use_existing = true;
  Result result;
  result.engine = subject.name;
  result.benchmark = "open";
  result.operations = kOpens;
  for (int i = 0; i < kOpens; ++i) {
    if (stop) return absl::CancelledError("stopped");
    subject.engine->Close();
    if (absl::Status status = subject.doomed_writer->WriteAndDie(); !status.ok()) return status;
    // Of both clocks, the opening alone: closing and the reading below are no part of it.
    const double cpu_begin = CpuSeconds();
    const uint64_t begin = NowNs();
    if (absl::Status status = subject.engine->Open(options); !status.ok()) return status;
    const uint64_t took_ns = NowNs() - begin;
    result.cpu_seconds += CpuSeconds() - cpu_begin;
    result.seconds += static_cast<double>(took_ns) * 1e-9;
    result.latency_ns.Add(took_ns);
    std::string value;
    const absl::Status got = subject.engine->Get(DoomedWriter::key(), &value);
    if (!got.ok() && !absl::IsNotFound(got)) return got;
    if (!got.ok() || value != DoomedWriter::LastValue()) {
      return absl::DataLossError("what the killed process put last isn't there");
    }
  }
  result.AddNote("each after a SIGKILL in the middle of writing");
  return result;
}

}  // namespace sealkv::bench
