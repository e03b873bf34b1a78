// What is durable, and what may be, at one point of a log (log.h). Three answers, by what stands between the CPU and
// persistence:
//
// kPx86, caches that lose their content ("Persistency semantics of the Intel-x86 architecture", POPL 2020):
//   - Within a cache line a crash keeps a prefix of the stores to it. A store is an aligned word; a copy is a bundle of
//     word stores in no order (so within the bundle any subset, and nothing that came after).
//   - Lines are independent of each other: each may have been written back at any time, flushed or not.
//   - What was stored to a line before a thread flushed it is durable after that thread's next fence.
//   - Words of a non-temporal copy become durable in any order, whatever the line, until its thread's next fence.
// kEadr, caches that are written back by the platform when the power fails: stores are durable in program order, as
//   other CPUs see them; flushes do nothing. Non-temporal words aren't in a cache, and wait for the fence as above.
// kPageCache, an ordinary file, where a fence is an msync of all pages with a flushed line: as kPx86, but flushes cover
//   pages, and non-temporal copies are cached ones that are flushed. (The kernel may write a page back at any time, and
//   while it is being stored to, in sectors that tear: so again any prefix of any line.)
//
// Several threads: their stores to one line count in the order of the log; but a non-temporal word that waits for its
// thread's fence may replace what another thread has made durable meanwhile.
#ifndef SEALKV_TESTS_CRASH_DURABILITY_H_
#define SEALKV_TESTS_CRASH_DURABILITY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "tests/crash/log.h"
#include "tests/random.h"

namespace sealkv::crash {

enum class Platform : uint8_t { kPx86, kEadr, kPageCache };
const char* PlatformName(Platform platform);

using LineContent = std::array<uint64_t, kWordsPerLine>;

// A word on its way to persistence.
struct PendingWord {
  uint8_t word;          // in its line
  ThreadNumber thread;   // that stored it
  bool is_non_temporal;  // durable at any time before the thread's next fence, independently of all else
  uint64_t bundle;       // which store or copy it belongs to: ascending over the log
  uint64_t value;
};
using PendingLine = std::vector<PendingWord>;  // in the order of the log

// All contents that a line may have after a crash, or a selection. No two are equal. The first has nothing of what is
// pending, the last has all of it.
struct LineChoices {
  uint64_t line;
  std::vector<LineContent> contents;
  bool is_complete;
};

class DurabilityModel {
 public:
  explicit DurabilityModel(std::span<const uint64_t> initial_words, Platform platform = Platform::kPx86);

  void Apply(const Log& log, const Event& event);

  std::span<const uint64_t> durable_words() const { return durable_; }
  LineContent DurableLine(uint64_t line) const;
  const std::map<uint64_t, PendingLine>& pending() const { return pending_; }
  // Identifies durable_words().
  uint64_t durable_hash() const { return durable_hash_; }

  // Where there are more than `most`: every prefix of the pending words, and others up to `most`.
  LineChoices ChoicesOf(uint64_t line, size_t most, testing::Random& random) const;

  static uint64_t HashOf(uint64_t line, const LineContent& content);

 private:
  // What a thread's next fence makes durable: the line's bundles before this one.
  struct Flushed {
    uint64_t line;
    uint64_t end_bundle;
  };
  struct Thread {
    std::vector<Flushed> flushed;
    std::vector<uint64_t> non_temporal_lines;
  };

  void AddWords(const Log& log, const Event& event, bool is_non_temporal);
  void Flush(const Event& event);
  void Fence(const Event& event);
  // Makes those pending words of the line durable that `is_settled(const PendingWord&)`.
  template <typename IsSettled>
  void Settle(uint64_t line, IsSettled is_settled);
  void SettleAllCached();
  Thread& ThreadOf(const Event& event);

  const Platform platform_;
  std::vector<uint64_t> durable_;
  uint64_t durable_hash_ = 0;
  std::map<uint64_t, PendingLine> pending_;  // none is empty
  uint64_t next_bundle_ = 0;
  std::vector<Thread> threads_;
};

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_DURABILITY_H_
