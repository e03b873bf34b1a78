// Salvage, damage by damage: a fault costs what hangs on it and no more, all of that is called lost, and what is saved
// is as it was written.
#include "kv/salvage.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kv/check.h"
#include "tools/bus_errors.h"
#include "tools/testing/anatomy.h"
#include "tools/testing/run_tool.h"
#include "tools/testing/salvage.h"

namespace sealkv::testing {
namespace {

using internal::Image;
using internal::Kind;
using internal::Node;
using internal::Offset;
using internal::Perm;
using internal::RecordView;
using internal::SalvageOptions;
using ::testing::HasSubstr;

// A copy of a sample, with ways to its parts.
class Damaged {
 public:
  explicit Damaged(const Sample& sample) : sample_(sample), memory_(sample.bytes.size()), left_(sample.bytes.size()) {
    std::memcpy(memory_.data(), sample.bytes.data(), sample.bytes.size());
    image_ = Image(memory_.data());
  }

  const Image& image() const { return image_; }
  Node* Root() const { return image_.NodeAt(static_cast<Offset>(image_.superblock().root)); }
  Node* Child(Node* node, unsigned position) const { return image_.NodeAt(node->child(node->perm().slot(position))); }
  // The lowest inner node, with leaves below.
  Node* Parent() const {
    Node* node = Root();
    while (node->level() > 1) node = Child(node, 0);
    return node;
  }
  RecordView Record(size_t i) const { return image_.RecordAt(Anatomy(image_).records().at(i)); }
  Node* SomeLeaf(unsigned position) const {
    Node* node = Root();
    while (!node->is_leaf()) node = Child(node, position % node->perm().count());
    return node;
  }
  void CutTo(size_t bytes) { left_ = bytes; }

  Salvaged Salvage(const SalvageOptions& options = {}) const {
    const std::vector<std::byte> before(memory_.data(), memory_.data() + left_);
    Salvaged salvaged = SalvageMemory(memory_.span().first(left_), options);
    EXPECT_EQ(std::memcmp(before.data(), memory_.data(), left_), 0) << "salvage changed the damaged store";
    return salvaged;
  }

  // All that was saved is as written, and what wasn't is called lost. Returns how many keys are missing.
  size_t ExpectHonest(const Salvaged& salvaged) const {
    EXPECT_OK(salvaged.status);
    size_t missing = 0;
    for (const auto& [key, value] : salvaged.content) {
      const auto written = sample_.model.find(key);
      EXPECT_TRUE(written != sample_.model.end() && written->second == value)
          << "made up: " << ::testing::PrintToString(key);
    }
    for (const auto& [key, value] : sample_.model) {
      if (salvaged.content.contains(key)) continue;
      ++missing;
      EXPECT_TRUE(salvaged.CallsLost(key)) << "lost without a word: " << ::testing::PrintToString(key);
    }
    return missing;
  }

