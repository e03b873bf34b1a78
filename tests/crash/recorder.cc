#include "tests/crash/recorder.h"

#include <cstring>

#include "tests/crash/lock_words.h"
#include "tests/crash/single_step.h"

namespace sealkv::crash {
namespace {

// Who the calling thread is, and for which recorder. Recorders may nest: the last one counts.
struct Identity {
  const Recorder* recorder = nullptr;
  ThreadNumber number = 0;
};
thread_local std::vector<Identity> identities;

}  // namespace

Recorder::Recorder(std::span<std::byte> memory) : memory_(memory), is_volatile_(memory.size() / kWordBytes) {
  shadow_.resize(memory.size() / kWordBytes);
  std::memcpy(shadow_.data(), memory.data(), memory.size());
  log_.initial_words = shadow_;
  Enter(0);
}

Recorder::~Recorder() {
  std::erase_if(identities, [this](const Identity& identity) { return identity.recorder == this; });
}

void Recorder::Enter(ThreadNumber thread) { identities.push_back({this, thread}); }

uint64_t Recorder::BeginOperation() {
  const Uninterrupted here;
  log_.events.push_back({.kind = EventKind::kOperationBegin, .thread = identities.back().number, .count = operations_});
  return operations_++;
}

void Recorder::EndOperation(uint64_t operation) {
  const Uninterrupted here;
  log_.events.push_back({.kind = EventKind::kOperationEnd, .thread = identities.back().number, .count = operation});
}

SiteId Recorder::SiteOf(const daxfile::Site& site, const char* action) {
  const std::string_view path = site.file_name();
  Site named{std::string(path.substr(path.rfind('/') + 1)), site.line(), site.function_name(), action};
  const auto [entry, is_new] = site_ids_.emplace(std::move(named), log_.sites.size());
  if (is_new) log_.sites.push_back(entry->first);
  return entry->second;
}

std::optional<Event> Recorder::NewEvent(EventKind kind, const char* action, const daxfile::Site& site) {
  if (identities.empty() || identities.back().recorder != this) {
    strays_.push_back(std::string(action) + " by a thread that isn't known");
    return std::nullopt;
  }
  if (before_action_) before_action_();
  return Event{.kind = kind, .thread = identities.back().number, .site = SiteOf(site, action)};
}

std::optional<uint64_t> Recorder::FirstWordOf(const void* address, size_t bytes, const char* action) {
  const auto* at = static_cast<const std::byte*>(address);
  const bool is_inside = at >= memory_.data() && bytes <= memory_.size() &&
                         static_cast<size_t>(at - memory_.data()) <= memory_.size() - bytes;
  const bool is_whole = is_inside && (at - memory_.data()) % kWordBytes == 0 && bytes % kWordBytes == 0;
  if (is_whole) return (at - memory_.data()) / kWordBytes;
  strays_.push_back(std::string(action) + (is_inside ? " of parts of words" : " outside the memory"));
  return std::nullopt;
}

// The words of a non-temporal copy may linger beside the caches, whatever is stored after them, until their thread's
// fence: others that write there before it may find their words replaced.
void Recorder::FindRace(const Event& write) {
  const uint64_t end = write.first_word + write.count;
  for (auto at = unfenced_.lower_bound(write.first_word); at != unfenced_.end() && at->first < end; ++at) {
    if (at->second == write.thread) continue;
    strays_.push_back(log_.sites[write.site].Name() + " where a non-temporal copy of thread " +
                      std::to_string(at->second) + " waits for its fence, at offset " +
                      std::to_string(at->first * kWordBytes));
    return;
  }
}

void Recorder::AddWrite(Event event, const void* from) {
  FindRace(event);
  if (event.kind == EventKind::kNonTemporalCopy) {
    for (uint64_t i = 0; i < event.count; ++i) unfenced_[event.first_word + i] = event.thread;
  }
  event.payload = log_.payload.size();
  log_.payload.resize(log_.payload.size() + event.count);
  std::memcpy(&log_.payload[event.payload], from, event.count * kWordBytes);
  std::memcpy(&shadow_[event.first_word], from, event.count * kWordBytes);
  log_.events.push_back(event);
}

void Recorder::OnStore(const uint64_t* word, uint64_t value, const daxfile::Site& site) {
  const Uninterrupted here;
  std::optional<Event> event = NewEvent(EventKind::kStore, "store", site);
  const std::optional<uint64_t> first = FirstWordOf(word, kWordBytes, "store");
  if (!event.has_value() || !first.has_value()) return;
  event->first_word = *first;
  event->count = 1;
  AddWrite(*event, &value);
}

void Recorder::OnCopy(const void* to, const void* from, size_t bytes, bool non_temporal, const daxfile::Site& site) {
  const Uninterrupted here;
  const char* action = non_temporal ? "copy-nt" : "copy";
  std::optional<Event> event = NewEvent(non_temporal ? EventKind::kNonTemporalCopy : EventKind::kCopy, action, site);
  const std::optional<uint64_t> first = FirstWordOf(to, bytes, action);
  if (bytes == 0 || !event.has_value() || !first.has_value()) return;
  event->first_word = *first;
  event->count = bytes / kWordBytes;
  AddWrite(*event, from);
}

void Recorder::OnFlush(const void* address, size_t bytes, const daxfile::Site& site) {
  const Uninterrupted here;
  std::optional<Event> event = NewEvent(EventKind::kFlush, "flush", site);
  const std::optional<uint64_t> first = FirstWordOf(address, bytes, "flush");
  if (bytes == 0 || !event.has_value() || !first.has_value()) return;
  event->first_word = *first / kWordsPerLine;
  event->count = (*first + bytes / kWordBytes - 1) / kWordsPerLine - event->first_word + 1;
  log_.events.push_back(*event);
}

void Recorder::OnFence(const daxfile::Site& site) {
  const Uninterrupted here;
  const std::optional<Event> event = NewEvent(EventKind::kFence, "fence", site);
  if (!event.has_value()) return;
  std::erase_if(unfenced_, [&](const auto& word) { return word.second == event->thread; });
  log_.events.push_back(*event);
}

std::optional<uint64_t> Recorder::FindBypassingStore() {
  ForEachLockWord(shadow_, [this](uint64_t word) { is_volatile_[word] = true; });
  const auto* words = reinterpret_cast<const uint64_t*>(memory_.data());
  for (uint64_t i = 0; i < shadow_.size(); ++i) {
    if (words[i] != shadow_[i] && !is_volatile_[i]) return i * kWordBytes;
  }
  return std::nullopt;
}

}  // namespace sealkv::crash
