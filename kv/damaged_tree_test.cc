// Trees that refer to a node twice, or to another record than they should: every walk ends, and says what is wrong.
#include <cstdio>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "gtest/gtest.h"
#include "kv/cursor.h"
#include "kv/recovery.h"
#include "kv/tree.h"
#include "tests/check_clean.h"
#include "tests/memory_store.h"
#include "tests/status.h"

namespace sealkv::internal {
namespace {

std::string KeyOf(int i) {
  char key[8];
  std::snprintf(key, sizeof(key), "k%05d", i);
  return key;
}

class DamagedTreeTest : public ::testing::Test {
 protected:
  static constexpr int kKeys = 1000;

  void SetUp() override {
    ASSERT_OK(store_.Format());
    for (int i = 0; i < kKeys; ++i) ASSERT_OK(store_->Put(KeyOf(i), "value of no 8 bytes"));
    store_.Close();
    file_ = daxfile::DaxFile::OverMemory(store_.memory().span());
    const absl::StatusOr<Image> image = OpenImage(*file_);
    ASSERT_OK(image);
    image_ = *image;
  }

  Node* Root() { return image_.NodeAt(static_cast<Offset>(image_.superblock().root)); }
  Node* ChildOf(Node* node, unsigned position) { return image_.NodeAt(node->child(node->perm().slot(position))); }

  Node* LowestParent() {
    Node* parent = Root();
    while (parent->level() > 1) parent = ChildOf(parent, 0);
    return parent;
  }
  // To the leaf of keys 14 to 27; so those from 28 to 41 are lost.
  void LetTwoReferencesLeadToOneLeaf() {
    Node* const parent = LowestParent();
    parent->ref_word(parent->perm().slot(2)) = parent->ref_word(parent->perm().slot(1));
  }

  // Of the whole tree.
  static std::set<uint64_t> NodesOf(const Image& image) {
    std::set<uint64_t> nodes;
    std::vector<Offset> left = {Offset{image.superblock().root}};
    while (!left.empty()) {
      const Node& node = *image.NodeAt(left.back());
      nodes.insert(Raw(left.back()));
      left.pop_back();
      for (unsigned i = 0; node.level() > 0 && i < node.perm().count(); ++i) {
        left.push_back(node.child(node.perm().slot(i)));
      }
    }
    return nodes;
  }

  // What can be learned of a copy of the store, after something was done with it.
  template <typename Learn>
  auto WithACopy(absl::FunctionRef<absl::Status(Store&)> action, Learn learn) {
    testing::MemoryStore copy(store_.memory().size());
    std::memcpy(copy.memory().data(), store_.memory().data(), store_.memory().size());
    EXPECT_OK(copy.Open());
    EXPECT_OK(action(*copy));
    copy.Close();
    return learn(copy.memory());
  }

  // The i-th entry's reference word. Ascending puts fill each leaf with 14 keys, each inner node with 14 children.
  uint64_t& ReferenceOf(int i) {
    Node* node = Root();
    for (int level = static_cast<int>(node->level()); level > 0; --level) {
      int keys_below = kSlots;
      for (int below = 1; below < level; ++below) keys_below *= kSlots;
      node = ChildOf(node, static_cast<unsigned>(i / keys_below));
      i %= keys_below;
    }
    return node->ref_word(node->perm().slot(static_cast<unsigned>(i)));
  }

