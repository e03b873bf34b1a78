// daxfile seal and daxfile unseal.
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "daxfile/sealing.h"
#include "daxfile/static_dax.h"
#include "tools/daxfile/commands.h"
#include "tools/output.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

absl::StatusOr<int> Say(const std::string& line) {
  Output output;
  output.Write(line + "\n");
  if (absl::Status status = output.Close(); !status.ok()) return status;
  return kDaxfileOk;
}

absl::StatusOr<int> RunSeal(const Args& args) {
  const std::string& path = args.positionals()[0];
  const absl::StatusOr<std::optional<uint64_t>> alignment = args.Number("align");
  if (!alignment.ok()) return alignment.status();
  if (absl::Status status = daxfile::SealFile(path, alignment->value_or(0)); !status.ok()) return status;
  const absl::StatusOr<daxfile::Sealer> sealer = daxfile::FindSealer();
  return Say(absl::StrCat(Escape(path), ": sealed ", sealer.ok() ? std::string(SealerName(*sealer)) : ""));
}

absl::StatusOr<int> RunUnseal(const Args& args) {
  const std::string& path = args.positionals()[0];
  if (absl::Status status = daxfile::UnsealFile(path); !status.ok()) return status;
  return Say(absl::StrCat(Escape(path), ": not sealed any more"));
}

constexpr Flag kSealFlags[] = {{"align", 0, true}};

}  // namespace

const Command kSealCommand = {
    "seal",
    "FILE [--align=BYTES]",
    "seals a file: its blocks stay where they are",
    R"(Seals the file until it is unsealed or the system ends. Each byte of it must have been written before: no holes, no
blocks that are only allocated, none that are shared with another file. Sealing a sealed file does nothing.

  --align=BYTES   what the place of each run of blocks must be a multiple of (2M: for huge pages); a power of two;
                  default: the page size

`daxfile status FILE` says beforehand what stands in the way.

examples:
  daxfile seal /mnt/pmem/log
  daxfile seal /mnt/pmem/log --align=2M
)",
    kSealFlags,
    1,
    1,
    RunSeal,
};

const Command kUnsealCommand = {
    "unseal",
    "FILE",
    "takes the seal off",
    R"(Makes the file an ordinary one again, which can be written to, removed and renamed. Refused while a program has it
open as a store or mapped for writing: it relies on the seal. A file that isn't sealed stays as it is.

examples:
  daxfile unseal /mnt/pmem/log
  daxfile unseal /mnt/pmem/log && rm /mnt/pmem/log
)",
    {},
    1,
    1,
    RunUnseal,
};

}  // namespace sealkv::tools
