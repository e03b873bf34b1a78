// kvdump salvage: what can be saved of a damaged store, into a new one; and what is lost.
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "kv/recovery.h"
#include "kv/salvage.h"
#include "kv/unfinished_store.h"
#include "tools/bus_errors.h"
#include "tools/command.h"
#include "tools/new_store.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/store_access.h"
#include "tools/text.h"
#include "tools/tier_flag.h"

namespace sealkv::tools {
namespace {

using internal::DamagedImage;
using internal::LostKeys;
using internal::RecoveredKey;
using internal::SalvageProgress;
using internal::SalvageReport;

constexpr int kGenerationShift = 40;

std::string Describe(const SalvageProgress& progress) {
  std::string text = absl::StrCat("salvaging: ", WithCommas(progress.keys_from_tree), " keys from the tree");
  if (progress.heap_bytes > 0) {
    absl::StrAppend(&text, ", ", WithCommas(progress.keys_recovered), " from the heap, ",
                    Percent(progress.heap_bytes_done, progress.heap_bytes), " searched");
  }
  return text;
}

std::string KeyText(std::string_view key, bool is_hex) { return is_hex ? ToHex(key) : Quote(key, key.size()); }

void List(const SalvageReport& report, bool were_put, bool is_hex, Output& output) {
  for (const LostKeys& lost : report.lost) {
    const std::string to = lost.range.to.has_value() ? KeyText(*lost.range.to, is_hex) : "end";
    output.Write(absl::StrCat("lost\t", KeyText(lost.range.from, is_hex), "\t", to, "\t", HexNumber(lost.offset), "\t",
                              Escape(lost.why), "\n"));
  }
  for (const RecoveredKey& found : report.recovered) {
    const uint64_t count = found.sequence() & ((uint64_t{1} << kGenerationShift) - 1);
    output.Write(absl::StrCat("recovered\t", KeyText(found.key(), is_hex), "\t", HexNumber(Raw(found.offset())), "\t",
                              found.sequence() >> kGenerationShift, ".", count, "\t", were_put ? "put" : "left out",
                              "\n"));
  }
}

bool IsAll(const SalvageReport& report, const DamagedImage& damaged) {
  return report.lost.empty() && report.recovered.empty() && !damaged.may_lack_batches;
}

void Summarise(const SalvageReport& report, const DamagedImage& damaged, bool were_put, const std::string& path,
               const std::string& new_path) {
  std::string text =
      absl::StrCat(Escape(path), ": ", WithCommas(report.keys_from_tree), " keys saved from the tree, ",
                   WithCommas(report.recovered.size()), " recovered from the heap and perhaps stale",
                   were_put || report.recovered.empty() ? "" : " (left out)", ", ", WithCommas(report.lost.size()),
                   report.lost.size() == 1 ? " range" : " ranges", " lost\n");
  if (were_put && !report.recovered.empty()) {
    absl::StrAppend(&text,
                    "What was recovered is as it was written once, but may have been deleted or replaced since: "
                    "look through the list.\n");
  }
  if (damaged.may_lack_batches) {
    absl::StrAppend(&text, "Of what was written last a part may be missing, or old: see the warning.\n");
  }
  absl::StrAppend(&text, IsAll(report, damaged) ? "nothing is lost; " : "", "the new store is ", Escape(new_path),
                  "\n");
  std::fputs(text.c_str(), stderr);
}

absl::StatusOr<Options> NewStoreOptions(const Args& args, const DamagedImage& damaged) {
  const absl::StatusOr<daxfile::Tier> tier = TierFromArgs(args);
  if (!tier.ok()) return tier.status();
  Options options;
  options.capacity_bytes = std::max(damaged.capacity_bytes, kMinCapacityBytes);
  if (absl::Status status = SizesFromArgs(args, &options); !status.ok()) return status;
  options.weakest_tier = *tier;
  options.emulate_on_dram = args.Has("emulate-on-dram");
  return options;
}

// What the library's errors are about is the new store, under a name that nobody gave it.
absl::Status CantSave(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return status;
  return absl::ResourceExhaustedError(absl::StrCat(
      "what was saved doesn't fit into the new store, which was removed: give --capacity, or --trusted-only. (",
      std::string(status.message()), ")"));
}

void WarnOf(const BusErrors& errors, const std::string& path) {
  if (errors.count() == 0) return;
  std::string offsets;
  for (const uint64_t offset : errors.offsets()) absl::StrAppend(&offsets, " ", HexNumber(offset));
  std::fprintf(stderr, "kvdump: warning: %s: %s pages could not be read, in whole or in part: at%s%s\n",
               Escape(path).c_str(), WithCommas(errors.count()).c_str(), offsets.c_str(),
               errors.count() > BusErrors::kKept ? " …" : "");
}

absl::StatusOr<int> Run(const Args& args) {
  const std::string& path = args.positionals()[0];
  const std::string& new_path = args.positionals()[1];
  const bool were_put = !args.Has("trusted-only");
  absl::StatusOr<daxfile::DaxFile> file = OpenFileAtRest(path);
  if (!file.ok()) return file.status();
  const BusErrors bus_errors(*file);
  const absl::StatusOr<DamagedImage> damaged = internal::OpenDamagedImage(*file);
  if (!damaged.ok()) return damaged.status();
  for (const std::string& caveat : damaged->caveats) {
    std::fprintf(stderr, "kvdump: warning: %s: %s\n", Escape(path).c_str(), caveat.c_str());
  }
  absl::StatusOr<Options> options = NewStoreOptions(args, *damaged);
  if (!options.ok()) return options.status();
  const std::optional<std::string> list_path = args.Value("lost");
  absl::StatusOr<Output> list = list_path.has_value() ? Output::ToFile(*list_path) : Output();
  if (!list.ok()) return list.status();

  CatchInterrupts();
  Progress progress;
  options->progress = FillProgress(internal::UnfinishedStore::TemporaryPath(new_path), progress);
  absl::StatusOr<internal::UnfinishedStore> target = internal::UnfinishedStore::Create(new_path, *options);
  if (!target.ok()) return target.status();
  const absl::StatusOr<SalvageReport> report =
      internal::Salvage(damaged->image, target->store(),
                        {.trusted_only = !were_put, .progress = [&progress](const SalvageProgress& done) {
                           if (progress.IsDue()) progress.Show(Describe(done));
                           return !WasInterrupted();
                         }});
  progress.Clear();
  WarnOf(bus_errors, path);
  if (!report.ok()) return CantSave(report.status());
  if (report->was_stopped) return kExitInterrupted;
  if (report->keys_from_tree == 0 && report->recovered.empty() && !damaged->caveats.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": no key of a SealKV store could be found in it. No new store was made."));
  }
  // The list comes last: a reader of it that goes away ends the program.
  if (absl::Status status = target->Finish(); !status.ok()) return status;
  Summarise(*report, *damaged, were_put, path, new_path);
  List(*report, were_put, args.Has("hex"), *list);
  if (absl::Status status = list->Close(); !status.ok()) return status;
  return IsAll(*report, *damaged) ? kExitOk : kExitNo;
}

