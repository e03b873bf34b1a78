// Logs what passes the persistence seam: each word stored, each copy, flush and fence, with the line of source that
// asked for it and the operation it belongs to. From the log, crash_images.h makes every state that a power cut could
// leave.
//
// The recorder also keeps a shadow: the memory as the log says it must be. A store that reached the memory without
// passing the seam is found by comparing the two (FindBypassingStore).
//
// One thread for now: actions of another one are counted as strays, and a test must find none.
#ifndef SEALKV_TESTS_CRASH_RECORDER_H_
#define SEALKV_TESTS_CRASH_RECORDER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "daxfile/persist.h"
#include "daxfile/site.h"

namespace sealkv::crash {

inline constexpr size_t kWordBytes = 8;
inline constexpr size_t kLineBytes = daxfile::kCacheLineBytes;
inline constexpr size_t kWordsPerLine = kLineBytes / kWordBytes;

using SiteId = uint32_t;

// A line of source that called the seam.
struct Site {
  std::string file;
  uint32_t line;
  std::string function;  // without its namespace
  std::string action;    // "store", "copy", "copy-nt", "flush", "fence"

  std::string Name() const { return file + ":" + std::to_string(line) + " " + function + ": " + action; }
  friend auto operator<=>(const Site&, const Site&) = default;
};

enum class EventKind : uint8_t { kStore, kCopy, kNonTemporalCopy, kFlush, kFence, kOperationBegin, kOperationEnd };

struct Event {
  EventKind kind;
  SiteId site = 0;          // not for operation marks
  uint64_t first_word = 0;  // kStore, copies: index of the word in memory. kFlush: index of the line
  uint64_t count = 0;       // kStore, copies: words. kFlush: lines. Marks: number of the operation
  size_t payload = 0;       // kStore, copies: index of the first word written in Log::payload
};

struct Log {
  std::vector<Event> events;
  std::vector<uint64_t> payload;
  std::vector<Site> sites;
  std::vector<uint64_t> initial_words;  // the memory before the first event
};

class Recorder : public daxfile::PersistObserver {
 public:
  // The memory must be cache-line aligned and hold still until the first event.
  explicit Recorder(std::span<std::byte> memory);

  void OnStore(const uint64_t* word, uint64_t value, const daxfile::Site& site) override;
  void OnCopy(const void* to, const void* from, size_t bytes, bool non_temporal, const daxfile::Site& site) override;
  void OnFlush(const void* address, size_t bytes, const daxfile::Site& site) override;
  void OnFence(const daxfile::Site& site) override;

  // Operations are numbered from 0 and don't nest.
  void BeginOperation() { log_.events.push_back({.kind = EventKind::kOperationBegin, .count = operations_}); }
  void EndOperation() { log_.events.push_back({.kind = EventKind::kOperationEnd, .count = operations_++}); }

  const Log& log() const { return log_; }

  // The offset of a word that differs from what was stored through the seam, if there is one. Words that are, or were,
  // the lock words of nodes don't count. To be called after each operation.
  std::optional<uint64_t> FindBypassingStore();
  // What the recorder couldn't make sense of: misaligned copies, stores outside the memory, other threads.
  const std::vector<std::string>& strays() const { return strays_; }

 private:
  SiteId SiteOf(const daxfile::Site& site, const char* action);
  // Words of [address, address + bytes), as indices; nothing (and a stray) if that isn't whole words of the memory.
  std::optional<uint64_t> FirstWordOf(const void* address, size_t bytes, const char* action);

  const std::span<std::byte> memory_;
  const std::thread::id thread_;
  Log log_;
  std::map<Site, SiteId> site_ids_;
  uint64_t operations_ = 0;
  std::vector<uint64_t> shadow_;
  std::vector<bool> is_volatile_;  // by word
  std::vector<std::string> strays_;
};

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_RECORDER_H_
