#include "kv/heap.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace sealkv::internal {
namespace {

constexpr unsigned kRecordGranuleBytes = 16;
constexpr uint64_t kLeastRoomBytes = 256;   // a segment with less isn't worth remembering
constexpr size_t kSmallRecordBytes = 1024;  // assembled on the stack and copied at once

}  // namespace

Heap::Heap(const Image& image, daxfile::Persist& persist, Epochs& epochs, uint32_t generation)
    : image_(image),
      persist_(persist),
      epochs_(epochs),
      segments_(image, persist),
      next_sequence_(uint64_t{generation} << 40) {}

absl::Status Heap::NoSpace(uint64_t bytes) const {
  return absl::ResourceExhaustedError(absl::StrCat("no space for ", bytes, " bytes in a store of ", image_.size_bytes(),
                                                   " bytes. Delete something, or load a dump into a larger store."));
}

// ---- nodes

absl::Status Heap::ReserveNodes(unsigned count) {
  while (free_nodes_.size() + (fresh_node_end_ - fresh_node_) / kNodeBytes < count) {
    std::optional<uint64_t> segment = segments_.Take(SegmentKind::kNodes);
    if (!segment.has_value()) {
      ReclaimAll();
      if (free_nodes_.size() + (fresh_node_end_ - fresh_node_) / kNodeBytes >= count) break;
      segment = segments_.Take(SegmentKind::kNodes);
      if (!segment.has_value()) return NoSpace(kNodeBytes);
    }
    for (; fresh_node_ < fresh_node_end_; fresh_node_ += kNodeBytes) free_nodes_.push_back(Offset{fresh_node_});
    fresh_node_ = Raw(image_.SegmentStart(*segment));
    fresh_node_end_ = fresh_node_ + image_.segment_bytes();
  }
  return absl::OkStatus();
}

Offset Heap::TakeNode() {
  Offset node;
  if (!free_nodes_.empty()) {
    node = free_nodes_.back();
    free_nodes_.pop_back();
  } else {
    node = Offset{fresh_node_};
    fresh_node_ += kNodeBytes;
    // The next one is written some operations from now, and then needn't wait for its lines.
    if (fresh_node_ < fresh_node_end_) image_.NodeAt(Offset{fresh_node_})->Prefetch();
  }
  segments_.state(image_.SegmentOf(node)).live_bytes += kNodeBytes;
  node_bytes_used_ += kNodeBytes;
  return node;
}

// ---- records

absl::StatusOr<Offset> Heap::AppendRecord(std::string_view key, std::string_view value, uint32_t flags) {
  const uint64_t bytes = RecordBytes(key.size(), value.size());
  const absl::StatusOr<Offset> offset = PlaceRecord(bytes);
  if (!offset.ok()) return offset;
  segments_.state(image_.SegmentOf(*offset)).live_bytes += bytes;
  record_bytes_used_ += bytes;
  WriteRecord(image_.base() + Raw(*offset), key, value, flags);
  return offset;
}

absl::StatusOr<Offset> Heap::PlaceRecord(uint64_t bytes) {
  if (bytes > image_.segment_bytes() / 2) {
    const auto run_length = static_cast<uint32_t>((bytes + image_.segment_bytes() - 1) / image_.segment_bytes());
    std::optional<uint64_t> segment = segments_.Take(SegmentKind::kLarge, run_length);
    if (!segment.has_value()) {
      ReclaimAll();
      segment = segments_.Take(SegmentKind::kLarge, run_length);
    }
    if (!segment.has_value()) return NoSpace(bytes);
    return image_.SegmentStart(*segment);
  }
  if (append_segment_ == kNoSegment || segments_.state(append_segment_).tail + bytes > image_.segment_bytes()) {
    if (absl::Status status = TakeAppendSegment(bytes); !status.ok()) return status;
  }
  SegmentState& state = segments_.state(append_segment_);
  const Offset offset = image_.SegmentStart(append_segment_) + state.tail;
  state.tail += static_cast<uint32_t>(bytes);
  return offset;
}

