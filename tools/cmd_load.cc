// kvdump load: puts the pairs of a dump into a store, which it makes if there is none.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daxfile/tier.h"
#include "tools/command.h"
#include "tools/load_plan.h"
#include "tools/mdb_text.h"
#include "tools/new_store.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

struct LoadCounts {
  uint64_t loaded = 0;
  uint64_t kept = 0;  // -n: the key was there
};

std::string Describe(const LoadCounts& counts) {
  std::string text = absl::StrCat(WithCommas(counts.loaded), counts.loaded == 1 ? " pair" : " pairs", " loaded");
  if (counts.kept > 0) absl::StrAppend(&text, ", ", WithCommas(counts.kept), " were there already and kept");
  return text;
}

void Warn(const std::string& text) { std::fprintf(stderr, "kvdump: warning: %s\n", text.c_str()); }

// Puts one database's pairs. An InvalidArgument is about the input's line; any other error is about the store.
absl::Status LoadPairs(Store& store, MdbTextReader& reader, const LineReader& lines, const LoadPlan& plan,
                       Progress& progress, LoadCounts* counts) {
  std::string key, value, key_before;
  for (bool is_first = true; !WasInterrupted(); is_first = false) {
    const absl::StatusOr<bool> found = reader.NextPair(&key, &value);
    if (!found.ok()) return found.status();
    if (!*found) return absl::OkStatus();
    if (reader.header().may_repeat_keys && !is_first && key == key_before) {
      return reader.Error("a second value for one key (duplicates=1); a store holds one value a key");
    }
    const absl::Status put = plan.keeps_existing ? store.PutIfAbsent(key, value) : store.Put(key, value);
    if (absl::IsInvalidArgument(put)) return reader.Error(std::string(put.message()));
    if (absl::IsAlreadyExists(put)) {
      ++counts->kept;
    } else if (!put.ok()) {
      return put;
    } else {
      ++counts->loaded;
    }
    if (reader.header().may_repeat_keys) key_before = key;
    if (progress.IsDue()) {
      progress.Show(
          absl::StrCat("loading: ", WithCommas(counts->loaded), " pairs",
                       plan.input_bytes > 0 ? absl::StrCat(", ", Percent(lines.bytes_read(), plan.input_bytes)) : ""));
    }
  }
  return absl::OkStatus();
}

// Finds the databases to load. With none chosen there may be only one.
absl::Status LoadDatabases(Store& store, MdbTextReader& reader, const LineReader& lines, const LoadPlan& plan,
                           Progress& progress, LoadCounts* counts) {
  // The first header was read already: the store's size may depend on it.
  for (bool is_first = true, was_loaded = false;; is_first = false) {
    const absl::StatusOr<bool> found = is_first ? true : reader.NextDatabase();
    if (!found.ok()) return found.status();
    if (!*found || WasInterrupted()) {
      if (was_loaded || WasInterrupted()) return absl::OkStatus();
      return reader.Error(absl::StrCat("the input holds no database ", Quote(*plan.database)));
    }
    if (plan.database.has_value() && reader.header().database.value_or("") != *plan.database) continue;
    if (was_loaded) {
      return reader.Error(
          "here begins another database; choose one with --database=NAME and load each into a store of its own");
    }
    if (absl::Status status = LoadPairs(store, reader, lines, plan, progress, counts); !status.ok()) return status;
    was_loaded = true;
  }
}

absl::StatusOr<std::unique_ptr<Store>> OpenTarget(const LoadPlan& plan, Progress& progress) {
  Options options;
  options.weakest_tier = plan.weakest_tier;
  options.emulate_on_dram = plan.emulate_on_dram;
  options.capacity_bytes = plan.capacity_bytes;
  options.max_bytes = plan.max_bytes;
  options.change_log_bytes = plan.change_log_bytes;
  return plan.creates_store ? CreateStore(plan.store, options, progress) : Store::Open(plan.store, options);
}

