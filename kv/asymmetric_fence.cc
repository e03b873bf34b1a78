#include "kv/asymmetric_fence.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

namespace sealkv::internal {
namespace {

bool Membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

bool Register() { return Membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); }

}  // namespace

namespace internal_fence {
const bool kHasMembarrier = Register();
}

void HeavyFence() {
  __builtin_ia32_mfence();
  if (!internal_fence::kHasMembarrier || Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return;
  // A process that was forked off registers for itself. Going on without the barrier is not an option.
  if (!Register() || !Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) std::abort();
}

}  // namespace sealkv::internal
