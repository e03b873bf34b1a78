// Salvages a store that lies in memory, and judges what came of it.
#ifndef SEALKV_TOOLS_TESTING_SALVAGE_H_
#define SEALKV_TOOLS_TESTING_SALVAGE_H_

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "kv/recovery.h"
#include "kv/salvage.h"
#include "tests/memory_store.h"
#include "tests/status.h"
#include "tools/testing/damage.h"

namespace sealkv::testing {

struct Salvaged {
  absl::Status status;
  internal::SalvageReport report;
  std::map<std::string, std::string> content;  // of the new store

  bool is_all() const { return status.ok() && report.lost.empty() && report.recovered.empty(); }
  bool CallsLost(std::string_view key) const {
    return std::any_of(report.lost.begin(), report.lost.end(),
                       [key](const internal::LostKeys& lost) { return lost.range.Contains(key); });
  }
};

// `damaged` is aligned to 4 KiB.
inline Salvaged SalvageMemory(std::span<std::byte> damaged, const internal::SalvageOptions& options = {}) {
  Salvaged result;
  daxfile::DaxFile file = daxfile::DaxFile::OverMemory(damaged);
  const absl::StatusOr<internal::DamagedImage> image = internal::OpenDamagedImage(file);
  result.status = image.status();
  if (!image.ok()) return result;
  MemoryStore target(2 * std::max<size_t>(image->capacity_bytes, 64 << 10));
  EXPECT_OK(target.Format());
  absl::StatusOr<internal::SalvageReport> report = internal::Salvage(image->image, *target, options);
  result.status = report.status();
  if (!report.ok()) return result;
  result.report = *std::move(report);
  const std::unique_ptr<Iterator> at = target->NewIterator();
  for (at->SeekToFirst(); at->Valid(); at->Next()) result.content.emplace(at->key(), at->value());
  EXPECT_OK(at->status());
  return result;
}

inline Salvaged SalvageBytes(std::span<const std::byte> damaged, const internal::SalvageOptions& options = {}) {
  const Memory memory(damaged.size());
  std::copy(damaged.begin(), damaged.end(), memory.data());
  return SalvageMemory(memory.span(), options);
}

}  // namespace sealkv::testing

#endif  // SEALKV_TOOLS_TESTING_SALVAGE_H_
