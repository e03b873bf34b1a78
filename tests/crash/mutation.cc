#include "tests/crash/mutation.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "kv/superblock.h"
#include "tests/crash/durability.h"
#include "tests/crash/shape.h"

namespace sealkv::crash {
namespace {

using Kind = Mutation::Kind;

bool ShareALine(const Event& a, const Event& b) {
  return a.first_line() <= b.last_line() && b.first_line() <= a.last_line();
}

// Words that an open or a read may look at. Of what isn't a store: the magic number.
std::vector<bool> LiveWordsOf(std::span<const uint64_t> words) {
  std::vector<uint64_t> copy(words.begin(), words.end());
  std::vector<bool> live(words.size());
  live[offsetof(internal::Superblock, magic) / kWordBytes] = true;
  if (reinterpret_cast<const internal::Superblock*>(copy.data())->magic != internal::Superblock::kMagic) return live;
  ShapeOf(std::as_writable_bytes(std::span(copy)), &live);
  return live;
}

// The memory in the course of the log.
class Memory {
 public:
  explicit Memory(const Log& log) : log_(log), words_(log.initial_words), model_(log.initial_words) {}

  void Apply(const Event& event) {
    model_.Apply(log_, event);
    is_known_ = false;
    if (!event.is_write()) return;
    std::copy_n(log_.payload.begin() + static_cast<ptrdiff_t>(event.payload), event.count,
                words_.begin() + static_cast<ptrdiff_t>(event.first_word));
  }

  // Whether an open or a read may look at a word that the event wrote: now, or after a crash that keeps nothing of what
  // is pending.
  bool IsLive(const Event& event) {
    if (!is_known_) {
      live_ = LiveWordsOf(words_);
      live_after_crash_ = LiveWordsOf(model_.durable_words());
      is_known_ = true;
    }
    for (uint64_t word = event.first_word; word < event.first_word + event.count; ++word) {
      if (live_[word] || live_after_crash_[word]) return true;
    }
    return false;
  }

 private:
  const Log& log_;
  std::vector<uint64_t> words_;
  DurabilityModel model_;
  bool is_known_ = false;
  std::vector<bool> live_;
  std::vector<bool> live_after_crash_;
};

// Whether b before a promises less than a before b. The memory is that after both.
bool OrderMatters(const Event& a, const Event& b, Memory& memory) {
  switch (b.kind) {
    case EventKind::kFlush:
      return a.is_write() && ShareALine(a, b);
    case EventKind::kFence:
      return a.kind == EventKind::kFlush || a.kind == EventKind::kNonTemporalCopy;
    case EventKind::kStore:
    case EventKind::kCopy:
      if (a.kind == EventKind::kFence) return memory.IsLive(b);
      if (a.kind != EventKind::kStore && a.kind != EventKind::kCopy) return false;
      return ShareALine(a, b) && memory.IsLive(a) && memory.IsLive(b);
    case EventKind::kNonTemporalCopy:
      return a.kind == EventKind::kFence && memory.IsLive(b);
    default:
      return false;
  }
}

}  // namespace

std::string Mutation::Name() const {
  switch (kind) {
    case Kind::kLeaveOut:
      return "no " + site.action + " " + site.Name();
    case Kind::kLeaveOutFirst:
      return "all but the first line: " + site.Name();
    case Kind::kLeaveOutLast:
      return "all but the last line: " + site.Name();
    case Kind::kCached:
      return "through the cache: " + site.Name();
    case Kind::kSwap:
      return other.Name() + ", too early: before " + site.Name();
  }
  return "?";
}

std::map<Mutation, Occurrences> MutationsOf(const Log& log) {
  std::map<Mutation, Occurrences> mutations;
  Memory memory(log);
  for (size_t i = 0; i < log.events.size(); ++i) {
    const Event& event = log.events[i];
    if (event.is_mark()) continue;
    const Site& site = log.sites[event.site];
    if (event.kind == EventKind::kFence || event.kind == EventKind::kFlush)
      mutations[{Kind::kLeaveOut, site}].push_back(i);
    if (event.kind == EventKind::kNonTemporalCopy) mutations[{Kind::kCached, site}].push_back(i);
    if (event.kind == EventKind::kFlush && event.count > 1) {
      mutations[{Kind::kLeaveOutFirst, site}].push_back(i);
      mutations[{Kind::kLeaveOutLast, site}].push_back(i);
    }
    memory.Apply(event);
    if (i == 0) continue;
    const Event& before = log.events[i - 1];
    if (before.is_mark() || before.thread != event.thread || !OrderMatters(before, event, memory)) continue;
    mutations[{Kind::kSwap, log.sites[before.site], site}].push_back(i - 1);
  }
  return mutations;
}

Log Mutate(const Log& log, const Mutation& mutation, const Occurrences& occurrences) {
  Log mutant = log;
  for (const size_t i : occurrences) {
    Event& event = mutant.events[i];
    switch (mutation.kind) {
      case Kind::kLeaveOut:
        // A flush of no lines: neither does anything, and the indices of the others stay.
        event = {.kind = EventKind::kFlush, .thread = event.thread, .site = event.site};
        break;
      case Kind::kLeaveOutFirst:
        ++event.first_word;
        --event.count;
        break;
      case Kind::kLeaveOutLast:
        --event.count;
        break;
      case Kind::kCached:
        event.kind = EventKind::kCopy;
        break;
      case Kind::kSwap:
        std::swap(event, mutant.events[i + 1]);
        break;
    }
  }
  return mutant;
}

}  // namespace sealkv::crash
