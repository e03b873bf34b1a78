// kvdump get: one value.
#include "tools/command.h"
#include "tools/output.h"
#include "tools/store_access.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

absl::StatusOr<int> Run(const Args& args) {
  const absl::StatusOr<std::string> key = KeyFromArg(args.positionals()[1], args.Has("hex"));
  if (!key.ok()) return key.status();
  const absl::StatusOr<std::unique_ptr<Store>> store = OpenStoreForReading(args.store());
  if (!store.ok()) return store.status();
  const absl::StatusOr<PinnedValue> value = (*store)->GetPinned(*key);
  if (absl::IsNotFound(value.status())) return kExitNo;
  if (!value.ok()) return value.status();
  Output output;
  if (args.Has("hex")) {
    output.Write(ToHex(value->view()));
    output.Write("\n");
  } else {
    output.Write(value->view());
  }
  if (absl::Status status = output.Close(); !status.ok()) return status;
  return kExitOk;
}

constexpr Flag kFlags[] = {{"hex"}};

}  // namespace

const Command kGetCommand = {
    "get",
    "STORE KEY [--hex]",
    "one value, byte for byte",
    R"(Writes the value as it is, with nothing behind it. Ends with 1, silently, if the key isn't there.

  --hex         KEY is hex digits, and so is what is written

examples:
  kvdump get /mnt/pmem/users ada
  kvdump get --hex /dev/shm/bench 00000000000003e8     (a number as key: big-endian)
  kvdump get /mnt/pmem/users -- -key-that-begins-with-a-dash
)",
    kFlags,
    2,
    2,
    Run,
};

}  // namespace sealkv::tools
