// kvbench: what the store costs on this machine, beside volatile maps as yardsticks.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "bench/engine.h"
#include "bench/marks.h"
#include "bench/report.h"
#include "bench/report_command.h"
#include "bench/workload.h"
#include "daxfile/sealing.h"
#include "kv/sealkv.h"

ABSL_FLAG(std::vector<std::string>, benchmarks,
          std::vector<std::string>({"fillrandom", "readrandom", "overwrite", "seekrandom", "readseq"}),
          "what to run, in this order: fillseq, fillrandom (these begin with an empty store), overwrite, readrandom, "
          "readmissing, readseq, readreverse, seekrandom, deleterandom, deletemost (nine of ten, of what a fill put), "
          "readseqwhilewriting, addhot (all threads add to one key), snapshot (open and close one), compact, open");
ABSL_FLAG(std::vector<std::string>, engines, std::vector<std::string>({"sealkv", "btree_map"}),
          "what to measure: sealkv, std_map, btree_map");
ABSL_FLAG(uint64_t, num, 1000000, "number of records");
ABSL_FLAG(uint64_t, reads, 0, "number of reads (0: as many as records)");
ABSL_FLAG(uint32_t, threads, 1, "number of threads");
ABSL_FLAG(uint32_t, value_size, 8, "bytes of a value");
ABSL_FLAG(uint32_t, key_size, 16, "bytes of a key (key_kind=string; at least 16)");
ABSL_FLAG(std::string, key_kind, "u64", "u64: 8-byte integers; string: hexadecimal digits and filler");
ABSL_FLAG(uint64_t, batch_size, 1, "puts that fills and overwrites make together, atomically");
ABSL_FLAG(uint64_t, seek_nexts, 100, "records that seekrandom reads from each place");
ABSL_FLAG(uint64_t, seed, 0, "another seed gives other keys and values");
ABSL_FLAG(bool, histogram, false, "print percentiles of the latency");
ABSL_FLAG(uint64_t, sample_every, 64,
          "time each so many-th operation, a divisor of 4096 (1: all; reading the clock waits for all that is under "
          "way, and makes them slower)");
ABSL_FLAG(std::string, db, "",
          "path of the store, or 'memory': memory of the process, on huge pages where they may be had "
          "(default: a temporary file in /dev/shm)");
ABSL_FLAG(bool, use_existing_db, false, "open the store at --db instead of making it");
ABSL_FLAG(bool, keep, false, "don't remove the store at the end");
ABSL_FLAG(std::string, tier, "volatile",
          "weakest durability tier accepted: volatile, msync, map-sync, device-dax, static-dax");
ABSL_FLAG(uint64_t, capacity, 0, "bytes of the store (0: enough for the benchmarks asked for)");
ABSL_FLAG(uint64_t, max_capacity, 0, "bytes that the store may grow to (0: it doesn't)");
ABSL_FLAG(uint64_t, change_log, 0, "bytes that the store keeps of what is changed (0: nothing)");
ABSL_FLAG(uint32_t, repetitions, 1, "run the whole list so many times, report each benchmark's median");
ABSL_FLAG(std::string, json, "", "write the results to this file, in Google Benchmark's format (-: standard output)");
ABSL_FLAG(std::string, mark_operations, "",
          "write a line to this file (stderr: standard error) when an operation of sealkv begins and one when it "
          "ends: 'begin 17 put <key>', 'end 17 OK'; 8-byte keys as hexadecimal digits. For persistency checkers and "
          "tracers, which see by it what stores belong to what operation");

