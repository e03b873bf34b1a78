// A command-line program of subcommands: its help, its usage errors, its exit codes.
#ifndef SEALKV_TOOLS_PROGRAM_H_
#define SEALKV_TOOLS_PROGRAM_H_

#include <cstddef>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/args.h"

namespace sealkv::tools {

struct Command {
  const char* name;
  const char* synopsis;  // what follows the name
  const char* summary;   // one line
  const char* help;      // options, what it does, examples
  std::span<const Flag> flags;
  size_t positionals_min;
  size_t positionals_max;
  // A Status is printed, and becomes an exit code.
  absl::StatusOr<int> (*run)(const Args& args);
};

struct Program {
  const char* name;
  const char* synopsis;  // "COMMAND STORE [ARGUMENT…]"
  const char* help_end;  // what follows the list of commands: exit codes, examples
  std::span<const Command* const> commands;
  int exit_usage;  // the command line makes no sense
  int (*exit_code_of)(absl::StatusCode code);
};

// The whole of main(): `words` are what follows the program's name. Returns the exit code.
int RunProgram(const Program& program, std::span<const char* const> words);

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_PROGRAM_H_