// Makes a segment with room for so many bytes the one that records are appended to.
absl::Status Heap::TakeAppendSegment(uint64_t bytes) {
  const uint64_t left = append_segment_;
  for (int attempt = 0; attempt < 2; ++attempt) {
    uint64_t next = FindPartialSegment(bytes);
    if (next == kNoSegment) next = segments_.Take(SegmentKind::kRecords).value_or(kNoSegment);
    if (next != kNoSegment) {
      append_segment_ = next;
      if (left != kNoSegment) LeaveAppendSegment(left);
      return absl::OkStatus();
    }
    ReclaimAll();  // which may have emptied the one that was full
    if (left != kNoSegment && segments_.state(left).tail + bytes <= image_.segment_bytes()) return absl::OkStatus();
  }
  return NoSpace(bytes);
}

uint64_t Heap::FindPartialSegment(uint64_t bytes) {
  for (size_t i = partial_segments_.size(); i-- > 0;) {
    const uint64_t segment = partial_segments_[i];
    const SegmentState& state = segments_.state(segment);
    const bool is_partial = state.kind == SegmentKind::kRecords && state.origin == SegmentState::Origin::kCounted &&
                            segment != append_segment_;
    const bool has_room = is_partial && state.tail + bytes <= image_.segment_bytes();
    if (is_partial && !has_room) continue;  // there may be room for a smaller one
    partial_segments_.erase(partial_segments_.begin() + static_cast<ptrdiff_t>(i));
    if (has_room) return segment;
  }
  return kNoSegment;
}

void Heap::LeaveAppendSegment(uint64_t segment) {
  const SegmentState& state = segments_.state(segment);
  if (state.live_bytes == 0) {
    segments_.Release(segment);
  } else if (image_.segment_bytes() - state.tail >= kLeastRoomBytes) {
    partial_segments_.push_back(segment);
  }
}

// A small record is put together on the stack and copied at once. Of a large one the value is copied from where it is,
// but for the lines that it shares with the key and with the padding: no line is written twice.
void Heap::WriteRecord(std::byte* to, std::string_view key, std::string_view value, uint32_t flags) {
  const uint64_t head_bytes = ValueOffset(key.size());
  const uint64_t bytes = head_bytes + Pad8(value.size());
  const bool is_small = bytes <= kSmallRecordBytes;
  // The bytes of the value that are copied along with the head: all, or those up to the next line.
  const uint64_t to_next_line = -(reinterpret_cast<uintptr_t>(to) + head_bytes) % daxfile::kCacheLineBytes;
  const uint64_t joined = is_small ? value.size() : std::min<uint64_t>(to_next_line, value.size());
  const uint64_t first_bytes = head_bytes + Pad8(joined);
  alignas(64) std::byte small[kSmallRecordBytes];
  std::vector<std::byte> large;
  if (first_bytes > kSmallRecordBytes) large.resize(first_bytes);
  std::byte* first = first_bytes > kSmallRecordBytes ? large.data() : small;

  RecordHeader header{0, RecordHeader::KeyAndFlags(static_cast<uint32_t>(key.size()), flags),
                      static_cast<uint32_t>(value.size()), 0, next_sequence_++};
  std::memset(first + head_bytes - 8, 0, 8);  // the padding; what is not padding is overwritten
  std::memcpy(first, &header, sizeof(header));
  if (!key.empty()) std::memcpy(first + sizeof(header), key.data(), key.size());
  header.checksum = RecordChecksum(first, head_bytes, value);
  std::memcpy(first, &header.checksum, sizeof(header.checksum));
  if (joined > 0) {
    std::memset(first + first_bytes - 8, 0, 8);
    std::memcpy(first + head_bytes, value.data(), joined);
  }
  persist_.CopyNonTemporal(to, first, first_bytes);
  if (joined == value.size()) return;

  const std::string_view rest = value.substr(joined);
  const uint64_t whole_lines = rest.size() / daxfile::kCacheLineBytes * daxfile::kCacheLineBytes;
  if (whole_lines > 0) persist_.CopyNonTemporal(to + first_bytes, rest.data(), whole_lines);
  if (whole_lines == rest.size()) return;
  std::byte last[daxfile::kCacheLineBytes] = {};
  std::memcpy(last, rest.data() + whole_lines, rest.size() - whole_lines);
  persist_.CopyNonTemporal(to + first_bytes + whole_lines, last, Pad8(rest.size() - whole_lines));
}

