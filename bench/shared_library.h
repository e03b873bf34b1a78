// Other people's engines, opened when they are asked for: kvbench itself links none of them, and runs where they aren't
// installed. Their headers give the types.
#ifndef SEALKV_BENCH_SHARED_LIBRARY_H_
#define SEALKV_BENCH_SHARED_LIBRARY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace sealkv::bench {

class SharedLibrary {
 public:
  // Opens the first of `names` that there is, for the rest of the process. `package`: Debian's, which has it.
  SharedLibrary(const std::vector<std::string>& names, std::string package);

  // NotFound, with what to install: the library isn't there, or lacks a function that was asked for.
  const absl::Status& status() const { return status_; }

  void* Find(const char* symbol);

 private:
  const std::string package_;
  void* handle_ = nullptr;
  absl::Status status_;
};

// One function of a library, called as if it were linked: Imported<decltype(f)> f{library, "f"}.
template <typename Function>
class Imported {
 public:
  Imported(SharedLibrary& library, const char* symbol) : function_(reinterpret_cast<Function*>(library.Find(symbol))) {}
  operator Function*() const { return function_; }  // NOLINT: by this it is called

 private:
  Function* function_;
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_SHARED_LIBRARY_H_
