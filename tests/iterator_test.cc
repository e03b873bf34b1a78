// What the model test doesn't ask of an iterator.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/status.h"

namespace sealkv {
namespace {

// The key that is passed may be the iterator's own, which goes when it moves.
TEST(IteratorTest, SeeksToAKeyOfItsOwn) {
  for (const bool is_word : {true, false}) {
    testing::MemoryStore store(1 << 20);
    ASSERT_OK(store.Format());
    const auto key_of = [&](uint64_t i) { return is_word ? U64Key(i) : "a longer key " + std::to_string(i); };
    for (uint64_t i = 1; i <= 3; ++i) ASSERT_OK(store->Put(key_of(i), testing::WordValue(i)));
    const std::unique_ptr<Iterator> at = store->NewIterator();
    at->Seek(key_of(2));
    ASSERT_TRUE(at->Valid());
    ASSERT_OK(store->Delete(key_of(2)));
    at->SeekForPrev(at->key());
    ASSERT_TRUE(at->Valid());
    EXPECT_EQ(at->key(), key_of(2)) << "an iterator sees the state that there was when it was made";
    at->Prev();
    at->Seek(at->key());
    ASSERT_TRUE(at->Valid());
    EXPECT_EQ(at->key(), key_of(1));
  }
}

// Their memory is kept by threads for the next ones.
TEST(IteratorTest, GoFromThreadToThread) {
  testing::MemoryStore store(1 << 20);
  ASSERT_OK(store.Format());
  for (uint64_t i = 0; i < 100; ++i) ASSERT_OK(store->Put(U64Key(i), testing::WordValue(i)));
  std::vector<std::unique_ptr<Iterator>> all;
  const auto make = [&] {
    for (uint64_t i = 0; i < 5; ++i) {
      all.push_back(store->NewIterator());
      all.back()->Seek(U64Key(all.size()));
    }
  };
  make();
  std::thread([&] {
    all.resize(2);
    make();
  }).join();
  for (size_t i = 2; i < all.size(); ++i) {
    ASSERT_TRUE(all[i]->Valid());
    EXPECT_EQ(all[i]->key(), U64Key(i + 1));
  }
  all.resize(1);
  make();
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i]->key(), U64Key(i + 1));
}

}  // namespace
}  // namespace sealkv
