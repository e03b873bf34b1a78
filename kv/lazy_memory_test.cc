#include "kv/lazy_memory.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gtest/gtest.h"

namespace sealkv::internal {
namespace {

TEST(LazyMemoryTest, IsZeroAtFirstAndWhenItWasCleared) {
  for (const size_t bytes : {size_t{4096}, size_t{6} << 20}) {
    LazyMemory memory(bytes);
    EXPECT_EQ(memory.get(), nullptr) << "nobody has mapped it";
    auto* const first = static_cast<unsigned char*>(memory.Map());
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(memory.Map(), first);
    EXPECT_EQ(memory.get(), first);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % (bytes < (2 << 20) ? 4096 : 2 << 20), 0u);
    EXPECT_EQ(first[bytes - 1], 0);
    std::memset(first, 7, bytes);
    memory.Clear();
    EXPECT_EQ(first[0], 0);
    EXPECT_EQ(first[bytes - 1], 0);
  }
}

TEST(LazyMemoryTest, WhatIsNotToBeHadIsRefused) {
  LazyMemory memory(size_t{1} << 60);
  EXPECT_EQ(memory.Map(), nullptr);
  EXPECT_EQ(memory.Map(), nullptr);
  memory.Clear();
}

}  // namespace
}  // namespace sealkv::internal
