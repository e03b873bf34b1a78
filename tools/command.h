// The subcommands of kvdump, and how they end.
#ifndef SEALKV_TOOLS_COMMAND_H_
#define SEALKV_TOOLS_COMMAND_H_

#include "tools/program.h"
#include "tools/progress.h"

namespace sealkv::tools {

// The exit codes of every command. 0 to 4 are those of mdbx_chk.
enum ExitCode : int {
  kExitOk = 0,
  // get: no such key; load: a bad line in the input; check: minor problems only; salvage: something is lost;
  // changes: some are gone
  kExitNo = 1,
  kExitMajor = 2,   // check: major problems
  kExitStore = 3,   // the store can't be used: not a store, damaged, another version, full
  kExitSystem = 4,  // the system refuses: no such file, no permission, in use, input or output, memory
  kExitUsage = 64,  // the command line makes no sense (EX_USAGE of sysexits.h)
  kExitInterrupted = kExitAsBySigint,
};

extern const Command kInfoCommand;
extern const Command kStatCommand;
extern const Command kCheckCommand;
extern const Command kDumpCommand;
extern const Command kLoadCommand;
extern const Command kGetCommand;
extern const Command kScanCommand;
extern const Command kPageCommand;
extern const Command kRecordsCommand;
extern const Command kSalvageCommand;
extern const Command kBackupCommand;
extern const Command kShrinkCommand;
extern const Command kChangesCommand;

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_COMMAND_H_
