// Real paths to be used as keys: those of the files that Debian's packages brought to this machine.
#ifndef SEALKV_BENCH_PATHS_H_
#define SEALKV_BENCH_PATHS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sealkv::bench {

// In ascending order, each once. One text, read by all threads, and by the processes that are forked off.
class Paths {
 public:
  static constexpr char kDebian[] = "/var/lib/dpkg/info";
  // The lines of all files FOLDER/*.list. NotFound: there are none.
  static absl::StatusOr<std::shared_ptr<const Paths>> Load(const std::string& folder);

  uint64_t size() const { return begins_.size() - 1; }
  std::string_view operator[](uint64_t i) const {
    return {text_.data() + begins_[i], static_cast<size_t>(begins_[i + 1] - begins_[i])};
  }

 private:
  std::string text_;
  std::vector<uint32_t> begins_;  // and the end
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_PATHS_H_
