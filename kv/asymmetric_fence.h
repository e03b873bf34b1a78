// A store-then-load barrier whose cost lies on one side. Two threads that each store one word and then load the other's
// can't both miss the other's store, if each has a full fence in between. Where one of the sides runs millions of times
// as often as the other, its fence shrinks to an order to the compiler, and the other side's grows to a system call
// that makes every running thread of the process execute a full fence: membarrier(2), Linux 4.14.
//
// It is more than the fence's own cost: a locked instruction or mfence waits for all earlier stores, those that an
// sfence holds back included, so one of them at the head of each operation exposes the whole wait for the write-back of
// the operation before.
//
// Origin: asymmetric Dekker synchronisation (Dice, Huang, Yang, 2001); liburcu's "memb" flavour.
#ifndef SEALKV_KV_ASYMMETRIC_FENCE_H_
#define SEALKV_KV_ASYMMETRIC_FENCE_H_

#include <atomic>

namespace sealkv::internal {

namespace internal_fence {
// Whether this kernel has membarrier(2); found out before main.
extern const bool kHasMembarrier;
}  // namespace internal_fence

// For the frequent side.
inline void LightFence() {
  if (internal_fence::kHasMembarrier) [[likely]] {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } else {
    __builtin_ia32_mfence();
  }
}

// For both sides alike, where that may cost something.
inline void FullFence() { __builtin_ia32_mfence(); }

// For the rare side: a microsecond or some.
void HeavyFence();

}  // namespace sealkv::internal

#endif  // SEALKV_KV_ASYMMETRIC_FENCE_H_
