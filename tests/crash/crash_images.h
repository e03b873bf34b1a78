// Which states of memory can a power cut leave? The answer of the Px86 model, over a log of recorder.h:
//   - Within a cache line a crash keeps a prefix of the stores to it. A store is an aligned word; a copy is a bundle of
//     word stores in no order (so within the bundle any subset, and nothing that came after).
//   - Lines are independent of each other: each may have been written back at any time, flushed or not.
//   - What was stored to a line before it was flushed is durable after the next fence.
//   - Words of a non-temporal copy become durable in any order, whatever the line, until the fence.
//
// Not modelled: eADR (stores durable in program order), the page cache of tier msync, and several threads.
#ifndef SEALKV_TESTS_CRASH_CRASH_IMAGES_H_
#define SEALKV_TESTS_CRASH_CRASH_IMAGES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "tests/crash/recorder.h"
#include "tests/random.h"

namespace sealkv::crash {

using LineContent = std::array<uint64_t, kWordsPerLine>;

// A word on its way to persistence.
struct PendingWord {
  uint8_t word;          // in its line
  bool is_non_temporal;  // durable at any time before the next fence, independently of all else
  uint32_t bundle;       // cached: which store or copy of its line, ascending from 0
  uint64_t value;
};

struct PendingLine {
  std::vector<PendingWord> words;  // in program order
  uint32_t bundles = 0;
  uint32_t bundles_flushed = 0;  // bundles before this one are durable after the next fence
};

// All contents that a line may have after a crash, or a selection. No two are equal. The first has nothing of what is
// pending, the last has all of it.
struct LineChoices {
  uint64_t line;
  std::vector<LineContent> contents;
  bool is_complete;
};

// The state of persistence at one point of a log.
class DurabilityModel {
 public:
  explicit DurabilityModel(std::span<const uint64_t> initial_words);

  void Apply(const Log& log, const Event& event);

  std::span<const uint64_t> durable_words() const { return durable_; }
  LineContent DurableLine(uint64_t line) const;
  const std::map<uint64_t, PendingLine>& pending() const { return pending_; }
  // Identifies durable_words().
  uint64_t durable_hash() const { return durable_hash_; }

  // At most `most` contents where there are more.
  LineChoices ChoicesOf(uint64_t line, size_t most, testing::Random& random) const;

  static uint64_t HashOf(uint64_t line, const LineContent& content);

 private:
  void AddWords(const Log& log, const Event& event, bool is_non_temporal);
  void Fence();

  std::vector<uint64_t> durable_;
  uint64_t durable_hash_ = 0;
  std::map<uint64_t, PendingLine> pending_;
  std::vector<uint64_t> lines_to_settle_;  // flushed, or stored to non-temporally, since the last fence
};

// One image: the durable words, but for these lines.
struct CrashImage {
  struct ChangedLine {
    uint64_t line;
    const LineContent* content;
  };
  std::vector<ChangedLine> changed;
  uint64_t hash = 0;  // of the whole image

  void WriteTo(std::span<std::byte> memory, const DurabilityModel& model) const;
};

struct ImageLimits {
  size_t exhaustive_images = 4096;  // all of them where there are no more
  size_t line_contents = 12;        // else so many for each line
  size_t random_images = 64;        // and so many more
};

// Only what a missing flush or fence shows in at the latest: nothing, all, one line, all but one.
inline constexpr ImageLimits kFewImages{.exhaustive_images = 16, .line_contents = 2, .random_images = 0};

// Calls `visit` for the images at this point, until it returns false. Where there are too many: none and all that is
// pending, each content of each line while the others have none or all, and random ones.
void ForEachCrashImage(const DurabilityModel& model, const ImageLimits& limits, uint64_t seed,
                       const std::function<bool(const CrashImage&)>& visit);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_CRASH_IMAGES_H_
