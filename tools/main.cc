// kvdump: looks into SealKV stores. One subcommand a file, cmd_*.cc.
#include <unistd.h>

#include <csignal>

#include "absl/status/status.h"
#include "tools/command.h"

namespace sealkv::tools {
namespace {

constexpr const Command* kCommands[] = {
    &kInfoCommand, &kStatCommand, &kCheckCommand,   &kBackupCommand, &kSalvageCommand, &kDumpCommand,  &kLoadCommand,
    &kGetCommand,  &kScanCommand, &kChangesCommand, &kPageCommand,   &kRecordsCommand, &kShrinkCommand};

constexpr char kHelpEnd[] = R"(
All but load and shrink open STORE read-only, on whatever tier it lies, and change nothing. They work while another process
writes the store, but for check, salvage, and backup of a new copy: these need it at rest.
`kvdump COMMAND --help` says more about a command.

exit codes:
  0   done (check: sound)
  1   no: get: there is no such key; load: a line of the input is bad; check: minor problems; salvage: something is
      lost; changes, backup: some changes are gone
  2   check: major problems
  3   the store can't be used: not a store, damaged, another version, full
  4   the system refuses: no such file, no permission, in use by another process, input or output, memory
  64  the command line makes no sense

examples:
  kvdump info /mnt/pmem/users
  kvdump check /mnt/pmem/users && kvdump dump /mnt/pmem/users -f users.dump
  kvdump backup /mnt/pmem/users /mnt/backup/users
  kvdump changes /mnt/pmem/users --since=120 --follow
  kvdump salvage /mnt/pmem/damaged /mnt/pmem/users --lost=users.lost
  mdb_dump -n users.mdb | kvdump load /mnt/pmem/users --capacity=1G
  kvdump shrink /mnt/pmem/users
  kvdump scan /mnt/pmem/users --prefix=a --limit=10
)";

int ExitCodeOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kOutOfRange:
      return kExitNo;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kResourceExhausted:
      return kExitStore;
    default:
      return kExitSystem;
  }
}

// A mapped file that another program cuts short, or a block that can't be read, shows as this signal.
void OnBusError(int) {
  constexpr char kText[] =
      "kvdump: the store can't be read any more: its file was cut short, or its device reports an error.\n";
  if (write(STDERR_FILENO, kText, sizeof(kText) - 1) < 0) _exit(kExitSystem);
  _exit(kExitSystem);
}

constexpr Program kKvdump = {
    "kvdump", "COMMAND STORE [ARGUMENT…]", kHelpEnd, kCommands, kExitUsage, ExitCodeOf,
};

}  // namespace
}  // namespace sealkv::tools

int main(int argc, char** argv) {
  std::signal(SIGBUS, sealkv::tools::OnBusError);
  return sealkv::tools::RunProgram(sealkv::tools::kKvdump, {argv + 1, argv + argc});
}
