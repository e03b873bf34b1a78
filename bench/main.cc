// kvbench: what the store costs on this machine, beside its peers, and beside volatile maps as yardsticks.
#include <signal.h>

#include <atomic>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/export.h"
#include "bench/huge_pages.h"
#include "bench/limits.h"
#include "bench/plan.h"
#include "bench/report.h"
#include "bench/report/command.h"
#include "bench/runner.h"
#include "tools/output.h"

ABSL_DECLARE_FLAG(std::string, json);

namespace sealkv::bench {
namespace {

std::atomic<bool> stop{false};

// First Ctrl-C: end cleanly. Second: the default, at once.
void OnInterrupt(int) {
  stop = true;
  signal(SIGINT, SIG_DFL);
}

absl::StatusOr<std::vector<Limit>> MeasureAndPrintLimits() {
  absl::StatusOr<std::vector<Limit>> limits = MeasureLimits();
  if (limits.ok()) std::cout << LimitsTable(*limits) << std::flush;
  return limits;
}

// Where the result goes that a flag asks for: opened before anything is measured, and what is there stays until the
// result is complete. Nothing: the flag wasn't given.
absl::StatusOr<std::optional<tools::Output>> OpenOutput(const char* flag, const std::string& path) {
  if (path.empty()) return std::nullopt;
  if (path == "-") {
    std::cout.rdbuf(std::cerr.rdbuf());  // standard output is the result, and nothing else
    return tools::Output();
  }
  absl::StatusOr<tools::Output> file = tools::Output::ToFile(path);
  if (!file.ok()) return absl::FailedPreconditionError(absl::StrCat(flag, ": ", file.status().message()));
  return *std::move(file);
}

absl::Status WriteAll(const std::string& text, std::optional<tools::Output>& output) {
  if (!output.has_value()) return absl::OkStatus();
  output->Write(text);
  return output->Close();
}

// What wasn't written there isn't a result.
absl::Status FlushTable() {
  if (std::cout.flush()) return absl::OkStatus();
  return absl::FailedPreconditionError("standard output can't be written, so the results are lost");
}

absl::Status Measure(const Plan& plan) {
  absl::StatusOr<std::optional<tools::Output>> csv = OpenOutput("--csv", plan.csv);
  if (!csv.ok()) return csv.status();
  absl::StatusOr<std::optional<tools::Output>> json = OpenOutput("--json", plan.json);
  if (!json.ok()) return json.status();
  for (const std::string& remark : plan.remarks) std::cerr << "kvbench: " << remark << "\n";
  const DataOptions& data = plan.workload.data;
  std::cout << absl::StrFormat("records %d, keys %s bytes, values %d bytes, threads %d; store %s\n", plan.workload.num,
                               absl::StrCat(std::round(MeanKeyBytes(data) * 10) / 10), data.value_bytes,
                               plan.workload.threads, plan.db);
  std::vector<Limit> limits;
  if (plan.limits) {
    absl::StatusOr<std::vector<Limit>> measured = MeasureAndPrintLimits();
    if (!measured.ok()) return measured.status();
    limits = *std::move(measured);
  }
  const absl::StatusOr<Outcome> outcome = RunPlan(plan, stop);
  if (!outcome.ok()) return outcome.status();
  if (plan.repetitions > 1) std::cout << "\nmedians of " << plan.repetitions << " runs";
  std::cout << "\n" << Table(outcome->results, plan.against, limits) << "\n";
  absl::Status status = FlushTable();
  status.Update(WriteAll(Csv(plan, *outcome), *csv));
  status.Update(WriteAll(Json(plan, *outcome, limits), *json));
  return status;
}

absl::Status RunLimits() {
  absl::StatusOr<std::optional<tools::Output>> json = OpenOutput("--json", absl::GetFlag(FLAGS_json));
  if (!json.ok()) return json.status();
  const absl::StatusOr<std::vector<Limit>> limits = MeasureAndPrintLimits();
  return limits.ok() ? WriteAll(LimitsJson(*limits).dump(2) + "\n", *json) : limits.status();
}

absl::Status Run(const std::vector<char*>& arguments, const PropertyMap& properties) {
  const std::string command = arguments.size() > 1 ? arguments[1] : "";
  if (command == "limits" && arguments.size() == 2) return RunLimits();
  if (arguments.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrFormat("unexpected argument: %s (flags begin with --; the commands are 'limits' and 'report')",
                        command == "limits" ? arguments[2] : arguments[1]));
  }
  const absl::StatusOr<Plan> plan = MakePlan(properties);
  return plan.ok() ? Measure(*plan) : plan.status();
}

}  // namespace
}  // namespace sealkv::bench

int main(int argc, char** argv) {
  using namespace sealkv::bench;  // NOLINT
  if (argc > 1 && std::string_view(argv[1]) == "report") return ReportMain(argc, argv);
  BeginOnHugePages(argv);
  absl::SetProgramUsageMessage(kUsage);
  absl::FlagsUsageConfig usage;
  usage.contains_help_flags = [](absl::string_view file) { return absl::StrContains(file, "bench/plan"); };
  usage.contains_helpshort_flags = usage.contains_help_flags;
  absl::SetFlagsUsageConfig(usage);
  signal(SIGINT, OnInterrupt);
  signal(SIGTERM, OnInterrupt);
  signal(SIGHUP, OnInterrupt);
  signal(SIGPIPE, SIG_IGN);  // who reads the table has gone: the stores are still to be removed
  const absl::StatusOr<PropertyMap> properties = TakeProperties(&argc, argv);
  const absl::Status status =
      properties.ok() ? Run(absl::ParseCommandLine(argc, argv), *properties) : properties.status();
  if (status.ok()) return 0;
  std::cerr << "kvbench: " << status.message() << "\n";
  return absl::IsInvalidArgument(status) ? 2 : 1;
}
