// What the model test doesn't ask of an iterator.
#include <memory>
#include <string>

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

}  // namespace
}  // namespace sealkv
