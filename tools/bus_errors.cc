#include "tools/bus_errors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace sealkv::tools {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kSectorBytes = 512;

// What the handler knows: plain data, for it may be called at any instruction.
struct State {
  int fd = -1;
  uintptr_t begin = 0;
  uint64_t bytes = 0;
  volatile uint64_t count = 0;
  uint64_t offsets[BusErrors::kKept];
  struct sigaction before;
};
State state;

// Async-signal-safe: system calls and the state above. False: the page isn't one of the mapping's.
bool ReplacePage(uintptr_t address) {
  if (address < state.begin || address - state.begin >= state.bytes) return false;
  const uint64_t offset = (address - state.begin) / kPageBytes * kPageBytes;
  void* page = mmap(reinterpret_cast<void*>(state.begin + offset), kPageBytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (page == MAP_FAILED) return false;
  for (uint64_t at = 0; at < kPageBytes; at += kSectorBytes) {
    // What can't be read stays zero.
    if (pread(state.fd, static_cast<char*>(page) + at, kSectorBytes, static_cast<off_t>(offset + at)) < 0) continue;
  }
  mprotect(page, kPageBytes, PROT_READ);
  if (state.count < BusErrors::kKept) state.offsets[state.count] = offset;
  state.count = state.count + 1;
  return true;
}

void OnBusError(int signal, siginfo_t* info, void*) {
  if (ReplacePage(reinterpret_cast<uintptr_t>(info->si_addr))) return;
  sigaction(signal, &state.before, nullptr);  // the instruction is tried again, and fails as it did before
}

}  // namespace

BusErrors::BusErrors(const char* path, const std::byte* mapping, uint64_t bytes) {
  state.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  state.begin = reinterpret_cast<uintptr_t>(mapping);
  state.bytes = bytes;
  state.count = 0;
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, &state.before);
}

BusErrors::~BusErrors() {
  sigaction(SIGBUS, &state.before, nullptr);
  if (state.fd >= 0) close(state.fd);
  state = State();
}

std::vector<uint64_t> BusErrors::offsets() const {
  return {state.offsets, state.offsets + std::min<uint64_t>(count(), kKept)};
}

uint64_t BusErrors::count() const { return state.count; }

}  // namespace sealkv::tools
