// kvdump backup: a copy of a store, compact, in a store of its own; and later what was changed since.
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "kv/unfinished_store.h"
#include "tools/command.h"
#include "tools/new_store.h"
#include "tools/progress.h"
#include "tools/store_access.h"
#include "tools/text.h"
#include "tools/tier_flag.h"

namespace sealkv::tools {
namespace {

absl::StatusOr<Options> CopyOptions(const Args& args, const std::string& path, Progress& progress) {
  const absl::StatusOr<daxfile::Tier> tier = TierFromArgs(args);
  if (!tier.ok()) return tier.status();
  Options options;
  if (absl::Status status = SizesFromArgs(args, &options); !status.ok()) return status;
  options.weakest_tier = *tier;
  options.emulate_on_dram = args.Has("emulate-on-dram");
  options.progress = FillProgress(internal::UnfinishedStore::TemporaryPath(path), progress);
  return options;
}

// Of a copy that is there already: by what was changed since.
absl::StatusOr<int> Update(const Args& args) {
  for (const char* flag : {"capacity", "max-capacity", "change-log"}) {
    if (args.Has(flag)) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag, " is for a new copy, not for --update."));
    }
  }
  const absl::StatusOr<std::unique_ptr<Store>> store = OpenStoreForReading(args.positionals()[0]);
  if (!store.ok()) return store.status();
  const absl::StatusOr<daxfile::Tier> tier = TierFromArgs(args);
  if (!tier.ok()) return tier.status();
  Options options;
  options.weakest_tier = *tier;
  options.emulate_on_dram = args.Has("emulate-on-dram");
  const absl::StatusOr<std::unique_ptr<Store>> copy = Store::Open(args.positionals()[1], options);
  if (!copy.ok()) return copy.status();
  CatchInterrupts();
  Progress progress;
  uint64_t made = 0;
  const absl::Status status = (*copy)->CatchUpWith(**store, [&](uint64_t changes) {
    made = changes;
    if (progress.IsDue()) progress.Show(absl::StrCat("updating: ", WithCommas(changes), " changes"));
    return !WasInterrupted();
  });
  progress.Clear();
  if (absl::IsCancelled(status)) return kExitInterrupted;
  if (!status.ok()) return status;
  std::fprintf(stderr, "%s changes made; the copy is as the store was after change %s\n", WithCommas(made).c_str(),
               WithCommas((*copy)->LastChange().value_or(0)).c_str());
  return kExitOk;
}

// At rest; or beside a writer, if it keeps its changes.
absl::StatusOr<std::unique_ptr<Store>> OpenToCopy(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Store>> at_rest = OpenStoreAtRest(path);
  if (!absl::IsUnavailable(at_rest.status())) return at_rest;
  absl::StatusOr<std::unique_ptr<Store>> live = OpenStoreForReading(path);
  if (live.ok() && (*live)->LastChange().ok()) return live;
  return absl::UnavailableError(absl::StrCat(at_rest.status().message(),
                                             " (If the store kept its changes, see --change-log, it could be copied "
                                             "now.)"));
}

absl::StatusOr<int> Run(const Args& args) {
  if (args.Has("update")) return Update(args);
  const std::string& new_path = args.positionals()[1];
  absl::StatusOr<std::unique_ptr<Store>> store = OpenToCopy(args.positionals()[0]);
  if (!store.ok()) return store.status();
  CatchInterrupts();
  Progress progress;
  const absl::StatusOr<Options> options = CopyOptions(args, new_path, progress);
  if (!options.ok()) return options.status();
  uint64_t copied = 0;
  const absl::Status status = (*store)->Checkpoint(new_path, *options, [&](uint64_t keys) {
    copied = keys;
    if (progress.IsDue()) progress.Show(absl::StrCat("copying: ", WithCommas(keys), " keys"));
    return !WasInterrupted();
  });
  progress.Clear();
  if (absl::IsCancelled(status)) return kExitInterrupted;
  if (!status.ok()) return status;
  std::fprintf(stderr, "%s keys copied; the new store is %s\n", WithCommas(copied).c_str(), Escape(new_path).c_str());
  return kExitOk;
}

constexpr Flag kFlags[] = {kCapacityFlag,   kMaxCapacityFlag,  kChangeLogFlag,
                           {"update", 'u'}, {"tier", 0, true}, {"emulate-on-dram"}};

}  // namespace

const Command kBackupCommand = {
    "backup",
    "STORE NEW [--capacity=BYTES] [--max-capacity=BYTES] [--change-log=BYTES] [--tier=TIER] | --update STORE COPY",
    "copies a store into a new one, without what is dead in it, or brings such a copy up to date",
    R"(Makes the store NEW, which must not exist yet, of all keys and values in STORE. Its nodes are full, and no space in it is
lost to what was replaced or deleted. It appears when it is complete. Every value is verified as it is read.

A process may write STORE meanwhile if STORE keeps its changes (--change-log): NEW is then what STORE was after one of
them, which `kvdump stat NEW` names. Else no process may have it open for writing: a copy is of one moment, and that can
be had in the writing process alone. The program that embeds the store makes such copies by Store::Checkpoint.

  --capacity=BYTES  size of NEW (K, M, G); default: that of STORE
  --max-capacity=BYTES  how far NEW may grow; default: as far as STORE
  --change-log=BYTES  NEW keeps so much of what is changed in it; default: as STORE does
  -u, --update      make COPY, made by this command before and not written to since, what STORE is now: by the changes
                    that STORE keeps (see `kvdump changes`), each by one commit. A process may write STORE meanwhile.
                    Interrupted, COPY is as STORE was after some change, and the next time goes on from there
  --tier=TIER       the weakest durability accepted: volatile, msync (default), map-sync, device-dax, static-dax
  --emulate-on-dram with --tier=volatile: never wait for the disk; the copy is lost with the power

exit codes:
  0    done
  1    STORE keeps no longer all that was changed since, or meanwhile. With --update: make a new copy, COPY is as it
       was. Else: there is no NEW; copy when less is written
  3    it can't be done: not a store, damaged (see salvage), NEW is too small. There is no NEW
  4    the system refuses: no such file, NEW exists, no permission, in use by a writer
  130  interrupted. There is no NEW

examples:
  kvdump backup /mnt/pmem/users /mnt/backup/users-2024-06-07
  kvdump backup --update /mnt/pmem/users /mnt/backup/users-2024-06-07
  kvdump backup --capacity=64G /mnt/pmem/users /mnt/pmem/larger
)",
    kFlags,
    2,
    2,
    Run,
};

}  // namespace sealkv::tools
