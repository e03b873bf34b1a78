// daxfile create: a file that is allocated, written and synced, as a program that maps it wants it; sealed if it can
// be.
#include <sys/stat.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "daxfile/dax_file.h"
#include "tools/daxfile/commands.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/text.h"
#include "tools/tier_flag.h"

namespace sealkv::tools {
namespace {

absl::StatusOr<daxfile::CreateOptions> OptionsFrom(const Args& args) {
  daxfile::CreateOptions options;
  const absl::StatusOr<std::optional<uint64_t>> bytes = args.Number("size");
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return absl::InvalidArgumentError("how large? Give --size=BYTES (such as 64M, 1G)");
  options.size_bytes = **bytes;
  const absl::StatusOr<daxfile::Tier> tier = TierFromArgs(args);
  if (!tier.ok()) return tier.status();
  options.open.weakest_tier = *tier;
  return options;
}

absl::StatusOr<int> Run(const Args& args) {
  const std::string& path = args.positionals()[0];
  absl::StatusOr<daxfile::CreateOptions> options = OptionsFrom(args);
  if (!options.ok()) return options.status();
  // Creating a device means to open it: not what was asked for.
  struct stat info;
  if (lstat(path.c_str(), &info) == 0) {
    return absl::AlreadyExistsError(
        absl::StrCat(path, ": is there already. Name a file that doesn't exist, or remove it."));
  }
  CatchInterrupts();
  Progress progress;
  options->progress = FillProgress(path, progress);
  const absl::StatusOr<daxfile::DaxFile> file = daxfile::DaxFile::Create(path, *options);
  progress.Clear();
  if (!file.ok() && WasInterrupted()) return kDaxfileInterrupted;  // and the file is gone
  if (!file.ok()) return file.status();
  Output output;
  output.Write(absl::StrCat(Escape(path), ": created, ", HumanBytes(file->size_bytes()), ", tier ",
                            std::string(daxfile::TierName(file->tier())), ": ", file->tier_reason(), "\n"));
  if (absl::Status status = output.Close(); !status.ok()) return status;
  return kDaxfileOk;
}

constexpr Flag kFlags[] = {{"size", 0, true}, {"tier", 0, true}};

}  // namespace

const Command kCreateCommand = {
    "create",
    "FILE --size=BYTES [--tier=TIER]",
    "makes a file, writes zeros to all of it, syncs and seals it",
    R"(Allocates the file, writes zeros to each block (one that was only allocated isn't durable at the first store), syncs
it and its directory, seals it where that is possible, and says which durability tier it reaches and why.

  --size=BYTES   with K, M, G or T: times 1024, …; rounded up to a multiple of 4096
  --tier=TIER    the weakest tier accepted: volatile, msync (default), map-sync, device-dax, static-dax

An error, and Ctrl-C while zeros are written, leave no file behind. Shows how far it is if standard error is a terminal.

examples:
  daxfile create /mnt/pmem/log --size=64M
  daxfile create /mnt/pmem/log --size=64M --tier=static-dax || echo "can't be sealed here"
  daxfile create /dev/shm/scratch --size=1G --tier=volatile
)",
    kFlags,
    1,
    1,
    Run,
};

}  // namespace sealkv::tools
