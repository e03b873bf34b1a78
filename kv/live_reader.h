// A process that reads a store which another one may be writing: how it says where it reads, and what it makes of a
// lock word.
//
// Epochs. The writer publishes its epoch in the superblock; whoever reads here enters that epoch, and the oldest one
// entered is the process's mark on the file (daxfile/reader_marks.h), for the writer to find before it frees anything.
// To set a mark costs a system call, and so does it to take it away: more than most reads. So where one read follows
// the other the mark stays between them, and a thread moves it on, or takes it away, every kTick. Until then an older
// epoch is shown than is read in, and a little more space held back.
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
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "daxfile/dax_file.h"
#include "daxfile/reader_marks.h"
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
  // Nothing that can be reached from now on is used otherwise until Leave(), with the epoch that this returns.
  uint64_t Enter();
  void Leave(uint64_t epoch);
  // Both, without a moment outside: `to` is a value that current() had.
  void Move(uint64_t from, uint64_t to);

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
  // What the thread does, and how it comes to be there.
  void KeepMark();
  void Tick();
  void RunTicks();

  const daxfile::DaxFile& file_;
  const Image& image_;

  std::mutex mutex_;  // guards what follows
  struct Inside {
    uint64_t epoch;
    uint64_t readers;
  };
  std::vector<Inside> inside_;  // ascending, and nearly always one
  daxfile::ReaderMark mark_;    // no later than any epoch inside
  unsigned times_empty_ = 0;    // how often the last one left, since the mark was last taken away for good
  bool is_kept_ = false;        // by the thread: the mark is no concern of whoever enters or leaves
  bool was_entered_ = false;    // since the last tick
  bool is_closing_ = false;
  std::condition_variable wake_;
  std::thread ticker_;

  mutable std::atomic<uint32_t> gone_generation_{0};  // the newest known to be a dead writer's
  mutable std::atomic<bool> must_reopen_{false};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_LIVE_READER_H_
