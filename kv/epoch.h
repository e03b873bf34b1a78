// When may memory that a reader could still be looking at be used again? Epoch-based reclamation (Fraser, 2004): a reader
// announces the epoch it began in, in a slot; what was retired in epoch t is free once every announced epoch is later.
//
// Why not liburcu: an RCU read-side section belongs to a thread, and a PinnedValue or an Iterator may be handed to another
// one, or be held while its own thread writes (which would wait for itself). And slots can later lie where readers of
// other processes reach them.
#ifndef SEALKV_KV_EPOCH_H_
#define SEALKV_KV_EPOCH_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

namespace sealkv::internal {

class alignas(64) EpochSlot {
 public:
  uint64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }

 private:
  friend class Epochs;
  std::atomic<uint64_t> epoch_{0};  // 0: not in use
};

class Epochs {
 public:
  Epochs() = default;
  ~Epochs();
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;

  // Announces a reader: nothing that can be reached from now on is freed until Exit. One atomic exchange on a line that
  // other threads seldom touch. Never fails.
  EpochSlot* Enter();
  static void Exit(EpochSlot* slot) { slot->epoch_.store(0, std::memory_order_release); }
  // Lets go of all that was reachable before, keeps the slot.
  void Refresh(EpochSlot* slot) { slot->epoch_.exchange(current(), std::memory_order_seq_cst); }

  uint64_t current() const { return current_.load(std::memory_order_acquire); }
  // Begins a new epoch. What was retired under an earlier value of current() is free once Oldest() is greater.
  void Advance() { current_.fetch_add(1, std::memory_order_seq_cst); }
  // The oldest epoch that a reader is in, or current() if there is none.
  uint64_t Oldest() const;

 private:
  static constexpr size_t kSlotsPerChunk = 256;
  struct Chunk {
    std::array<EpochSlot, kSlotsPerChunk> slots;
    std::atomic<Chunk*> next{nullptr};
  };

  std::atomic<uint64_t> current_{1};
  Chunk first_;
};

class EpochGuard {
 public:
  explicit EpochGuard(Epochs& epochs) : slot_(epochs.Enter()) {}
  ~EpochGuard() {
    if (slot_ != nullptr) Epochs::Exit(slot_);
  }
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;
  // The caller ends the epoch.
  EpochSlot* Release() { return std::exchange(slot_, nullptr); }

 private:
  EpochSlot* slot_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_EPOCH_H_
