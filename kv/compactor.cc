#include "kv/compactor.h"

#include <algorithm>
#include <mutex>

#include "kv/record.h"

namespace sealkv::internal {
namespace {

using CompactorLock = std::lock_guard<WriterLock>;

// What is looked at, at most, to find the objects of one share: others wait meanwhile.
constexpr size_t kMostPlaces = 4096;

}  // namespace

std::optional<Compactor::Share> Compactor::TryToTake(size_t most, Heap::Thrift thrift) {
  std::unique_lock<WriterLock> lock(mutex_, std::try_to_lock);
  return lock.owns_lock() ? TakeLocked(most, thrift) : std::nullopt;
}

std::optional<Compactor::Share> Compactor::Take(size_t most, Heap::Thrift thrift) {
  const CompactorLock lock(mutex_);
  return TakeLocked(most, thrift);
}

std::optional<Compactor::Share> Compactor::TakeLocked(size_t most, Heap::Thrift thrift) {
  // Two who share the last room might both begin what neither can finish.
  const bool is_alone = std::all_of(works_.begin(), works_.end(), [](const Work& work) { return work.shares == 0; });
  if (!is_alone && heap_.is_reserve_taken()) return std::nullopt;
  if (works_.empty() || works_.back().is_walked) {
    if (!works_.empty() && works_.back().is_given_up) return std::nullopt;
    if (heap_.is_reserve_taken()) {
      // Of what was moved last, some may only wait to be freed.
      const ClosedGate closed(gate_);
      heap_.CollectArenas();
    }
    std::optional<Heap::Emptying> emptying = heap_.BeginEmptying(thrift);
    if (!emptying.has_value()) return std::nullopt;
    Work& work = works_.emplace_back();
    work.emptying = *std::move(emptying);
    if (work.emptying.are_nodes) {
      const ClosedGate closed(gate_);
      heap_.CollectArenas();
      work.emptying.nodes = heap_.NodesInUse(work.emptying.segment);
    } else {
      work.at = Raw(image_.SegmentStart(work.emptying.segment));
    }
  }
  Work& work = works_.back();
  Share share{work.emptying.segment, work.emptying.are_nodes, {}};
  Walk(work, most, &share);
  ++work.shares;
  return share;
}

void Compactor::Walk(Work& work, size_t most, Share* share) const {
  if (!work.emptying.are_nodes) return WalkRecords(work, most, share);
  const std::vector<Offset>& nodes = work.emptying.nodes;
  while (share->objects.size() < most && work.at < nodes.size()) share->objects.push_back(nodes[work.at++]);
  work.is_walked = work.at == nodes.size();
}

void Compactor::WalkRecords(Work& work, size_t most, Share* share) const {
  const uint64_t end = Raw(image_.SegmentStart(work.emptying.segment)) + work.emptying.tail;
  for (size_t places = 0; work.at < end && share->objects.size() < most && places < kMostPlaces; ++places) {
    const RecordView record = image_.RecordAt(Offset{work.at});
    if (record.is_null() || work.at + record.bytes() > end || !record.ChecksumHolds()) {
      work.at += sizeof(uint64_t);
      continue;
    }
    if (record.header().flags() != kPrefixRecord) share->objects.push_back(Offset{work.at});
    work.at += record.bytes();
  }
  work.is_walked = work.at >= end;
}

bool Compactor::Done(const Share& share, bool go_on) {
  const CompactorLock lock(mutex_);
  const auto work = std::find_if(works_.begin(), works_.end(),
                                 [&](const Work& other) { return other.emptying.segment == share.segment; });
  --work->shares;
  if (!go_on) work->is_walked = work->is_given_up = true;
  if (!work->is_walked || work->shares > 0) return false;
  heap_.EndEmptying(share.segment, !work->is_given_up);
  works_.erase(work);
  // What was moved is freed in time, by whoever moved it; writers are held up for it only where there is nothing else.
  if (share.are_nodes || heap_.is_reserve_taken()) {
    const ClosedGate closed(gate_);
    heap_.CollectArenas();
  }
  return true;
}

bool Compactor::IsBusy() {
  const CompactorLock lock(mutex_);
  return std::any_of(works_.begin(), works_.end(), [](const Work& work) { return work.shares > 0; });
}

}  // namespace sealkv::internal
