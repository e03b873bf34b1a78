// kvdump shrink: gives back the space behind what is in use.
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "kv/sealkv.h"
#include "tools/command.h"
#include "tools/text.h"
#include "tools/tier_flag.h"

namespace sealkv::tools {
namespace {

std::string SizeOf(const Stats& stats) {
  return absl::StrCat(HumanBytes(stats.capacity_bytes), " in ", 1 + stats.parts, stats.parts == 0 ? " file" : " files");
}

absl::StatusOr<int> Run(const Args& args) {
  const absl::StatusOr<daxfile::Tier> tier = TierFromArgs(args);
  if (!tier.ok()) return tier.status();
  Options options;
  options.weakest_tier = *tier;
  options.emulate_on_dram = args.Has("emulate-on-dram");
  const absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(args.store(), options);
  if (!store.ok()) return store.status();
  const std::string before = SizeOf((*store)->GetStats());
  const absl::Status status = (*store)->Shrink();
  std::fprintf(stderr, "%s: %s; before: %s\n", Escape(args.store()).c_str(), SizeOf((*store)->GetStats()).c_str(),
               before.c_str());
  if (!status.ok()) return status;
  return kExitOk;
}

constexpr Flag kFlags[] = {{"tier", 0, true}, {"emulate-on-dram"}};

}  // namespace

const Command kShrinkCommand = {
    "shrink",
    "STORE [--tier=TIER]",
    "gives back files that a store has grown by and doesn't need any more",
    R"(Moves together what is alive in STORE, and then, from the last of its further files on (STORE.1, STORE.2, …), moves what
lies there to the front and removes the file, as long as an eighth of what is left stays free. The first file stays as large as
it is: a smaller one is made by backup.

No other process may have STORE open. Ended in the middle, by a signal or a power cut, it leaves the store as it was, perhaps with
fewer files. A program that embeds the store does the same, while it goes on, by Store::Shrink.

  --tier=TIER       the weakest durability accepted: volatile, msync (default), map-sync, device-dax, static-dax
  --emulate-on-dram with --tier=volatile: never wait for the disk

exit codes:
  0    done; it may be as large as it was, if all is in use
  3    it can't be done: not a store, damaged, or what lies in the last file can't be moved (layers' prefixes can't)
  4    the system refuses: no such file, no permission, in use by another process

examples:
  kvdump shrink /mnt/pmem/users
  kvdump shrink --tier=volatile /dev/shm/store
)",
    kFlags,
    1,
    1,
    Run,
};

}  // namespace sealkv::tools
