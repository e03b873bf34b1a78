// When may memory that a reader could still be looking at be used again? Epoch-based reclamation (Fraser, 2004): a
// reader announces the epoch it began in, in a slot; what was retired in epoch t is free once every announced epoch is
// later.
//
// A thread has a slot of its own for what begins and ends in one call (EpochGuard): a plain store announces it, for the
// fence that must follow is on the side of whoever frees (kv/asymmetric_fence.h). What outlives a call, or travels
// between threads, takes a slot for itself (Enter). Readers in other processes have no slots here: Oldest() asks for
// them (kv/foreign_readers.h); and in a process that is one of these kv/live_reader.h passes on what the slots say.
//
// Why not liburcu: an RCU read-side section belongs to a thread, and a PinnedValue or an Iterator may be handed to
// another one, or be held while its own thread writes (which would wait for itself).
#ifndef SEALKV_KV_EPOCH_H_
#define SEALKV_KV_EPOCH_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "kv/asymmetric_fence.h"

namespace sealkv::internal {

struct Arena;
class ForeignReaders;
class LiveReader;

class alignas(64) EpochSlot {
 public:
  uint64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  // What whoever holds the slot writes with; stays with the slot (kv/arena.h).
  Arena* arena() const { return arena_; }
  void set_arena(Arena* arena) { arena_ = arena; }

 private:
  friend class Epochs;
  friend class EpochGuard;
  friend class EpochSlots;
  std::atomic<uint64_t> epoch_{0};  // 0: nobody reads
  std::atomic<bool> is_taken_{false};
  Arena* arena_ = nullptr;
  LiveReader* live_reader_ = nullptr;  // in a process that reads beside a writer: who knows of it, too
};

// The slots of one store. Outlives it for as long as a thread keeps one.
class EpochSlots {
 public:
  EpochSlots() = default;
  ~EpochSlots();
  EpochSlots(const EpochSlots&) = delete;
  EpochSlots& operator=(const EpochSlots&) = delete;

  // Never fails.
  EpochSlot* Take();
  static void GiveBack(EpochSlot* slot) { slot->is_taken_.store(false, std::memory_order_release); }
  // The oldest epoch announced, or `none` if that is older. The caller has fenced heavily.
  uint64_t Oldest(uint64_t none) const;

 private:
  static constexpr size_t kSlotsPerChunk = 64;
  struct Chunk {
    std::array<EpochSlot, kSlotsPerChunk> slots;
    std::atomic<Chunk*> next{nullptr};
  };
  Chunk first_;
};

namespace internal_epoch {
// The calling thread's own slot, and whose it is. Trivial, so that a look at it costs a look.
struct ThreadSlot {
  const EpochSlots* slots;
  EpochSlot* slot;
};
inline constinit thread_local ThreadSlot thread_slot{nullptr, nullptr};

// At which slot this thread begins to look for a free one; kNoHint: not known yet. Set by a test whose threads are to
// do the same each time.
inline constexpr size_t kNoHint = ~size_t{0};
inline constinit thread_local size_t slot_hint = kNoHint;
}  // namespace internal_epoch

class Epochs {
 public:
  Epochs() : thread_slots_(std::make_shared<EpochSlots>()) {}
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;

  // Announces a reader: nothing that can be reached from now on is freed until Exit. The slot may be handed on.
  EpochSlot* Enter() { return EnterAs(current()); }
  static void Exit(EpochSlot* slot) {
    if (slot->live_reader_ != nullptr) [[unlikely]]
      LeaveLive(slot);
    slot->epoch_.store(0, std::memory_order_release);
    EpochSlots::GiveBack(slot);
  }
  // Lets go of all that was retired before `epoch`, a value that current() had; keeps the slot.
  void Refresh(EpochSlot* slot, uint64_t epoch) {
    if (live_reader_ != nullptr) [[unlikely]]
      MoveLive(slot, epoch);
    Announce(slot, epoch);
  }

