// A descent that meets a change of the tree between two of its steps, each at its worst moment.
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "kv/check.h"
#include "kv/descent_impl.h"
#include "kv/recovery.h"
#include "tests/memory_store.h"
#include "tests/status.h"

namespace sealkv::internal {
namespace {

// A tree that runs an action once, right after somebody has read the root word.
class HookedTree {
 public:
  HookedTree(const Tree& tree, std::function<void()> after_root) : tree_(tree), after_root_(std::move(after_root)) {}

  const Node* Root() const {
    const Node* const root = tree_.Root();
    if (auto action = std::exchange(after_root_, nullptr)) action();
    return root;
  }
  LockWord StableVersion(const Node& node) const { return tree_.StableVersion(node); }
  bool IsObsolete(LockWord version) const { return tree_.IsObsolete(version); }
  absl::Status ReadStatus() const { return tree_.ReadStatus(); }
  const Image& image() const { return tree_.image(); }
  const Node* HintedLeaf(uint64_t slice, int side) const { return tree_.HintedLeaf(slice, side); }
  void LearnLeaf(uint64_t slice, const Node& leaf, LockWord version) const { tree_.LearnLeaf(slice, leaf, version); }
  absl::StatusOr<std::string_view> PrefixOf(const Node& root, char (&bytes)[8]) const {
    return tree_.PrefixOf(root, bytes);
  }

 private:
  const Tree& tree_;
  mutable std::function<void()> after_root_;
};

// A second tree over a store's memory, to descend in.
class DescentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(store_.Format());
    const absl::StatusOr<Image> image = OpenImage(daxfile::DaxFile::OverMemory(store_.memory().span()));
    ASSERT_OK(image);
    image_ = *image;
    tree_ = std::make_unique<Tree>(RootId::kKeys, image_, persist_, kGeneration);
  }
  void Put(uint64_t key) { ASSERT_OK(store_->Put(U64Key(key), "8 bytes.")); }

  static constexpr uint32_t kGeneration = 1;
  testing::MemoryStore store_{8 << 20};
  Image image_;
  daxfile::Persist persist_{daxfile::Persist::Mode::kCpu};
  std::unique_ptr<Tree> tree_;
};

// The old root lives on below the new one, and is neither obsolete nor locked when its version is read.
TEST_F(DescentTest, ARootThatIsTheRootNoLongerIsNotTakenForIt) {
  for (uint64_t i = 0; i < 14 * 14; ++i) Put(i);  // two levels, full
  const HookedTree tree(*tree_, [this] {
    Put(1000);                               // a root above the old one
    ASSERT_OK(store_->Delete(U64Key(190)));  // room in the last leaf below the old one
  });
  const std::string key = U64Key(2000);
  Descent met, clean;
  Descender<ScalarSearch, HookedTree>::RunFromRoot(tree, key, Purpose::kWrite, met);
  tree_->Descend(key, Purpose::kWrite, clean);
  EXPECT_EQ(met.node, clean.node) << "a leaf that doesn't cover the key";
}

// A leaf whose neighbour has gone covers more than its bound says, and then less when it gets another neighbour.
TEST_F(DescentTest, TheBoundOfALeafIsLoweredWhenAKeyBelowItIsAppended) {
  for (uint64_t i = 0; i <= 14; ++i) Put(10 * i);  // a full leaf, and one behind it
  const Node* const leaf = image_.NodeAt(Offset{tree_->Root()->ref(tree_->Root()->perm().slot(0))});
  EXPECT_EQ(leaf->bound(), 140u);
  ASSERT_OK(store_->Delete(U64Key(140)));  // the full leaf becomes the root
  ASSERT_EQ(tree_->Root(), leaf);
  EXPECT_EQ(leaf->bound(), 140u);
  Put(135);
  ASSERT_NE(tree_->Root(), leaf);
  EXPECT_EQ(leaf->bound(), 135u);
  Put(137);
  EXPECT_TRUE(Check(image_).is_sound());
}

