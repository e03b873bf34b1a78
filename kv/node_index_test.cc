// The index of a batch's nodes: all that was put in is found, as it grows, and nothing else.
#include "kv/node_index.h"

#include <vector>

#include "gtest/gtest.h"
#include "kv/node.h"
#include "tests/random.h"

namespace sealkv::internal {
namespace {

TEST(NodeIndexTest, FindsWhatIsInItAndNothingElse) {
  testing::Random random(testing::TestSeed());
  NodeIndex index;
  EXPECT_EQ(index.Find(Offset{kNodeBytes}), nullptr);
  // Runs of neighbours, as a store has them, far from each other; every other node isn't put in.
  std::vector<Offset> nodes;
  for (uint64_t run = 0; run < 100; ++run) {
    const uint64_t first = 2 * kNodeBytes * (1 + random.Below(1 << 20)) + (run << 40);
    for (uint64_t i = 0; i < 50; ++i) nodes.push_back(Offset{first + 2 * i * kNodeBytes});
  }
  for (uint32_t i = 0; i < nodes.size(); ++i) {
    index.Insert(nodes[i], i);
    ASSERT_NE(index.Find(nodes[i / 2]), nullptr);
    ASSERT_EQ(*index.Find(nodes[i / 2]), i / 2);
    ASSERT_EQ(index.Find(Offset{Raw(nodes[i]) + kNodeBytes}), nullptr);
  }
  for (uint32_t i = 0; i < nodes.size(); ++i) ASSERT_EQ(*index.Find(nodes[i]), i);
}

}  // namespace
}  // namespace sealkv::internal