// ---- retirement

// Made in place: a copy would be loaded in pieces wider than it was stored, and such a load waits for the fence.
void Heap::Retire(Offset offset, uint64_t bytes, bool is_node) {
  retired_.emplace_back(epochs_.current(), offset, bytes, is_node);
  bytes_retired_ += bytes;
}

void Heap::ReclaimIfDue() {
  if (retired_.size() < reclaim_at_) [[likely]]
    return;
  ReclaimAll();
  reclaim_at_ = retired_.size() + kReclaimBatch;
}

void Heap::ReclaimAll() {
  if (finish_is_due_) FinishMarking();
  if (retired_.empty()) return;
  epochs_.Advance();
  const uint64_t oldest = epochs_.Oldest();
  while (!retired_.empty() && retired_.front().epoch < oldest) {
    const Retired retired = retired_.front();
    retired_.pop_front();
    bytes_retired_ -= retired.bytes;
    if (retired.is_node) {
      FreeNode(retired.offset);
    } else {
      FreeRecord(retired.offset, retired.bytes);
    }
  }
}

void Heap::FreeNode(Offset node) {
  SegmentState& state = segments_.state(image_.SegmentOf(node));
  if (state.kind != SegmentKind::kNodes || state.live_bytes < kNodeBytes) return;
  if (state.origin != SegmentState::Origin::kCounted) {
    // Not counted yet: without its mark the sweep finds it free.
    if (!ClearMark(node, kNodeBytes)) return;
  } else {
    free_nodes_.push_back(node);
  }
  state.live_bytes -= kNodeBytes;
  node_bytes_used_ -= kNodeBytes;
}

void Heap::FreeRecord(Offset record, uint64_t bytes) {
  const uint64_t segment = image_.SegmentOf(record);
  SegmentState& state = segments_.state(segment);
  const bool holds_records = state.kind == SegmentKind::kRecords || state.kind == SegmentKind::kLarge;
  if (!holds_records || state.live_bytes < bytes) return;
  if (state.origin != SegmentState::Origin::kCounted && !ClearMark(record, kRecordGranuleBytes)) return;
  state.live_bytes -= bytes;
  record_bytes_used_ -= bytes;
  if (state.origin != SegmentState::Origin::kCounted) return;
  if (segment != append_segment_) {
    ReleaseIfEmpty(segment);
  } else if (state.live_bytes == 0) {
    state.tail = 0;
  }
}

void Heap::ReleaseIfEmpty(uint64_t segment) {
  if (segments_.state(segment).live_bytes == 0) segments_.Release(segment);
}

bool Heap::IsEmptyNodeSegment(uint64_t segment) {
  const SegmentState& state = segments_.state(segment);
  return state.kind == SegmentKind::kNodes && state.origin == SegmentState::Origin::kCounted && state.live_bytes == 0;
}

bool Heap::HasEmptyNodeSegments() {
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    if (IsEmptyNodeSegment(segment)) return true;
  }
  return false;
}

bool Heap::ReleaseEmptyNodeSegments() {
  std::erase_if(free_nodes_, [this](Offset node) { return segments_.state(image_.SegmentOf(node)).live_bytes == 0; });
  if (fresh_node_ < fresh_node_end_ && segments_.state(image_.SegmentOf(Offset{fresh_node_})).live_bytes == 0) {
    fresh_node_ = fresh_node_end_;
  }
  const uint64_t free_before = segments_.free_count();
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    if (IsEmptyNodeSegment(segment)) segments_.Release(segment);
  }
  return segments_.free_count() > free_before;
}

// ---- marking

void Heap::BeginMarking() {
  segments_.ScanAll();
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    const SegmentState& state = segments_.state(segment);
    if (state.origin != SegmentState::Origin::kUnknown) continue;
    // The bits come with the first mark: there may be gigabytes of them in all, and this is somebody's first write.
    if (state.kind != SegmentKind::kFree) marks_[segment];
    if (state.kind == SegmentKind::kLarge) segment += state.run_length - 1;
  }
}