namespace sealkv::bench {
namespace {

std::atomic<bool> stop{false};

// First Ctrl-C: end cleanly. Second: the default, at once.
void OnInterrupt(int) {
  stop = true;
  signal(SIGINT, SIG_DFL);
}

struct Plan {
  std::vector<std::string> benchmarks;
  std::vector<std::string> engines;
  WorkloadOptions workload;
  EngineOptions engine;
  bool is_temporary = false;
  uint32_t repetitions = 1;
};

absl::Status Contains(const std::vector<std::string>& names, const std::string& name, const char* what) {
  if (std::find(names.begin(), names.end(), name) != names.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("no such ", what, ": '", name, "'. There are: ", absl::StrJoin(names, ", ")));
}

// Nodes and records of one fill, twice that for splitting and slack, and the records that each overwrite leaves behind:
// there is no compaction.
uint64_t CapacityFor(const Plan& plan) {
  const DataOptions& data = plan.workload.data;
  const bool is_inline = data.key_kind == KeyKind::kU64 && data.value_bytes == sizeof(uint64_t);
  const uint64_t record_bytes = is_inline ? 0 : 24 + (data.key_bytes + 7) / 8 * 8 + (data.value_bytes + 7) / 8 * 8;
  const bool leaves_records = data.value_bytes != sizeof(uint64_t);
  const auto overwrites =
      static_cast<uint64_t>(std::count(plan.benchmarks.begin(), plan.benchmarks.end(), "overwrite"));
  const uint64_t bytes_per_record = 80 + record_bytes * (1 + (leaves_records ? overwrites : 0));
  return (uint64_t{64} << 20) + plan.workload.num * bytes_per_record * 5 / 4;
}

absl::StatusOr<Plan> MakePlan() {
  Plan plan;
  plan.benchmarks = absl::GetFlag(FLAGS_benchmarks);
  plan.engines = absl::GetFlag(FLAGS_engines);
  for (const std::string& name : plan.benchmarks) {
    if (absl::Status status = Contains(WorkloadNames(), name, "benchmark"); !status.ok()) return status;
  }
  for (const std::string& name : plan.engines) {
    if (absl::Status status = Contains(EngineNames(), name, "engine"); !status.ok()) return status;
  }
  const std::string kind = absl::GetFlag(FLAGS_key_kind);
  if (absl::Status status = Contains({"u64", "string"}, kind, "key kind"); !status.ok()) return status;
  const auto tier = daxfile::TierFromName(absl::GetFlag(FLAGS_tier));
  if (!tier.has_value())
    return absl::InvalidArgumentError(absl::StrCat("no such tier: '", absl::GetFlag(FLAGS_tier), "'"));
  WorkloadOptions& workload = plan.workload;
  workload.data = {.key_kind = kind == "u64" ? KeyKind::kU64 : KeyKind::kString,
                   .key_bytes = absl::GetFlag(FLAGS_key_size),
                   .value_bytes = absl::GetFlag(FLAGS_value_size),
                   .seed = absl::GetFlag(FLAGS_seed)};
  workload.num = absl::GetFlag(FLAGS_num);
  workload.reads = absl::GetFlag(FLAGS_reads);
  workload.threads = absl::GetFlag(FLAGS_threads);
  workload.seek_nexts = absl::GetFlag(FLAGS_seek_nexts);
  workload.batch_size = std::max<uint64_t>(1, absl::GetFlag(FLAGS_batch_size));
  plan.repetitions = absl::GetFlag(FLAGS_repetitions);
  if (workload.num == 0) return absl::InvalidArgumentError("--num must be at least 1");
  if (workload.threads == 0 || workload.threads > 1024)
    return absl::InvalidArgumentError("--threads must be 1 to 1024");
  if (plan.repetitions == 0) return absl::InvalidArgumentError("--repetitions must be at least 1");
  if (workload.data.key_kind == KeyKind::kString && (workload.data.key_bytes < 16 || workload.data.key_bytes > 65536)) {
    return absl::InvalidArgumentError("--key_size must be 16 to 65536");
  }
  if (absl::GetFlag(FLAGS_use_existing_db) && absl::GetFlag(FLAGS_db).empty()) {
    return absl::InvalidArgumentError("--use_existing_db needs --db=PATH");
  }
  plan.is_temporary = absl::GetFlag(FLAGS_db).empty();
  plan.engine.path =
      plan.is_temporary ? absl::StrCat("/dev/shm/kvbench.", getpid(), ".store") : absl::GetFlag(FLAGS_db);
  plan.engine.weakest_tier = *tier;
  plan.engine.data = workload.data;
  plan.engine.use_existing = absl::GetFlag(FLAGS_use_existing_db);
  plan.workload.sample_every = absl::GetFlag(FLAGS_sample_every);
  if (plan.workload.sample_every == 0 || 4096 % plan.workload.sample_every != 0) {
    return absl::InvalidArgumentError("--sample_every must be a divisor of 4096");
  }
  plan.engine.max_capacity_bytes = absl::GetFlag(FLAGS_max_capacity);
  plan.engine.change_log_bytes = absl::GetFlag(FLAGS_change_log);
  plan.engine.capacity_bytes = absl::GetFlag(FLAGS_capacity) > 0 ? absl::GetFlag(FLAGS_capacity) : CapacityFor(plan);
  return plan;
}

// Removes the store when the run is over, however it ends.
class StoreFile {
 public:
  StoreFile(std::string path, bool is_ours) : path_(std::move(path)), is_ours_(is_ours) {}
  ~StoreFile() { Remove(); }
  void Remove() const {
    if (is_ours_ && !Store::Remove(path_).ok()) daxfile::RemoveFile(path_).IgnoreError();
  }