constexpr Flag kFlags[] = {{"lost", 0, true}, {"trusted-only"},   {"hex"}, kCapacityFlag, kMaxCapacityFlag,
                           {"tier", 0, true}, {"emulate-on-dram"}};

}  // namespace

const Command kSalvageCommand = {
    "salvage",
    "STORE NEW [--lost=FILE] [--trusted-only] [--capacity=BYTES] [--max-capacity=BYTES] [--tier=TIER]",
    "saves what can be saved of a damaged store into a new one",
    R"(Reads the damaged STORE, which is never changed, and writes the store NEW, which must not exist yet and appears when it is
complete. STORE may have a damaged superblock or segment table, be cut short, or lie on a device that reports bad blocks.
No process may have it open for writing, nor can one open it for that meanwhile. A batch that a writer had committed when
he died is saved as a whole, if it can be read; else a warning says that a part of it may be missing.

First the tree is walked, around all damage. Where keys are lost that way, the rest of the file is searched for them. What is
found there is as it was written once, but a delete leaves no trace in it, and an older value may be what is left: it is put
into NEW all the same, for what isn't put is gone with the damaged file, and listed, so that it can be looked through.

The list, on standard output, has a line for each loss and each find, its fields separated by tabs:

  lost       FROM  TO  OFFSET  WHY            keys in [FROM, TO) may be missing; TO is "end" where there is none
  recovered  KEY  OFFSET  SEQUENCE  put       perhaps stale; "left out" with --trusted-only

Keys stand in quotes, escaped as in C. `kvdump page STORE OFFSET` shows what is at an offset. Counts are on standard error.

  --lost=FILE       the list goes to FILE, which appears when it is complete
  --trusted-only    leave out what is perhaps stale
  --hex             keys in the list are hex digits, without quotes
  --capacity=BYTES  size of NEW (K, M, G); default: that of STORE
  --max-capacity=BYTES  how far NEW may grow; default: 64 times its size
  --tier=TIER       the weakest durability accepted: volatile, msync (default), map-sync, device-dax, static-dax
  --emulate-on-dram with --tier=volatile: never wait for the disk; what was saved is lost with the power

exit codes:
  0    nothing is lost
  1    something is lost, or perhaps stale; NEW was written
  3    it can't be done: not a store, of another version, nothing left, NEW is too small. There is no NEW
  4    the system refuses: no such file, NEW exists, no permission, in use by a writer
  130  interrupted. There is no NEW

examples:
  kvdump salvage /mnt/pmem/damaged /mnt/pmem/users --lost=users.lost
  kvdump salvage --trusted-only /mnt/pmem/damaged /mnt/pmem/users | cut -f 2,3
)",
    kFlags,
    2,
    2,
    Run,
};

}  // namespace sealkv::tools
