// daxfile: makes files for persistent memory, seals them, and says what they are. One file for each subcommand.
#include "absl/status/status.h"
#include "tools/daxfile/commands.h"

namespace sealkv::tools {
namespace {

constexpr const Command* kCommands[] = {&kCreateCommand, &kSealCommand, &kUnsealCommand, &kStatusCommand};

constexpr char kHelpEnd[] = R"(
A sealed file keeps its blocks where they are: a program that has it mapped makes its stores durable with clwb and sfence
alone. Sealing needs a DAX filesystem, the capability CAP_LINUX_IMMUTABLE (root), and a kernel with daxctl(2) or the
module daxctl_static. A seal ends with `daxfile unseal` or with the system: after a boot, files are sealed again by whoever
opens them (SealKV does), or by `daxfile seal`. While it lasts the file can't be removed, renamed, truncated or cloned.

`daxfile COMMAND --help` says more about a command.

exit codes:
  0   done; status --sealed: yes
  1   failed: standard error says what, where, and what to do
  2   the command line makes no sense; nothing was changed
  3   status --sealed: no
  130 create was interrupted; there is no file

examples:
  daxfile create /mnt/pmem/log --size=64M
  daxfile status /mnt/pmem/log
  daxfile status --sealed /mnt/pmem/log || daxfile seal /mnt/pmem/log
  daxfile status --json /mnt/pmem/* | jq -r 'select(.sealed | not) | .path'
  daxfile unseal /mnt/pmem/log && rm /mnt/pmem/log
)";

int ExitCodeOf(absl::StatusCode code) {
  return code == absl::StatusCode::kInvalidArgument ? kDaxfileUsage : kDaxfileFailed;
}

constexpr Program kDaxfile = {
    "daxfile", "COMMAND FILE [ARGUMENT…]", kHelpEnd, kCommands, kDaxfileUsage, ExitCodeOf,
};

}  // namespace
}  // namespace sealkv::tools

int main(int argc, char** argv) { return sealkv::tools::RunProgram(sealkv::tools::kDaxfile, {argv + 1, argv + argc}); }