// Nodes that are gone, or are something else by now, are not taken for what they were.
TEST_F(DescentTest, HintsToNodesThatCeasedToBeAreNotFollowed) {
  constexpr uint64_t kKeys = 5'000;
  constexpr uint64_t kStep = uint64_t{1} << 50;
  const auto all_descents_agree = [this] {
    for (uint64_t i = 0; i < kKeys; ++i) {
      const std::string key = U64Key(i * kStep + i % 7);
      Descent by_hint, from_root;
      tree_->Descend(key, Purpose::kRead, by_hint);
      Descender<ScalarSearch>::RunFromRoot(*tree_, key, Purpose::kRead, from_root);
      ASSERT_EQ(by_hint.node, from_root.node) << "key " << i;
      ASSERT_EQ(by_hint.range.begin, from_root.range.begin);
      ASSERT_EQ(by_hint.range.end, from_root.range.end);
    }
  };
  for (uint64_t i = 0; i < kKeys; ++i) Put(i * 7919 % kKeys * kStep);
  all_descents_agree();
  EXPECT_GE(tree_->hints().buckets(), kKeys / 14) << "hints are in use";
  // Nine tenths go; the nodes that this frees serve layers below the top.
  for (uint64_t i = 0; i < kKeys; ++i) {
    if (i % 10 == 3) continue;
    ASSERT_OK(store_->Delete(U64Key(i * kStep)));
  }
  for (uint64_t i = 0; i < 2'000; ++i) ASSERT_OK(store_->Put("in a layer " + std::to_string(i), "value"));
  all_descents_agree();
  for (uint64_t i = 0; i < kKeys; ++i) Put(i * kStep);
  all_descents_agree();
  EXPECT_TRUE(Check(image_).is_sound());
}

TEST_F(DescentTest, HintsLeadOnThroughLayers) {
  constexpr uint64_t kStep = uint64_t{1} << 52;
  for (uint64_t i = 0; i < 1'000; ++i) Put(i * kStep);
  for (uint64_t i = 0; i < 1'000; i += 3) {
    for (int j = 0; j < 6; ++j) ASSERT_OK(store_->Put(U64Key(i * kStep) + " and on " + std::to_string(j), "value"));
  }
  for (int round = 0; round < 2; ++round) {  // without hints, and with them
    EXPECT_EQ(tree_->hints().buckets() > 0, round > 0);
    for (uint64_t i = 0; i < 1'000; ++i) {
      for (const Purpose purpose : {Purpose::kRead, Purpose::kWrite}) {
        const std::string key = U64Key(i * kStep) + " and on " + std::to_string(i % 6);
        Descent by_hint, from_root;
        tree_->Descend(key, purpose, by_hint);
        Descender<ScalarSearch>::RunFromRoot(*tree_, key, purpose, from_root);
        ASSERT_EQ(by_hint.outcome, from_root.outcome);
        ASSERT_EQ(by_hint.node, from_root.node) << "key " << i;
        ASSERT_EQ(by_hint.depth, from_root.depth);
      }
    }
  }
}

// A leaf at the right edge covers less once it has a neighbour: who knows it by a hint must notice.
TEST_F(DescentTest, AHintToTheRightEdgeIsVoidOnceTheTreeHasGrownBeyondIt) {
  constexpr uint64_t kStep = uint64_t{1} << 40;
  Descent descent;
  for (uint64_t i = 0; i < 20'000; ++i) {
    Put(i * kStep);
    const std::string next = U64Key((i + 1) * kStep);
    tree_->Descend(next, Purpose::kRead, descent);  // leaves a hint where the next key will be
    tree_->Descend(U64Key(i * kStep), Purpose::kRead, descent);
    ASSERT_EQ(descent.range.end - descent.range.begin, 1u) << "key " << i << " isn't found";
  }
}

}  // namespace
}  // namespace sealkv::internal
