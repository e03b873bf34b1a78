// Each kind of damage, made by hand, is found: with its severity, where it is, and nothing else is blamed for it.
#include "kv/check.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kv/fingerprint.h"
#include "kv/recovery.h"
#include "tests/memory_store.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv::internal {
namespace {

using Severity = Problem::Severity;
using ::testing::HasSubstr;

constexpr size_t kStoreBytes = 4 << 20;

std::string Describe(const CheckReport& report) {
  std::string text = absl::StrCat(report.major_problems, " major, ", report.minor_problems, " minor\n");
  for (const Problem& problem : report.problems) absl::StrAppend(&text, problem.offset, ": ", problem.text, "\n");
  return text;
}

// A store with something of every kind: numbers in several levels, ties, layers with and without prefixes, large
// values.
class CheckTest : public ::testing::Test {
 protected:
  CheckTest() : store_(kStoreBytes) {}

  void SetUp() override {
    ASSERT_OK(store_.Format());
    for (uint64_t i = 0; i < 400; ++i) ASSERT_OK(store_->Put(U64Key(i * 1000), std::string(8, 'n')));
    for (const char* end : {"1", "2", "3"}) ASSERT_OK(store_->Put(std::string("tied key") + end, "value"));
    for (int i = 0; i < 30; ++i) {
      const std::string number = absl::StrCat(100 + i);
      ASSERT_OK(store_->Put("a layer without a prefix" + number, "v"));  // 16 shared bytes: a record holds them
      ASSERT_OK(store_->Put("inlined prefix: " + number, "v"));
      ASSERT_OK(store_->Put("noprefix" + number, std::string(20, 'v')));
    }
    ASSERT_OK(store_->Put("", "the empty key"));
    ASSERT_OK(store_->Put("large", std::string(100'000, 'L')));
    store_.Close();
    file_ = daxfile::DaxFile::OverMemory(store_.memory().span());
    const absl::StatusOr<Image> image = OpenImage(*file_);
    ASSERT_OK(image);
    image_ = *image;
    CollectNodes(Root());
  }

  // All nodes that the root leads to.
  void CollectNodes(Node* node) {
    nodes_.push_back(node);
    for (unsigned i = 0; i < node->perm().count(); ++i) {
      const unsigned slot = node->perm().slot(i);
      if (!node->is_leaf() || node->kinds().kind(slot) == Kind::kLayer) CollectNodes(image_.NodeAt(node->child(slot)));
    }
  }

  struct Entry {
    Node* node = nullptr;
    unsigned position = 0;
    unsigned slot() const { return node->perm().slot(position); }
    uint64_t& slice() const { return node->slice_word(slot()); }
    uint64_t& ref() const { return node->ref_word(slot()); }
    void SetKind(Kind kind) const { node->words[Node::kKindsWord] = node->kinds().With(slot(), kind).raw(); }
  };
  // The first entry of a leaf of which this is true.
  Entry FindEntry(const std::function<bool(Kind kind, const Entry& entry)>& fits) {
    for (Node* node : nodes_) {
      for (unsigned i = 0; node->is_leaf() && i < node->perm().count(); ++i) {
        const Entry entry{node, i};
        if (fits(node->kinds().kind(entry.slot()), entry)) return entry;
      }
    }
    ADD_FAILURE() << "the store has no such entry";
    return {nodes_[0], 0};
  }
  Entry EntryOfKind(Kind wanted) {
    return FindEntry([wanted](Kind kind, const Entry&) { return kind == wanted; });
  }
  Entry EntryOfKey(std::string_view key) {
    return FindEntry(
        [this, key](Kind kind, const Entry& entry) { return IsRecord(kind) && RecordOf(entry).key() == key; });
  }
  Node* LayerRoot(PrefixKind prefix) {
    const Entry entry = FindEntry([this, prefix](Kind kind, const Entry& each) {
      return kind == Kind::kLayer && image_.NodeAt(Offset{each.ref()})->kinds().prefix() == prefix;
    });
    return image_.NodeAt(Offset{entry.ref()});
  }

  Node* Root() { return image_.NodeAt(Offset{image_.superblock().root}); }
  Node* FirstLeaf() {
    return *std::find_if(nodes_.begin(), nodes_.end(), [](const Node* node) { return node->is_leaf(); });
  }
  RecordView RecordOf(const Entry& entry) const { return image_.RecordAt(RecordRef::FromRaw(entry.ref()).offset()); }
  uint64_t At(const void* address) const { return Raw(image_.OffsetOf(address)); }
  static RecordHeader& HeaderOf(RecordView record) { return const_cast<RecordHeader&>(record.header()); }
  static void Seal(RecordView record) {
    HeaderOf(record).checksum = RecordChecksum(record.data(), ValueOffset(record.key().size()), record.value());
  }
  void SetSegmentWord(uint64_t segment, SegmentWord word) { image_.segment_words()[segment] = word.raw(); }
  static void Swap(Node* node, unsigned i, unsigned j) {
    uint64_t& perm = node->words[Node::kPermWord];
    const uint64_t difference = (perm >> (4 * i + 4) ^ perm >> (4 * j + 4)) & 15;
    perm ^= difference << (4 * i + 4) | difference << (4 * j + 4);
  }

  // There is this problem. Consequences of it may be reported too.
  void ExpectProblem(Severity severity, uint64_t offset, const std::string& text) {
    const CheckReport report = Check(image_);
    const bool found = std::any_of(report.problems.begin(), report.problems.end(), [&](const Problem& problem) {
      return problem.severity == severity && problem.offset == offset && problem.text.find(text) != std::string::npos;
    });
    EXPECT_TRUE(found) << "no \"" << text << "\" at " << offset << " among\n" << Describe(report);
  }
  // There is this problem, and no other.
  void ExpectOnly(Severity severity, uint64_t offset, const std::string& text) {
    const CheckReport report = Check(image_);
    ASSERT_EQ(report.problems.size(), 1) << Describe(report);
    EXPECT_EQ(report.problems[0].severity, severity);
    EXPECT_EQ(report.problems[0].offset, offset) << Describe(report);
    EXPECT_THAT(report.problems[0].text, HasSubstr(text));
    EXPECT_EQ(report.major_problems, severity == Severity::kMajor ? 1 : 0);
    EXPECT_EQ(report.minor_problems, severity == Severity::kMinor ? 1 : 0);
  }
  void ExpectOnlyMajor(const void* where, const std::string& text) { ExpectOnly(Severity::kMajor, At(where), text); }
  void ExpectMajor(const void* where, const std::string& text) { ExpectProblem(Severity::kMajor, At(where), text); }

  testing::MemoryStore store_;
  std::optional<daxfile::DaxFile> file_;
  Image image_;
  std::vector<Node*> nodes_;
};

TEST_F(CheckTest, ASoundStoreHasNoProblemsAndTheRightFigures) {
  const CheckReport report = Check(image_);
  EXPECT_TRUE(report.is_sound()) << Describe(report);
  EXPECT_EQ(report.keys, 400 + 3 + 90 + 2);
  EXPECT_EQ(report.inline_values, 400);
  EXPECT_EQ(report.records, 95 + report.prefix_records);
  EXPECT_EQ(report.prefix_records, 1);
  EXPECT_GE(report.layers_with_prefix, 2);
  EXPECT_GE(report.tied_keys, 3);
  EXPECT_EQ(report.key_bytes_max, 27);
  EXPECT_EQ(report.value_bytes_max, 100'000);
  EXPECT_EQ(report.nodes, nodes_.size());
  EXPECT_GE(report.height_top, 2);
  EXPECT_EQ(report.nodes_by_level[0].nodes, report.leaves);
  EXPECT_EQ(report.leaf_entries, report.keys + report.layers);
  EXPECT_GT(report.segments_by_kind[static_cast<size_t>(SegmentKind::kLarge)], 1);
  EXPECT_EQ(report.segments_unreachable, 0);
}

TEST_F(CheckTest, AnEmptyStoreIsSound) {
  testing::MemoryStore empty(64 << 10);
  ASSERT_OK(empty.Format());
  const CheckReport report = Check(Image(empty.memory().data()));
  EXPECT_TRUE(report.is_sound()) << Describe(report);
  EXPECT_EQ(report.keys, 0);
  EXPECT_EQ(report.empty_leaves, 1);
}

// ---- nodes

TEST_F(CheckTest, APermutationThatIsNone) {
  FirstLeaf()->words[Node::kPermWord] ^= 0x10;
  ExpectOnlyMajor(FirstLeaf(), "permutation");
}

TEST_F(CheckTest, EntriesOutOfOrder) {
  Swap(FirstLeaf(), 0, 1);
  ExpectMajor(&FirstLeaf()->slice_word(FirstLeaf()->perm().slot(1)), "entries don't ascend");
}

TEST_F(CheckTest, ASliceBeyondItsLeafsUpperBound) {
  Node* leaf = FirstLeaf();
  uint64_t& slice = leaf->slice_word(leaf->perm().slot(leaf->perm().count() - 1));
  slice = __builtin_bswap64(uint64_t{'~'});
  ExpectOnlyMajor(&slice, "outside its leaf's bounds");
}

TEST_F(CheckTest, ASliceBelowItsLeafsLowerBound) {
  Node* inner = image_.NodeAt(Root()->child(Root()->perm().slot(1)));
  while (!inner->is_leaf()) inner = image_.NodeAt(inner->child(inner->perm().slot(0)));
  uint64_t& slice = inner->slice_word(inner->perm().slot(0));
  slice = 1;
  ExpectMajor(&slice, "outside its leaf's bounds");
}

TEST_F(CheckTest, SeparatorsOutOfOrder) {
  Swap(Root(), 1, 2);
  ExpectMajor(&Root()->slice_word(Root()->perm().slot(2)), "separators don't ascend");
}

TEST_F(CheckTest, ASeparatorOutsideItsNodesBounds) {
  const auto is_low_inner = [this](const Node* node) { return !node->is_leaf() && node != Root(); };
  const auto found = std::find_if(nodes_.begin(), nodes_.end(), is_low_inner);
  ASSERT_NE(found, nodes_.end());
  uint64_t& separator = (*found)->slice_word((*found)->perm().slot((*found)->perm().count() - 1));
  separator = ~uint64_t{0};
  ExpectMajor(&separator, "outside its node's bounds");
}

TEST_F(CheckTest, AChildOfTheWrongLevel) {
  Node* leaf = FirstLeaf();
  leaf->words[Node::kKindsWord] |= 1;
  ExpectOnlyMajor(&leaf->words[Node::kKindsWord], "level");
}

TEST_F(CheckTest, AnInnerNodeWithoutChildren) {
  Root()->words[Node::kPermWord] = Perm::kEmptyRaw;
  ExpectOnlyMajor(Root(), "without children");
}

TEST_F(CheckTest, AnUnknownKind) {
  Node* leaf = FirstLeaf();
  Entry{leaf, 0}.SetKind(static_cast<Kind>(13));
  ExpectMajor(&leaf->words[Node::kKindsWord], "which doesn't exist");
}

TEST_F(CheckTest, AnInlineValueBelowTheTopLayer) {
  Node* root = LayerRoot(PrefixKind::kInline);
  while (!root->is_leaf()) root = image_.NodeAt(root->child(root->perm().slot(0)));
  Entry{root, 0}.SetKind(Kind::kInline);
  ExpectMajor(&root->words[Node::kKindsWord], "in the top layer only");
}

TEST_F(CheckTest, APrefixWhereNoneMayBe) {
  FirstLeaf()->words[Node::kKindsWord] |= 0x10;
  ExpectOnlyMajor(&FirstLeaf()->words[Node::kKindsWord], "not the root of a layer");
}

TEST_F(CheckTest, APrefixWordWithoutAPrefixIsMinor) {
  Root()->words[Node::kPrefixWord] = 7;
  ExpectOnly(Severity::kMinor, At(&Root()->words[Node::kPrefixWord]), "prefix word");
}

TEST_F(CheckTest, ALeafOfTheTopLayerWithoutABound) {
  FirstLeaf()->words[Node::kPrefixWord] = 0;
  ExpectOnlyMajor(&FirstLeaf()->words[Node::kPrefixWord], "bound");
}

TEST_F(CheckTest, ABoundBeyondWhatTheLeafCovers) {
  ++FirstLeaf()->words[Node::kPrefixWord];
  ExpectOnlyMajor(&FirstLeaf()->words[Node::kPrefixWord], "bound");
}

TEST_F(CheckTest, TheLockWordIsNeverJudged) {
  EXPECT_EQ(Check(image_).nodes_marked_replaced, 0);
  for (Node* node : nodes_) node->words[Node::kLockWord] = ~uint64_t{0};
  EXPECT_TRUE(Check(image_).is_sound());
  EXPECT_EQ(Check(image_).nodes_marked_replaced, nodes_.size());
}

// Its entries are sound, and old.
TEST_F(CheckTest, AReferenceToANodeThatWasReplacedIsNoted) {
  Node* parent = Root();
  while (parent->level() > 1) parent = image_.NodeAt(parent->child(parent->perm().slot(0)));
  const auto first_reference = [parent]() -> uint64_t& { return parent->ref_word(parent->perm().slot(0)); };
  const uint64_t before = first_reference();
  ASSERT_OK(store_.Open());
  for (uint64_t i = 1; first_reference() == before && i < 1000; ++i) ASSERT_OK(store_->Put(U64Key(i), "8 bytes!"));
  store_.Close();
  EXPECT_EQ(Check(image_).nodes_marked_replaced, 0);
  first_reference() = before;
  EXPECT_EQ(Check(image_).nodes_marked_replaced, 1);
  EXPECT_EQ(Check(image_).first_marked_replaced, before + 8 * Node::kLockWord);
}

TEST_F(CheckTest, SlotsThatAreNotNamedHoldAnything) {
  for (Node* node : nodes_) {
    for (unsigned i = node->perm().count(); i < kSlots; ++i) node->ref_word(node->perm().slot(i)) = ~uint64_t{0};
  }
  EXPECT_TRUE(Check(image_).is_sound());
}

// ---- layers

TEST_F(CheckTest, AnotherInlinePrefixThanTheKeys) {
  LayerRoot(PrefixKind::kInline)->words[Node::kPrefixWord] ^= 1;
  const CheckReport report = Check(image_);
  EXPECT_EQ(report.major_problems, 30) << Describe(report);
  EXPECT_THAT(report.problems[0].text, HasSubstr("begins otherwise"));
}

TEST_F(CheckTest, APrefixOfUnknownKind) {
  Node* root = LayerRoot(PrefixKind::kInline);
  root->words[Node::kKindsWord] |= 0x70;
  ExpectOnlyMajor(&root->words[Node::kKindsWord], "unknown kind");
}

TEST_F(CheckTest, APrefixWordOfAnotherLengthThanItsRecord) {
  Node* root = LayerRoot(PrefixKind::kRecord);
  root->words[Node::kPrefixWord] += uint64_t{1} << RecordRef::kOffsetBits;
  ExpectOnlyMajor(&root->words[Node::kPrefixWord], "prefix");
}

TEST_F(CheckTest, ADamagedPrefixRecordIsToldOnceAndTheLayerBelowIsStillWalked) {
  Node* root = LayerRoot(PrefixKind::kRecord);
  const RecordView record = image_.RecordAt(RecordRef::FromRaw(root->words[Node::kPrefixWord]).offset());
  const_cast<char&>(record.key()[3]) ^= 1;
  ExpectOnlyMajor(record.data(), "checksum");
  EXPECT_EQ(Check(image_).keys, 495);
}

TEST_F(CheckTest, APrefixRecordThatIsAKeysRecord) {
  Node* root = LayerRoot(PrefixKind::kRecord);
  const RecordView record = image_.RecordAt(RecordRef::FromRaw(root->words[Node::kPrefixWord]).offset());
  HeaderOf(record).key_and_flags = RecordHeader::KeyAndFlags(record.header().key_bytes(), kPlainRecord);
  Seal(record);
  ExpectOnlyMajor(&root->words[Node::kPrefixWord], "of another sort");
}

TEST_F(CheckTest, LayersWithoutEndEndWhereNoKeyGoes) {
  // A chain of layers, each of one entry, longer than any key.
  constexpr uint64_t kNodes = 9000;
  const uint64_t first = image_.segment_count() - 1 - kNodes * kNodeBytes / image_.segment_bytes();
  for (uint64_t segment = first; segment < image_.segment_count(); ++segment) {
    SetSegmentWord(segment, SegmentWord(SegmentKind::kNodes, 1, segment));
  }
  Node* chain = image_.NodeAt(image_.SegmentStart(first));
  for (uint64_t i = 0; i < kNodes; ++i) {
    chain[i] = Node{};
    chain[i].words[Node::kPermWord] = Perm().Insert(0).raw();
    chain[i].words[Node::kKindsWord] = Kinds(0, PrefixKind::kNone).With(kFirstSlot, Kind::kLayer).raw();
    chain[i].ref_word(kFirstSlot) = At(&chain[i + 1]);
  }
  chain[0].words[Node::kPrefixWord] = kUnbounded;
  image_.superblock().root = At(chain);
  ExpectOnlyMajor(&chain[kMaxLayers - 2].ref_word(kFirstSlot), "deeper than any key");
  EXPECT_EQ(Check(image_).layer_depth_max, kMaxLayers - 2);
}

// ---- keys against entries

TEST_F(CheckTest, ASliceThatTheRecordsKeyContradicts) {
  const Entry entry = EntryOfKey("large");
  entry.slice() ^= uint64_t{1} << 24;  // "larg" is left as it is
  ExpectOnlyMajor(&entry.slice(), "the record's key says");
}

TEST_F(CheckTest, AKindThatTheRecordsKeyContradicts) {
  const Entry entry = EntryOfKey("large");
  entry.SetKind(static_cast<Kind>(6));
  ExpectOnlyMajor(&entry.node->words[Node::kKindsWord], "of kind 6, the record's key says 5");
}

TEST_F(CheckTest, AFingerprintThatTheRecordsKeyContradicts) {
  const Entry entry = EntryOfKind(Kind::kMore);
  entry.ref() ^= uint64_t{1} << RecordRef::kOffsetBits;
  ExpectOnlyMajor(&entry.ref(), "fingerprint");
}

TEST_F(CheckTest, FingerprintBitsWhereTheKeyEndsAreMinor) {
  const Entry entry = EntryOfKey("large");
  entry.ref() ^= uint64_t{1} << RecordRef::kOffsetBits;
  ExpectOnly(Severity::kMinor, At(&entry.ref()), "fingerprint bits");
}

TEST_F(CheckTest, TiesOutOfOrder) {
  const Entry tie = EntryOfKey("tied key1");
  Swap(tie.node, tie.position, tie.position + 1);
  const unsigned second = tie.node->perm().slot(tie.position + 1);
  ExpectMajor(&tie.node->ref_word(second), "don't ascend");
}

TEST_F(CheckTest, MoreTiesThanALeafMayHold) {
  // Five keys of the layer without a prefix, all said to have one slice.
  Node* leaf = LayerRoot(PrefixKind::kNone);
  while (!leaf->is_leaf()) leaf = image_.NodeAt(leaf->child(leaf->perm().slot(0)));
  ASSERT_GT(leaf->perm().count(), kMaxTies);
  for (unsigned i = 0; i <= kMaxTies; ++i) {
    Entry{leaf, i}.SetKind(Kind::kMore);
    Entry{leaf, i}.slice() = Entry{leaf, 0}.slice();
  }
  ExpectMajor(&Entry{leaf, kMaxTies}.slice(), "more than 4 keys");
}

TEST_F(CheckTest, AKeyThatEndsBeforeItsLayerBegins) {
  const Entry entry = FindEntry([this](Kind kind, const Entry& each) {
    return IsRecord(kind) && RecordOf(each).key().substr(0, 8) == "noprefix";
  });
  const RecordView record = RecordOf(entry);
  HeaderOf(record).key_and_flags = RecordHeader::KeyAndFlags(8, kPlainRecord);
  HeaderOf(record).value_bytes = 16;  // without padding
  Seal(record);
  ExpectOnlyMajor(&entry.ref(), "the record's key has 8 bytes");
}

// ---- references

TEST_F(CheckTest, ARootWordThatLeadsToNoSoundNode) {
  image_.superblock().root = At(FirstLeaf()) + kNodeBytes / 2;
  ExpectOnlyMajor(&image_.superblock().root, "where no node can be");
}

TEST_F(CheckTest, AReferenceOutOfTheFile) {
  uint64_t& child = Root()->ref_word(Root()->perm().slot(1));
  child = kStoreBytes;
  ExpectOnlyMajor(&child, "where no node can be");
}

TEST_F(CheckTest, AReferenceToARecordOutOfTheFile) {
  const Entry entry = EntryOfKey("large");
  entry.ref() = kStoreBytes - 8;
  ExpectMajor(&entry.ref(), "where no record can be");
}

TEST_F(CheckTest, TwoReferencesToOneNode) {
  const Perm perm = Root()->perm();
  Root()->ref_word(perm.slot(2)) = Root()->ref_word(perm.slot(1));
  ExpectMajor(&Root()->ref_word(perm.slot(2)), "two references to one node");
}

TEST_F(CheckTest, ACycleEnds) {
  Node* inner = image_.NodeAt(Root()->child(Root()->perm().slot(0)));
  if (inner->is_leaf()) inner = Root();
  uint64_t& child = inner->ref_word(inner->perm().slot(1));
  child = At(Root());
  ExpectOnlyMajor(&child, "or a cycle");
}

TEST_F(CheckTest, ALayerThatContainsItself) {
  const Entry entry = EntryOfKind(Kind::kLayer);
  entry.ref() = At(entry.node);
  ExpectOnlyMajor(&entry.ref(), "or a cycle");
}

TEST_F(CheckTest, TwoReferencesToOneRecord) {
  const Entry first = EntryOfKey("tied key1");
  const Entry second = EntryOfKey("tied key2");
  second.ref() = first.ref();
  ExpectOnlyMajor(&second.ref(), "two references to one record");
}

TEST_F(CheckTest, OverlappingRecords) {
  // A record inside a value. The outer one stays sound.
  const RecordView outer = RecordOf(EntryOfKey("large"));
  const Entry entry = EntryOfKey("tied key3");
  const RecordView small = RecordOf(entry);
  auto* inside = const_cast<char*>(outer.value().data()) + 800;
  std::memcpy(inside, small.data(), small.bytes());
  Seal(outer);
  entry.ref() = RecordRef(image_.OffsetOf(inside), RecordRef::FromRaw(entry.ref()).fingerprint()).raw();
  ExpectProblem(Severity::kMajor, At(&entry.ref()), "records that overlap");
}

// ---- records

TEST_F(CheckTest, AFlippedBitInAnyByteOfARecord) {
  const RecordView record = RecordOf(EntryOfKey("tied key1"));
  auto* bytes = const_cast<std::byte*>(record.data());
  const size_t value_end = ValueOffset(record.key().size()) + record.value().size();
  for (size_t i = 0; i < value_end; ++i) {
    bytes[i] ^= std::byte{1};
    EXPECT_EQ(Check(image_).major_problems, 1) << "byte " << i;
    bytes[i] ^= std::byte{1};
  }
  bytes[value_end] ^= std::byte{1};
  ExpectOnly(Severity::kMinor, At(bytes + value_end), "padding");
}

TEST_F(CheckTest, AValueIsReadOnlyIfChecksumsAreAskedFor) {
  const_cast<char&>(RecordOf(EntryOfKey("large")).value()[50'000]) ^= 1;
  ExpectOnlyMajor(RecordOf(EntryOfKey("large")).data(), "checksum");
  EXPECT_TRUE(Check(image_, {.verify_checksums = false, .progress = nullptr}).is_sound());
}

TEST_F(CheckTest, ARecordWithAnImpossibleHeaderUnderAGoodChecksum) {
  const RecordView record = RecordOf(EntryOfKey("large"));
  HeaderOf(record).key_and_flags |= uint32_t{1} << 18;
  Seal(record);
  ExpectOnlyMajor(record.data(), "reserved bits");
}

TEST_F(CheckTest, RecordsOfAGenerationThatHasNotBeen) {
  image_.superblock().generation = 0;
  ExpectOnlyMajor(&image_.superblock().generation, "generation");
}

// ---- space

TEST_F(CheckTest, ADamagedSegmentWord) {
  const uint64_t segment = image_.SegmentOf(image_.OffsetOf(Root()));
  image_.segment_words()[segment] ^= uint64_t{1} << 50;
  ExpectOnlyMajor(&image_.segment_words()[segment], "is damaged");
}

TEST_F(CheckTest, ANodeInAFreeSegment) {
  const uint64_t segment = image_.SegmentOf(image_.OffsetOf(Root()));
  SetSegmentWord(segment, SegmentWord(SegmentWord::kFreeRaw));
  ExpectOnlyMajor(&image_.segment_words()[segment], "is free, but there is a node");
}

TEST_F(CheckTest, ARecordAmongNodes) {
  const uint64_t segment = image_.SegmentOf(image_.OffsetOf(RecordOf(EntryOfKey("tied key1")).data()));
  SetSegmentWord(segment, SegmentWord(SegmentKind::kNodes, 1, segment));
  ExpectOnlyMajor(&image_.segment_words()[segment], "is for nodes, but there is a record");
}

TEST_F(CheckTest, AUsedSegmentInsideALargeRun) {
  const uint64_t first = image_.SegmentOf(image_.OffsetOf(RecordOf(EntryOfKey("large")).data()));
  ASSERT_GT(image_.segment_word(first).run_length(), 1);
  SetSegmentWord(first + 1, SegmentWord(SegmentKind::kNodes, 1, first + 1));
  ExpectMajor(&image_.segment_words()[first + 1], "inside the large run");
}

TEST_F(CheckTest, ALargeRunTooShortForItsRecord) {
  const RecordView record = RecordOf(EntryOfKey("large"));
  const uint64_t first = image_.SegmentOf(image_.OffsetOf(record.data()));
  SetSegmentWord(first, SegmentWord(SegmentKind::kLarge, 2, first));
  ExpectOnlyMajor(record.data(), "its segments end");
}

TEST_F(CheckTest, ARecordInsideALargeRunButNotAtItsBeginning) {
  const Entry entry = EntryOfKey("large");
  const RecordView record = RecordOf(entry);
  auto* bytes = const_cast<std::byte*>(record.data());
  std::memmove(bytes + 64, bytes, record.bytes());
  entry.ref() += 64;
  ExpectOnlyMajor(bytes + 64, "inside a large run");
}

TEST_F(CheckTest, AReservedWordIsMinor) {
  image_.superblock().zero_3[5] = 1;
  ExpectOnly(Severity::kMinor, At(&image_.superblock().zero_3[5]), "reserved word");
}

TEST_F(CheckTest, AWordForAHeaderSegmentIsMinor) {
  SetSegmentWord(0, SegmentWord(SegmentKind::kNodes, 1, 0));
  ExpectOnly(Severity::kMinor, At(image_.segment_words()), "header segment");
}

TEST_F(CheckTest, SegmentsInUseForNothingAreNoProblem) {
  const uint64_t last = image_.segment_count() - 1;
  SetSegmentWord(last, SegmentWord(SegmentKind::kRecords, 1, last));
  const CheckReport report = Check(image_);
  EXPECT_TRUE(report.is_sound()) << Describe(report);
  EXPECT_EQ(report.segments_unreachable, 1);
}

// ---- the report

TEST_F(CheckTest, AllProblemsAreCountedAndAHundredTold) {
  for (Node* node : nodes_) {
    for (unsigned i = 0; node->is_leaf() && i < node->perm().count(); ++i)
      Entry{node, i}.SetKind(static_cast<Kind>(15));
  }
  const CheckReport report = Check(image_);
  EXPECT_EQ(report.problems.size(), CheckReport::kProblemsKept);
  EXPECT_GT(report.major_problems, 300);
}

TEST_F(CheckTest, TheWalkStopsWhenToldTo) {
  testing::MemoryStore store(kStoreBytes);
  ASSERT_OK(store.Format());
  for (uint64_t i = 0; i < 40'000; ++i) ASSERT_OK(store->Put(U64Key(i), std::string(8, 'n')));
  store.Close();
  const Image image(store.memory().data());
  uint64_t calls = 0;
  const CheckReport all = Check(image, {.verify_checksums = true, .progress = [&](uint64_t) { return ++calls > 0; }});
  EXPECT_GE(calls, 2);
  EXPECT_FALSE(all.was_stopped);
  const CheckReport part = Check(image, {.verify_checksums = true, .progress = [](uint64_t) { return false; }});
  EXPECT_TRUE(part.was_stopped);
  EXPECT_LT(part.keys, all.keys);
}

}  // namespace
}  // namespace sealkv::internal
