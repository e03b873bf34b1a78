// Each search that this CPU has finds what the plain one finds, in sound nodes and in damaged ones.
#include "kv/search.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/node.h"
#include "kv/ordered_node.h"
#include "tests/random.h"

// Behind all that doesn't need it.
#include "kv/avx2_begin.inc"
#include "kv/search_avx2.h"

namespace sealkv::internal {
namespace {

SliceRange FindByAvx2(const Node& node, uint64_t slice) { return Avx2Search::FindSlice(node, node.perm(), slice); }
unsigned FindChildByAvx2(const Node& node, uint64_t slice) { return Avx2Search::FindChild(node, node.perm(), slice); }

}  // namespace
}  // namespace sealkv::internal
#include "kv/vector_end.inc"

namespace sealkv::internal {
namespace {

using testing::Random;

// Slices that differ in few bits and in many, equal ones, and those that signed comparisons would put elsewhere.
uint64_t RandomSlice(Random& random) {
  switch (random.Below(4)) {
    case 0:
      return random.Below(20);
    case 1:
      return ~random.Below(20);
    case 2:
      return (uint64_t{1} << 63) - 10 + random.Below(20);
    default:
      return random.Next();
  }
}

// Entries in order, in slots at random; slots without an entry hold anything.
Node RandomNode(Random& random, unsigned count) {
  Node node;
  for (uint64_t& word : node.words) word = RandomSlice(random);
  std::vector<uint64_t> slices;
  for (unsigned i = 0; i < count; ++i) slices.push_back(RandomSlice(random));
  std::sort(slices.begin(), slices.end());
  Perm perm;
  for (unsigned i = 0; i < 50; ++i) {
    perm = perm.Exchange(kFirstSlot + static_cast<unsigned>(random.Below(kSlots)),
                         kFirstSlot + static_cast<unsigned>(random.Below(kSlots)));
  }
  for (unsigned i = 0; i < count; ++i) perm = perm.Insert(i);
  for (unsigned i = 0; i < count; ++i) node.slice_word(perm.slot(i)) = slices[i];
  node.words[Node::kPermWord] = perm.raw();
  return node;
}

TEST(Search, AllFindWhatThePlainOneFinds) {
  Random random(testing::TestSeed());
  for (int round = 0; round < 20'000; ++round) {
    const Node node = RandomNode(random, static_cast<unsigned>(random.Below(kSlots + 1)));
    const Perm perm = node.perm();
    ASSERT_TRUE(perm.IsWellFormed());
    const bool of_an_entry = perm.count() > 0 && random.Below(2) == 0;
    const uint64_t slice =
        of_an_entry ? node.slice(perm.slot(static_cast<unsigned>(random.Below(perm.count())))) : RandomSlice(random);
    const SliceRange plain = ScalarSearch::FindSlice(node, perm, slice);
    const SliceRange chosen = FindSlice(node, perm, slice);
    ASSERT_EQ(chosen.begin, plain.begin);
    ASSERT_EQ(chosen.end, plain.end);
    ASSERT_EQ(FindChild(node, perm, slice), ScalarSearch::FindChild(node, perm, slice));
    OrderedNode ordered;
    ordered.Read(node);
    ASSERT_EQ(ordered.FindSlice(slice).begin, plain.begin);
    ASSERT_EQ(ordered.FindSlice(slice).end, plain.end);
    if (kVectors == Vectors::kNone) continue;
    // Where the CPU has AVX-512, too, this isn't the one that was chosen.
    ASSERT_EQ(FindByAvx2(node, slice).begin, plain.begin);
    ASSERT_EQ(FindByAvx2(node, slice).end, plain.end);
    ASSERT_EQ(FindChildByAvx2(node, slice), ScalarSearch::FindChild(node, perm, slice));
  }
}

TEST(Search, ANodeIsReadInKeyOrder) {
  Random random(testing::TestSeed());
  for (int round = 0; round < 20'000; ++round) {
    Node node = RandomNode(random, static_cast<unsigned>(random.Below(kSlots + 1)));
    const Perm perm = node.perm();
    if (perm.count() > 1 && random.Below(4) == 0) {  // out of order
      const auto at = static_cast<unsigned>(random.Below(perm.count() - 1));
      std::swap(node.slice_word(perm.slot(at)), node.slice_word(perm.slot(at + 1)));
    }
    OrderedNode ordered;
    ordered.Read(node);
    ASSERT_EQ(ordered.count(), perm.count());
    ASSERT_TRUE(ordered.IsWellFormed());
    bool ascends = true;
    for (unsigned i = 0; i < perm.count(); ++i) {
      ASSERT_EQ(ordered.slice(i), node.slice(perm.slot(i)));
      ASSERT_EQ(ordered.ref(i), node.ref(perm.slot(i)));
      const Kind kind = node.kinds().kind(perm.slot(i));
      ASSERT_EQ(ordered.kind(i), kind);
      const int position = static_cast<int>(i);
      ASSERT_EQ(ordered.IsInline(position), kind == Kind::kInline);
      ASSERT_EQ(ordered.IsRecord(position), IsRecord(kind));
      ASSERT_EQ(ordered.AreInline(i), ordered.IsInline(position) && ordered.IsInline(position + 1));
      ascends = ascends && (i == 0 || ordered.slice(i - 1) < ordered.slice(i));
    }
    ASSERT_EQ(ordered.AscendsStrictly(), ascends);
    for (const int beyond : {-1, static_cast<int>(perm.count()), static_cast<int>(kSlots) + 1}) {
      ASSERT_FALSE(ordered.IsInline(beyond) || ordered.IsRecord(beyond));
    }
  }
}

TEST(Search, ADamagedPermutationIsSeen) {
  Random random(testing::TestSeed());
  for (int round = 0; round < 20'000; ++round) {
    Node node = RandomNode(random, static_cast<unsigned>(random.Below(kSlots + 1)));
    node.words[Node::kPermWord] ^= random.Below(16) << (4 * random.Below(16));
    if (random.Below(2) == 0) node.words[Node::kPermWord] ^= random.Below(16) << (4 * random.Below(16));
    OrderedNode ordered;
    ordered.Read(node);
    ASSERT_EQ(IsWellFormed(node.perm()), node.perm().IsWellFormed()) << std::hex << node.perm().raw();
    ASSERT_EQ(ordered.IsWellFormed(), node.perm().IsWellFormed()) << std::hex << node.perm().raw();
  }
}

// Whatever a damaged node holds, what is found lies within it.
TEST(Search, StaysInsideOfADamagedNode) {
  Random random(testing::TestSeed());
  for (int round = 0; round < 20'000; ++round) {
    Node node;
    for (uint64_t& word : node.words) word = RandomSlice(random);
    const uint64_t slice = RandomSlice(random);
    const SliceRange chosen = FindSlice(node, node.perm(), slice);
    ASSERT_LE(chosen.begin, chosen.end);
    ASSERT_LE(chosen.end, kSlots);
    ASSERT_LT(FindChild(node, node.perm(), slice), kSlots);
    OrderedNode ordered;
    ordered.Read(node);
    ASSERT_LE(ordered.FindSlice(slice).begin, ordered.FindSlice(slice).end);
    ASSERT_LE(ordered.FindSlice(slice).end, kSlots);
    if (kVectors == Vectors::kNone) continue;
    ASSERT_LE(FindByAvx2(node, slice).begin, FindByAvx2(node, slice).end);
    ASSERT_LE(FindByAvx2(node, slice).end, kSlots);
    ASSERT_LT(FindChildByAvx2(node, slice), kSlots);
  }
}

}  // namespace
}  // namespace sealkv::internal
