#include "bench/plan.h"

#include <unistd.h>

#include <algorithm>

#include "absl/flags/flag.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "bench/capacity.h"
#include "bench/plan_check.h"

ABSL_FLAG(std::vector<std::string>, benchmarks,
          std::vector<std::string>({"fillrandom", "readrandom", "overwrite", "seekrandom", "readseq"}),
          "what to run, in this order: fillseq, fillrandom (these begin with an empty store), overwrite, readrandom, "
          "multireadrandom (gets by --batch_size, or 64, in one call), readmissing, readseq, readreverse, seekrandom, "
          "deleterandom, deletemost (nine of ten, of what a fill put), "
          "readwhilewriting (readrandom, beside a thread that overwrites), readseqwhilewriting, addhot (all threads "
          "add to one key), addcold (they add to any), snapshot (open and "
          "close one), compact, open; YCSB's: ycsbload (= fillrandom), ycsba to ycsbf, ycsb (see -P). What reads or "
          "changes records needs a fill before it, or --use_existing_db");
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
ABSL_FLAG(
    std::string, distribution, "uniform",
    "which records readrandom, multireadrandom, overwrite, seekrandom and addcold ask for: uniform, zipfian, latest, "
    "sequential");
ABSL_FLAG(
    uint64_t, batch_size, 1,
    "puts that fills and overwrites make together, atomically (one by one where an engine has no batches); and gets "
    "that multireadrandom makes in one call");
ABSL_FLAG(uint64_t, seek_nexts, 100, "records that seekrandom reads from each place");
ABSL_FLAG(uint64_t, seed, 0, "another seed gives other keys and values");
ABSL_FLAG(bool, histogram, false, "print percentiles of the latency, CPU time and memory");
ABSL_FLAG(uint64_t, sample_every, 64,
          "time each so many-th operation, a divisor of 4096 (1: all; reading the clock waits for all that is under "
          "way, and makes them slower)");
ABSL_FLAG(
    std::string, db, "",
    "path of the store, of which the other engines derive theirs (PATH.lmdb, …); or 'memory': memory of the "
    "process, on huge pages where they may be had, as is what engines allocate (default: temporary files in /dev/shm)");
ABSL_FLAG(
    bool, use_existing_db, false,
    "open the store at --db, which a run with --keep has left, instead of making it; volatile engines are left out");
ABSL_FLAG(bool, keep, false, "don't remove the store at the end: that of the last fill and the last repetition stays");
ABSL_FLAG(
    std::string, tier, "volatile",
    "weakest durability tier of sealkv accepted: volatile, msync, map-sync, device-dax, static-dax (of a file: not "
    "with --db=memory)");
ABSL_FLAG(uint64_t, capacity, 0, "bytes of the store (0: enough for the benchmarks asked for)");
ABSL_FLAG(uint64_t, max_capacity, 0, "bytes that the store may grow to (0: it doesn't)");
ABSL_FLAG(uint64_t, change_log, 0, "bytes that the store keeps of what is changed (0: nothing)");
ABSL_FLAG(uint32_t, repetitions, 1,
          "run the whole list so many times, report each benchmark's run with the median time (of an even number, the "
          "faster of the middle two); all columns are that run's");
ABSL_FLAG(std::string, against, "btree_map",
          "the engine by whose time the table divides the others' (if it isn't measured: the first peer that is)");
ABSL_FLAG(bool, limits, false, "measure first what the machine can do, and give times as multiples of that, too");
ABSL_FLAG(std::string, csv, "",
          "write the results to this file, a line each (-: standard output); what it had is replaced when all is done");
ABSL_FLAG(std::string, json, "",
          "write the results to this file, in Google Benchmark's format (-: standard output); as with --csv");
ABSL_FLAG(std::string, mark_operations, "",
          "write a line to this file (stderr: standard error) when an operation of sealkv begins and one when it "
          "ends: 'begin 17 put <key>', 'end 17 OK'; 8-byte keys as hexadecimal digits. For persistency checkers and "
          "tracers, which see by it what stores belong to what operation");

