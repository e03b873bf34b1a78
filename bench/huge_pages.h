// What an engine allocates is on huge pages, as a store's mapping is: else a comparison would be one of page sizes.
#ifndef SEALKV_BENCH_HUGE_PAGES_H_
#define SEALKV_BENCH_HUGE_PAGES_H_

#include <unistd.h>

#include <cstdlib>

namespace sealkv::bench {

// Lets malloc ask for them (where the kernel gives them to whoever asks), which glibc reads once, when a program
// begins: so this one begins again. Whoever has set GLIBC_TUNABLES has chosen for himself. To be called first.
inline void BeginOnHugePages(char** argv) {
  constexpr char kTunables[] = "GLIBC_TUNABLES";
  if (getenv(kTunables) != nullptr) return;
  setenv(kTunables, "glibc.malloc.hugetlb=1", 1);
  execv("/proc/self/exe", argv);  // if that fails: without
}

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_HUGE_PAGES_H_