 private:
  const Sample& sample_;
  Memory memory_;
  size_t left_;
  Image image_;
};

const Sample& SampleNamed(std::string_view name) {
  static const std::vector<Sample> samples = MakeSamples();
  for (const Sample& sample : samples) {
    if (sample.name == name) return sample;
  }
  throw std::out_of_range("no such sample");
}

TEST(SalvageTest, ASoundStoreIsSavedWhole) {
  for (const Sample& sample : MakeSamples()) {
    const Salvaged salvaged = SalvageBytes(sample.bytes);
    EXPECT_OK(salvaged.status);
    EXPECT_TRUE(salvaged.is_all()) << sample.name;
    EXPECT_EQ(salvaged.report.keys_from_tree, sample.model.size());
    EXPECT_EQ(salvaged.content, sample.model);
  }
}

TEST(SalvageTest, ADamagedRecordCostsItsKey) {
  const Sample& sample = SampleNamed("prefixes");
  const Damaged damaged(sample);
  const std::vector<RecordView> hit = {damaged.Record(1), damaged.Record(100), damaged.Record(200)};
  for (const RecordView record : hit) const_cast<char*>(record.key().data())[record.key().size() - 1] ^= 1;
  const Salvaged salvaged = damaged.Salvage();
  EXPECT_EQ(damaged.ExpectHonest(salvaged), hit.size());
  EXPECT_EQ(salvaged.report.lost.size(), hit.size());
  EXPECT_THAT(salvaged.report.lost[0].why, HasSubstr("checksum"));
}

// Its neighbours seem to be part of it.
TEST(SalvageTest, ARecordThatSeemsLongerCostsItsNeighboursNothing) {
  const Sample& sample = SampleNamed("prefixes");
  for (const unsigned bit : {5u, 8u, 10u}) {
    const Damaged damaged(sample);
    auto* header = const_cast<internal::RecordHeader*>(&damaged.Record(bit).header());
    header->value_bytes ^= 1 << bit;
    const Salvaged salvaged = damaged.Salvage({.trusted_only = true});
    EXPECT_EQ(damaged.ExpectHonest(salvaged), 1) << "bit " << bit;
    EXPECT_EQ(salvaged.report.recovered.size(), 0);
  }
}

TEST(SalvageTest, ADamagedReferenceCostsWhatHangsOnIt) {
  const Sample& sample = SampleNamed("numbers");
  const Damaged damaged(sample);
  Node* parent = damaged.Parent();
  ASSERT_GT(parent->perm().count(), 3);
  uint64_t& reference = parent->ref_word(parent->perm().slot(1));
  reference = 8;
  const Salvaged salvaged = damaged.Salvage({.trusted_only = true});
  const size_t missing = damaged.ExpectHonest(salvaged);
  EXPECT_GT(missing, 0);
  EXPECT_LT(missing, sample.model.size() / 2);
  ASSERT_EQ(salvaged.report.lost.size(), 1);
  EXPECT_EQ(salvaged.report.lost[0].offset, Raw(damaged.image().OffsetOf(&reference)));
  EXPECT_EQ(salvaged.report.lost[0].range.from, U64Key(parent->slice(parent->perm().slot(1))));
  EXPECT_EQ(salvaged.report.lost[0].range.to, U64Key(parent->slice(parent->perm().slot(2))));
  // Its leaves are still there.
  EXPECT_EQ(salvaged.report.recovered.size(), missing);
  EXPECT_EQ(damaged.ExpectHonest(damaged.Salvage()), 0);
}

TEST(SalvageTest, ALostRootCostsNothingThatTheHeapStillHas) {
  for (const Sample& sample : MakeSamples()) {
    const Damaged damaged(sample);
    damaged.image().superblock().root = 12345;
    const Salvaged salvaged = damaged.Salvage();
    EXPECT_EQ(damaged.ExpectHonest(salvaged), 0) << sample.name;
    EXPECT_EQ(salvaged.report.keys_from_tree, 0);
    EXPECT_EQ(salvaged.report.recovered.size(), sample.model.size());
    EXPECT_EQ(salvaged.report.lost.at(0).offset, 64);
    const Salvaged trusted = damaged.Salvage({.trusted_only = true});
    EXPECT_TRUE(trusted.content.empty());
    EXPECT_EQ(trusted.report.recovered.size(), sample.model.size());
  }
}

TEST(SalvageTest, ADamagedPermutationCostsItsLeaf) {
  const Sample& sample = SampleNamed("numbers");
  const Damaged damaged(sample);
  Node* leaf = damaged.SomeLeaf(1);
  const size_t entries = leaf->perm().count();
  leaf->words[Node::kPermWord] ^= 0x30;
  const Salvaged salvaged = damaged.Salvage();
  EXPECT_EQ(damaged.ExpectHonest(salvaged), entries);
  ASSERT_EQ(salvaged.report.lost.size(), 1);
  EXPECT_EQ(salvaged.report.lost[0].offset, Raw(damaged.image().OffsetOf(leaf)));
}

TEST(SalvageTest, AKeyOutOfOrderIsNotMadeUp) {
  const Sample& sample = SampleNamed("numbers");
  const Damaged damaged(sample);
  Node* leaf = damaged.SomeLeaf(1);
  ASSERT_GT(leaf->perm().count(), 4);
  leaf->slice_word(leaf->perm().slot(2)) ^= uint64_t{1} << 63;
  const Salvaged salvaged = damaged.Salvage();
  EXPECT_EQ(damaged.ExpectHonest(salvaged), 1);
  ASSERT_EQ(salvaged.report.lost.size(), 1);
  EXPECT_EQ(salvaged.report.lost[0].range.from, U64Key(leaf->slice(leaf->perm().slot(1))));
}

// The leaves beside it hold keys that lie on the other side of it.
TEST(SalvageTest, ADamagedSeparatorCostsAtMostAKey) {
  const Sample& sample = SampleNamed("numbers");
  for (unsigned bit = 0; bit < 64; ++bit) {
    const Damaged damaged(sample);
    Node* node = damaged.Parent();
    node->slice_word(node->perm().slot(2)) ^= uint64_t{1} << bit;
    EXPECT_LE(damaged.ExpectHonest(damaged.Salvage()), 1) << "bit " << bit;
  }
}

TEST(SalvageTest, AReferenceToAnotherNodeCostsNothingElse) {
  const Sample& sample = SampleNamed("numbers");
  for (const auto& [from, to] : {std::pair{1u, 3u}, {3u, 1u}}) {
    const Damaged damaged(sample);
    Node* node = damaged.Parent();
    ASSERT_GT(node->perm().count(), 3);
    const size_t entries = damaged.Child(node, from)->perm().count();
    node->ref_word(node->perm().slot(from)) = node->ref(node->perm().slot(to));
    const Salvaged salvaged = damaged.Salvage({.trusted_only = false});
    EXPECT_LE(damaged.ExpectHonest(salvaged), entries) << from << " to " << to;
  }
}

TEST(SalvageTest, ADamagedPrefixCostsNoRecord) {
  const Sample sample = MakeEverything(128 << 10, 100, 1);
  size_t layers = 0;
  const std::function<void(const Damaged&, Node*)> visit = [&](const Damaged& at, Node* node) {
    for (unsigned i = 0; i < node->perm().count(); ++i) {
      const unsigned slot = node->perm().slot(i);
      if (!node->is_leaf()) {
        visit(at, at.Child(node, i));
      } else if (node->kinds().kind(slot) == Kind::kLayer) {
        Node* root = at.image().NodeAt(node->child(slot));
        visit(at, root);
        if (root->kinds().prefix() == internal::PrefixKind::kNone) continue;
        ++layers;
        const uint64_t sound = root->words[Node::kPrefixWord];
        for (const unsigned bit : {0u, 5u, 47u, 49u, 63u}) {
          root->words[Node::kPrefixWord] = sound ^ uint64_t { 1 } << bit;
          EXPECT_EQ(at.ExpectHonest(at.Salvage()), 0) << "bit " << bit;
        }
        root->words[Node::kPrefixWord] = sound;
      }
    }
  };
  const Damaged damaged(sample);
  visit(damaged, damaged.Root());
  EXPECT_GE(layers, 2);
}

TEST(SalvageTest, ADamagedSegmentTableCostsNothing) {
  for (const Sample& sample : MakeSamples()) {
    const Damaged damaged(sample);
    for (uint64_t i = 0; i < damaged.image().segment_count(); ++i)
      damaged.image().segment_words()[i] = i % 2 == 0 ? 0 : i;
    EXPECT_TRUE(damaged.Salvage().is_all()) << sample.name;
    damaged.image().superblock().root = 0;
    EXPECT_EQ(damaged.ExpectHonest(damaged.Salvage()), 0) << sample.name;
  }
}

TEST(SalvageTest, ADamagedSuperblockCostsNothing) {
  for (const Sample& sample : MakeSamples()) {
    for (size_t offset = 0; offset < 64; ++offset) {
      const Damaged damaged(sample);
      damaged.image().base()[offset] ^= std::byte{0x10};
      EXPECT_TRUE(damaged.Salvage().is_all()) << sample.name << ", byte " << offset;
    }
    const Damaged damaged(sample);
    std::memset(damaged.image().base(), 0, 64);
    EXPECT_TRUE(damaged.Salvage().is_all()) << sample.name;
    std::memset(damaged.image().base(), 0xff, 2048);
    EXPECT_EQ(damaged.ExpectHonest(damaged.Salvage()), 0) << sample.name;
  }
}

TEST(SalvageTest, OfACutFileWhatIsLeftIsSaved) {
  for (const Sample& sample : MakeSamples()) {
    size_t saved_before = 0;
    for (size_t left = 0; left <= sample.bytes.size(); left += sample.bytes.size() / 16 / 4096 * 4096 + 256) {
      Damaged damaged(sample);
      damaged.CutTo(left);
      const Salvaged salvaged = damaged.Salvage();
      if (left < 4096) {
        EXPECT_TRUE(IsError(salvaged.status, absl::StatusCode::kFailedPrecondition, {"nothing is left"}));
        continue;
      }
      if (!salvaged.status.ok()) continue;
      damaged.ExpectHonest(salvaged);
      EXPECT_GE(salvaged.content.size(), saved_before) << sample.name;
      saved_before = salvaged.content.size();
    }
    EXPECT_GT(saved_before, 0) << sample.name;
  }
}

// Each place in a table of numbers could be the header of a long record.
TEST(SalvageTest, ATableOfNumbersIsSearchedInReasonableTime) {
  std::string table(1 << 20, '\0');
  for (size_t at = 0; at < table.size(); at += 8) table[at + 1] = table[at + 2] = static_cast<char>(at / 8 % 7 + 1);
  const Sample sample = MakeSample("table", 4 << 20, {{"table", table}, {"large", std::string(100'000, 'x')}}, 1);
  const Damaged damaged(sample);
  const Offset root{damaged.image().superblock().root};
  damaged.image().superblock().root = 0;
  EXPECT_EQ(damaged.Salvage().content, sample.model);
  damaged.image().superblock().root = Raw(root);
  for (const size_t i : {0, 1}) {
    if (damaged.Record(i).key() == "table") const_cast<char*>(damaged.Record(i).value().data())[7] = 'x';
  }
  damaged.image().superblock().root = 0;
  EXPECT_EQ(damaged.ExpectHonest(damaged.Salvage()), 1);
}

// Replaced, then deleted: what the heap still has of them.
TEST(SalvageTest, OfSeveralRecordsOfAKeyTheLatestCounts) {
  MemoryStore store(256 << 10);
  ASSERT_OK(store.Format());
  for (const char* value : {"the first value", "the second value", "the third value"}) {
    ASSERT_OK(store->Put("replaced", value));
    ASSERT_OK(store->Put("deleted", value));
    ASSERT_OK(store.Reopen());
  }
  ASSERT_OK(store->Delete("deleted"));
  store.Close();
  reinterpret_cast<internal::Superblock*>(store.memory().data())->root = 0;
  const Salvaged salvaged = SalvageBytes(store.memory().span());
  EXPECT_EQ(salvaged.content,
            (std::map<std::string, std::string>{{"deleted", "the third value"}, {"replaced", "the third value"}}));
  EXPECT_EQ(salvaged.report.recovered.size(), 2);
}

TEST(SalvageTest, WhatLiesInASoundRecordsValueIsNotTakenForARecord) {
  const Sample& inner = SampleNamed("prefixes");
  const std::string image(reinterpret_cast<const char*>(inner.bytes.data()), inner.bytes.size());
  const Sample sample = MakeSample("a store in a store", 1 << 20, {{"image", image}, {"other", "v"}}, 1);
  const Damaged damaged(sample);
  damaged.image().superblock().root = 0;
  EXPECT_EQ(damaged.Salvage().content, sample.model);
}

TEST(SalvageTest, ItCanBeStopped) {
  const Sample& sample = SampleNamed("numbers");
  int calls = 0;
  const Salvaged salvaged =
      SalvageBytes(sample.bytes, {.progress = [&calls](const internal::SalvageProgress&) { return ++calls < 100; }});
  EXPECT_TRUE(salvaged.report.was_stopped);
  EXPECT_LT(salvaged.content.size(), sample.model.size());
}

TEST(SalvageTest, AnotherVersionIsRefused) {
  const Sample& sample = SampleNamed("numbers");
  const Damaged damaged(sample);
  damaged.image().superblock().magic = 0;  // and the checksum that would fit: not damage
  EXPECT_OK(damaged.Salvage().status);
}

// A file that another program cuts short, or a device with bad blocks: the page raises SIGBUS.
TEST(SalvageTest, PagesThatCantBeReadCostWhatIsOnThem) {
  const Sample& sample = SampleNamed("prefixes");
  const std::string path = NewFolder() + "store";
  WriteFile(path, std::string(reinterpret_cast<const char*>(sample.bytes.data()), sample.bytes.size()));
  const auto file = daxfile::DaxFile::Open(path, {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true});
  ASSERT_OK(file);
  const Damaged damaged(sample);
  const tools::BusErrors errors(*file);
  const uint64_t left = Raw(damaged.image().OffsetOf(damaged.Record(300).data())) / 4096 * 4096 + 512;
  ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(left)), 0);
  const Salvaged salvaged = SalvageMemory({file->data(), file->size_bytes()});
  const size_t missing = damaged.ExpectHonest(salvaged);
  EXPECT_GT(missing, 0);
  EXPECT_LT(missing, sample.model.size());
  EXPECT_GT(errors.count(), 0);
  EXPECT_GE(errors.offsets().at(0), left / 4096 * 4096);
}

// Whatever the damage: it ends, stays inside, and makes nothing up that has a checksum.
TEST(SalvageTest, RandomDamage) {
  size_t saved = 0, missing = 0, cases = 0;
  for (const Sample& sample : MakeSamples()) {
    for (uint64_t i = 0; i < Scaled(300); ++i) {
      SCOPED_TRACE(sample.name + ", case " + std::to_string(i) + ", seed " + std::to_string(TestSeed()));
      std::vector<std::byte> bytes = sample.bytes;
      const size_t left = Damage(sample, Random(TestSeed() ^ 2).Next() + i).Apply(bytes) / 4096 * 4096;
      if (left == 0) continue;
      const GuardedMemory memory(left);
      std::memcpy(memory.Last(left).data(), bytes.data(), left);
      const Salvaged salvaged = SalvageMemory(memory.Last(left));
      if (!salvaged.status.ok()) continue;
      ++cases;
      for (const auto& [key, value] : salvaged.content) {
        const auto written = sample.model.find(key);
        if (value.size() == 8) continue;  // no checksum
        ASSERT_TRUE(written != sample.model.end() && written->second == value) << ::testing::PrintToString(key);
      }
      saved += salvaged.content.size();
      missing += sample.model.size() - std::min(sample.model.size(), salvaged.content.size());
    }
  }
  std::printf("%zu cases: %zu keys saved, %zu not\n", cases, saved, missing);
}

}  // namespace
}  // namespace sealkv::testing