absl::StatusOr<int> Run(const Args& args) {
  const std::string name = args.Value("file").value_or("standard input");
  const int fd = args.Has("file") ? open(name.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
  if (fd < 0) return absl::UnavailableError(absl::StrCat(name, ": can't open: ", std::strerror(errno)));
  const absl::Cleanup close_fd = [fd] { close(fd); };
  LineReader lines(fd, name, kLineBytesMax);
  MdbTextReader reader(lines, args.Has("plain"), Warn);
  const auto begin = std::chrono::steady_clock::now();

  CatchInterrupts();
  Progress progress;
  // Before anything is made: an input that isn't a dump leaves no store behind.
  if (const absl::StatusOr<bool> first = reader.NextDatabase(); !first.ok()) {
    if (WasInterrupted()) return kExitInterrupted;
    if (!absl::IsInvalidArgument(first.status())) return first.status();
    std::fprintf(stderr, "kvdump: %s. Nothing was changed.\n", std::string(first.status().message()).c_str());
    return kExitNo;
  }
  const absl::StatusOr<LoadPlan> plan = PlanLoad(args, fd, reader.header());
  if (!plan.ok()) return plan.status();
  if (!plan->creates_store && (args.Has("capacity") || args.Has("max-capacity") || args.Has("change-log")))
    Warn(plan->store + " is there already: --capacity, --max-capacity and --change-log are for a new store");
  const absl::StatusOr<std::unique_ptr<Store>> store = OpenTarget(*plan, progress);
  if (!store.ok()) return store.status();
  LoadCounts counts;
  const absl::Status status = LoadDatabases(**store, reader, lines, *plan, progress, &counts);
  progress.Clear();
  if (!status.ok() && !absl::IsCancelled(status)) {
    std::fprintf(stderr, "kvdump: %s. Before that: %s.\n", std::string(status.message()).c_str(),
                 Describe(counts).c_str());
    return absl::IsInvalidArgument(status) ? kExitNo : absl::IsUnavailable(status) ? kExitSystem : kExitStore;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  Output output;
  output.Write(absl::StrCat(Describe(counts), WasInterrupted() ? ", then interrupted" : "", " (",
                            Fixed(seconds.count(), 1), " s)\n"));
  if (absl::Status closed = output.Close(); !closed.ok()) return closed;
  return WasInterrupted() ? kExitInterrupted : kExitOk;
}

constexpr Flag kFlags[] = {{"file", 'f', true},     {"plain", 'T'},    {"no-overwrite", 'n'},
                           {"database", 's', true}, kCapacityFlag,     kMaxCapacityFlag,
                           kChangeLogFlag,          {"tier", 0, true}, {"emulate-on-dram"}};

}  // namespace

const Command kLoadCommand = {
    "load",
    "STORE [-f FILE] [-n] [-T] [-s NAME] [--capacity=BYTES] [--max-capacity=BYTES] [--change-log=BYTES] [--tier=TIER]",
    "puts the pairs of a dump into a store; makes it if there is none",
    R"(Reads what kvdump dump, mdb_dump and db_dump write (both encodings), and puts each pair. Every pair that was put is
durable at once. At a line that can't be read the load stops, and says how many pairs it had put.

  -f, --file=FILE       read FILE; default: standard input
  -n, --no-overwrite    keep what is there: only keys that are new are put
  -T, --plain           the input is pairs of lines, key and value, without a header; \xx for bytes that can't stand there
  -s, --database=NAME   of a dump of several databases, the one to load
  --capacity=BYTES      size of a new store (K, M, G); default: what the input needs twice over, or its mapsize
  --max-capacity=BYTES  how far a new store may grow; default: 64 times its size
  --change-log=BYTES  a new store keeps so much of what is changed in it (see `kvdump changes`); default: nothing
  --tier=TIER           the weakest durability accepted: volatile, msync (default), map-sync, device-dax, static-dax
  --emulate-on-dram     with --tier=volatile: never wait for the disk; what was loaded is lost with the power

examples:
  kvdump load /mnt/pmem/users -f users.dump
  mdb_dump -n users.mdb | kvdump load /mnt/pmem/users --capacity=1G
  printf 'ada\ncountess\n' | kvdump load -T /dev/shm/store --tier=volatile --capacity=1M
)",
    kFlags,
    1,
    1,
    Run,
};

}  // namespace sealkv::tools
