// What outlives a victim: memory that it shares with the test. The victim notes there how far each writer is, by plain
// stores, which the kernel keeps when the process is gone; the test puts there what the next life is to be like.
//
// A writer's note of an operation's begin comes before the operation's first store, that of its end after its return.
#ifndef SEALKV_TESTS_KILL_JOURNAL_H_
#define SEALKV_TESTS_KILL_JOURNAL_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "tests/kill/script.h"

namespace sealkv::kill {

inline constexpr unsigned kMostWriters = 16;
inline constexpr unsigned kTrailsLog2 = 16;  // far more than there are, so that few share a count
// What a victim may do before it ends itself; a kill comes long before, unless the test doesn't get the processor.
inline constexpr uint64_t kMostOperations = 1 << 16;  // a writer, in one life

enum class Killer : uint32_t {
  kTest,    // from outside, when the writers have made so much progress: any instruction of any thread
  kAction,  // by itself, just before an action at the persistence seam
  kTrail,   // the same, where few lives have ended so far (tests/kill/death.h)
};

// How a life is to be, and when it is to end. The test writes it before the victim starts.
struct Life {
  uint64_t seed = 0;
  uint64_t number = 0;
  uint32_t writers = 0;
  Killer killer = Killer::kTest;
  // kTest: 1 before the store is opened, 1 after it, 1 for each begin and each end of an operation. kAction: actions at
  // the seam before the one. kTrail: actions before it begins to look for a place.
  uint64_t moment = 0;
  bool waits_for_pass = false;  // a thread asks for the background pass at once
  std::array<char, 4096> store_path{};
};

struct alignas(64) WriterNotes {
  std::atomic<uint64_t> begun{0};  // operations, over all lives
  std::atomic<uint64_t> ended{0};  // likewise; in flight: the one before `begun`, if this is less
  // By the operation's number modulo kMostOperations: it found no space. Set before `ended`, cleared by the test.
  std::array<std::atomic<uint64_t>, kMostOperations / 64> no_space{};

  void NoteNoSpace(uint64_t number) { WordOf(number).fetch_or(BitOf(number)); }
  bool FoundNoSpace(uint64_t number) { return (WordOf(number) & BitOf(number)) != 0; }
  void ForgetNoSpace(uint64_t number) { WordOf(number).fetch_and(~BitOf(number)); }

 private:
  std::atomic<uint64_t>& WordOf(uint64_t number) { return no_space[number % kMostOperations / 64]; }
  static uint64_t BitOf(uint64_t number) { return uint64_t{1} << number % 64; }
};

struct Journal {
  Life life;
  alignas(64) std::atomic<uint64_t> progress{0};  // in Life::moment's unit for kTest
  std::atomic<bool> is_open{false};
  std::atomic<bool> has_failed{false};  // and has said why, or is about to
  std::atomic<bool> pass_is_through{false};
  alignas(64) std::array<std::atomic<uint64_t>, kCounters.size()> shown{};  // the highest sums a reader was shown
  std::atomic<uint64_t> shown_by_twins{0};
  std::array<WriterNotes, kMostWriters> writers;
  std::array<std::atomic<uint32_t>, 1 << kTrailsLog2> deaths{};  // by trail, over all lives
};

// A Journal in memory that another process can map, by its descriptor.
class SharedJournal {
 public:
  SharedJournal();                 // a new one
  explicit SharedJournal(int fd);  // another process's
  ~SharedJournal();
  SharedJournal(const SharedJournal&) = delete;
  SharedJournal& operator=(const SharedJournal&) = delete;

  int fd() const { return fd_; }
  Journal& operator*() const { return *journal_; }
  Journal* operator->() const { return journal_; }

 private:
  void Map();

  int fd_;
  Journal* journal_ = nullptr;
};

}  // namespace sealkv::kill

#endif  // SEALKV_TESTS_KILL_JOURNAL_H_
