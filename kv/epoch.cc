#include "kv/epoch.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "kv/foreign_readers.h"
#include "kv/live_reader.h"

namespace sealkv::internal {
namespace {

// False for ever once this thread's owner below is gone: its other destructors may still read.
constinit thread_local bool has_owner = true;

// Gives the thread's slot back when the thread ends, and keeps the slots' memory until then.
struct ThreadSlotOwner {
  std::shared_ptr<EpochSlots> slots;

  void Rebind(std::shared_ptr<EpochSlots> to) {
    internal_epoch::ThreadSlot& own = internal_epoch::thread_slot;
    // Before the old one is given back: without memory it stays the thread's.
    const auto next = to != nullptr ? internal_epoch::ThreadSlot{to.get(), to->Take()} : internal_epoch::ThreadSlot{};
    if (own.slot != nullptr) EpochSlots::GiveBack(own.slot);
    own = next;
    slots = std::move(to);
  }
  ~ThreadSlotOwner() {
    Rebind(nullptr);
    has_owner = false;
  }
};
thread_local ThreadSlotOwner owner;

// Threads start looking at different slots, so that they seldom meet.
size_t ThreadHint() {
  static std::atomic<size_t> next{0};
  size_t& hint = internal_epoch::slot_hint;
  if (hint == internal_epoch::kNoHint) hint = next.fetch_add(1, std::memory_order_relaxed);
  return hint;
}

}  // namespace

EpochSlots::~EpochSlots() {
  for (Chunk* chunk = first_.next.load(); chunk != nullptr;) delete std::exchange(chunk, chunk->next.load());
}

EpochSlot* EpochSlots::Take() {
  const size_t hint = ThreadHint();
  for (Chunk* chunk = &first_;;) {
    for (size_t i = 0; i < kSlotsPerChunk; ++i) {
      EpochSlot& slot = chunk->slots[(hint + i) % kSlotsPerChunk];
      if (!slot.is_taken_.load(std::memory_order_relaxed) &&
          !slot.is_taken_.exchange(true, std::memory_order_acquire)) {
        return &slot;
      }
    }
    Chunk* next = chunk->next.load(std::memory_order_acquire);
    if (next == nullptr) {
      auto* fresh = new Chunk;
      if (chunk->next.compare_exchange_strong(next, fresh)) {
        next = fresh;
      } else {
        delete fresh;
      }
    }
    chunk = next;
  }
}

uint64_t EpochSlots::Oldest(uint64_t none) const {
  uint64_t oldest = none;
  for (const Chunk* chunk = &first_; chunk != nullptr; chunk = chunk->next.load(std::memory_order_acquire)) {
    for (const EpochSlot& slot : chunk->slots) {
      // Acquire: what the reader read it read before it left, and so before what it read is freed.
      const uint64_t epoch = slot.epoch_.load(std::memory_order_acquire);
      if (epoch != 0) oldest = std::min(oldest, epoch);
    }
  }
  return oldest;
}

EpochSlot* Epochs::EnterAs(uint64_t epoch) {
  EpochSlot* slot = kept_slots_.Take();
  absl::Cleanup give_back = [slot] { EpochSlots::GiveBack(slot); };
  if (live_reader_ != nullptr) {
    slot->live_reader_ = live_reader_;
    live_reader_->Enter(epoch);
  }
  std::move(give_back).Cancel();
  Announce(slot, epoch);
  return slot;
}

void Epochs::LeaveLive(EpochSlot* slot) { slot->live_reader_->Leave(slot->epoch()); }

void Epochs::MoveLive(EpochSlot* slot, uint64_t epoch) { live_reader_->Move(slot->epoch(), epoch); }

uint64_t Epochs::CurrentOfWriter() const { return live_reader_->current(); }

EpochSlot* Epochs::EnterThreadSlotOf(const std::shared_ptr<EpochSlots>& slots) {
  const internal_epoch::ThreadSlot& own = internal_epoch::thread_slot;
  if (!has_owner || (own.slot != nullptr && own.slot->epoch() != 0)) return nullptr;
  if (own.slots != slots.get()) owner.Rebind(slots);
  Announce(own.slot, current());
  return own.slot;
}

EpochSlot* Epochs::EnterThreadSlot() {
  return live_reader_ == nullptr ? EnterThreadSlotOf(thread_slots_) : EnterLiveThreadSlot();
}

// The process's mark, while it is kept, is no later than what is announced here: whoever wants to take it away first
// says so, and then looks at the slots.
EpochSlot* Epochs::EnterLiveThreadSlot() {
  if (!live_reader_->is_mark_kept()) return nullptr;
  EpochSlot* const slot = EnterThreadSlotOf(live_reader_->thread_slots());
  if (slot == nullptr || live_reader_->is_mark_kept()) return slot;
  slot->epoch_.store(0, std::memory_order_release);
  return nullptr;
}

void Epochs::Advance() {
  const uint64_t next = current_.fetch_add(1, std::memory_order_seq_cst) + 1;
  if (foreign_readers_ != nullptr) foreign_readers_->Publish(next);
}

void Epochs::Serve(const ForeignReaders* foreign_readers) {
  foreign_readers_ = foreign_readers;
  current_.store(foreign_readers->first_epoch(), std::memory_order_release);
}

bool Epochs::AreAllReadersFromNow() const { return foreign_readers_ == nullptr || foreign_readers_->AreAllFromNow(); }

bool Epochs::IsHeldBackByCalls() const {
  const uint64_t now = current();
  const uint64_t oldest = thread_slots_->Oldest(now);
  return (foreign_readers_ == nullptr ? oldest : foreign_readers_->Oldest(oldest)) < now;
}

uint64_t Epochs::Oldest() const {
  const uint64_t now = current();
  // A reader that isn't seen below announced itself after this, so it sees what was unlinked before it.
  HeavyFence();
  // In this order: who isn't found in a thread's slot because he left it for one that he keeps is found there.
  const uint64_t oldest = kept_slots_.Oldest(thread_slots_->Oldest(now));
  return foreign_readers_ == nullptr ? oldest : foreign_readers_->Oldest(oldest);
}

}  // namespace sealkv::internal
