// How kvdump makes stores: the durability asked for, progress while zeros are written, an end at Ctrl-C.
#ifndef SEALKV_TOOLS_NEW_STORE_H_
#define SEALKV_TOOLS_NEW_STORE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/sealkv.h"
#include "tools/args.h"
#include "tools/progress.h"

namespace sealkv::tools {

// --capacity, --max-capacity and --change-log, where they are given.
absl::Status SizesFromArgs(const Args& args, Options* options);
inline constexpr Flag kCapacityFlag = {"capacity", 0, true};
inline constexpr Flag kMaxCapacityFlag = {"max-capacity", 0, true};
inline constexpr Flag kChangeLogFlag = {"change-log", 0, true};

// Store::Create. Interrupted while it writes zeros, it removes the file and ends the program.
absl::StatusOr<std::unique_ptr<Store>> CreateStore(const std::string& path, Options options, Progress& progress);

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_NEW_STORE_H_
