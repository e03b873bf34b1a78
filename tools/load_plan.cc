#include "tools/load_plan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "kv/record.h"
#include "tools/new_store.h"
#include "tools/tier_flag.h"

namespace sealkv::tools {
namespace {

// Reads the input through, by a descriptor of its own, and adds up what its pairs will take. Stops at the first bad
// line: the load itself will stop there too, and say so.
std::optional<uint64_t> CapacityForFile(int input, bool is_plain) {
  const int fd = open(absl::StrCat("/proc/self/fd/", input).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  const absl::Cleanup close_fd = [fd] { close(fd); };
  LineReader lines(fd, "", kLineBytesMax);
  MdbTextReader reader(lines, is_plain, [](const std::string&) {});
  uint64_t record_bytes = 0;
  uint64_t keys = 0;
  std::string key, value;
  const auto succeeds = [](const absl::StatusOr<bool>& found) { return found.ok() && *found; };
  bool goes_on = true;
  while (goes_on && succeeds(reader.NextDatabase())) {
    absl::StatusOr<bool> found;
    while (succeeds(found = reader.NextPair(&key, &value))) {
      record_bytes += internal::RecordBytes(key.size(), value.size());
      ++keys;
    }
    goes_on = found.ok();
  }
  return CapacityFor(record_bytes, keys);
}

// How large the new store becomes when nobody says.
absl::StatusOr<uint64_t> DefaultCapacity(const Args& args, int input, const MdbTextReader::Header& header,
                                         bool is_regular_file) {
  const std::optional<uint64_t> needed = is_regular_file ? CapacityForFile(input, args.Has("plain")) : std::nullopt;
  if (!needed.has_value()) {
    if (header.mapsize.has_value()) return std::max(*header.mapsize, kMinCapacityBytes);
    return absl::InvalidArgumentError("the input doesn't say how large the new store should be: give --capacity=BYTES");
  }
  // A mapsize may be anything, for in LMDB it is only addresses; here it is space. Within reason it is followed.
  constexpr uint64_t kReason = 4;
  return std::clamp(header.mapsize.value_or(0), *needed, kReason * *needed);
}

}  // namespace

uint64_t CapacityFor(uint64_t record_bytes, uint64_t keys) {
  constexpr uint64_t kNodeBytesPerKey = 48;
  constexpr uint64_t kLeastBytes = 1 << 20;
  return 2 * (record_bytes + keys * kNodeBytesPerKey) + kLeastBytes;
}

absl::StatusOr<LoadPlan> PlanLoad(const Args& args, int input, const MdbTextReader::Header& header) {
  LoadPlan plan;
  plan.store = args.store();
  plan.keeps_existing = args.Has("no-overwrite");
  plan.database = args.Value("database");
  plan.emulate_on_dram = args.Has("emulate-on-dram");
  const absl::StatusOr<daxfile::Tier> tier = TierFromArgs(args);
  if (!tier.ok()) return tier.status();
  plan.weakest_tier = *tier;
  struct stat info;
  const bool is_regular_file = fstat(input, &info) == 0 && S_ISREG(info.st_mode);
  if (is_regular_file) plan.input_bytes = static_cast<uint64_t>(info.st_size);

  Options sizes;
  if (absl::Status status = SizesFromArgs(args, &sizes); !status.ok()) return status;
  plan.creates_store = stat(plan.store.c_str(), &info) != 0 && errno == ENOENT;
  if (!plan.creates_store) return plan;
  plan.max_bytes = sizes.max_bytes;
  plan.change_log_bytes = sizes.change_log_bytes;
  if (args.Has("capacity")) {
    plan.capacity_bytes = sizes.capacity_bytes;
    return plan;
  }
  const absl::StatusOr<uint64_t> by_default = DefaultCapacity(args, input, header, is_regular_file);
  if (!by_default.ok()) return by_default.status();
  plan.capacity_bytes = *by_default;
  return plan;
}

}  // namespace sealkv::tools