bool Heap::SetMark(Offset offset, unsigned granule_bytes) {
  const uint64_t segment = image_.SegmentOf(offset);
  const auto found = marks_.find(segment);
  if (found == marks_.end()) return false;
  const SegmentState& state = segments_.state(segment);
  if (found->second.empty()) {
    const unsigned granule = state.kind == SegmentKind::kNodes ? kNodeBytes : kRecordGranuleBytes;
    found->second.resize(state.kind == SegmentKind::kLarge ? 1 : image_.segment_bytes() / granule);
  }
  const uint64_t bit = (Raw(offset) - Raw(image_.SegmentStart(segment))) / granule_bytes;
  if (bit >= found->second.size() || found->second[bit]) return false;
  found->second[bit] = true;
  return true;
}

bool Heap::ClearMark(Offset offset, unsigned granule_bytes) {
  const uint64_t segment = image_.SegmentOf(offset);
  const auto found = marks_.find(segment);
  if (found == marks_.end()) return false;
  const uint64_t bit = (Raw(offset) - Raw(image_.SegmentStart(segment))) / granule_bytes;
  if (bit >= found->second.size() || !found->second[bit]) return false;
  found->second[bit] = false;
  return true;
}

void Heap::MarkNode(Offset node) {
  if (!SetMark(node, kNodeBytes)) return;
  segments_.state(image_.SegmentOf(node)).live_bytes += kNodeBytes;
  node_bytes_used_ += kNodeBytes;
}

void Heap::MarkRecord(Offset record, uint64_t bytes) {
  if (!SetMark(record, kRecordGranuleBytes)) return;
  const uint64_t segment = image_.SegmentOf(record);
  SegmentState& state = segments_.state(segment);
  state.live_bytes += bytes;
  record_bytes_used_ += bytes;
  const uint64_t end =
      std::min(Raw(record) + bytes - Raw(image_.SegmentStart(segment)), image_.segment_bytes());  // damaged: beyond
  if (state.kind == SegmentKind::kRecords) state.tail = std::max(state.tail, static_cast<uint32_t>(end));
}

// A node segment stays one, even if nothing lives in it: a reader may still follow a hint there.
void Heap::SweepNodes(uint64_t segment) {
  const MarkBits& marks = marks_[segment];  // empty if nothing was met
  for (uint64_t i = image_.segment_bytes() / kNodeBytes; i-- > 0;) {
    if (marks.empty() || !marks[i]) free_nodes_.push_back(image_.SegmentStart(segment) + i * kNodeBytes);
  }
}

void Heap::SweepRecords(uint64_t segment) {
  const SegmentState& state = segments_.state(segment);
  if (state.live_bytes == 0) {
    segments_.Release(segment);
  } else if (state.kind == SegmentKind::kRecords && state.tail < image_.segment_bytes()) {
    partial_segments_.push_back(segment);
  }
}

void Heap::FinishMarking() {
  finish_is_due_ = !epochs_.AreAllReadersFromNow();
  if (finish_is_due_) return;  // what no mark is on may still be looked at: ReclaimAll tries again
  // What is unlinked but may still be looked at keeps its place until it is freed.
  for (const Retired& retired : retired_) {
    if (retired.is_node) {
      MarkNode(retired.offset);
    } else {
      MarkRecord(retired.offset, retired.bytes);
    }
  }
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    SegmentState& state = segments_.state(segment);
    if (state.origin != SegmentState::Origin::kUnknown || state.kind == SegmentKind::kFree) continue;
    const uint32_t run_length = state.run_length;
    for (uint32_t i = 0; i < run_length; ++i) segments_.state(segment + i).origin = SegmentState::Origin::kCounted;
    if (state.kind == SegmentKind::kNodes) {
      SweepNodes(segment);
    } else {
      SweepRecords(segment);
    }
    segment += run_length - 1;
  }
  marks_.clear();
  space_is_known_ = true;
}

}  // namespace sealkv::internal
