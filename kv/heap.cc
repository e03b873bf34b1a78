#include "kv/heap.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>

#include "absl/strings/str_cat.h"
#include "kv/make_room.h"

namespace sealkv::internal {
namespace {

constexpr uint64_t kLeastRoomBytes = 256;  // a segment with less isn't worth remembering
constexpr int kMarkPlaceBits = 24;
constexpr size_t kSmallRecordBytes = 1024;  // assembled on the stack and copied at once

using HeapLock = std::lock_guard<WriterLock>;

}  // namespace

Heap::Heap(const Image& image, daxfile::Persist& persist, Epochs& epochs, const Versions& versions, uint32_t generation)
    : image_(image),
      persist_(persist),
      epochs_(epochs),
      versions_(versions),
      segments_(image, persist),
      next_sequence_(uint64_t{generation} << kGenerationShift) {}

absl::Status Heap::NoSpace(uint64_t bytes) const {
  return absl::ResourceExhaustedError(
      absl::StrCat("no space for ", bytes, " bytes in a store of ", image_.size_bytes(), " bytes."));
}

// ---- arenas

Arena& Heap::MakeArena(EpochSlot& slot) {
  const HeapLock lock(mutex_);
  Arena& arena = *arenas_.emplace_back(std::make_unique<Arena>());
  arena.reclaim_at = ReclaimBatch();
  SyncSequence(arena);
  slot.set_arena(&arena);
  return arena;
}

void Heap::ForEachArena(absl::FunctionRef<void(Arena&)> visit) {
  const HeapLock lock(mutex_);
  for (const auto& arena : arenas_) visit(*arena);
}

// Arenas count on their own, and meet here: none is much behind.
void Heap::SyncSequence(Arena& arena) {
  next_sequence_ = std::max(next_sequence_, arena.next_sequence);
  arena.next_sequence = next_sequence_;
}

void Heap::CollectArenas() noexcept {
  const HeapLock lock(mutex_);
  if (finish_is_due_) TryToFinishMarking();
  FindUnseen();
  for (const auto& arena : arenas_) {
    FreeRetired(*arena, arena->retired.size());
    LeaveAppendSegment(*arena);
    for (const Offset node : arena->free_nodes) PutBackNode(node);
    arena->free_nodes.clear();
    for (; arena->fresh_node < arena->fresh_node_end; arena->fresh_node += kNodeBytes) {
      PutBackNode(Offset{arena->fresh_node});
    }
  }
  Settle();
}

// ---- nodes

absl::Status Heap::ReserveNodes(Arena& arena, unsigned count) {
  const auto is_enough = [&] {
    return arena.free_nodes.size() + (arena.fresh_node_end - arena.fresh_node) / kNodeBytes >= count;
  };
  while (!is_enough()) {
    {
      const HeapLock lock(mutex_);
      if (RefillNodes(arena)) continue;
    }
    Reclaim(arena);
    if (is_enough()) break;
    const HeapLock lock(mutex_);
    if (!RefillNodes(arena)) return NoSpace(kNodeBytes);
  }
  return absl::OkStatus();
}

// Free nodes, or new ones: these together, one behind the other.
bool Heap::RefillNodes(Arena& arena) {
  arena.free_nodes.reserve(arena.free_nodes.size() + 2 * kNodesAtOnce);
  const auto is_closed = [this](uint64_t segment) { return IsClosed(segment); };
  const size_t before = arena.free_nodes.size();
  if (const auto segment = free_nodes_.Take(kNodesAtOnce, &arena.free_nodes, is_closed)) {
    segments_.state(*segment).live_bytes += static_cast<int64_t>((arena.free_nodes.size() - before) * kNodeBytes);
    return true;
  }
  if (fresh_node_ == fresh_node_end_) {
    const std::optional<uint64_t> segment = TakeSegment(arena, SegmentKind::kNodes, 1);
    if (!segment.has_value()) return false;
    fresh_node_ = Raw(image_.SegmentStart(*segment));
    fresh_node_end_ = fresh_node_ + image_.segment_bytes();
  }
  for (; arena.fresh_node < arena.fresh_node_end; arena.fresh_node += kNodeBytes) {
    arena.free_nodes.push_back(Offset{arena.fresh_node});
  }
  const uint64_t bytes = std::min(fresh_node_end_ - fresh_node_, kNodesAtOnce * kNodeBytes);
  segments_.state(image_.SegmentOf(Offset{fresh_node_})).live_bytes += static_cast<int64_t>(bytes);
  arena.fresh_node = fresh_node_;
  fresh_node_ += bytes;
  arena.fresh_node_end = fresh_node_;
  return true;
}

void Heap::PutBackNode(Offset node) noexcept {
  const uint64_t segment = image_.SegmentOf(node);
  SegmentState& state = segments_.state(segment);
  state.live_bytes -= kNodeBytes;
  free_nodes_.Put(segment, node);
  NoteFreed(state, kNodeBytes);
}

// Those that the next split takes are written some operations from now, and then needn't wait for their lines.
Offset Heap::TakeNode(Arena& arena) {
  constexpr size_t kNodesAhead = 2;
  arena.node_bytes_used.Add(kNodeBytes);
  if (!arena.free_nodes.empty()) {
    const Offset node = arena.free_nodes.back();
    arena.free_nodes.pop_back();
    const size_t left = arena.free_nodes.size();
    if (left >= kNodesAhead) image_.NodeAt(arena.free_nodes[left - kNodesAhead])->Prefetch();
    return node;
  }
  const Offset node{arena.fresh_node};
  arena.fresh_node += kNodeBytes;
  const uint64_t ahead = arena.fresh_node + (kNodesAhead - 1) * kNodeBytes;
  if (ahead < arena.fresh_node_end) image_.NodeAt(Offset{ahead})->Prefetch();
  return node;
}

void Heap::DiscardNode(Arena& arena, Offset node) noexcept {
  arena.node_bytes_used.Add(-int64_t{kNodeBytes});
  arena.free_nodes.push_back(node);
}

// ---- records

absl::StatusOr<Offset> Heap::AppendRecord(Arena& arena, std::string_view key, std::string_view value, uint32_t flags,
                                          uint64_t replaced, uint32_t expiry) {
  const uint64_t bytes = RecordBytes(key.size(), value.size());
  const absl::StatusOr<Offset> offset = PlaceRecord(arena, bytes);
  if (!offset.ok()) return offset;
  arena.record_bytes_used.Add(static_cast<int64_t>(bytes));
  // A damaged one isn't to spoil all that follow.
  const bool can_be = (replaced + 1) >> kGenerationShift <= arena.next_sequence >> kGenerationShift;
  const uint64_t sequence = can_be ? std::max(arena.next_sequence, replaced + 1) : arena.next_sequence;
  arena.next_sequence = sequence + 1;
  if (flags == kPrefixRecord) segments_.state(image_.SegmentOf(*offset)).has_prefix = true;
  try {
    WriteRecord(image_.base() + Raw(*offset), key, value, flags, expiry, sequence);
    if (expiry != kNeverOver) NoteOwnExpiring(*offset, bytes, expiry);
  } catch (const std::bad_alloc&) {
    persist_.Fence();  // see DiscardRecords
    const HeapLock lock(mutex_);
    FreeRecord(arena, *offset, bytes, /*is_record=*/false);
    throw;
  }
  return offset;
}

// The segment is the arena's, unless the record is alone in it.
void Heap::NoteOwnExpiring(Offset record, uint64_t bytes, uint32_t expiry) {
  std::unique_lock<WriterLock> lock(mutex_, std::defer_lock);
  SegmentState& state = segments_.state(image_.SegmentOf(record));
  if (state.expiring == nullptr || bytes > image_.segment_bytes() / 2) lock.lock();
  MakeExpiring(state);
  state.expiring->Add(bytes, expiry);
}

absl::StatusOr<Offset> Heap::PlaceRecord(Arena& arena, uint64_t bytes) {
  if (bytes > image_.segment_bytes() / 2) return PlaceLargeRecord(arena, bytes);
  if (arena.append_segment == kNoSegment ||
      segments_.state(arena.append_segment).tail + bytes > image_.segment_bytes()) {
    if (absl::Status status = TakeAppendSegment(arena, bytes); !status.ok()) return status;
  }
  const uint64_t clock = versions_.Now().clock();
  if (clock != arena.marked_at) [[unlikely]]
    MarkTime(arena, clock);
  SegmentState& state = segments_.state(arena.append_segment);
  const Offset offset = image_.SegmentStart(arena.append_segment) + state.tail;
  state.tail += static_cast<uint32_t>(bytes);
  arena.appended_bytes.Add(static_cast<int64_t>(bytes));
  return offset;
}

void Heap::MarkTime(Arena& arena, uint64_t clock) {
  SegmentState& state = segments_.state(arena.append_segment);
  if (state.tail == 0) std::atomic_ref<uint64_t>(state.taken_at).store(clock, std::memory_order_relaxed);
  const uint64_t mark = clock << kMarkPlaceBits | state.tail / 8;
  std::atomic_ref<uint64_t>(state.mark).store(mark, std::memory_order_release);
  arena.marked_at = clock;
}

uint64_t Heap::MadeAt(Offset record) const {
  auto& state = const_cast<SegmentState&>(segments_.state(image_.SegmentOf(record)));
  const uint64_t mark = std::atomic_ref<uint64_t>(state.mark).load(std::memory_order_acquire);
  const uint64_t place = (Raw(record) & (image_.segment_bytes() - 1)) / 8;
  if (mark != 0 && place >= (mark & ((uint64_t{1} << kMarkPlaceBits) - 1))) return mark >> kMarkPlaceBits;
  return std::atomic_ref<uint64_t>(state.taken_at).load(std::memory_order_relaxed);
}

absl::StatusOr<Offset> Heap::PlaceLargeRecord(Arena& arena, uint64_t bytes) {
  const auto run_length = static_cast<uint32_t>((bytes + image_.segment_bytes() - 1) / image_.segment_bytes());
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (attempt > 0) Reclaim(arena);
    const HeapLock lock(mutex_);
    const std::optional<uint64_t> segment = TakeSegment(arena, SegmentKind::kLarge, run_length);
    if (!segment.has_value()) continue;
    segments_.state(*segment).live_bytes += static_cast<int64_t>(bytes);
    segments_.state(*segment).taken_at = versions_.Now().clock();
    return image_.SegmentStart(*segment);
  }
  return NoSpace(bytes);
}

