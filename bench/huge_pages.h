// What an engine allocates is on huge pages, as a store's mapping is: else a comparison would be one of page sizes.
#ifndef SEALKV_BENCH_HUGE_PAGES_H_
#define SEALKV_BENCH_HUGE_PAGES_H_

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace sealkv::bench {

// Lets malloc ask for them (where the kernel gives them to whoever asks), which glibc reads once, when a program
// begins: so this one begins again. Whoever has set GLIBC_TUNABLES has chosen for himself. And who watches the program
// (valgrind, by LD_PRELOAD; or for marks) may not see one that begins again. To be called first.
inline void BeginOnHugePages(char** argv) {
  constexpr char kTunables[] = "GLIBC_TUNABLES";
  if (getenv(kTunables) != nullptr || getenv("LD_PRELOAD") != nullptr) return;
  for (char** argument = argv; *argument != nullptr; ++argument) {
    if (std::string_view(*argument).find("-mark_operations") != std::string_view::npos) return;
  }
  setenv(kTunables, "glibc.malloc.hugetlb=1", 1);
  execv("/proc/self/exe", argv);  // if that fails: without
}

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_HUGE_PAGES_H_
