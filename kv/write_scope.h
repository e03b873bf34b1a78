#ifndef SEALKV_KV_WRITE_SCOPE_H_
#define SEALKV_KV_WRITE_SCOPE_H_

#include <sched.h>

#include "kv/store_impl.h"
#include "kv/wait.h"

namespace sealkv::internal {

// A writer at work: in an epoch, and inside of the gate.
class WriteScope {
 public:
  explicit WriteScope(StoreImpl& store, Gate::Kind kind = Gate::Kind::kChanges)
      : store_(store), kind_(kind), guard_(store.epochs_), arena_(store.heap_.ArenaOf(guard_.slot())) {
    Enter();
  }
  ~WriteScope() {
    if (is_inside_) Leave();
  }
  WriteScope(const WriteScope&) = delete;
  WriteScope& operator=(const WriteScope&) = delete;

  Arena& arena() const { return arena_; }

  // Lets others pass: until the node is free, if there is one.
  void WaitFor(const Node* blocker) {
    Leave();
    guard_.Pause();
    if (blocker != nullptr) {
      store_.locks_.WaitUntilFree(*blocker);
    } else if (!WaitInTest()) {
      sched_yield();
    }
    guard_.Resume(store_.epochs_);
    Enter();
  }

  // At the end, when nothing is looked at any more. noexcept, for the write is done: see Change.
  void ReclaimIfDue() noexcept {
    if (!Heap::IsReclaimDue(arena_)) [[likely]]
      return;
    Gate::EndChange(arena_);
    guard_.Pause();
    store_.heap_.ReclaimSome(arena_);
  }

  void Leave() {
    Gate::Leave(arena_);
    is_inside_ = false;
  }

 private:
  void Enter() {
    is_inside_ = true;
    while (!(kind_ == Gate::Kind::kChanges ? store_.gate_.TryEnter(arena_) : store_.gate_.TryEnterToPrepare(arena_)))
      [[unlikely]] {
        guard_.Pause();
        store_.gate_.WaitUntilOpen();
        guard_.Resume(store_.epochs_);
      }
  }

  StoreImpl& store_;
  const Gate::Kind kind_;
  EpochGuard guard_;
  Arena& arena_;
  bool is_inside_ = true;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_WRITE_SCOPE_H_
