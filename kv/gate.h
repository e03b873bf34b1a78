// The gate that every write goes through: any number of writers are inside, or, while it is closed, nobody. It is
// closed for what must not run beside a write, seldom and briefly: a step of the background pass after an open, giving
// node segments back, and a write that others have turned back too often.
//
// A writer pays a plain store and a load of a word that seldom changes; whoever closes the gate pays a heavy fence, and
// waits for those inside (kv/asymmetric_fence.h).
//
// Thread safety: any. A writer who is inside must not close the gate, nor wait for anybody who might.
#ifndef SEALKV_KV_GATE_H_
#define SEALKV_KV_GATE_H_

#include <atomic>

#include "absl/functional/function_ref.h"
#include "kv/arena.h"
#include "kv/asymmetric_fence.h"
#include "kv/heap.h"
#include "kv/writer_lock.h"

namespace sealkv::internal {

class Gate {
 public:
  // What prepares needn't be waited for by new snapshots.
  enum class Kind : uint8_t { kChanges, kPrepares };

  explicit Gate(Heap& heap) : heap_(heap) {}

  // False: it is closed.
  bool TryEnter(Arena& arena) {
    Announce(arena, arena.activity.load(std::memory_order_relaxed) | Arena::kInOperation | Arena::kInChange);
    LightFence();
    if (!is_closed_.load(std::memory_order_acquire)) [[likely]]
      return true;
    Leave(arena);
    return false;
  }
  // For what takes long to prepare: new snapshots wait for it between BeginChange, then a full fence, then a look at
  // the clock; and EndChange.
  bool TryEnterToPrepare(Arena& arena) {
    if (!TryEnter(arena)) return false;
    Announce(arena, arena.activity.load(std::memory_order_relaxed) & ~Arena::kInChange);
    return true;
  }
  static void BeginChange(Arena& arena) {
    Announce(arena, arena.activity.load(std::memory_order_relaxed) | Arena::kInChange);
  }
  static bool IsInChange(const Arena& arena) {
    return (arena.activity.load(std::memory_order_relaxed) & Arena::kInChange) != 0;
  }
  static void EndChange(Arena& arena) {
    Announce(arena, (arena.activity.load(std::memory_order_relaxed) & ~Arena::kInChange) + Arena::kNextOperation);
  }
  static void Leave(Arena& arena) {
    constexpr uint64_t kFlags = Arena::kInOperation | Arena::kInChange;
    Announce(arena, (arena.activity.load(std::memory_order_relaxed) & ~kFlags) + Arena::kNextOperation);
  }
  // Somebody has closed it: sleeps until it is open.
  void WaitUntilOpen();

  // Waits until nobody is inside. One at a time; Close and Open are on one thread.
  void Close();
  void Open();
  // As of some moment.
  bool is_closed() const { return is_closed_.load(std::memory_order_relaxed); }
  // Whether anybody is inside, as of some moment.
  bool IsBusy();
  // Returns when the changes are over that are under way now.
  void WaitForChanges();

 private:
  // For each arena: until this is true of what it said at first, and says now.
  // noexcept: without memory for its list it ends the process, rather than leave the gate closed for ever.
  void WaitFor(absl::FunctionRef<bool(uint64_t first, uint64_t now)> is_over) noexcept;
  static void Announce(Arena& arena, uint64_t activity) { arena.activity.store(activity, std::memory_order_release); }

  Heap& heap_;
  std::atomic<bool> is_closed_{false};
  WriterLock closer_;  // held by whoever has closed it
};

// For whoever has closed it, and writes: only new snapshots wait for him.
class AloneInGate {
 public:
  explicit AloneInGate(Arena& arena) : arena_(arena) { Gate::BeginChange(arena); }
  ~AloneInGate() { Gate::Leave(arena_); }
  AloneInGate(const AloneInGate&) = delete;
  AloneInGate& operator=(const AloneInGate&) = delete;

 private:
  Arena& arena_;
};

class ClosedGate {
 public:
  explicit ClosedGate(Gate& gate) : gate_(gate) { gate_.Close(); }
  ~ClosedGate() { gate_.Open(); }
  ClosedGate(const ClosedGate&) = delete;
  ClosedGate& operator=(const ClosedGate&) = delete;

 private:
  Gate& gate_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_GATE_H_
