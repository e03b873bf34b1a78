// Where the checker's parts put what they find: the report, with a limited number of problems described.
#ifndef SEALKV_KV_CHECK_FINDINGS_H_
#define SEALKV_KV_CHECK_FINDINGS_H_

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/check.h"
#include "kv/reference.h"

namespace sealkv::internal {

class Findings {
 public:
  explicit Findings(const CheckOptions& options) : options_(options) {}

  // The text is put together only if it is kept: a file full of damage costs no more than a sound one.
  template <typename... Parts>
  void Major(Offset offset, const Parts&... parts) {
    ++report_.major_problems;
    if (has_room()) report_.problems.push_back({Problem::Severity::kMajor, Raw(offset), absl::StrCat(parts...)});
  }
  template <typename... Parts>
  void Minor(Offset offset, const Parts&... parts) {
    ++report_.minor_problems;
    if (has_room()) report_.problems.push_back({Problem::Severity::kMinor, Raw(offset), absl::StrCat(parts...)});
  }

  const CheckOptions& options() const { return options_; }
  CheckReport& report() { return report_; }

  // Offsets in texts, as `kvdump page` takes them.
  static std::string Hex(Offset offset) { return absl::StrCat("0x", absl::Hex(Raw(offset))); }

 private:
  bool has_room() const { return report_.problems.size() < CheckReport::kProblemsKept; }

  const CheckOptions& options_;
  CheckReport report_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CHECK_FINDINGS_H_
