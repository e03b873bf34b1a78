// How much memory this process takes.
#ifndef SEALKV_BENCH_PROCESS_MEMORY_H_
#define SEALKV_BENCH_PROCESS_MEMORY_H_

#include <cstdint>
#include <cstdio>

namespace sealkv::bench {

struct ProcessMemory {
  uint64_t rss_bytes = 0;
  uint64_t rss_anon_bytes = 0;  // of that, what is neither of a file nor shared: RssAnon
};

// Zeros where the kernel doesn't say (RssAnon: since Linux 4.5).
inline ProcessMemory ReadProcessMemory() {
  ProcessMemory memory;
  std::FILE* status = std::fopen("/proc/self/status", "r");
  if (status == nullptr) return memory;
  unsigned long long kib;  // NOLINT: scanf's
  for (char line[256]; std::fgets(line, sizeof(line), status) != nullptr;) {
    if (std::sscanf(line, "VmRSS: %llu", &kib) == 1) memory.rss_bytes = kib << 10;
    if (std::sscanf(line, "RssAnon: %llu", &kib) == 1) memory.rss_anon_bytes = kib << 10;
  }
  std::fclose(status);
  return memory;
}

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_PROCESS_MEMORY_H_
