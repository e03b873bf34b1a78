// Whether the checker (kv/check.h) finds nothing to say about a store.
#ifndef SEALKV_TESTS_CHECK_CLEAN_H_
#define SEALKV_TESTS_CHECK_CLEAN_H_

#include <cstddef>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "gtest/gtest.h"
#include "kv/check.h"
#include "kv/image.h"
#include "kv/recovery.h"

namespace sealkv::testing {

// The memory must hold a store whose superblock is sound.
inline ::testing::AssertionResult IsClean(std::span<std::byte> memory) {
  const internal::CheckReport report = internal::Check(internal::Image(memory.data()));
  if (report.is_sound()) return ::testing::AssertionSuccess();
  ::testing::AssertionResult failure = ::testing::AssertionFailure();
  failure << report.major_problems << " major and " << report.minor_problems << " minor problems";
  for (const internal::Problem& problem : report.problems) failure << "; at " << problem.offset << ": " << problem.text;
  return failure;
}

// The same for a file. Nobody may have it open for writing.
inline ::testing::AssertionResult IsCleanFile(const std::string& path) {
  absl::StatusOr<daxfile::DaxFile> file =
      daxfile::DaxFile::Open(path, {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true});
  if (!file.ok()) return ::testing::AssertionFailure() << file.status().ToString();
  if (const absl::Status status = internal::MapParts(*file); !status.ok()) {
    return ::testing::AssertionFailure() << status.ToString();
  }
  const absl::StatusOr<internal::Image> image = internal::OpenImage(*file);
  if (!image.ok()) return ::testing::AssertionFailure() << image.status().ToString();
  return IsClean({file->data(), file->mapped_bytes()});
}

}  // namespace sealkv::testing

#endif  // SEALKV_TESTS_CHECK_CLEAN_H_
