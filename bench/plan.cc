#include "bench/plan.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

ABSL_FLAG(std::vector<std::string>, benchmarks,
          std::vector<std::string>({"fillrandom", "readrandom", "overwrite", "seekrandom", "readseq"}),
          "what to run, in this order: fillseq, fillrandom (these begin with an empty store), overwrite, readrandom, "
          "readmissing, readseq, readreverse, seekrandom, deleterandom, deletemost (nine of ten, of what a fill put), "
          "readseqwhilewriting, addhot (all threads add to one key), addcold (they add to any), snapshot (open and "
          "close one), compact, open; YCSB's: ycsbload (= fillrandom), ycsba to ycsbf, ycsb (see -P)");
ABSL_FLAG(std::vector<std::string>, engines, std::vector<std::string>({"sealkv", "btree_map"}),
          "what to measure: sealkv, lmdb, rocksdb, leveldb, sqlite (durable when a write returns), lmdb-nosync, "
          "rocksdb-nosync, leveldb-nosync, sqlite-nosync (not durable), std_map, btree_map (volatile). What isn't "
          "installed is left out");
ABSL_FLAG(uint64_t, num, 1000000, "number of records");
ABSL_FLAG(uint64_t, reads, 0, "number of reads, and of operations of YCSB's mixes (0: as many as records)");
ABSL_FLAG(uint32_t, threads, 1, "number of threads");
ABSL_FLAG(uint32_t, value_size, 8, "bytes of a value");
ABSL_FLAG(uint32_t, key_size, 16, "bytes of a key (key_kind=string; at least 16)");
ABSL_FLAG(std::string, key_kind, "u64",
          "u64: 8-byte integers; string: hexadecimal digits and filler; ycsb: 'user' and a decimal hash; path: the "
          "paths of this Debian's packages");
ABSL_FLAG(std::string, distribution, "uniform",
          "which records readrandom, overwrite, seekrandom and addcold ask for: uniform, zipfian, latest, sequential");
ABSL_FLAG(uint64_t, batch_size, 1, "puts that fills and overwrites make together, atomically");
ABSL_FLAG(uint64_t, seek_nexts, 100, "records that seekrandom reads from each place");
ABSL_FLAG(uint64_t, seed, 0, "another seed gives other keys and values");
ABSL_FLAG(bool, histogram, false, "print percentiles of the latency, CPU time and memory");
ABSL_FLAG(uint64_t, sample_every, 64,
          "time each so many-th operation, a divisor of 4096 (1: all; reading the clock waits for all that is under "
          "way, and makes them slower)");
ABSL_FLAG(std::string, db, "",
          "path of the store, of which the other engines derive theirs (PATH.lmdb, …); or 'memory': memory of the "
          "process, on huge pages where they may be had (default: temporary files in /dev/shm)");
ABSL_FLAG(bool, use_existing_db, false, "open the store at --db instead of making it");
ABSL_FLAG(bool, keep, false, "don't remove the store at the end");
ABSL_FLAG(std::string, tier, "volatile",
          "weakest durability tier of sealkv accepted: volatile, msync, map-sync, device-dax, static-dax");
ABSL_FLAG(uint64_t, capacity, 0, "bytes of the store (0: enough for the benchmarks asked for)");
ABSL_FLAG(uint64_t, max_capacity, 0, "bytes that the store may grow to (0: it doesn't)");
ABSL_FLAG(uint64_t, change_log, 0, "bytes that the store keeps of what is changed (0: nothing)");
ABSL_FLAG(uint32_t, repetitions, 1, "run the whole list so many times, report each benchmark's median");
ABSL_FLAG(std::string, against, "btree_map", "the engine by whose time the table divides the others'");
ABSL_FLAG(bool, limits, false, "measure first what the machine can do, and give times as multiples of that, too");
ABSL_FLAG(std::string, csv, "", "write the results to this file, a line each (-: standard output)");
ABSL_FLAG(std::string, json, "", "write the results to this file, in Google Benchmark's format (-: standard output)");
ABSL_FLAG(std::string, mark_operations, "",
          "write a line to this file (stderr: standard error) when an operation of sealkv begins and one when it "
          "ends: 'begin 17 put <key>', 'end 17 OK'; 8-byte keys as hexadecimal digits. For persistency checkers and "
          "tracers, which see by it what stores belong to what operation");

