// What compaction asks of the heap: whether anything is worth emptying, which segment, and that there is somewhere to
// go.
#include <algorithm>
#include <mutex>
#include <utility>

#include "kv/heap.h"
#include "kv/make_room.h"

namespace sealkv::internal {
namespace {

using HeapLock = std::lock_guard<WriterLock>;

// With less than this part of it dead, a segment isn't worth what it costs to move the rest, even if it is the last
// one.
constexpr int64_t kLeastDeadPart = 64;
constexpr uint64_t kSecondsUntilKeptIsTriedAgain = 60;

}  // namespace

// Compaction that begins when so few are free has time to make some before the last one is gone; begun earlier, it
// would move what may have died by then.
uint64_t Heap::FewSegments() const {
  return std::clamp<uint64_t>((segments_.count() - image_.header_segments()) / 64, 3, 32);
}

void Heap::NoteSegments() {
  if (!space_is_known_) return;
  const uint64_t few = FewSegments();
  const uint64_t free = segments_.free_count();
  is_reserve_taken_.store(free < std::max<uint64_t>(1, emptying_), std::memory_order_relaxed);
  free_segments_.store(free, std::memory_order_relaxed);
  growth_is_due_.store(free < FreeBeforeGrowth(), std::memory_order_relaxed);
  shortage_.store(free < few ? static_cast<uint32_t>(few - free) : 0, std::memory_order_relaxed);
}

void Heap::LeaveReserve(Arena& arena) {
  if (!is_reserve_taken()) return;
  const HeapLock lock(mutex_);
  LeaveAppendSegment(arena);
}

void Heap::LeaveAppending(Arena& arena) {
  const HeapLock lock(mutex_);
  LeaveAppendSegment(arena);
}

std::optional<uint64_t> Heap::TakeSegment(Arena& arena, SegmentKind kind, uint32_t run_length) {
  const std::optional<uint64_t> segment = segments_.Take(kind, run_length, Reserve(arena, kind));
  NoteSegments();
  attention_.store(true, std::memory_order_relaxed);
  return segment;
}

void Heap::ReleaseSegment(uint64_t segment) noexcept {
  ForgetExpiring(segments_.state(segment));
  if (segments_.state(segment).was_emptied) releases_.fetch_add(1, std::memory_order_release);
  segments_.Release(segment);
  settling_.erase(segment);
  NoteSegments();
}

void Heap::NoteFreed(const SegmentState& state, int64_t bytes) {
  const auto segment_bytes = static_cast<int64_t>(image_.segment_bytes());
  freed_since_look_ += bytes;
  if (!can_gain() && freed_since_look_ * kLeastDeadPart >= segment_bytes) {
    can_gain_.store(true, std::memory_order_relaxed);  // writers look at it with each write
  }
  const int64_t quarter = segment_bytes / 4;
  if (state.live_bytes <= quarter && state.live_bytes + bytes > quarter) {
    attention_.store(true, std::memory_order_relaxed);
  }
}

// How much of a segment may be alive, that it is worth moving. While there is space, only what costs next to nothing;
// the less there is, the more. Nobody waits for the rest, so at leisure it goes further.
int64_t Heap::MostLive(Thrift thrift) const {
  const auto segment_bytes = static_cast<int64_t>(image_.segment_bytes());
  if (thrift == Thrift::kNone || shortage() > 0) return segment_bytes;
  if (thrift == Thrift::kAtLeisure) return segment_bytes * 3 / 4;
  const uint64_t total = segments_.count() - image_.header_segments();
  const uint64_t half = std::max<uint64_t>(total / 2, 1);
  const uint64_t scarcity = half - std::min(segments_.free_count(), half);  // 0 … half
  return segment_bytes / 4 + segment_bytes / 4 * static_cast<int64_t>(scarcity) / static_cast<int64_t>(half);
}

int64_t Heap::RoomIn(uint64_t segment) const {
  const SegmentState& state = segments_.state(segment);
  const bool has_room = state.kind == SegmentKind::kRecords && state.origin == SegmentState::Origin::kCounted &&
                        !state.is_owned && !IsClosed(segment);
  return has_room ? static_cast<int64_t>(image_.segment_bytes()) - int64_t{state.tail} : 0;
}

int64_t Heap::MostRoomBeside(uint64_t segment) const {
  int64_t most = 0;
  for (const uint64_t other : partial_segments_) {
    if (other != segment) most = std::max(most, RoomIn(other));
  }
  return most;
}

// Whether what lives in the segment has somewhere to go: what is begun can be finished. The last free segment is for
// what frees another one.
bool Heap::HasRoomFor(uint64_t segment) const {
  const SegmentState& state = segments_.state(segment);
  if (state.kind == SegmentKind::kNodes) return FitsBelow(segment);
  const uint64_t free = segments_.free_count();
  if (free > emptying_ + 1) return true;
  if (emptying_ > 0 || state.has_prefix) return false;
  return free > 0 || state.live_bytes <= MostRoomBeside(segment);
}

uint64_t Heap::UsableBytes() {
  const HeapLock lock(mutex_);
  uint64_t bytes = segments_.free_count() * image_.segment_bytes() + free_nodes_.count() * kNodeBytes;
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) bytes += RoomIn(segment);
  return bytes;
}

