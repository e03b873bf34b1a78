// A process that reads a store which another one may be writing: how it says where it reads, and what it makes of a
// lock word.
//
// Epochs. The writer publishes its epoch in the superblock; whoever reads here enters that epoch, and the oldest one
// entered is the process's mark on the file (daxfile/reader_marks.h), for the writer to find before it frees anything.
// To set a mark costs a system call, and so does it to take it away: more than most reads. So where one read follows
// the other the mark stays between them, and a thread moves it on, or takes it away, every kTick. Until then an older
// epoch is shown than is read in, and a little more space held back; but a read costs no more than in the writer's own
// process: it announces its epoch in its thread's slot (kv/epoch.h), and the thread looks at the slots.
//
// Lock words. Which generation's are in force is read from the superblock, after the lock word: a writer stores the one
// before it locks with it. A node locked by a writer that has died is free to read: what is in memory is a crash
// image, and each of these is well formed. Whether it has died is asked of the kernel, once a generation.
//
// The writer's side is kv/foreign_readers.h; docs/design.md, "Other processes", has the argument.
//
// Thread safety: any.
#ifndef SEALKV_KV_LIVE_READER_H_
#define SEALKV_KV_LIVE_READER_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "daxfile/dax_file.h"
#include "daxfile/reader_marks.h"
#include "kv/epoch.h"
#include "kv/image.h"
#include "kv/node.h"

namespace sealkv::internal {

class LiveReader {
 public:
  static constexpr std::chrono::milliseconds kTick{2};

  LiveReader(const daxfile::DaxFile& file, const Image& image);
  ~LiveReader();

  // The epoch that the writer is in; or the last one that there was.
  uint64_t current() const;
  // Nothing that can be reached from now on is used otherwise until Leave(). `epoch` is a value that current() had; or
  // one that a thread's slot still announces, and then what could be reached since counts as well.
  void Enter(uint64_t epoch);
  void Leave(uint64_t epoch);
  // Both, without a moment outside: `to` is a value that current() had.
  void Move(uint64_t from, uint64_t to);

  // While the mark is kept, a thread that announces an epoch in a slot of these, makes a LightFence, and then finds the
  // mark still kept, has entered it: until it clears the slot.
  bool is_mark_kept() const { return is_kept_.load(std::memory_order_acquire); }
  const std::shared_ptr<EpochSlots>& thread_slots() const { return thread_slots_; }

  // Waits until no living writer holds the node; obsolete nodes are returned at once.
  LockWord WaitUntilStable(const Node& node) const;
  bool IsObsolete(LockWord version) const { return version.is_obsolete(Generation()); }

  // Not OK, and so from then on, if the writer died and left what readers can't make sense of.
  absl::Status status() const;

 private:
  uint32_t Generation() const { return static_cast<uint32_t>(Node::Load(image_.superblock().generation)); }
  bool WriterIsGone(uint32_t generation) const;
  void Add(uint64_t epoch);
  void Remove(uint64_t epoch);
  void ShowOldest();
  uint64_t OldestInside() const;
  // What the thread does, and how it comes to be there.
  bool KeepMark();
  bool TryLetGo();
  void Tick();
  void RunTicks();

  const daxfile::DaxFile& file_;
  const Image& image_;

  std::mutex mutex_;  // guards what follows
  struct Inside {     // by Enter()
    uint64_t epoch;
    uint64_t readers;
  };
  std::vector<Inside> inside_;  // ascending, and nearly always one
  daxfile::ReaderMark mark_;
  unsigned times_empty_ = 0;  // how often the last one left, since the mark was last taken away for good
  unsigned idle_ticks_ = 0;
  bool is_closing_ = false;
  std::condition_variable wake_;
  std::thread ticker_;

  // Changed under the mutex. While it isn't set no thread is inside by its slot.
  std::atomic<bool> is_kept_{false};
  const std::shared_ptr<EpochSlots> thread_slots_ = std::make_shared<EpochSlots>();

  mutable std::atomic<uint32_t> gone_generation_{0};  // the newest known to be a dead writer's
  mutable std::atomic<bool> must_reopen_{false};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_LIVE_READER_H_