 private:
  const std::string path_;
  const bool is_ours_;
};

// `marks`: nullptr if nobody asked for them.
absl::Status OpenSubject(const Plan& plan, Subject& subject, const StoreFile& file, Marks* marks) {
  subject.engine.reset();
  if (subject.name == "sealkv" && !plan.engine.use_existing) file.Remove();
  subject.engine = MakeEngine(subject.name, plan.workload.data.key_kind, plan.workload.data.value_bytes);
  // The others have no persistent stores to tell apart.
  if (marks != nullptr && subject.name == "sealkv") subject.engine = MarkOperations(std::move(subject.engine), *marks);
  return subject.engine->Open(plan.engine);
}

// One run of the whole list; engines take turns at each benchmark, so that a noisy machine hurts all alike.
absl::StatusOr<std::vector<Result>> RunList(const Plan& plan, const StoreFile& file, Marks* marks, bool is_first) {
  std::vector<Subject> subjects(plan.engines.size());
  for (size_t i = 0; i < subjects.size(); ++i) {
    subjects[i].name = plan.engines[i];
    if (absl::Status status = OpenSubject(plan, subjects[i], file, marks); !status.ok()) return status;
    if (is_first) std::cout << absl::StrFormat("%-10s %s\n", subjects[i].name, subjects[i].engine->Describe());
  }
  if (is_first) std::cout << std::endl;
  std::vector<Result> results;
  Progress progress;
  std::vector<bool> is_empty(subjects.size(), !plan.engine.use_existing);
  for (const std::string& benchmark : plan.benchmarks) {
    for (size_t i = 0; i < subjects.size(); ++i) {
      if (IsFill(benchmark) && !is_empty[i]) {
        if (plan.engine.use_existing)
          return absl::InvalidArgumentError("a fill begins with an empty store: it can't use an existing one");
        if (absl::Status status = OpenSubject(plan, subjects[i], file, marks); !status.ok()) return status;
      }
      is_empty[i] = false;
      absl::StatusOr<Result> result = RunWorkload(benchmark, plan.workload, subjects[i], progress, stop);
      if (absl::IsUnimplemented(result.status())) {
        if (is_first)
          std::cout << absl::StrFormat("%-12s : left out: %s  [%s]\n", benchmark,
                                       std::string(result.status().message()), subjects[i].name);
        continue;
      }
      if (!result.ok()) {
        return absl::Status(result.status().code(), absl::StrCat(subjects[i].name, " ", benchmark, ": ",
                                                                 std::string(result.status().message())));
      }
      if (marks != nullptr && !marks->status().ok()) return marks->status();
      std::cout << Line(*result, absl::GetFlag(FLAGS_histogram) || benchmark == "open") << std::endl;
      results.push_back(*std::move(result));
    }
  }
  return results;
}

absl::Status WriteJson(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::cout << text;
    return absl::OkStatus();
  }
  std::ofstream file(path);
  file << text;
  file.close();
  return file.good() ? absl::OkStatus() : absl::FailedPreconditionError(absl::StrCat(path, ": can't be written"));
}

absl::Status Main(const Plan& plan) {
  std::cout << absl::StrFormat("records %d, keys %d bytes, values %d bytes, threads %d; store %s\n", plan.workload.num,
                               Data(plan.workload.data).key().size(), plan.workload.data.value_bytes,
                               plan.workload.threads, plan.engine.path);
  const bool is_ours = plan.engine.path != kInMemory && !plan.engine.use_existing && !absl::GetFlag(FLAGS_keep);
  // A store that somebody has at --db isn't ours to remove.
  if (plan.engine.path != kInMemory && !plan.engine.use_existing && access(plan.engine.path.c_str(), F_OK) == 0) {
    return absl::AlreadyExistsError(
        absl::StrCat(plan.engine.path, " exists: use it with --use_existing_db, or remove it"));
  }
  std::unique_ptr<Marks> marks;
  if (const std::string path = absl::GetFlag(FLAGS_mark_operations); !path.empty()) {
    absl::StatusOr<std::unique_ptr<Marks>> opened = Marks::Open(path);
    if (!opened.ok()) return opened.status();
    marks = *std::move(opened);
  }
  const StoreFile file(plan.engine.path, is_ours);
  std::vector<std::vector<Result>> runs;
  for (uint32_t i = 0; i < plan.repetitions; ++i) {
    absl::StatusOr<std::vector<Result>> results = RunList(plan, file, marks.get(), i == 0);
    if (!results.ok()) return results.status();
    runs.push_back(*std::move(results));
  }
  const std::vector<Result> results = Medians(runs);
  if (plan.repetitions > 1) std::cout << "\nmedians of " << plan.repetitions << " runs";
  std::cout << "\n" << Table(results) << "\n";
  const std::string json = absl::GetFlag(FLAGS_json);
  return json.empty() ? absl::OkStatus() : WriteJson(json, Json(results, plan.workload));
}

constexpr char kUsage[] =
    "Measures SealKV beside volatile maps, with db_bench's workloads.\n"
    "Every read is checked: a wrong value ends the run with exit code 1.\n\n"
    "examples:\n"
    "  kvbench                                             a million 8-byte pairs in a file in /dev/shm\n"
    "  kvbench --db=memory --num=5000000 --repetitions=3   on huge pages, as a mapping of persistent memory is\n"
    "  kvbench --key_kind=string --key_size=24 --value_size=100 --histogram\n"
    "  kvbench --benchmarks=fillrandom,open --engines=sealkv\n"
    "  kvbench --db=/mnt/pmem/bench --tier=map-sync        on persistent memory; refuses anything weaker\n"
    "  kvbench --json=result.json                          for Google Benchmark's tools\n"
    "  kvbench report --output=report.html result.json     a page with charts; kvbench report --help\n"
    "  valgrind --log-file=valgrind.%p kvbench --num=1000 --engines=sealkv --mark_operations=marks\n"
    "                                                      under a checker; any that runs programs as they are will "
    "do\n"
    "exit codes: 0 done, 1 failed, 2 wrong usage";

}  // namespace
}  // namespace sealkv::bench

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "report") return sealkv::bench::ReportMain(argc, argv);
  absl::SetProgramUsageMessage(sealkv::bench::kUsage);
  absl::FlagsUsageConfig usage;
  usage.contains_help_flags = [](absl::string_view file) { return absl::StrContains(file, "bench/main"); };
  usage.contains_helpshort_flags = usage.contains_help_flags;
  absl::SetFlagsUsageConfig(usage);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    std::cerr << "kvbench: unexpected argument: " << rest[1] << " (flags begin with --)\n";
    return 2;
  }
  signal(SIGINT, sealkv::bench::OnInterrupt);
  signal(SIGTERM, sealkv::bench::OnInterrupt);
  const auto plan = sealkv::bench::MakePlan();
  if (!plan.ok()) {
    std::cerr << "kvbench: " << plan.status().message() << "\n";
    return 2;
  }
  const absl::Status status = sealkv::bench::Main(*plan);
  if (status.ok()) return 0;
  std::cerr << "kvbench: " << status.message() << "\n";
  return absl::IsInvalidArgument(status) ? 2 : 1;
}