// Makes a segment with room for so many bytes the one that records are appended to.
absl::Status Heap::TakeAppendSegment(Arena& arena, uint64_t bytes) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (attempt > 0) {
      Reclaim(arena);  // which may have emptied the one that was full
      const uint64_t left = arena.append_segment;
      if (left != kNoSegment && segments_.state(left).tail + bytes <= image_.segment_bytes()) return absl::OkStatus();
    }
    const HeapLock lock(mutex_);
    MakeRoomForOne(partial_segments_);  // for the one that is left
    // Without a free segment, what room there is is for finishing what was begun: or nothing would ever be free again.
    const bool may_use_partial = segments_.free_count() >= Reserve(arena, SegmentKind::kRecords) || !space_is_known_;
    uint64_t next = may_use_partial ? FindPartialSegment(bytes) : kNoSegment;
    if (next == kNoSegment) next = TakeSegment(arena, SegmentKind::kRecords, 1).value_or(kNoSegment);
    if (next == kNoSegment) continue;
    segments_.state(next).is_owned = true;
    LeaveAppendSegment(arena);
    arena.append_segment = next;
    MarkTime(arena, versions_.Now().clock());
    SyncSequence(arena);
    return absl::OkStatus();
  }
  return NoSpace(bytes);
}

uint64_t Heap::FindPartialSegment(uint64_t bytes) {
  for (size_t i = partial_segments_.size(); i-- > 0;) {
    const uint64_t segment = partial_segments_[i];
    const SegmentState& state = segments_.state(segment);
    const bool is_partial =
        state.kind == SegmentKind::kRecords && state.origin == SegmentState::Origin::kCounted && !state.is_owned;
    if (is_partial && IsClosed(segment)) continue;
    const bool has_room = is_partial && state.tail + bytes <= image_.segment_bytes();
    if (is_partial && !has_room) continue;  // there may be room for a smaller one
    partial_segments_.erase(partial_segments_.begin() + static_cast<ptrdiff_t>(i));
    if (has_room) return segment;
  }
  return kNoSegment;
}

