// kvdump: looks into SealKV stores. One subcommand a file, cmd_*.cc.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>

#include "absl/strings/str_cat.h"
#include "tools/command.h"
#include "tools/output.h"

namespace sealkv::tools {
namespace {

constexpr const Command* kCommands[] = {&kInfoCommand, &kStatCommand,   &kCheckCommand, &kSalvageCommand,
                                        &kDumpCommand, &kLoadCommand,   &kGetCommand,   &kScanCommand,
                                        &kPageCommand, &kRecordsCommand};

constexpr char kHelpEnd[] = R"(
All but load open the store read-only, on whatever tier it lies, and change nothing.
`kvdump COMMAND --help` says more about a command.

exit codes:
  0   done (check: sound)
  1   no: get: there is no such key; load: a line of the input is bad; check: minor problems; salvage: something is lost
  2   check: major problems
  3   the store can't be used: not a store, damaged, another version, full
  4   the system refuses: no such file, no permission, in use by another process, input or output, memory
  64  the command line makes no sense

examples:
  kvdump info /mnt/pmem/users
  kvdump check /mnt/pmem/users && kvdump dump /mnt/pmem/users -f users.dump
  kvdump salvage /mnt/pmem/damaged /mnt/pmem/users --lost=users.lost
  mdb_dump -n users.mdb | kvdump load /mnt/pmem/users --capacity=1G
  kvdump scan /mnt/pmem/users --prefix=a --limit=10
)";

std::string GeneralHelp() {
  std::string text = "usage: kvdump COMMAND STORE [ARGUMENT…]\n\ncommands:\n";
  for (const Command* command : kCommands) {
    std::string name = command->name;
    name.resize(10, ' ');
    absl::StrAppend(&text, "  ", name, command->summary, "\n");
  }
  return text + kHelpEnd;
}

std::string UsageOf(const Command& command) {
  return absl::StrCat("usage: kvdump ", command.name, " ", command.synopsis, "\n");
}

int PrintHelp(const std::string& text) {
  Output output;
  output.Write(text);
  return output.Close().ok() ? kExitOk : kExitSystem;
}

int FailUsage(const std::string& message, const std::string& usage) {
  std::fprintf(stderr, "kvdump: %s\n%s", message.c_str(), usage.c_str());
  return kExitUsage;
}

int ExitCodeOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kResourceExhausted:
      return kExitStore;
    default:
      return kExitSystem;
  }
}

int RunCommand(const Command& command, std::span<const char* const> words) {
  for (const char* word : words) {
    if (std::strcmp(word, "--") == 0) break;
    if (std::strcmp(word, "--help") == 0 || std::strcmp(word, "-h") == 0) {
      return PrintHelp(absl::StrCat(UsageOf(command), "\n", command.help));
    }
  }
  const absl::StatusOr<Args> args = Args::Parse(words, command.flags);
  const std::string usage = absl::StrCat(UsageOf(command), "`kvdump ", command.name, " --help` says more.\n");
  if (!args.ok()) return FailUsage(std::string(args.status().message()), usage);
  const size_t count = args->positionals().size();
  if (count < command.positionals_min) return FailUsage("an argument is missing", usage);
  if (count > command.positionals_max) {
    return FailUsage(absl::StrCat("one argument too many: ", args->positionals().back()), usage);
  }
  const absl::StatusOr<int> code = command.run(*args);
  if (code.ok()) return *code;
  std::fprintf(stderr, "kvdump: %s\n", std::string(code.status().message()).c_str());
  return ExitCodeOf(code.status().code());
}

// A mapped file that another program cuts short, or a block that can't be read, shows as this signal.
void OnBusError(int) {
  constexpr char kText[] =
      "kvdump: the store can't be read any more: its file was cut short, or its device reports an error.\n";
  if (write(STDERR_FILENO, kText, sizeof(kText) - 1) < 0) _exit(kExitSystem);
  _exit(kExitSystem);
}

int Main(std::span<const char* const> words) {
  std::signal(SIGBUS, OnBusError);
  if (words.empty()) return FailUsage("which command?", GeneralHelp());
  const std::string name = words[0];
  if (name == "--help" || name == "-h" || name == "help") return PrintHelp(GeneralHelp());
  for (const Command* command : kCommands) {
    if (name == command->name) return RunCommand(*command, words.subspan(1));
  }
  return FailUsage(absl::StrCat("no such command: ", name), "`kvdump --help` lists the commands.\n");
}

}  // namespace
}  // namespace sealkv::tools

int main(int argc, char** argv) {
  try {
    return sealkv::tools::Main({argv + 1, argv + argc});
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "kvdump: out of memory\n");
    return sealkv::tools::kExitSystem;
  }
}