namespace sealkv::bench {
namespace {

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
  // Without properties, --value_size stands: then nobody has spoken of fields.
  if (!properties.empty() && workload.data.value_bytes != ycsb->value_bytes) {
    plan->remarks.push_back(
        absl::StrCat("values of ", ycsb->value_bytes, " bytes (fieldcount * fieldlength; YCSB's are ",
                     "10 * 100), in all benchmarks of the list, instead of --value_size=", workload.data.value_bytes));
    workload.data.value_bytes = ycsb->value_bytes;
  }
  for (std::string& warning : ycsb->warnings) plan->remarks.push_back(std::move(warning));
  return absl::OkStatus();
}

// "a, b" is a list, too.
std::vector<std::string> Stripped(std::vector<std::string> names) {
  for (std::string& name : names) absl::StripAsciiWhitespace(&name);
  return names;
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
  plan->benchmarks = Stripped(absl::GetFlag(FLAGS_benchmarks));
  plan->engines = Stripped(absl::GetFlag(FLAGS_engines));
  plan->against = absl::GetFlag(FLAGS_against);
  plan->repetitions = absl::GetFlag(FLAGS_repetitions);
  plan->histogram = absl::GetFlag(FLAGS_histogram);
  plan->limits = absl::GetFlag(FLAGS_limits);
  plan->csv = absl::GetFlag(FLAGS_csv);
  plan->json = absl::GetFlag(FLAGS_json);
  plan->mark_operations = absl::GetFlag(FLAGS_mark_operations);
  plan->keep = absl::GetFlag(FLAGS_keep);
  const std::string kind = absl::GetFlag(FLAGS_key_kind);
  if (absl::Status status = CheckIsOneOf(KeyKindNames(), kind, "key kind"); !status.ok()) return status;
  const std::string distribution = absl::GetFlag(FLAGS_distribution);
  if (absl::Status status = CheckIsOneOf(DistributionNames(), distribution, "distribution"); !status.ok()) {
    return status;
  }
  WorkloadOptions& workload = plan->workload;
  workload.data = {.key_kind = *KeyKindFromName(kind),
                   .key_bytes = absl::GetFlag(FLAGS_key_size),
                   .value_bytes = absl::GetFlag(FLAGS_value_size),
                   .seed = absl::GetFlag(FLAGS_seed)};
  workload.num = absl::GetFlag(FLAGS_num);
  workload.reads = absl::GetFlag(FLAGS_reads);
  workload.threads = absl::GetFlag(FLAGS_threads);
  workload.seek_nexts = absl::GetFlag(FLAGS_seek_nexts);
  workload.batch_size = absl::GetFlag(FLAGS_batch_size);
  workload.sample_every = absl::GetFlag(FLAGS_sample_every);
  workload.distribution = *DistributionFromName(distribution);
  return Apply(properties, plan);
}

}  // namespace

const char kUsage[] =
    "Measures SealKV beside other key-value stores and beside volatile maps, with db_bench's and YCSB's workloads.\n"
    "Each engine has a process of its own; they take turns at each benchmark, and the others stand still meanwhile.\n\n"
    "What is read is checked. The run ends with exit code 1 if a get finds a value that its key was never given,\n"
    "doesn't find what must be there (what was put, and not deleted since), or finds what was never put, or was\n"
    "deleted and not written since; if a scan finds nothing, or a walk meets too few records; or if addhot's sum\n"
    "isn't that of its additions. An existing store (--use_existing_db) may have been filled in either order, "
    "overwritten, added to\n"
    "and deleted from by earlier runs: a value must be one that its key was given by any of them; what isn't there\n"
    "is counted, and that nothing of it is there is an error.\n\n"
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
    "  kvbench --benchmarks=ycsbload,ycsb -P FILE -p recordcount=1000000\n"
    "                                                      a property file of YCSB's; -p wins over it, and both win\n"
    "                                                      over flags. A record's fields are one value: 10 * 100 "
    "bytes\n"
    "  kvbench --limits --csv=result.csv                   the table: times as multiples of what memory takes\n"
    "  kvbench --json=result.json                          for Google Benchmark's tools\n"
    "  kvbench report --output=report.html result.json     a page with charts; kvbench report --help\n"
    "  valgrind --log-file=valgrind.%p kvbench --num=1000 --engines=sealkv --mark_operations=marks\n"
    "                                                      under a checker; any that runs programs as they are will "
    "do\n"
    "exit codes: 0 done, 1 failed (or an unknown flag), 2 wrong usage";

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
  const auto tier = daxfile::TierFromName(absl::GetFlag(FLAGS_tier));
  if (!tier.has_value())
    return absl::InvalidArgumentError(absl::StrCat("no such tier: '", absl::GetFlag(FLAGS_tier), "'"));
  plan.db = absl::GetFlag(FLAGS_db);
  plan.engine.weakest_tier = *tier;
  plan.engine.use_existing = absl::GetFlag(FLAGS_use_existing_db);
  plan.engine.capacity_bytes = absl::GetFlag(FLAGS_capacity);
  plan.engine.max_capacity_bytes = absl::GetFlag(FLAGS_max_capacity);
  plan.engine.change_log_bytes = absl::GetFlag(FLAGS_change_log);
  if (absl::Status status = FillFromFlags(properties, &plan); !status.ok()) return status;
  if (absl::Status status = CheckPlan(plan); !status.ok()) return status;
  if (plan.workload.data.key_kind == KeyKind::kPath) {
    if (absl::Status status = LoadPaths(&plan); !status.ok()) return status;
  }
  if (plan.db.empty()) plan.db = absl::StrCat("/dev/shm/kvbench.", getpid(), ".store");
  plan.engine.data = plan.workload.data;
  if (plan.engine.capacity_bytes == 0) plan.engine.capacity_bytes = CapacityFor(plan);
  return plan;
}

}  // namespace sealkv::bench
