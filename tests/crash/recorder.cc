#include "tests/crash/recorder.h"

#include <cstring>

#include "tests/crash/lock_words.h"

namespace sealkv::crash {

Recorder::Recorder(std::span<std::byte> memory)
    : memory_(memory), thread_(std::this_thread::get_id()), is_volatile_(memory.size() / kWordBytes) {
  shadow_.resize(memory.size() / kWordBytes);
  std::memcpy(shadow_.data(), memory.data(), memory.size());
  log_.initial_words = shadow_;
}

SiteId Recorder::SiteOf(const daxfile::Site& site, const char* action) {
  const std::string_view path = site.file_name();
  Site named{std::string(path.substr(path.rfind('/') + 1)), site.line(), site.function_name(), action};
  const auto [entry, is_new] = site_ids_.emplace(std::move(named), log_.sites.size());
  if (is_new) log_.sites.push_back(entry->first);
  return entry->second;
}

std::optional<uint64_t> Recorder::FirstWordOf(const void* address, size_t bytes, const char* action) {
  const auto* at = static_cast<const std::byte*>(address);
  const bool is_inside = at >= memory_.data() && bytes <= memory_.size() &&
                         static_cast<size_t>(at - memory_.data()) <= memory_.size() - bytes;
  const bool is_whole = is_inside && (at - memory_.data()) % kWordBytes == 0 && bytes % kWordBytes == 0;
  if (std::this_thread::get_id() != thread_) {
    strays_.push_back(std::string(action) + " by another thread");
  } else if (!is_inside) {
    strays_.push_back(std::string(action) + " outside the memory");
  } else if (!is_whole) {
    strays_.push_back(std::string(action) + " of parts of words");
  } else {
    return (at - memory_.data()) / kWordBytes;
  }
  return std::nullopt;
}

void Recorder::OnStore(const uint64_t* word, uint64_t value, const daxfile::Site& site) {
  const std::optional<uint64_t> first = FirstWordOf(word, kWordBytes, "store");
  if (!first.has_value()) return;
  log_.events.push_back({EventKind::kStore, SiteOf(site, "store"), *first, 1, log_.payload.size()});
  log_.payload.push_back(value);
  shadow_[*first] = value;
}

void Recorder::OnCopy(const void* to, const void* from, size_t bytes, bool non_temporal, const daxfile::Site& site) {
  const char* action = non_temporal ? "copy-nt" : "copy";
  const std::optional<uint64_t> first = FirstWordOf(to, bytes, action);
  if (!first.has_value()) return;
  const uint64_t words = bytes / kWordBytes;
  log_.events.push_back({non_temporal ? EventKind::kNonTemporalCopy : EventKind::kCopy, SiteOf(site, action), *first,
                         words, log_.payload.size()});
  log_.payload.resize(log_.payload.size() + words);
  if (bytes == 0) return;
  std::memcpy(&log_.payload[log_.payload.size() - words], from, bytes);
  std::memcpy(&shadow_[*first], from, bytes);
}

void Recorder::OnFlush(const void* address, size_t bytes, const daxfile::Site& site) {
  if (bytes == 0) return;
  const std::optional<uint64_t> first = FirstWordOf(address, bytes, "flush");
  if (!first.has_value()) return;
  const uint64_t first_line = *first / kWordsPerLine;
  const uint64_t last_line = (*first + bytes / kWordBytes - 1) / kWordsPerLine;
  log_.events.push_back({EventKind::kFlush, SiteOf(site, "flush"), first_line, last_line - first_line + 1, 0});
}

void Recorder::OnFence(const daxfile::Site& site) {
  if (std::this_thread::get_id() != thread_) strays_.push_back("fence by another thread");
  log_.events.push_back({.kind = EventKind::kFence, .site = SiteOf(site, "fence")});
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
