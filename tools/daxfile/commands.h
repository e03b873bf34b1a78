// The subcommands of daxfile, and how they end.
#ifndef SEALKV_TOOLS_DAXFILE_COMMANDS_H_
#define SEALKV_TOOLS_DAXFILE_COMMANDS_H_

#include "tools/program.h"
#include "tools/progress.h"

namespace sealkv::tools {

enum DaxfileExit : int {
  kDaxfileOk = 0,
  kDaxfileFailed = 1,     // said on standard error: what, where, what to do
  kDaxfileUsage = 2,      // the command line makes no sense; nothing was changed
  kDaxfileNotSealed = 3,  // status --sealed: no
  kDaxfileInterrupted = kExitAsBySigint,
};

extern const Command kCreateCommand;
extern const Command kSealCommand;
extern const Command kUnsealCommand;
extern const Command kStatusCommand;

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_DAXFILE_COMMANDS_H_
