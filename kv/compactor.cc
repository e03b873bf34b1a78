#include "kv/compactor.h"

#include "absl/cleanup/cleanup.h"
#include "kv/record.h"

namespace sealkv::internal {

absl::StatusOr<std::optional<uint64_t>> Compactor::EmptyOneSegment(
    absl::FunctionRef<absl::Status(Offset record)> relocate) {
  const std::optional<Heap::Emptying> emptying = heap_.BeginEmptying();
  if (!emptying.has_value()) return std::nullopt;
  const absl::Cleanup end = [&] { heap_.EndEmptying(emptying->segment); };
  const uint64_t begin = Raw(image_.SegmentStart(emptying->segment));
  for (uint64_t at = begin; at < begin + emptying->tail;) {
    const RecordView record = image_.RecordAt(Offset{at});
    const bool is_record = !record.is_null() && at + record.bytes() <= begin + emptying->tail && record.ChecksumHolds();
    if (!is_record) {
      at += sizeof(uint64_t);
      continue;
    }
    if (record.header().flags() == kPlainRecord) {
      if (absl::Status status = relocate(Offset{at}); !status.ok()) return status;
    }
    at += record.bytes();
  }
  return emptying->segment;
}

}  // namespace sealkv::internal
