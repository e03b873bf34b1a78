// Assertions about absl::Status and absl::StatusOr.
#ifndef SEALKV_TESTS_STATUS_H_
#define SEALKV_TESTS_STATUS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"

namespace sealkv::testing {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

inline ::testing::AssertionResult IsOk(const absl::Status& status) {
  if (status.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << status.ToString();
}

// Whether the status has this code and its message holds each of `parts`.
inline ::testing::AssertionResult IsError(const absl::Status& status, absl::StatusCode code,
                                          std::initializer_list<std::string_view> parts = {}) {
  if (status.code() != code) {
    return ::testing::AssertionFailure() << "wanted " << absl::StatusCodeToString(code) << ", got "
                                         << status.ToString();
  }
  const std::string message(status.message());
  for (const std::string_view part : parts) {
    if (message.find(part) != std::string::npos) continue;
    return ::testing::AssertionFailure() << "no \"" << part << "\" in \"" << message << "\"";
  }
  return ::testing::AssertionSuccess();
}

}  // namespace sealkv::testing

#define EXPECT_OK(expression) EXPECT_TRUE(::sealkv::testing::IsOk(::sealkv::testing::StatusOf(expression)))
#define ASSERT_OK(expression) ASSERT_TRUE(::sealkv::testing::IsOk(::sealkv::testing::StatusOf(expression)))

#endif  // SEALKV_TESTS_STATUS_H_