void Heap::MakeExpiring(SegmentState& state) {
  if (state.expiring != nullptr) return;
  if (expiring_free_.empty()) {
    MakeRoomForOne(expiring_);
    expiring_free_.reserve(expiring_.capacity());  // to take them all back
    expiring_free_.push_back(expiring_.emplace_back(std::make_unique<Expiring>()).get());
  }
  state.expiring = expiring_free_.back();
  expiring_free_.pop_back();
  *state.expiring = Expiring(NowSeconds());
  may_expire_.store(true, std::memory_order_relaxed);
}

void Heap::ForgetExpiring(SegmentState& state) {
  if (state.expiring != nullptr) expiring_free_.push_back(std::exchange(state.expiring, nullptr));
}

int64_t Heap::NotOver(const SegmentState& state, uint32_t now_seconds) const {
  if (state.expiring == nullptr) return state.live_bytes;
  if (state.kind == SegmentKind::kLarge) return IsOver(state.expiring->last(), now_seconds) ? 0 : state.live_bytes;
  return std::max<int64_t>(0, state.live_bytes - static_cast<int64_t>(state.expiring->Over(now_seconds)));
}

uint64_t Heap::OverBytes() {
  const HeapLock lock(mutex_);
  if (!space_is_known_ || !may_expire()) return 0;
  const uint32_t now_seconds = NowSeconds();
  int64_t bytes = 0;
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    const SegmentState& state = segments_.state(segment);
    if (state.origin == SegmentState::Origin::kCounted && !state.is_owned) {
      bytes += state.live_bytes - NotOver(state, now_seconds);
    }
  }
  return static_cast<uint64_t>(bytes);
}

std::optional<uint64_t> Heap::FindSegmentToEmpty(int64_t most_live, bool takes_large) const {
  if (!space_is_known_) return std::nullopt;
  const uint32_t now_seconds = may_expire() ? NowSeconds() : 0;
  const auto segment_bytes = static_cast<int64_t>(image_.segment_bytes());
  std::optional<uint64_t> found;
  int64_t least = most_live + 1;
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    const SegmentState& state = segments_.state(segment);
    // What couldn't be moved may be over by now.
    const bool is_kept =
        state.is_kept &&
        (state.expiring == nullptr || now_seconds < uint64_t{state.kept_at_seconds} + kSecondsUntilKeptIsTriedAgain);
    const bool is_candidate =
        state.origin == SegmentState::Origin::kCounted && !state.is_owned && !state.is_being_emptied && !is_kept;
    if (!is_candidate) continue;
    const int64_t live = NotOver(state, now_seconds);
    if (live >= least) continue;
    const bool is_all_over = live == 0 && state.live_bytes > 0;  // then nothing of it has to go anywhere
    if (state.kind == SegmentKind::kRecords) {
      // The room behind its tail isn't dead: so each time something is moved there is less that is, and it ends.
      if ((int64_t{state.tail} - live) * kLeastDeadPart < segment_bytes) continue;
    } else if (is_all_over && takes_large) {
      // A large record isn't moved, but erased.
    } else if (state.kind != SegmentKind::kNodes || state.live_bytes == 0) {
      continue;
    }
    if (!is_all_over && !HasRoomFor(segment)) continue;
    least = live;
    found = segment;
  }
  return found;
}

