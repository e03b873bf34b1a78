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
  // `keeps_latest`: for a visitor, who is told what each problem costs (TreeWalk::Lose).
  explicit Findings(const CheckOptions& options, bool keeps_latest = false)
      : options_(options), keeps_latest_(keeps_latest) {}

  // The text is put together only if it is kept: a file full of damage costs no more than a sound one.
  template <typename... Parts>
  void Major(Offset offset, const Parts&... parts) {
    ++report_.major_problems;
    if (!has_room() && !keeps_latest_) return;
    Problem problem{Problem::Severity::kMajor, Raw(offset), absl::StrCat(parts...)};
    if (keeps_latest_) latest_ = problem;
    if (has_room()) report_.problems.push_back(std::move(problem));
  }
  template <typename... Parts>
  void Minor(Offset offset, const Parts&... parts) {
    ++report_.minor_problems;
    if (has_room()) report_.problems.push_back({Problem::Severity::kMinor, Raw(offset), absl::StrCat(parts...)});
  }

  const CheckOptions& options() const { return options_; }
  CheckReport& report() { return report_; }
  const Problem& latest_major() const { return latest_; }

  // Offsets in texts, as `kvdump page` takes them.
  static std::string Hex(Offset offset) { return absl::StrCat("0x", absl::Hex(Raw(offset))); }
  static std::string HexSlice(uint64_t slice) { return absl::StrCat("0x", absl::Hex(slice, absl::kZeroPad16)); }

 private:
  bool has_room() const { return report_.problems.size() < CheckReport::kProblemsKept; }

  const CheckOptions& options_;
  const bool keeps_latest_;
  Problem latest_{};
  CheckReport report_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CHECK_FINDINGS_H_
