// kvdump backup: a copy of a store that is at rest, compact, in a store of its own.
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

absl::StatusOr<int> Run(const Args& args) {
  const std::string& new_path = args.positionals()[1];
  absl::StatusOr<std::unique_ptr<Store>> store = OpenStoreAtRest(args.positionals()[0]);
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

constexpr Flag kFlags[] = {kCapacityFlag, kMaxCapacityFlag, {"tier", 0, true}, {"emulate-on-dram"}};

}  // namespace

const Command kBackupCommand = {
    "backup",
    "STORE NEW [--capacity=BYTES] [--max-capacity=BYTES] [--tier=TIER]",
    "copies a store into a new one, without what is dead in it",
    R"(Makes the store NEW, which must not exist yet, of all keys and values in STORE. Its nodes are full, and no space in it is
lost to what was replaced or deleted. It appears when it is complete. Every value is verified as it is read.

No process may have STORE open for writing meanwhile: a copy is of one moment, and that can be had in the writing process
alone. The program that embeds the store makes such copies while it goes on, by Store::Checkpoint.

  --capacity=BYTES  size of NEW (K, M, G); default: that of STORE
  --max-capacity=BYTES  how far NEW may grow; default: as far as STORE
  --tier=TIER       the weakest durability accepted: volatile, msync (default), map-sync, device-dax, static-dax
  --emulate-on-dram with --tier=volatile: never wait for the disk; the copy is lost with the power

exit codes:
  0    done
  3    it can't be done: not a store, damaged (see salvage), NEW is too small. There is no NEW
  4    the system refuses: no such file, NEW exists, no permission, in use by a writer
  130  interrupted. There is no NEW

examples:
  kvdump backup /mnt/pmem/users /mnt/backup/users-2024-06-07
  kvdump backup --capacity=64G /mnt/pmem/users /mnt/pmem/larger
)",
    kFlags,
    2,
    2,
    Run,
};

}  // namespace sealkv::tools
