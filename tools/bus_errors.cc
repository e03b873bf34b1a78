#include "tools/bus_errors.h"

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
  const daxfile::DaxFile* file = nullptr;
  volatile uint64_t count = 0;
  uint64_t offsets[BusErrors::kKept];
  struct sigaction before;
};
State state;

bool IsInside(uintptr_t address, const daxfile::DaxFile& file) {
  const auto begin = reinterpret_cast<uintptr_t>(file.data());
  return file.lock_fd() >= 0 && address >= begin && address - begin < file.size_bytes();
}

// The file, or the part of it, that is mapped there; nullptr if there is none.
const daxfile::DaxFile* FileAt(uintptr_t address) {
  for (size_t i = 0; i < state.file->parts(); ++i) {
    if (IsInside(address, state.file->part(i))) return &state.file->part(i);
  }
  return IsInside(address, *state.file) ? state.file : nullptr;
}

// System calls, the state above, and what whoever touched the page was reading too. False: the page isn't one of the
// mapping's.
bool ReplacePage(uintptr_t address) {
  const daxfile::DaxFile* const file = FileAt(address);
  if (file == nullptr) return false;
  const uint64_t offset = (address - reinterpret_cast<uintptr_t>(file->data())) / kPageBytes * kPageBytes;
  void* page =
      mmap(file->data() + offset, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (page == MAP_FAILED) return false;
  for (uint64_t at = 0; at < kPageBytes; at += kSectorBytes) {
    // What can't be read stays zero.
    if (pread(file->lock_fd(), static_cast<char*>(page) + at, kSectorBytes, static_cast<off_t>(offset + at)) < 0) {
      continue;
    }
  }
  mprotect(page, kPageBytes, PROT_READ);
  if (state.count < BusErrors::kKept) {
    state.offsets[state.count] = static_cast<uint64_t>(file->data() - state.file->data()) + offset;
  }
  state.count = state.count + 1;
  return true;
}

void OnBusError(int signal, siginfo_t* info, void*) {
  if (ReplacePage(reinterpret_cast<uintptr_t>(info->si_addr))) return;
  sigaction(signal, &state.before, nullptr);  // the instruction is tried again, and fails as it did before
}

}  // namespace

BusErrors::BusErrors(const daxfile::DaxFile& file) {
  state.file = &file;
  state.count = 0;
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, &state.before);
}

BusErrors::~BusErrors() {
  sigaction(SIGBUS, &state.before, nullptr);
  state = State();
}

std::vector<uint64_t> BusErrors::offsets() const {
  return {state.offsets, state.offsets + std::min<uint64_t>(count(), kKept)};
}

uint64_t BusErrors::count() const { return state.count; }

}  // namespace sealkv::tools
