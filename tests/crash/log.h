// What passed the persistence seam, in the order in which it happened: each word stored, each copy, flush and fence,
// with the thread that did it and the line of source that asked for it; and where operations begin and end.
#ifndef SEALKV_TESTS_CRASH_LOG_H_
#define SEALKV_TESTS_CRASH_LOG_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "daxfile/persist.h"

namespace sealkv::crash {

inline constexpr size_t kWordBytes = 8;
inline constexpr size_t kLineBytes = daxfile::kCacheLineBytes;
inline constexpr size_t kWordsPerLine = kLineBytes / kWordBytes;

using SiteId = uint32_t;
using ThreadNumber = uint8_t;

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
  ThreadNumber thread = 0;
  SiteId site = 0;          // not for operation marks
  uint64_t first_word = 0;  // kStore, copies: index of the word in memory. kFlush: index of the line
  uint64_t count = 0;       // kStore, copies: words. kFlush: lines. Marks: number of the operation
  size_t payload = 0;       // kStore, copies: index of the first word written in Log::payload

  bool is_mark() const { return kind == EventKind::kOperationBegin || kind == EventKind::kOperationEnd; }
  bool is_write() const { return kind <= EventKind::kNonTemporalCopy; }
  uint64_t first_line() const { return is_write() ? first_word / kWordsPerLine : first_word; }
  uint64_t last_line() const { return is_write() ? (first_word + count - 1) / kWordsPerLine : first_word + count - 1; }
};

struct Log {
  std::vector<Event> events;
  std::vector<uint64_t> payload;
  std::vector<Site> sites;
  std::vector<uint64_t> initial_words;  // the memory before the first event
};

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_LOG_H_
