#include "bench/paths.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace sealkv::bench {

absl::StatusOr<std::shared_ptr<const Paths>> Paths::Load(const std::string& folder) {
  std::vector<std::string> lines;
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(folder, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (it->path().extension() != ".list") continue;
    std::ifstream file(it->path());
    for (std::string line; std::getline(file, line);) {
      if (!line.empty()) lines.push_back(line);
    }
  }
  if (lines.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no paths in ", folder, "/*.list, of which --key_kind=path makes keys: it needs a Debian system"));
  }
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  auto paths = std::make_shared<Paths>();
  for (const std::string& line : lines) {
    paths->begins_.push_back(static_cast<uint32_t>(paths->text_.size()));
    paths->text_ += line;
  }
  paths->begins_.push_back(static_cast<uint32_t>(paths->text_.size()));
  return paths;
}

}  // namespace sealkv::bench