namespace sealkv::bench {
namespace {

absl::Status Contains(const std::vector<std::string>& names, const std::string& name, const char* what) {
  if (std::find(names.begin(), names.end(), name) != names.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("no such ", what, ": '", name, "'. There are: ", absl::StrJoin(names, ", ")));
}

absl::Status CheckNames(const Plan& plan) {
  for (const std::string& name : plan.benchmarks) {
    if (absl::Status status = Contains(WorkloadNames(), name, "benchmark"); !status.ok()) return status;
  }
  std::set<std::string> seen;
  for (const std::string& name : plan.engines) {
    if (absl::Status status = Contains(EngineNames(), name, "engine"); !status.ok()) return status;
    if (!seen.insert(name).second) return absl::InvalidArgumentError(absl::StrCat("--engines names ", name, " twice"));
  }
  if (plan.engines.empty() || plan.benchmarks.empty()) {
    return absl::InvalidArgumentError("--engines and --benchmarks must name at least one each");
  }
  return Contains(EngineNames(), plan.against, "engine");
}

absl::Status CheckNumbers(const Plan& plan) {
  const WorkloadOptions& workload = plan.workload;
  if (workload.num == 0) return absl::InvalidArgumentError("--num must be at least 1");
  if (workload.threads == 0 || workload.threads > 1024)
    return absl::InvalidArgumentError("--threads must be 1 to 1024");
  if (plan.repetitions == 0) return absl::InvalidArgumentError("--repetitions must be at least 1");
  if (workload.data.key_kind == KeyKind::kString && (workload.data.key_bytes < 16 || workload.data.key_bytes > 65536)) {
    return absl::InvalidArgumentError("--key_size must be 16 to 65536");
  }
  if (workload.sample_every == 0 || 4096 % workload.sample_every != 0) {
    return absl::InvalidArgumentError("--sample_every must be a divisor of 4096");
  }
  if (!plan.mark_operations.empty() && plan.repetitions > 1) {
    return absl::InvalidArgumentError("--mark_operations numbers the operations of one run: --repetitions=1");
  }
  return absl::OkStatus();
}

// Records that a benchmark leaves behind or adds, for each that the fill put.
double RecordsWritten(const std::string& benchmark, const WorkloadOptions& options) {
  if (benchmark == "overwrite") return 1;
  const auto mix = MixOf(benchmark, options);
  if (!mix.has_value()) return 0;
  const uint64_t operations = options.reads > 0 ? options.reads : options.num;
  const uint64_t done = benchmark == "ycsb" && options.ycsb_operations > 0 ? options.ycsb_operations : operations;
  return (mix->updates + mix->inserts + mix->read_modify_writes) * static_cast<double>(done) /
         static_cast<double>(options.num);
}

// Nodes and records of one fill, a quarter more for splitting and slack, and the records that writes leave behind
// faster than they are compacted.
uint64_t CapacityFor(const Plan& plan) {
  const DataOptions& data = plan.workload.data;
  const bool is_inline = data.key_kind == KeyKind::kU64 && data.value_bytes == sizeof(uint64_t);
  const auto key_bytes = static_cast<uint64_t>(std::ceil(MeanKeyBytes(data)));
  const uint64_t record_bytes = is_inline ? 0 : 24 + (key_bytes + 7) / 8 * 8 + (data.value_bytes + 7) / 8 * 8;
  double written = 1;
  double inserted = 0;
  for (const std::string& benchmark : plan.benchmarks) {
    if (const auto mix = MixOf(benchmark, plan.workload); mix.has_value() && mix->inserts > 0) inserted += mix->inserts;
    written += RecordsWritten(benchmark, plan.workload);
  }
  const uint64_t node_bytes = (data.key_kind == KeyKind::kU64 ? 80 : 160) * (1 + inserted);
  const double bytes_per_record = static_cast<double>(node_bytes) + static_cast<double>(record_bytes) * written;
  return (uint64_t{64} << 20) + static_cast<uint64_t>(static_cast<double>(plan.workload.num) * bytes_per_record * 1.25);
}

// YCSB's properties stand above the flags, whatever they are about.
absl::Status Apply(const PropertyMap& properties, Plan* plan) {
  const bool is_asked_for =
      std::find(plan->benchmarks.begin(), plan->benchmarks.end(), "ycsb") != plan->benchmarks.end();
  if (!is_asked_for) {
    if (properties.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError("-P and -p describe the benchmark ycsb: --benchmarks=ycsbload,ycsb");
  }
  absl::StatusOr<YcsbProperties> ycsb = Interpret(properties);
  if (!ycsb.ok()) return ycsb.status();
  WorkloadOptions& workload = plan->workload;
  workload.ycsb = ycsb->mix;
  workload.num = ycsb->records.value_or(workload.num);
  workload.ycsb_operations = ycsb->operations.value_or(0);
  workload.data.value_bytes = ycsb->value_bytes;
  for (std::string& warning : ycsb->warnings) plan->remarks.push_back(std::move(warning));
  return absl::OkStatus();
}

absl::Status LoadPaths(Plan* plan) {
  auto paths = Paths::Load(Paths::kDebian);
  if (!paths.ok()) return paths.status();
  plan->workload.data.paths = *std::move(paths);
  const uint64_t count = plan->workload.data.paths->size();
  if (plan->workload.num > count) {
    plan->remarks.push_back(absl::StrCat(count, " records instead of ", plan->workload.num,
                                         ": the packages on this system have so many paths"));
    plan->workload.num = count;
  }
  return absl::OkStatus();
}

absl::Status FillFromFlags(const PropertyMap& properties, Plan* plan) {
  plan->benchmarks = absl::GetFlag(FLAGS_benchmarks);
  plan->engines = absl::GetFlag(FLAGS_engines);
  plan->against = absl::GetFlag(FLAGS_against);
  plan->repetitions = absl::GetFlag(FLAGS_repetitions);
  plan->histogram = absl::GetFlag(FLAGS_histogram);
  plan->limits = absl::GetFlag(FLAGS_limits);
  plan->csv = absl::GetFlag(FLAGS_csv);
  plan->json = absl::GetFlag(FLAGS_json);
  plan->mark_operations = absl::GetFlag(FLAGS_mark_operations);
  plan->keep = absl::GetFlag(FLAGS_keep);
  const std::string kind = absl::GetFlag(FLAGS_key_kind);
  if (absl::Status status = Contains(KeyKindNames(), kind, "key kind"); !status.ok()) return status;
  const std::string distribution = absl::GetFlag(FLAGS_distribution);
  if (absl::Status status = Contains(DistributionNames(), distribution, "distribution"); !status.ok()) return status;
  WorkloadOptions& workload = plan->workload;
  workload.data = {.key_kind = *KeyKindFromName(kind),
                   .key_bytes = absl::GetFlag(FLAGS_key_size),
                   .value_bytes = absl::GetFlag(FLAGS_value_size),
                   .seed = absl::GetFlag(FLAGS_seed)};
  workload.num = absl::GetFlag(FLAGS_num);
  workload.reads = absl::GetFlag(FLAGS_reads);
  workload.threads = absl::GetFlag(FLAGS_threads);
  workload.seek_nexts = absl::GetFlag(FLAGS_seek_nexts);
  workload.batch_size = std::max<uint64_t>(1, absl::GetFlag(FLAGS_batch_size));
  workload.sample_every = absl::GetFlag(FLAGS_sample_every);
  workload.distribution = *DistributionFromName(distribution);
  if (absl::Status status = Apply(properties, plan); !status.ok()) return status;
  return workload.data.key_kind == KeyKind::kPath ? LoadPaths(plan) : absl::OkStatus();
}

}  // namespace

const char kUsage[] =
    "Measures SealKV beside other key-value stores and beside volatile maps, with db_bench's and YCSB's workloads.\n"
    "Every get is checked: a wrong value ends the run with exit code 1. Each engine has a process of its own; they "
    "take turns at each benchmark, and the others stand still meanwhile.\n\n"
    "usage: kvbench [FLAGS] [-P FILE]… [-p KEY=VALUE]…    measure stores\n"
    "       kvbench limits [--json=FILE]                  what the machine's memory can do\n\n"
    "examples:\n"
    "  kvbench                                             a million 8-byte pairs in a file in /dev/shm\n"
    "  kvbench --db=memory --num=5000000 --repetitions=3   on huge pages, as a mapping of persistent memory is\n"
    "  kvbench --key_kind=string --key_size=24 --value_size=100 --histogram\n"
    "  kvbench --benchmarks=fillrandom,open --engines=sealkv\n"
    "  kvbench --db=/mnt/pmem/bench --tier=map-sync        on persistent memory; refuses anything weaker\n"
    "  kvbench --db=/mnt/ssd/bench --engines=sealkv,lmdb,rocksdb,sqlite --against=lmdb --num=100000\n"
    "                                                      beside peers; an fsync costs what it costs there\n"
    "  kvbench --key_kind=ycsb --value_size=100 --benchmarks=ycsbload,ycsba,ycsbb,ycsbc,ycsbd,ycsbe,ycsbf\n"
    "  kvbench --benchmarks=ycsbload,ycsb -P workloads/workloada -p recordcount=1000000\n"
    "                                                      a property file of YCSB's; -p wins over it, and both win\n"
    "                                                      over flags. A record's fields are one value: 10 * 100 "
    "bytes\n"
    "  kvbench --limits --csv=result.csv                   times as multiples of what the memory takes\n"
    "  kvbench --json=result.json                          for Google Benchmark's tools\n"
    "  kvbench report --output=report.html result.json     a page with charts; kvbench report --help\n"
    "  valgrind --log-file=valgrind.%p kvbench --num=1000 --engines=sealkv --mark_operations=marks\n"
    "                                                      under a checker; any that runs programs as they are will "
    "do\n"
    "exit codes: 0 done, 1 failed, 2 wrong usage";

absl::StatusOr<PropertyMap> TakeProperties(int* argc, char** argv) {
  PropertyMap from_files, single;
  int kept = 0;
  for (int i = 0; i < *argc; ++i) {
    const std::string_view argument(argv[i]);
    if (i == 0 || (argument != "-P" && argument != "-p")) {
      argv[kept++] = argv[i];
      continue;
    }
    if (i + 1 == *argc) {
      return absl::InvalidArgumentError(argument == "-P" ? "-P needs a file of YCSB's properties after it"
                                                         : "-p needs KEY=VALUE after it");
    }
    ++i;
    absl::Status status = argument == "-P" ? ReadPropertyFile(argv[i], &from_files) : AddProperty(argv[i], &single);
    if (!status.ok()) return status;
  }
  *argc = kept;
  argv[kept] = nullptr;
  single.merge(from_files);  // keeps those that are there
  return single;
}

absl::StatusOr<Plan> MakePlan(const PropertyMap& properties) {
  Plan plan;
  if (absl::Status status = FillFromFlags(properties, &plan); !status.ok()) return status;
  if (absl::Status status = CheckNames(plan); !status.ok()) return status;
  if (absl::Status status = CheckNumbers(plan); !status.ok()) return status;
  const auto tier = daxfile::TierFromName(absl::GetFlag(FLAGS_tier));
  if (!tier.has_value())
    return absl::InvalidArgumentError(absl::StrCat("no such tier: '", absl::GetFlag(FLAGS_tier), "'"));
  plan.db = absl::GetFlag(FLAGS_db);
  plan.engine.use_existing = absl::GetFlag(FLAGS_use_existing_db);
  if (plan.engine.use_existing && plan.db.empty()) {
    return absl::InvalidArgumentError("--use_existing_db needs --db=PATH");
  }
  if (plan.engine.use_existing && std::any_of(plan.benchmarks.begin(), plan.benchmarks.end(), IsFill)) {
    return absl::InvalidArgumentError("a fill begins with an empty store: it can't use an existing one");
  }
  if (plan.db.empty()) plan.db = absl::StrCat("/dev/shm/kvbench.", getpid(), ".store");
  plan.engine.weakest_tier = *tier;
  plan.engine.data = plan.workload.data;
  plan.engine.max_capacity_bytes = absl::GetFlag(FLAGS_max_capacity);
  plan.engine.change_log_bytes = absl::GetFlag(FLAGS_change_log);
  plan.engine.capacity_bytes = absl::GetFlag(FLAGS_capacity) > 0 ? absl::GetFlag(FLAGS_capacity) : CapacityFor(plan);
  return plan;
}

}  // namespace sealkv::bench
