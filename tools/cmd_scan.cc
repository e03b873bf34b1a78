// kvdump scan: keys and values of a range, a line each, for people and shell scripts.
#include "absl/strings/str_cat.h"
#include "tools/command.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/store_access.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

struct ScanOptions {
  uint64_t limit;
  bool is_reverse;
  bool keys_only;
  bool is_hex;
};

absl::StatusOr<int> Scan(const Store& store, Range range, const ScanOptions& options, Output& output) {
  const std::unique_ptr<Iterator> at = store.NewIterator(std::move(range));
  options.is_reverse ? at->SeekToLast() : at->SeekToFirst();
  for (uint64_t count = 0; at->Valid() && count < options.limit; ++count) {
    output.Write(options.is_hex ? ToHex(at->key()) : Escape(at->key()));
    if (!options.keys_only) {
      output.Write("\t");
      output.Write(options.is_hex ? ToHex(at->value()) : Escape(at->value()));
    }
    output.Write("\n");
    if (!output.status().ok()) return output.status();
    options.is_reverse ? at->Prev() : at->Next();
  }
  if (!at->status().ok()) return at->status();
  return kExitOk;
}

absl::StatusOr<int> Run(const Args& args) {
  absl::StatusOr<Range> range = RangeFromArgs(args);
  if (!range.ok()) return range.status();
  const absl::StatusOr<std::optional<uint64_t>> limit = args.Number("limit");
  if (!limit.ok()) return limit.status();
  const absl::StatusOr<std::unique_ptr<Store>> store = OpenStoreForReading(args.store());
  if (!store.ok()) return store.status();
  Output output;
  const ScanOptions options{limit->value_or(~uint64_t{0}), args.Has("reverse"), args.Has("keys-only"), args.Has("hex")};
  const absl::StatusOr<int> result = Scan(**store, *std::move(range), options, output);
  // What was read before an error is shown.
  if (absl::Status status = output.Close(); !status.ok()) return status;
  return result;
}

constexpr Flag kFlags[] = {{"prefix", 0, true}, {"from", 0, true}, {"to", 0, true}, {"limit", 'n', true},
                           {"reverse", 'r'},    {"keys-only"},     {"hex"}};

}  // namespace

const Command kScanCommand = {
    "scan",
    "STORE [--prefix=KEY] [--from=KEY] [--to=KEY] [--limit=N] [--reverse] [--keys-only] [--hex]",
    "keys and values of a range, a line each",
    R"(Writes a line for each key: the key, a tab, the value. Bytes that aren't printable ASCII are escaped as in C
(\\ \n \t \r \xff), so that a line is a line.

  --prefix=KEY      only keys that begin with KEY
  --from=KEY        only keys from KEY on
  --to=KEY          only keys before KEY
  -n, --limit=N     at most N of them
  -r, --reverse     from the last to the first
  --keys-only       no tab and no value
  --hex             KEYs on the command line, and what is written, are hex digits

examples:
  kvdump scan /mnt/pmem/users --prefix=a --limit=10
  kvdump scan /mnt/pmem/users --keys-only --reverse | head
  kvdump scan --hex /dev/shm/bench --from=00000000000003e8 --to=00000000000007d0
)",
    kFlags,
    1,
    1,
    Run,
};

}  // namespace sealkv::tools
