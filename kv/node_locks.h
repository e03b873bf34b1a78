// The locks of nodes, one in each (LockWord in kv/node.h). A writer takes a node as he saw it: the same instruction
// that locks it finds out whether it has changed since. Letting go is a plain store, for a locked instruction would
// wait for the commit's own fence; who wants to sleep pays for that with a heavy fence (kv/asymmetric_fence.h).
//
// Nobody who holds a node waits for another one: he lets go of all that he holds, waits, and starts again. So there is
// no order in which nodes are to be taken, and no deadlock.
#ifndef SEALKV_KV_NODE_LOCKS_H_
#define SEALKV_KV_NODE_LOCKS_H_

#include <atomic>
#include <climits>
#include <cstdint>

#include "kv/asymmetric_fence.h"
#include "kv/node.h"

namespace sealkv::internal {

class NodeLocks {
 public:
  explicit NodeLocks(uint32_t generation) : generation_(generation) {}

  // Locks the node if it is free and has this version. Readers wait from now on.
  bool TryLock(Node& node, LockWord version) {
    return version.is_free(generation_) && Exchange(node, version, version.Locked(generation_));
  }
  // The same, but readers go on.
  bool TryClaim(Node& node, LockWord version) {
    return version.is_free(generation_) && Exchange(node, version, version.Claimed(generation_));
  }
  // Of a node that the caller holds. What follows is seen by nobody who doesn't see this.
  void Lock(Node& node) { Store(node, node.lock().Locked(generation_), std::memory_order_relaxed); }
  // Readers go on, with a new version; writers wait.
  void UnlockForReaders(Node& node) {
    Store(node, node.lock().Unlocked().Claimed(generation_), std::memory_order_release);
  }
  void Unlock(Node& node) { Unlock(node, node.lock()); }
  // By who knows what he has made of the lock word, which shares a line with entries: to read a line that is on its way
  // back to memory is to wait for it.
  void Unlock(Node& node, LockWord locked) {
    Store(node, locked.Unlocked(), std::memory_order_release);
    WakeIfWaited(node);
  }
  void Unclaim(Node& node) {
    Store(node, node.lock().Unclaimed(), std::memory_order_release);
    WakeIfWaited(node);
  }
  // After TryClaim of this version: nobody can tell that there was a claim.
  void Unclaim(Node& node, LockWord version) {
    Store(node, version, std::memory_order_release);
    WakeIfWaited(node);
  }
  // It stays so until the memory is another node's.
  void MakeObsolete(Node& node) {
    Store(node, node.lock().Locked(generation_).Obsolete(), std::memory_order_release);
    WakeIfWaited(node, INT_MAX);
  }

  // Waits until the node may be taken, or has become obsolete, or for a while: the memory may be used for something
  // else by the time. Holds nothing, and is in no epoch.
  void WaitUntilFree(const Node& node);

  uint32_t generation() const { return generation_; }

 private:
  static bool Exchange(Node& node, LockWord from, LockWord to) {
    uint64_t expected = from.raw();
    return Word(node).compare_exchange_strong(expected, to.raw(), std::memory_order_acq_rel, std::memory_order_relaxed);
  }
  static void Store(Node& node, LockWord lock, std::memory_order order) { Word(node).store(lock.raw(), order); }
  static std::atomic_ref<uint64_t> Word(Node& node) { return std::atomic_ref<uint64_t>(node.words[Node::kLockWord]); }

  // One is enough while the node lives: who is woken takes it, and wakes the next one by letting go.
  void WakeIfWaited(Node& node, int count = 1) {
    LightFence();  // with the heavy fence of a waiter: one of us sees what the other stored
    if (waiters_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      Wake(node, count);
  }
  static void Wake(Node& node, int count);

  const uint32_t generation_;
  std::atomic<uint32_t> waiters_{0};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_NODE_LOCKS_H_
