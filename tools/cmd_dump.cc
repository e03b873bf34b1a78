// kvdump dump: keys and values as text that mdb_load, db_load and kvdump load read.
#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "tools/command.h"
#include "tools/mdb_text.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/store_access.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

// LMDB takes whole pages for values beyond 2 KiB, and needs some to work with. For it the map's size costs nothing.
uint64_t MapSizeFor(const Store& store) {
  const Stats stats = store.GetStats();
  const uint64_t used_bytes = (stats.segments_total - stats.segments_free) * stats.segment_bytes;
  constexpr uint64_t kSlackBytes = 4 << 20;
  return std::max(stats.capacity_bytes, 2 * used_bytes + kSlackBytes);
}

absl::StatusOr<int> DumpRange(const Store& store, Range range, MdbEncoding encoding, Output& output) {
  MdbTextWriter writer(output, encoding);
  writer.WriteHeader(MapSizeFor(store));
  Progress progress;
  uint64_t count = 0;
  uint64_t expiring = 0;
  const std::unique_ptr<Iterator> at = store.NewIterator(std::move(range));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    writer.WritePair(at->key(), at->value());
    ++count;
    expiring += at->expiry().has_value();
    if (WasInterrupted()) return kExitInterrupted;
    if (!output.status().ok()) return output.status();
    if (progress.IsDue()) progress.Show(absl::StrCat("dumping: ", WithCommas(count), " keys"));
  }
  if (!at->status().ok()) return at->status();
  writer.WriteEnd();
  progress.Clear();
  if (expiring > 0) {
    std::fprintf(stderr,
                 "kvdump: warning: %s of the values expire some time; the dump doesn't say when, and loaded again they "
                 "stay (`kvdump backup` keeps it)\n",
                 WithCommas(expiring).c_str());
  }
  return kExitOk;
}

absl::StatusOr<int> Run(const Args& args) {
  absl::StatusOr<Range> range = RangeFromArgs(args);
  if (!range.ok()) return range.status();
  const absl::StatusOr<std::unique_ptr<Store>> store = OpenStoreForReading(args.store());
  if (!store.ok()) return store.status();
  const std::optional<std::string> path = args.Value("file");
  absl::StatusOr<Output> file = path.has_value() ? Output::ToFile(*path) : Output();
  if (!file.ok()) return file.status();
  CatchInterrupts();
  const MdbEncoding encoding = args.Has("print") ? MdbEncoding::kPrint : MdbEncoding::kByteValue;
  const absl::StatusOr<int> result = DumpRange(**store, *std::move(range), encoding, *file);
  // A dump that isn't whole shows it: there is no DATA=END, and under -f no file.
  if (!result.ok() || *result != kExitOk) {
    if (!path.has_value()) (void)file->Close();
    return result;
  }
  if (absl::Status status = file->Close(); !status.ok()) return status;
  return kExitOk;
}

constexpr Flag kFlags[] = {{"print", 'p'},    {"file", 'f', true}, {"prefix", 0, true},
                           {"from", 0, true}, {"to", 0, true},     {"hex"}};

}  // namespace

const Command kDumpCommand = {
    "dump",
    "STORE [-p] [-f FILE] [--prefix=KEY] [--from=KEY] [--to=KEY]",
    "all keys and values as text, in the format of mdb_dump",
    R"(Writes the text format of LMDB's mdb_dump (VERSION=3), in key order: mdb_load, db_load and kvdump load read it.
A dump that could not be finished lacks its last line, DATA=END. The format has no place for when a value expires: those that
are over aren't in the dump, and the others stay for good where it is loaded.

  -p, --print       printable characters as they are, others as \xx; default: all bytes in hex
  -f, --file=FILE   write to FILE, which appears when the dump is complete
  --prefix=KEY      only keys that begin with KEY
  --from=KEY        only keys from KEY on
  --to=KEY          only keys before KEY
  --hex             KEYs on the command line are hex digits

examples:
  kvdump dump /mnt/pmem/users -f users.dump
  kvdump dump -p /mnt/pmem/users | less
  kvdump dump /mnt/pmem/users | mdb_load -n users.mdb
)",
    kFlags,
    1,
    1,
    Run,
};

}  // namespace sealkv::tools
