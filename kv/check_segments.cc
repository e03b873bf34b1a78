#include "kv/check_segments.h"

#include <algorithm>

namespace sealkv::internal {
namespace {

const char* KindName(SegmentKind kind) {
  switch (kind) {
    case SegmentKind::kFree:
      return "free";
    case SegmentKind::kNodes:
      return "for nodes";
    case SegmentKind::kRecords:
      return "for records";
    case SegmentKind::kLarge:
      return "part of a large run";
  }
  return "unknown";
}

}  // namespace

CheckSegments::CheckSegments(const Image& image, Findings& findings)
    : image_(image), findings_(findings), segments_(image.segment_count()) {
  CheckHeaderWords();
  ReadTable();
}

void CheckSegments::CheckHeaderWords() {
  for (uint64_t index = 0; index < image_.header_segments(); ++index) {
    segments_[index].is_damaged = true;  // nothing may lie here, and Image lets nothing
    if (image_.segment_word(index).raw() == SegmentWord::kFreeRaw) continue;
    findings_.Minor(WordOffset(index), "segment table: the word of header segment ", index, " is not zero");
  }
}

void CheckSegments::ReadTable() {
  CheckReport& report = findings_.report();
  for (uint64_t index = image_.header_segments(); index < segments_.size();) {
    const SegmentWord word = image_.segment_word(index);
    if (!word.IsWellFormed(index, segments_.size())) {
      findings_.Major(WordOffset(index), "segment table: the word of segment ", index, " is damaged: 0x",
                      absl::Hex(word.raw()));
      segments_[index].is_damaged = true;
      ++report.segments_damaged;
      ++index;
      continue;
    }
    segments_[index].kind = word.kind();
    segments_[index].run_begin = index;
    const uint64_t next = word.kind() == SegmentKind::kLarge ? ReadRun(index, word) : index + 1;
    report.segments_by_kind[static_cast<size_t>(word.kind())] += next - index;
    index = next;
  }
}

// The words inside a run are zero. One that isn't may be the start of something else: then the run ends before it.
uint64_t CheckSegments::ReadRun(uint64_t first, SegmentWord word) {
  const uint64_t end = first + word.run_length();
  uint64_t index = first + 1;
  while (index < end && image_.segment_word(index).raw() == SegmentWord::kFreeRaw) ++index;
  if (index < end) {
    findings_.Major(WordOffset(index), "segment table: segment ", index,
                    " is in use, but lies inside the large run of ", word.run_length(), " segments from ", first);
  }
  for (uint64_t i = first; i < index; ++i) {
    segments_[i].kind = SegmentKind::kLarge;
    segments_[i].run_begin = first;
    segments_[i].run_length = index - first;
  }
  return index;
}

bool CheckSegments::Claim(Offset offset, uint64_t bytes) {
  uint64_t granule = Raw(offset) / kGranuleBytes;
  const uint64_t end = (Raw(offset) + bytes) / kGranuleBytes;
  const uint64_t per_segment = image_.segment_bytes() / kGranuleBytes;
  while (granule < end) {
    const uint64_t first = granule % per_segment;
    const uint64_t count = std::min(end - granule, per_segment - first);
    const uint64_t claimed = ClaimWithin(segments_[granule / per_segment], first, count);
    granule += claimed;
    if (claimed == count) continue;
    Unclaim(offset, granule * kGranuleBytes - Raw(offset));
    return false;
  }
  return true;
}

uint64_t CheckSegments::ClaimWithin(Segment& segment, uint64_t first, uint64_t count) {
  constexpr uint64_t kBits = 64;
  if (segment.claimed == nullptr) {
    segment.claimed = std::make_unique<uint64_t[]>(image_.segment_bytes() / kGranuleBytes / kBits);
  }
  const uint64_t begin = first;
  for (const uint64_t end = first + count; first < end;) {
    const uint64_t bit = first % kBits;
    const uint64_t bits = std::min(end - first, kBits - bit);
    const uint64_t mask = (bits == kBits ? ~uint64_t{0} : (uint64_t{1} << bits) - 1) << bit;
    uint64_t& word = segment.claimed[first / kBits];
    if ((word & mask) != 0) break;
    word |= mask;
    segment.live_bytes += bits * kGranuleBytes;
    first += bits;
  }
  return first - begin;
}

void CheckSegments::Unclaim(Offset offset, uint64_t bytes) {
  constexpr uint64_t kBits = 64;
  if (unclaimed_bytes_ + bytes > image_.size_bytes()) return;
  unclaimed_bytes_ += bytes;
  const uint64_t per_segment = image_.segment_bytes() / kGranuleBytes;
  const uint64_t end = (Raw(offset) + bytes) / kGranuleBytes;
  for (uint64_t granule = Raw(offset) / kGranuleBytes + 1; granule < end; ++granule) {
    Segment& segment = segments_[granule / per_segment];
    const uint64_t bit = granule % per_segment;
    segment.claimed[bit / kBits] &= ~(uint64_t{1} << bit % kBits);
    segment.live_bytes -= kGranuleBytes;
  }
}

bool CheckSegments::IsClaimed(Offset offset) const {
  constexpr uint64_t kBits = 64;
  const Segment& segment = segments_[image_.SegmentOf(offset)];
  const uint64_t granule = Raw(offset) % image_.segment_bytes() / kGranuleBytes;
  return segment.claimed != nullptr && (segment.claimed[granule / kBits] >> granule % kBits & 1) != 0;
}

// The word is wrong for the object rather than the other way round: it is what puts all objects of the segment at risk.
void CheckSegments::ReportKind(Segment& segment, uint64_t index, const char* object, Offset offset) {
  if (segment.is_damaged || segment.is_reported) return;
  segment.is_reported = true;
  findings_.Major(WordOffset(index), "segment table: segment ", index, " is ", KindName(segment.kind),
                  ", but there is ", object, " at ", Findings::Hex(offset));
}

void CheckSegments::CheckPlaceOfNode(Offset node) {
  Segment& segment = SegmentAt(node);
  if (segment.kind != SegmentKind::kNodes) ReportKind(segment, image_.SegmentOf(node), "a node", node);
}

void CheckSegments::CheckPlaceOfRecord(Offset record, uint64_t bytes) {
  const uint64_t index = image_.SegmentOf(record);
  Segment& segment = segments_[index];
  if (segment.is_damaged) return;
  if (segment.kind != SegmentKind::kRecords && segment.kind != SegmentKind::kLarge) {
    return ReportKind(segment, index, "a record", record);
  }
  const Offset begin = image_.SegmentStart(segment.kind == SegmentKind::kLarge ? segment.run_begin : index);
  const uint64_t room = segment.run_length * image_.segment_bytes() - (Raw(record) - Raw(begin));
  if (segment.kind == SegmentKind::kLarge && record != begin) {
    findings_.Major(record, "the record lies inside a large run that begins at ", Findings::Hex(begin));
  } else if (bytes > room) {
    findings_.Major(record, "the record has ", bytes, " bytes, but its segments end after ", room);
  }
}

void CheckSegments::CountLive() {
  CheckReport& report = findings_.report();
  for (uint64_t index = image_.header_segments(); index < segments_.size();) {
    const Segment& segment = segments_[index];
    index += segment.kind == SegmentKind::kLarge ? segment.run_length : 1;
    if (segment.kind == SegmentKind::kFree) continue;
    if (segment.live_bytes == 0) report.segments_unreachable += segment.run_length;
    const uint64_t tenth = std::min<uint64_t>(segment.live_bytes * 10 / image_.segment_bytes(), 9);
    if (segment.kind == SegmentKind::kNodes) ++report.node_segments_by_tenth[tenth];
    if (segment.kind == SegmentKind::kRecords) ++report.record_segments_by_tenth[tenth];
  }
}

}  // namespace sealkv::internal