void Heap::LeaveAppendSegment(Arena& arena) noexcept {
  const uint64_t segment = std::exchange(arena.append_segment, kNoSegment);
  if (segment == kNoSegment) return;
  SegmentState& state = segments_.state(segment);
  state.live_bytes += arena.appended_bytes.get();
  arena.appended_bytes.Set(0);
  state.is_owned = false;
  if (state.live_bytes <= 0) {
    ReleaseSegment(segment);
  } else if (image_.segment_bytes() - state.tail >= kLeastRoomBytes) {
    partial_segments_.push_back(segment);
  }
}

void Heap::DiscardRecords(Arena& arena, std::span<const Offset> records) noexcept {
  if (records.empty()) return;
  persist_.Fence();
  const HeapLock lock(mutex_);
  for (const Offset record : records) {
    FreeRecord(arena, record, image_.RecordAt(record).bytes(), /*is_record=*/true);
  }
}

absl::StatusOr<Offset> Heap::TakeSpace(Arena& arena, uint64_t bytes) {
  absl::StatusOr<Offset> offset = PlaceRecord(arena, bytes);
  if (offset.ok()) arena.record_bytes_used.Add(static_cast<int64_t>(bytes));
  return offset;
}

void Heap::FreeSpace(Arena& arena, Offset offset, uint64_t bytes) noexcept {
  const HeapLock lock(mutex_);
  FreeRecord(arena, offset, bytes, /*is_record=*/false);
}

