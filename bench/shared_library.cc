#include "bench/shared_library.h"

#include <dlfcn.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace sealkv::bench {

SharedLibrary::SharedLibrary(const std::vector<std::string>& names, std::string package)
    : package_(std::move(package)) {
  for (const std::string& name : names) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) return;
  }
  status_ = absl::NotFoundError(absl::StrCat(names.front(), " isn't installed; on Debian: apt-get install ", package_));
}

void* SharedLibrary::Find(const char* symbol) {
  if (handle_ == nullptr) return nullptr;
  void* found = dlsym(handle_, symbol);
  if (found == nullptr && status_.ok()) {
    status_ = absl::NotFoundError(
        absl::StrCat("the library has no function ", symbol, "; kvbench was built for that of Debian's ", package_));
  }
  return found;
}

}  // namespace sealkv::bench
