// How a store becomes larger: further files ("parts": daxfile/dax_file.h), mapped behind the first one, so that offsets
// go on. A part is made whole first: allocated, written with zeros, synced, named, sealed, mapped. Nobody waits for
// that but who is out of space. Then one word of the superblock is stored (kv/part_word.h), and the store is larger.
// After a crash before that it is as large as it was; the file that nothing leads to is replaced by the next growth.
//
// Offsets, and how large the store is, are all that others know of it: Image.
#ifndef SEALKV_KV_GROWTH_H_
#define SEALKV_KV_GROWTH_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "kv/heap.h"
#include "kv/image.h"
#include "kv/part_word.h"

namespace sealkv::internal {

// Of the process that writes. Thread safety: any.
class Growth {
 public:
  Growth(daxfile::DaxFile& file, Image& image, Heap& heap)
      : file_(file), image_(image), heap_(heap), parts_(Image::PartCount(image.superblock())) {}

  // As far as the store is concerned; the filesystem may have no space for it.
  bool IsPossible() const;
  // Makes the store larger than `than_bytes`: by an eighth, or by what a record of `record_bytes` needs if that is
  // more; less, where the filesystem hasn't so much. One thread at a time; others wait for it, and find it done.
  // `go_on` is asked from time to time; false: Cancelled. ResourceExhausted: no further; an error is given again,
  // without another try, for a second, and twice as long each time. Cost: the part's lines, of zeros; 1 line, 1 fence.
  absl::Status Grow(uint64_t than_bytes, uint64_t record_bytes, const std::function<bool()>& go_on);

  // Withholds segments (Heap::Withhold), and returns OK when nothing lives there any more, nor anybody can be looking
  // there. Ends, and Aborted, when somebody needs space (IsGrowthWanted).
  using Empty = absl::FunctionRef<absl::Status(SegmentRange range)>;
  // Makes the store smaller by whole parts, from the last one on, as long as `empty` empties them. Unavailable: a
  // process has the store open for reading: what it has mapped may be made anew. Cost: 1 line, 1 fence a part.
  absl::Status Shrink(Empty empty) noexcept;
  // Makes so many free segments in one piece, if there aren't any. Whether there are.
  bool MakeRun(uint64_t run_length, Empty empty) noexcept;
  // How often that, or Shrink, has ended: what was withheld may be had since.
  uint64_t works_done() const { return works_done_.load(std::memory_order_acquire); }
  // For a writer who finds no space: what is withheld comes back, after a part was given up, at once, or the free
  // segments in one piece were made. Whether there was anything to wait for.
  bool AwaitWithheld();
  bool IsWithholding() const;
  bool IsGrowthWanted() const { return wanted_.load(std::memory_order_relaxed) > 0; }

  // For a writer who has found space: waits, if more of that has gone than has been made of the part under way. So
  // nobody has to wait for all of it at the end. At most kMostWait.
  void Pace() const;
  static constexpr std::chrono::milliseconds kMostWait{10};

  // Why the last attempt failed; empty: it didn't.
  std::string last_error() const;

 private:
  uint64_t parts() const { return parts_.load(std::memory_order_relaxed); }
  bool IsForRecord(uint64_t record_bytes) const;  // which wants more than a part would have
  void SetPartWord(uint64_t i, PartWord word);
  uint64_t SegmentsToAdd(uint64_t record_bytes) const;
  uint64_t RoundedSegments(uint64_t segments) const;
  absl::Status AddPart(uint64_t segments, const std::function<bool()>& go_on);
  enum class Work : uint8_t { kNone, kGrows, kShrinks, kMakesRun };
  // Nobody else makes the store larger or smaller until Work::kNone.
  void Begin(Work work);
  void End();
  absl::Status RemoveLastPart();
  // False: there is no such place before `end`.
  absl::StatusOr<bool> TryToMakeRun(uint64_t run_length, uint64_t end, Empty empty);
  absl::Status NoReadersElsewhere() const;
  absl::Status AddMostFitting(uint64_t record_bytes, const std::function<bool()>& go_on);

  daxfile::DaxFile& file_;
  Image& image_;
  Heap& heap_;

  std::atomic<uint64_t> parts_;
  std::atomic<uint64_t> wanted_{0};      // how many wait for a growth or a shrinking to end; changed under the mutex
  std::atomic<uint64_t> least_free_{0};  // segments that writers should leave, for now
  mutable std::mutex mutex_;             // guards what follows
  std::condition_variable changed_;
  Work work_ = Work::kNone;
  std::atomic<uint64_t> works_done_{0};  // changed under the mutex
  absl::Status last_;
  static constexpr std::chrono::seconds kUntilNextTry{1};
  std::chrono::seconds delay_{kUntilNextTry};
  std::chrono::steady_clock::time_point next_try_{};
};

// Of a process that reads, beside one that may write. Thread safety: any.
class PartsFollower : public GrowthFollower {
 public:
  PartsFollower(daxfile::DaxFile& file, Image& image) : file_(file), image_(image) {}
  bool Reaches(uint64_t at) override;
  // Maps all that there is.
  void Follow() { Reaches(~uint64_t{0}); }
  // Why it couldn't, the last time.
  absl::Status status() const;

 private:
  daxfile::DaxFile& file_;
  Image& image_;
  mutable std::mutex mutex_;
  absl::Status status_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_GROWTH_H_