// Whether the nodes in use of a segment have places in those before it: nodes move one way only, so it ends.
bool Heap::FitsBelow(uint64_t segment) const {
  if (fresh_node_ < fresh_node_end_ && image_.SegmentOf(Offset{fresh_node_}) == segment) return false;
  const auto is_closed = [this](uint64_t other) { return IsClosed(other); };
  const auto in_use = static_cast<uint64_t>(segments_.state(segment).live_bytes) / kNodeBytes;
  return free_nodes_.CountBelow(segment, is_closed) >= in_use + image_.segment_bytes() / kNodeBytes / kLeastDeadPart;
}

std::optional<Heap::Emptying> Heap::BeginEmptying(Thrift thrift) {
  const HeapLock lock(mutex_);
  const bool is_leaving = thrift == Thrift::kLeaving;
  const std::optional<uint64_t> segment =
      is_leaving ? FindLeavingSegment()
                 : FindSegmentToEmpty(MostLive(thrift), /*takes_large=*/thrift != Thrift::kUsual);
  if (!segment.has_value()) {
    if (is_leaving) return std::nullopt;
    freed_since_look_ = 0;
    if (thrift == Thrift::kNone || shortage() > 0) can_gain_.store(false, std::memory_order_relaxed);
    return std::nullopt;
  }
  SegmentState& state = segments_.state(*segment);
  state.is_being_emptied = true;
  ++emptying_;
  NoteSegments();
  // A large record is alone in its segments.
  const uint64_t tail = state.kind == SegmentKind::kLarge ? static_cast<uint64_t>(state.live_bytes) : state.tail;
  return Emptying{*segment, tail, state.kind == SegmentKind::kNodes, {}};
}

std::vector<Offset> Heap::NodesInUse(uint64_t segment) {
  const HeapLock lock(mutex_);
  const uint64_t count = image_.segment_bytes() / kNodeBytes;
  std::vector<bool> is_free(count);
  const Offset start = image_.SegmentStart(segment);
  for (const Offset node : free_nodes_.In(segment)) is_free[(Raw(node) - Raw(start)) / kNodeBytes] = true;
  std::vector<Offset> nodes;
  for (uint64_t i = 0; i < count; ++i) {
    if (!is_free[i]) nodes.push_back(start + i * kNodeBytes);
  }
  return nodes;
}

// What was moved is retired, and will be freed. What is still there when that has happened is there for a reason, and
// isn't looked at again before something in it has died. Until that is known nothing is placed there.
void Heap::EndEmptying(uint64_t segment, bool is_through) noexcept {
  const HeapLock lock(mutex_);
  SegmentState& state = segments_.state(segment);
  state.is_being_emptied = false;
  --emptying_;
  NoteSegments();
  state.is_kept = is_through && state.live_bytes > 0;
  state.kept_live_bytes = 0;
  if (state.is_kept) settling_.insert(segment);
  state.kept_at_seconds = state.expiring != nullptr ? NowSeconds() : 0;
  state.was_emptied |= is_through;
  if (state.kind != SegmentKind::kNodes) ReleaseIfEmpty(segment);
}

bool Heap::IsSettling() {
  const HeapLock lock(mutex_);
  return !settling_.empty();
}

void Heap::Settle() {
  for (const uint64_t segment : settling_) {
    SegmentState& state = segments_.state(segment);
    if (!state.is_kept) continue;
    state.is_kept = state.live_bytes > 0;
    state.kept_live_bytes = state.live_bytes;
  }
  settling_.clear();
}

}  // namespace sealkv::internal