  testing::MemoryStore store_{1 << 20};
  std::optional<daxfile::DaxFile> file_;
  Image image_;
};

// The pass goes on where it left off, 256 entries at a time: an entry there that led to the first record sent it back
// to the beginning for ever.
TEST_F(DamagedTreeTest, TheBackgroundPassEndsThoughAKeyLeadsBack) {
  for (const int i : {255, 256, 257}) ReferenceOf(i) = ReferenceOf(0);
  ASSERT_OK(store_.Open());
  EXPECT_OK(store_->Put("x", "y"));
  EXPECT_TRUE(absl::IsDataLoss(store_->WaitUntilSpaceIsKnown()));
}

TEST_F(DamagedTreeTest, AWalkEndsWhereAnEntryLeadsToTheRecordOfAnotherKey) {
  ReferenceOf(500) = ReferenceOf(100);
  ASSERT_OK(store_.Open());
  const std::unique_ptr<Iterator> at = store_->NewIterator();
  int seen = 0;
  for (at->SeekToFirst(); at->Valid(); at->Next()) EXPECT_EQ(at->key(), KeyOf(seen++));
  EXPECT_EQ(seen, 500);
  EXPECT_TRUE(absl::IsDataLoss(at->status())) << at->status();
}

// A leaf with two references is replaced under one of them: whoever came by the other waited for it to be as new.
//
// An iterator, which reads at a snapshot, doesn't see the mark of what was replaced: to a snapshot an old node is as
// good as any, and every node that it sees may be an old one. It reads what the reference leads to, as it did before
// the node was replaced; and sees, as it did then, that keys don't ascend, when it comes from one such leaf to the
// other.
TEST_F(DamagedTreeTest, ANodeThatWasReplacedUnderItsOtherReferenceIsDamageForReadersAndWriters) {
  LetTwoReferencesLeadToOneLeaf();
  ASSERT_OK(store_.Open());
  ASSERT_OK(store_->Put(KeyOf(15) + "a", "splits the full leaf of keys 14 to 27"));
  const std::string key = KeyOf(30);  // its way leads through the second reference
  EXPECT_TRUE(absl::IsDataLoss(store_->Get(key).status()));
  EXPECT_TRUE(absl::IsDataLoss(store_->Put(key, "v")));
  const std::unique_ptr<Iterator> at = store_->NewIterator();
  for (at->SeekToFirst(); at->Valid();) at->Next();
  EXPECT_TRUE(absl::IsDataLoss(at->status()));
  for (at->SeekToLast(); at->Valid();) at->Prev();
  EXPECT_TRUE(absl::IsDataLoss(at->status()));
}

// Beside other readers' snapshots there are cursors without one, which do look at the mark: the background pass's, a
// transaction's when it makes sure of what it has read, and those of processes that only read.
TEST_F(DamagedTreeTest, ACursorWithoutASnapshotIsToldOfANodeThatWasReplaced) {
  LetTwoReferencesLeadToOneLeaf();
  Node* const leaf = ChildOf(LowestParent(), 2);
  constexpr uint32_t kGeneration = 2;
  leaf->words[Node::kLockWord] = LockWord(0).Locked(kGeneration).Obsolete().raw();
  daxfile::Persist persist(daxfile::Persist::Mode::kCpu);
  const Tree tree(RootId::kKeys, image_, persist, kGeneration);
  Epochs epochs;
  Cursor at(tree, epochs);
  at.Seek(KeyOf(30));
  EXPECT_TRUE(absl::IsDataLoss(at.status())) << at.status();
  for (at.SeekToLast(); at.Valid();) at.Prev();
  EXPECT_TRUE(absl::IsDataLoss(at.status())) << at.status();
}

// A free node that the tree refers to is taken by a transaction which has read it, and makes sure now that it is as it
// was: at its snapshot it waited for that node, which it held itself.
TEST_F(DamagedTreeTest, ATransactionDoesNotWaitForANodeOfItsOwn) {
  const auto transact = [](Store& store) {
    const std::unique_ptr<Transaction> transaction = *store.Begin();
    const std::unique_ptr<Iterator> at = transaction->NewIterator();
    for (at->SeekToFirst(); at->Valid();) at->Next();
    EXPECT_OK(at->status());
    EXPECT_OK(transaction->Put(KeyOf(15) + "a", "splits the full leaf of keys 14 to 27"));
    return transaction->Commit();
  };
  // Which nodes are free to be taken depends on how far the pass after the open has come: it is tried until the
  // transaction takes the one that it was prepared to.
  absl::Status status;
  for (int attempt = 0; attempt < 1000 && status.ok(); ++attempt) {
    std::set<uint64_t> made = WithACopy(transact, [](const testing::Memory& memory) {
      const daxfile::DaxFile file = daxfile::DaxFile::OverMemory(memory.span());
      return NodesOf(*OpenImage(file));
    });
    for (const uint64_t node : NodesOf(image_)) made.erase(node);
    ASSERT_FALSE(made.empty());
    const Offset taken{*made.begin()};
    const Node* const leaf = ChildOf(LowestParent(), 2);
    const Offset parent = image_.OffsetOf(LowestParent());
    testing::MemoryStore damaged(store_.memory().size());
    std::memcpy(damaged.memory().data(), store_.memory().data(), store_.memory().size());
    const Image image(damaged.memory().data());
    std::memcpy(image.NodeAt(taken), leaf, sizeof(Node));
    Node& above = *image.NodeAt(parent);
    above.ref_word(above.perm().slot(2)) = Raw(taken);
    ASSERT_OK(damaged.Open());
    status = transact(*damaged);
  }
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

// A node of the tree that lies, in fact, where the batch's own record comes to lie: that overwrites the lock word. So
// the batch took it for one that it doesn't hold, in the middle of replacing it.
TEST_F(DamagedTreeTest, ABatchMayOverwriteANodeThatItHolds) {
  const std::string value(700, 'v');
  const auto write = [&](Store& store) {
    WriteBatch batch;
    batch.Put(KeyOf(15) + "a", value);
    return store.Write(batch);
  };
  const size_t at = WithACopy(write, [&](const testing::Memory& memory) {
    return std::string_view(reinterpret_cast<const char*>(memory.data()), memory.size()).find(value);
  });
  ASSERT_NE(at, std::string_view::npos);
  Node* const parent = LowestParent();
  const Offset inside{(at + kNodeBytes - 1) / kNodeBytes * kNodeBytes};
  std::memcpy(image_.NodeAt(inside), ChildOf(parent, 1), sizeof(Node));
  parent->ref_word(parent->perm().slot(1)) = Raw(inside);
  ASSERT_OK(store_.Open());
  // Whatever it makes of this.
  const absl::Status status = write(*store_);
  EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
}

// ---- at a snapshot: by nodes as they are, and, behind a write, by copies of what they were

TEST_F(DamagedTreeTest, AChildThatIsItsParentsParentEndsReadsAtASnapshot) {
  Node* const parent = LowestParent();
  parent->ref_word(parent->perm().slot(1)) = image_.superblock().root;
  ASSERT_OK(store_.Open());
  const absl::StatusOr<Snapshot> snapshot = store_->OpenSnapshot();
  ASSERT_OK(snapshot);
  for (const bool is_written : {false, true}) {
    if (is_written) {
      ASSERT_OK(store_->Put(KeyOf(0) + "a", "splits the first leaf, so its parent is kept as it was"));
    }
    EXPECT_OK(snapshot->Get(KeyOf(0)));
    EXPECT_TRUE(absl::IsNotFound(snapshot->Get(KeyOf(0) + "a").status()));
    EXPECT_TRUE(absl::IsDataLoss(snapshot->Get(KeyOf(15)).status()));
    const std::unique_ptr<Iterator> at = snapshot->NewIterator();
    int seen = 0;
    for (at->SeekToFirst(); at->Valid(); at->Next()) EXPECT_EQ(at->key(), KeyOf(seen++));
    EXPECT_EQ(seen, static_cast<int>(kSlots));
    EXPECT_TRUE(absl::IsDataLoss(at->status())) << at->status();
    for (at->SeekToLast(); at->Valid();) at->Prev();
    EXPECT_TRUE(absl::IsDataLoss(at->status())) << at->status();
    at->Seek(KeyOf(20));
    EXPECT_TRUE(absl::IsDataLoss(at->status())) << at->status();
  }
}

TEST_F(DamagedTreeTest, AnEntryThatLeadsToTheRecordOfAnotherKeyIsNoticedAtASnapshot) {
  ReferenceOf(500) = ReferenceOf(100);
  ASSERT_OK(store_.Open());
  const absl::StatusOr<Snapshot> snapshot = store_->OpenSnapshot();
  ASSERT_OK(snapshot);
  for (const bool is_written : {false, true}) {
    if (is_written) {
      ASSERT_OK(store_->Put(KeyOf(501), "changed"));
    }
    EXPECT_FALSE(snapshot->Get(KeyOf(500)).ok());
    EXPECT_EQ(snapshot->Get(KeyOf(501)).value_or("absent"), "value of no 8 bytes");
    const std::unique_ptr<Iterator> at = snapshot->NewIterator();
    at->Seek(KeyOf(500));
    EXPECT_TRUE(absl::IsDataLoss(at->status())) << at->status();
  }
}

// Levels descend within a layer; so a way that never ends leads through layers, and ends where no key is as long.
TEST(DamagedLayerTest, ALayerThatHoldsItselfEndsReadsAtASnapshot) {
  testing::MemoryStore store(1 << 20);
  ASSERT_OK(store.Format());
  for (const char* slice : {"cccccccc", "dddddddd"}) {
    for (char end = 'a'; end <= 'f'; ++end) ASSERT_OK(store->Put(std::string("aaaaaaaa") + slice + end, "value"));
  }
  store.Close();
  const Image image(store.memory().data());
  const auto layer_below = [](const Node& leaf, unsigned position) -> uint64_t& {
    const unsigned slot = leaf.perm().slot(position);
    EXPECT_EQ(leaf.kinds().kind(slot), Kind::kLayer);
    return const_cast<Node&>(leaf).ref_word(slot);
  };
  const Node& root = *image.NodeAt(Offset{image.superblock().root});
  const uint64_t layer = layer_below(root, 0);
  for (const unsigned position : {0u, 1u}) layer_below(*image.NodeAt(Offset{layer}), position) = layer;
  ASSERT_OK(store.Open());
  const absl::StatusOr<Snapshot> snapshot = store->OpenSnapshot();
  ASSERT_OK(snapshot);
  for (const bool is_written : {false, true}) {
    if (is_written) {
      ASSERT_OK(store->Put("aaaaaaaa+", "changes the layer's root"));
    }
    for (const size_t bytes : {size_t{17}, size_t{80}, kMaxKeyBytes}) {
      const std::string key = "aaaaaaaa" + std::string(bytes - 8, 'd');
      EXPECT_FALSE(snapshot->Get(key).ok());
      const std::unique_ptr<Iterator> at = snapshot->NewIterator();
      at->Seek(key);
      EXPECT_TRUE(absl::IsDataLoss(at->status())) << at->status();
      at->SeekForPrev(key);
      EXPECT_TRUE(absl::IsDataLoss(at->status())) << at->status();
    }
    const std::unique_ptr<Iterator> at = snapshot->NewIterator();
    at->SeekToFirst();
    EXPECT_TRUE(absl::IsDataLoss(at->status())) << at->status();
    at->SeekToLast();
    EXPECT_TRUE(absl::IsDataLoss(at->status())) << at->status();
  }
}

// ---- writers

// Whoever adds to a value that isn't the key's changes another's.
TEST_F(DamagedTreeTest, AnEntryThatLeadsToTheRecordOfAnotherKeyIsNotWrittenThrough) {
  ReferenceOf(500) = ReferenceOf(100);
  ASSERT_OK(store_.Open());
  EXPECT_TRUE(absl::IsDataLoss(store_->Put(KeyOf(500), "another")));
  EXPECT_TRUE(absl::IsDataLoss(store_->Delete(KeyOf(500))));
  EXPECT_TRUE(absl::IsDataLoss(store_->Add(KeyOf(500), 1).status()));
  EXPECT_TRUE(absl::IsDataLoss(store_->CompareAndSwap(KeyOf(500), 0, 1).status()));
  EXPECT_EQ(store_->Get(KeyOf(100)).value_or("absent"), "value of no 8 bytes");
}

// Among the free slots of an inner node, one that is in use: a split would write over a child.
TEST_F(DamagedTreeTest, ADamagedPermutationOfAnInnerNodeTakesNoChildAway) {
  const uint64_t sound = Root()->words[Node::kPermWord];
  const unsigned count = Perm(sound).count();
  ASSERT_LT(count, kSlots);
  for (unsigned bit = 4 * count + 4; bit < 60; ++bit) {
    Root()->words[Node::kPermWord] = sound ^ uint64_t { 1 } << bit;
    ASSERT_OK(store_.Open());
    for (int i = 0; i < 30; ++i) (void)store_->Put(KeyOf(500) + std::to_string(i), "splits leaves");
    for (int i = 0; i < kKeys; ++i) ASSERT_OK(store_->Get(KeyOf(i))) << "bit " << bit << ", key " << i;
    store_.Close();
    Root()->words[Node::kPermWord] = sound;
  }
}

// A seek passes by what lies to the left of a separator that moved down, and a walk doesn't. The pass, which seeks
// after each pause, must not take the one for the other: what it didn't count is given away.
TEST_F(DamagedTreeTest, TheBackgroundPassNoticesASeparatorOutOfPlace) {
  for (unsigned position = 1; position < Root()->perm().count(); ++position) {
    uint64_t& separator = Root()->slice_word(Root()->perm().slot(position));
    const uint64_t sound = separator;
    for (const int moved : {-1, 1}) {
      separator = sound + static_cast<uint64_t>(moved * (2 << 24));  // by 20 keys
      ASSERT_OK(store_.Open());
      ASSERT_OK(store_->Put("x", "y"));
      EXPECT_TRUE(absl::IsDataLoss(store_->WaitUntilSpaceIsKnown())) << "position " << position;
      store_.Close();
    }
    separator = sound;
  }
}

// The words of a run's other segments are zero, as those of free ones.
TEST(DamagedTableTest, TheInsideOfARunIsNotGivenAwayWhenItsWordIsDamaged) {
  testing::MemoryStore store(1 << 20);
  ASSERT_OK(store.Format());
  const std::string large(100'000, 'L');
  ASSERT_OK(store->Put("large", large));
  store.Close();
  const daxfile::DaxFile file = daxfile::DaxFile::OverMemory(store.memory().span());
  const absl::StatusOr<Image> image = OpenImage(file);
  ASSERT_OK(image);
  for (uint64_t i = 0; i < image->segment_count(); ++i) {
    if (image->segment_word(i).kind() == SegmentKind::kLarge) image->segment_words()[i] ^= 1 << 9;
  }
  ASSERT_OK(store.Open());
  for (int i = 0; i < 3000; ++i) (void)store->Put(KeyOf(i), std::string(300, 'x'));
  EXPECT_EQ(store->Get("large").value_or("damaged"), large);
}

// A record's sequence number is the one that it replaces plus one: a damaged one isn't handed on to all that follow.
TEST_F(DamagedTreeTest, ADamagedSequenceNumberEndsWithItsRecord) {
  auto& header = *reinterpret_cast<RecordHeader*>(image_.base() + Raw(RecordRef::FromRaw(ReferenceOf(20)).offset()));
  header.sequence |= uint64_t{1} << 60;
  ASSERT_OK(store_.Open());
  ASSERT_OK(store_->Put(KeyOf(20), "what replaces it"));
  ASSERT_OK(store_->Put(KeyOf(21), "and another one"));
  EXPECT_TRUE(testing::IsClean(store_.memory().span()));
  ASSERT_OK(store_.Reopen());
  EXPECT_EQ(*store_->Get(KeyOf(20)), "what replaces it");
}

}  // namespace
}  // namespace sealkv::internal
