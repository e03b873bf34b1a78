// Bulk load: the same tree, for whoever reads it, as by puts; made at once.
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "daxfile/persist.h"
#include "gtest/gtest.h"
#include "kv/image.h"
#include "kv/node.h"
#include "kv/sealkv.h"
#include "kv/segment_word.h"
#include "tests/check_clean.h"
#include "tests/key_shapes.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::MemoryStore;
using testing::Model;
using testing::WordValue;

absl::Status Load(Store& store, const Model& model) {
  auto at = model.begin();
  return store.BulkLoad([&](std::string_view* key, std::string_view* value) {
    if (at == model.end()) return false;
    *key = at->first;
    *value = at->second;
    ++at;
    return true;
  });
}

class BulkLoadTest : public ::testing::TestWithParam<testing::KeyShape> {};

TEST_P(BulkLoadTest, HoldsWhatWasGiven) {
  const testing::KeyMaker make_key = GetParam().new_maker();
  testing::Random random(testing::TestSeed());
  for (const size_t count : {0, 1, 4, 5, 13, 14, 15, 200, 5000}) {
    Model model;
    for (size_t i = 0; i < count; ++i) {
      model[make_key(random)] = random.OneIn(3) ? WordValue(random.Next()) : std::string(random.Below(100), 'v');
    }
    MemoryStore store(1 << 30);
    ASSERT_OK(store.Format());
    ASSERT_OK(Load(*store, model)) << count;
    ASSERT_TRUE(testing::ScansAs(*store, model)) << count;
    ASSERT_TRUE(testing::GetsAs(*store, model)) << count;
    ASSERT_TRUE(testing::IsClean(store.memory().span())) << count;
    // And it goes on as any store.
    for (size_t i = 0; i < count; ++i) {
      const std::string key = make_key(random);
      if (random.OneIn(2)) {
        ASSERT_OK(store->Put(key, "new"));
        model[key] = "new";
      } else if (model.erase(key) > 0) {
        ASSERT_OK(store->Delete(key));
      }
    }
    ASSERT_TRUE(testing::ScansAs(*store, model)) << count;
    ASSERT_OK(store->WaitUntilSpaceIsKnown());
    const Stats before = store->GetStats();
    ASSERT_OK(store.Reopen());
    ASSERT_OK(store->WaitUntilSpaceIsKnown());
    ASSERT_EQ(before.node_bytes_used, store->GetStats().node_bytes_used);
    ASSERT_EQ(before.record_bytes_used, store->GetStats().record_bytes_used);
    ASSERT_TRUE(testing::IsClean(store.memory().span())) << count;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, BulkLoadTest, ::testing::ValuesIn(testing::AllKeyShapes()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(BulkLoadTest, NodesAreFullAndTheFencesFew) {
  Model model;
  for (uint64_t i = 0; i < 14 * 14 * 14; ++i) model[U64Key(i)] = WordValue(i);
  MemoryStore store(16 << 20);
  ASSERT_OK(store.Format());
  ASSERT_OK(store->WaitUntilSpaceIsKnown());  // writes the table of segments back
  const daxfile::PersistCounters before = daxfile::ThreadPersistCounters();
  ASSERT_OK(Load(*store, model));
  const daxfile::PersistCounters cost = daxfile::ThreadPersistCounters() - before;
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  const uint64_t nodes = 14 * 14 + 14 + 1;
  const Stats stats = store->GetStats();
  EXPECT_EQ(stats.node_bytes_used, nodes * 256);
  EXPECT_LE(cost.fences, 2 + stats.segments_nodes);
  EXPECT_LE(cost.lines_flushed, nodes * 4 + 1 + stats.segments_nodes);
}

TEST(BulkLoadTest, ASnapshotFromBeforeSeesNothingOfIt) {
  Model model;
  for (uint64_t i = 0; i < 1000; ++i) model[U64Key(i)] = WordValue(i);
  MemoryStore store(16 << 20);
  ASSERT_OK(store.Format());
  const absl::StatusOr<Snapshot> before = store->OpenSnapshot();
  ASSERT_OK(before);
  ASSERT_OK(Load(*store, model));
  const absl::StatusOr<Snapshot> after = store->OpenSnapshot();
  ASSERT_OK(after);
  EXPECT_EQ(before->Get(U64Key(500)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_OK(after->Get(U64Key(500)));
  auto at = before->NewIterator();
  at->SeekToFirst();
  EXPECT_FALSE(at->Valid());
}

// What can't be done leaves the store empty, and all of its space.
// A crash between the delete of a leaf's last key and the tidying up after it leaves an empty leaf.
TEST(BulkLoadTest, AStoreWithoutKeysIsEmptyWhateverItsNodesAre) {
  MemoryStore store(16 << 20);
  ASSERT_OK(store.Format());
  for (uint64_t i = 0; i < 5000; ++i) ASSERT_OK(store->Put(U64Key(i), WordValue(i)));
  store.Close();
  const internal::Image image(store.memory().data());
  for (uint64_t segment = image.header_segments(); segment < image.segment_count(); ++segment) {
    if (image.segment_word(segment).raw() == internal::SegmentWord::kFreeRaw) continue;
    for (uint64_t at = 0; at < image.segment_bytes(); at += internal::kNodeBytes) {
      internal::Node& node = *image.NodeAt(image.SegmentStart(segment) + at);
      if (node.is_leaf() && node.perm().count() > 0) {
        node.words[internal::Node::kPermWord] = internal::Perm::ForNew(0).raw();
      }
    }
  }
  ASSERT_OK(store.Open());
  ASSERT_TRUE(testing::ScansAs(*store, Model()));
  Model model;
  for (uint64_t i = 0; i < 300; ++i) model[U64Key(7 * i)] = WordValue(i);
  ASSERT_OK(Load(*store, model));
  EXPECT_TRUE(testing::ScansAs(*store, model));
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

TEST(BulkLoadTest, WhatFailsLeavesNothing) {
  MemoryStore store(4 << 20);
  ASSERT_OK(store.Format());
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  const Stats empty = store->GetStats();
  const auto expect_empty = [&] {
    ASSERT_OK(store->WaitUntilSpaceIsKnown());
    const Stats stats = store->GetStats();
    EXPECT_EQ(stats.record_bytes_used, 0u);
    EXPECT_EQ(stats.node_bytes_used, empty.node_bytes_used);
    EXPECT_TRUE(testing::IsClean(store.memory().span()));
    auto at = store->NewIterator();
    at->SeekToFirst();
    EXPECT_FALSE(at->Valid());
  };
  size_t i = 0;
  EXPECT_THROW(store
                   ->BulkLoad([&](std::string_view* key, std::string_view* value) {
                     if (i == 100) throw std::runtime_error("of the caller");
                     thread_local std::string last;
                     *key = last = U64Key(i++);
                     *value = "some value";
                     return true;
                   })
                   .IgnoreError(),
               std::runtime_error);
  expect_empty();
  i = 0;
  const std::vector<std::string> keys = {"a", "b", "c", "aa"};
  EXPECT_EQ(store
                ->BulkLoad([&](std::string_view* key, std::string_view* value) {
                  if (i == keys.size()) return false;
                  *key = keys[i++];
                  *value = "some value";
                  return true;
                })
                .code(),
            absl::StatusCode::kInvalidArgument);
  expect_empty();
  // Too much: of keys that go through layers, so that what is half built is given back, too.
  Model model;
  for (uint64_t n = 0; n < 20'000; ++n) model["a common beginning/" + std::to_string(n)] = std::string(300, 'v');
  EXPECT_EQ(Load(*store, model).code(), absl::StatusCode::kResourceExhausted);
  expect_empty();
  // Somebody else puts a key meanwhile.
  Model small = {{"b", "1"}, {"c", "2"}};
  auto at = small.begin();
  EXPECT_EQ(store
                ->BulkLoad([&](std::string_view* key, std::string_view* value) {
                  EXPECT_OK(store->Put("a", "0"));
                  if (at == small.end()) return false;
                  std::tie(*key, *value) = *at++;
                  return true;
                })
                .code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Load(*store, small).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(*store->Get("a"), "0");
  ASSERT_OK(store->Delete("a"));
  expect_empty();
  ASSERT_OK(Load(*store, small));
  EXPECT_TRUE(testing::ScansAs(*store, small));
}

}  // namespace
}  // namespace sealkv