  uint64_t current() const {
    return live_reader_ == nullptr ? current_.load(std::memory_order_acquire) : CurrentOfWriter();
  }
  // Begins a new epoch. What was retired under an earlier value of current() is free once Oldest() is greater.
  void Advance();
  // The oldest epoch that a reader is in, or current() if there is none. Costs a heavy fence.
  uint64_t Oldest() const;
  // Whether it is a call under way that the oldest reader is in, or one in another process: not for long then, as a
  // rule.
  bool IsHeldBackByCalls() const;

  // Before anything else, in a process that writes a file: readers of other processes count as well.
  void Serve(const ForeignReaders* foreign_readers);
  // False while such a reader may look at what a writer before this one has unlinked.
  bool AreAllReadersFromNow() const;
  // Before anything else, in a process that reads beside a writer: epochs are that one's, and announced to it.
  void Join(LiveReader* live_reader) { live_reader_ = live_reader; }

 private:
  friend class EpochGuard;

  // An epoch that is out of date by the time it is announced only holds back more than it must.
  static void Announce(EpochSlot* slot, uint64_t epoch) {
    slot->epoch_.store(epoch, std::memory_order_release);
    LightFence();
  }
  EpochSlot* EnterAs(uint64_t epoch);
  // Makes this thread's slot one of these, if it isn't; then announces the current epoch in it. nullptr: the slot is in
  // use, or the thread is ending.
  EpochSlot* EnterThreadSlot();
  EpochSlot* EnterThreadSlotOf(const std::shared_ptr<EpochSlots>& slots);
  EpochSlot* EnterLiveThreadSlot();

  static void LeaveLive(EpochSlot* slot);
  void MoveLive(EpochSlot* slot, uint64_t epoch);
  uint64_t CurrentOfWriter() const;

  std::atomic<uint64_t> current_{1};
  const ForeignReaders* foreign_readers_ = nullptr;
  LiveReader* live_reader_ = nullptr;
  const std::shared_ptr<EpochSlots> thread_slots_;  // not used where a LiveReader has its own
  // Whoever moves from a thread's slot to one of these is announced here before it leaves there.
  EpochSlots kept_slots_;
};

// In an epoch for the length of a scope, on one thread.
class EpochGuard {
 public:
  explicit EpochGuard(Epochs& epochs) {
    const internal_epoch::ThreadSlot& own = internal_epoch::thread_slot;
    if (own.slots == epochs.thread_slots_.get() && own.slot->epoch() == 0) [[likely]] {
      slot_ = own.slot;
      Epochs::Announce(slot_, epochs.current_.load(std::memory_order_acquire));
      return;
    }
    slot_ = epochs.EnterThreadSlot();
    if (slot_ == nullptr) [[unlikely]] {
      slot_ = epochs.Enter();
      is_own_ = false;
    }
  }
  ~EpochGuard() { Exit(); }
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;

  // Ends it, and goes on in a slot that may be handed on.
  EpochSlot* Keep(Epochs& epochs) {
    if (!is_own_) return std::exchange(slot_, nullptr);
    EpochSlot* const kept = epochs.EnterAs(slot_->epoch());
    Exit();
    return kept;
  }
  EpochSlot& slot() const { return *slot_; }
  // In between, the caller looks at nothing: he waits for somebody who may need the space that this would hold back.
  void Pause() { slot_->epoch_.store(0, std::memory_order_release); }
  void Resume(const Epochs& epochs) { Epochs::Announce(slot_, epochs.current()); }
  // Ends it before the scope does.
  void Exit() {
    if (slot_ == nullptr) return;
    if (is_own_) {
      slot_->epoch_.store(0, std::memory_order_release);
    } else {
      Epochs::Exit(slot_);
    }
    slot_ = nullptr;
  }

 private:
  EpochSlot* slot_;
  bool is_own_ = true;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_EPOCH_H_
