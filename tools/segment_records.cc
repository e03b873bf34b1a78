#include "tools/segment_records.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "kv/check_record.h"
#include "kv/lanes.h"
#include "tools/text.h"

namespace sealkv::tools {

using internal::Image;
using internal::Offset;
using internal::Raw;
using internal::RecordHeader;
using internal::SegmentKind;
using internal::SegmentWord;

const char* SegmentKindName(SegmentKind kind) {
  switch (kind) {
    case SegmentKind::kFree:
      return "free";
    case SegmentKind::kNodes:
      return "nodes";
    case SegmentKind::kRecords:
      return "records";
    case SegmentKind::kLarge:
      return "large";
  }
  return "unknown";
}

SegmentRun RunOf(const Image& image, uint64_t segment) {
  const SegmentWord word = image.segment_word(segment);
  if (!word.IsWellFormed(segment, image.segment_count())) return {segment, 1, SegmentKind::kFree, true};
  if (word.raw() != SegmentWord::kFreeRaw) return {segment, word.run_length(), word.kind(), false};
  // Only a run's first word is written: this one may be inside.
  uint64_t first = segment;
  while (first > image.header_segments() && image.segment_word(first).raw() == SegmentWord::kFreeRaw) --first;
  const SegmentWord before = image.segment_word(first);
  const bool is_inside = before.IsWellFormed(first, image.segment_count()) && before.kind() == SegmentKind::kLarge &&
                         first + before.run_length() > segment;
  if (is_inside) return {first, before.run_length(), SegmentKind::kLarge, false};
  return {segment, 1, SegmentKind::kFree, false};
}

SegmentRecords::SegmentRecords(const Image& image, const SegmentRun& run)
    : image_(image),
      is_large_(run.kind == SegmentKind::kLarge),
      next_(image.SegmentStart(run.first)),
      end_(image.SegmentStart(run.first + run.length)) {}

bool SegmentRecords::Next() {
  if (!why_ended_.empty()) return false;
  if (is_large_ && offset_ != Offset::kNone) {
    why_ended_ = "a large run holds one record";
    return false;
  }
  // A batch's blob lies among records, until the segment is used anew.
  for (const internal::RedoChunk* chunk; (chunk = internal::RedoChunkAt(image_, next_)) != nullptr;) {
    next_ = next_ + chunk->bytes();
  }
  const uint64_t room = Raw(next_) < Raw(end_) ? Raw(end_) - Raw(next_) : 0;
  if (room < sizeof(RecordHeader)) {
    why_ended_ = "the segment is full";
    return false;
  }
  const internal::RecordView record = image_.RecordAt(next_);
  static constexpr RecordHeader kZeros{};
  if (std::memcmp(image_.base() + Raw(next_), &kZeros, sizeof(kZeros)) == 0) {
    why_ended_ = absl::StrCat("nothing was ever written from ", HexNumber(Raw(next_)), " on");
    return false;
  }
  const std::string fault = record.is_null() || record.bytes() > room ? "it would not end inside the segment"
                                                                      : internal::RecordHeaderFault(record.header());
  if (!fault.empty()) {
    why_ended_ = absl::StrCat("no record can be at ", HexNumber(Raw(next_)), ": ", fault);
    return false;
  }
  offset_ = next_;
  record_ = record;
  next_ = next_ + record.bytes();
  return true;
}

}  // namespace sealkv::tools