// A small record is put together on the stack and copied at once. Of a large one the value is copied from where it is,
// but for the lines that it shares with the key and with the padding: no line is written twice.
void Heap::WriteRecord(std::byte* to, std::string_view key, std::string_view value, uint32_t flags, uint32_t expiry,
                       uint64_t sequence) {
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
                      static_cast<uint32_t>(value.size()), expiry, sequence};
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

void Heap::CountLiveness(uint64_t segment, Usage* usage) const {
  const SegmentState& state = segments_.state(segment);
  const bool are_nodes = state.kind == SegmentKind::kNodes;
  if ((!are_nodes && state.kind != SegmentKind::kRecords) || state.origin != SegmentState::Origin::kCounted) return;
  int64_t live_bytes = state.live_bytes;
  for (const auto& arena : arenas_) {
    if (arena->append_segment == segment) live_bytes += arena->appended_bytes.get();
  }
  const uint64_t live = std::min<uint64_t>(std::max<int64_t>(live_bytes, 0), image_.segment_bytes());
  const uint64_t idle = image_.segment_bytes() - live;
  (are_nodes ? usage->node_bytes_idle : usage->record_bytes_idle) += idle;
  ++usage->segments_by_liveness[std::min<uint64_t>(live * 10 / image_.segment_bytes(), 9)];
  usage->segments_kept += state.is_kept && state.live_bytes > 0 && !settling_.contains(segment);
}

Heap::Usage Heap::GetUsage() {
  const HeapLock lock(mutex_);
  Usage usage;
  usage.space_is_known = space_is_known_;
  segments_.ScanAll();
  usage.segments_free = segments_.free_count();
  for (uint64_t segment = image_.header_segments(); segment < image_.segment_count(); ++segment) {
    const SegmentState& state = segments_.state(segment);
    usage.segments_nodes += state.kind == SegmentKind::kNodes;
    usage.segments_records += state.kind == SegmentKind::kRecords;
    usage.segments_large += state.kind == SegmentKind::kLarge;
    CountLiveness(segment, &usage);
  }
  int64_t node_bytes = marked_node_bytes_.get();
  int64_t record_bytes = marked_record_bytes_.get();
  int64_t retired = 0;
  for (const auto& arena : arenas_) {
    node_bytes += arena->node_bytes_used.get();
    record_bytes += arena->record_bytes_used.get();
    retired += arena->bytes_retired.get();
    usage.bytes_moved += arena->bytes_moved.get();
  }
  // Each arena's numbers are of a moment of their own.
  usage.node_bytes_used = static_cast<uint64_t>(std::max<int64_t>(node_bytes, 0));
  usage.record_bytes_used = static_cast<uint64_t>(std::max<int64_t>(record_bytes, 0));
  usage.bytes_retired = static_cast<uint64_t>(std::max<int64_t>(retired, 0));
  return usage;
}

}  // namespace sealkv::internal
