// The node: the only structure the tree is made of, at every level. 256 bytes: four cache lines.
//
//   OFFSET  SIZE  NAME         MEANING
//   0       8     perm         commit word: which slots are entries, in key order (Perm)
//   8       8     kinds        nibble 0: level (0 = leaf); nibble 1: how `prefix` reads (PrefixKind);
//                              nibbles 2..15: the kind of the entry in that slot (leaves only)
//   16      24    slices       of slots 2..4: 8 bytes of key, big-endian, padded with zeros
//   40      24    references   of slots 2..4: a record, a node, or a value, as the kind says
//   64      64    slices       of slots 8..15
//   128     8     lock         volatile: who writes here, and how often anybody did (LockWord)
//   136     8     prefix       in the root of a layer: the bytes that all its keys share;
//                              in a leaf of the top layer: its bound (N6); else 0
//   144     24    references   of slots 5..7
//   168     24    slices       of slots 5..7
//   192     64    references   of slots 8..15
//
// Slots 2..4 lie in the line of `perm` as a whole. Within a line stores become durable in program order, so an entry
// that goes there is committed with one flush and one fence. When these are taken, the next entry goes elsewhere with a
// flush and a fence of its own, and takes as many of these three along as its lines have room for: the commit that
// names the new entry makes their slots free again. So most inserts find one (Tree::InsertEntry).
//
// The slices of a slot's number lie at that number in the first line or the second, but for 5..7, which lie
// where they can be blended into the first line by one masked load: so the nibbles of `perm` index both vectors
// directly, and vector instructions permute the slices straight into key order.
//
// Invariants
//   N1  An entry that `perm` doesn't name does not exist. Slots that it doesn't name hold anything.
//   N2  A named slot's slice, kind and level never change. Its reference word may, by one Store.
//   N3  Entries ascend by (slice, rank of kind); among kMore entries of one slice, by key; at most kMaxTies of these.
//   N4  In an inner node, entry i covers the slices from its own to before that of entry i+1; entry 0 from the node's
//       own lower bound, for its slice isn't looked at. Equal slices are never parted by two nodes.
//   N5  Only the root of a layer below the top has a prefix.
//   N6  A leaf of the top layer covers all slices from its first entry's to before its bound, and perhaps more.
//       The bound is never 0 there, and 0 in all other nodes without a prefix.
//
// Origin: Masstree's permutation word and 8-byte slices (Mao, Kohler, Morris, EuroSys 2012); a commit of one word in
// persistent memory as in wB+-Tree (Chen, Jin, VLDB 2015); 256-byte nodes, and entries that move out of the commit
// word's line to keep it free, as in LB+-Tree (Liu, Chen, Wang, VLDB 2020).
#ifndef SEALKV_KV_NODE_H_
#define SEALKV_KV_NODE_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kv/reference.h"

namespace sealkv::internal {

inline constexpr unsigned kSlots = 14;
inline constexpr unsigned kFirstSlot = 2;
inline constexpr unsigned kPermLineSlots = 3;  // slots 2..4, in the line of `perm`
inline constexpr size_t kNodeBytes = 256;
inline constexpr size_t kSliceBytes = 8;
// How many keys that go on beyond one slice a leaf holds before they get a layer of their own. Measured on 563,000 file
// paths: 1 tie costs 76 bytes of nodes a key, 2 cost 56, 4 cost 42, 8 cost 41.
inline constexpr unsigned kMaxTies = 4;
// Replacing a child by two takes two free slots beside the child's own.
inline constexpr unsigned kMaxChildrenToSplitBelow = kSlots - 2;
// A layer is entered by a slice of 8 bytes, so no valid path is deeper than this.
inline constexpr unsigned kMaxLayers = (64 << 10) / kSliceBytes + 1;
inline constexpr unsigned kMaxLevel = 15;
inline constexpr uint64_t kUnbounded = ~uint64_t{0};  // the bound of the last leaf

// What the entry's reference word means. Persistent: do not change the numbers.
enum class Kind : uint8_t {
  // 0..8: the key ends in this slice with so many bytes; the reference is a RecordRef.
  kEndsWith0 = 0,
  kEndsWith8 = 8,
  kMore = 9,     // the key goes on; RecordRef with fingerprint
  kLayer = 10,   // several keys go on; the reference is the offset of a layer's root
  kInline = 11,  // an 8-byte key; the reference is its 8-byte value (top layer only)
};

// Persistent: do not change the numbers.
enum class PrefixKind : uint8_t {
  kNone = 0,
  kInline = 1,  // the prefix word is the prefix: 8 bytes in the order of the key
  kRecord = 2,  // the prefix word is the RecordRef of a record whose key is the prefix: 16, 24, … bytes
};

constexpr bool IsEnd(Kind kind) { return kind <= Kind::kEndsWith8; }
constexpr bool IsRecord(Kind kind) { return kind <= Kind::kMore; }
// Where an entry stands among those of the same slice.
constexpr unsigned KindRank(Kind kind) {
  if (kind == Kind::kInline) return 8;
  return kind == Kind::kLayer ? 9 : static_cast<unsigned>(kind);
}

// The permutation word: nibble 0 is the count; nibbles 1..14 are the 14 slots, first those in use in key order, then
// the free ones; nibble 15 is 0.
class Perm {
 public:
  static constexpr uint64_t kEmptyRaw = 0x0fedcba987654320;

  constexpr Perm() = default;
  constexpr explicit Perm(uint64_t raw) : raw_(raw) {}

  constexpr uint64_t raw() const { return raw_; }
  constexpr unsigned count() const { return raw_ & 15; }
  constexpr unsigned free_count() const { return kSlots - count(); }
  // The slot at a position; positions from count() on are free slots.
  constexpr unsigned slot(unsigned position) const { return raw_ >> (4 * position + 4) & 15; }

  // Takes the free slot at `from` (default: the first) into `position`.
  constexpr Perm Insert(unsigned position) const {
    const uint64_t slot_taken = slot(count());
    const uint64_t body = raw_ >> 4;
    const uint64_t below = body & Mask(position);
    const uint64_t moved = (body & Mask(count()) & ~Mask(position)) << 4;
    const uint64_t above = count() + 1 < 16 ? body & ~Mask(count() + 1) : 0;
    return Perm((below | moved | above | slot_taken << (4 * position)) << 4 | (count() + 1));
  }

  // Gives back the slot at `position`, as the first free one.
  constexpr Perm Remove(unsigned position) const {
    const uint64_t slot_given = slot(position);
    const unsigned last = count() - 1;
    const uint64_t body = raw_ >> 4;
    const uint64_t below = body & Mask(position);
    const uint64_t moved = (body & Mask(count()) & ~Mask(position + 1)) >> 4;
    const uint64_t above = body & ~Mask(count());
    return Perm((below | moved | above | slot_given << (4 * last)) << 4 | last);
  }

  // A new node's, with so many entries: they keep the line of `perm` free for the inserts to come, and lie so that an
  // entry that doesn't go there finds room beside it for those that it takes along.
  static constexpr Perm ForNew(unsigned count) {
    constexpr unsigned kOutside = kSlots - kPermLineSlots;
    constexpr unsigned kFirstOutside = kFirstSlot + kPermLineSlots;
    const unsigned outside = count < kOutside ? count : kOutside;
    uint64_t raw = count;
    unsigned position = 0;
    const auto append = [&](unsigned slot) { raw |= uint64_t{slot} << (4 * position++ + 4); };
    for (unsigned i = 0; i < outside; ++i) append(kFirstOutside + i);
    for (unsigned i = 0; i < kPermLineSlots; ++i) append(kFirstSlot + i);
    for (unsigned i = outside; i < kOutside; ++i) append(kFirstOutside + i);
    return Perm(raw);
  }

  // The two slots change places.
  constexpr Perm Exchange(unsigned a, unsigned b) const { return Perm(raw_ ^ (WhereIs(a) | WhereIs(b)) * (a ^ b)); }
  // The position of a slot.
  constexpr unsigned PositionOf(unsigned slot) const {
    return static_cast<unsigned>(std::countr_zero(WhereIs(slot))) / 4 - 1;
  }

  // Whether this can be a permutation at all: a damaged one can't be used.
  constexpr bool IsWellFormed() const {
    unsigned seen = 0;
#pragma GCC unroll 14
    for (unsigned i = 0; i < kSlots; ++i) seen |= 1u << slot(i);
    return count() <= kSlots && seen == 0xfffc && raw_ >> 60 == 0;
  }

  // Whether the first free slot is one, and no other position names it: all that writing to it asks of a permutation
  // that may be damaged.
  constexpr bool NamesFreeSlotOnce() const {
    const unsigned free_slot = slot(count());
    const uint64_t where = WhereIs(free_slot);
    return count() < kSlots && free_slot >= kFirstSlot && where != 0 && (where & (where - 1)) == 0;
  }

  friend constexpr bool operator==(Perm a, Perm b) = default;

 private:
  // The lowest bit of each nibble 1..14 that names the slot. All are compared with it at once.
  constexpr uint64_t WhereIs(uint64_t slot) const {
    constexpr uint64_t kOnes = 0x0111111111111110;
    const uint64_t differs = raw_ ^ slot * kOnes;
    const uint64_t high_bits =
        ((differs & 7 * kOnes) + 7 * kOnes) | differs;  // a nibble's is clear where it is the slot
    return ~high_bits >> 3 & kOnes;
  }
  static constexpr uint64_t Mask(unsigned nibbles) { return (uint64_t{1} << (4 * nibbles)) - 1; }
  uint64_t raw_ = kEmptyRaw;
};

static_assert(Perm().IsWellFormed() && Perm().count() == 0);
static_assert(Perm().Insert(0).Insert(0).Insert(1).slot(0) == 3);
static_assert(Perm().Insert(0).Insert(0).Insert(1).slot(1) == 4);
static_assert(Perm().Insert(0).Insert(0).Insert(1).Remove(0).slot(0) == 4);
static_assert(Perm().Insert(0).Insert(0).Insert(1).Remove(0).slot(2) == 3);
static_assert(Perm().Insert(0).Insert(0).Insert(1).Remove(0).IsWellFormed());
static_assert(Perm().NamesFreeSlotOnce() && Perm().Insert(0).Insert(0).Remove(0).NamesFreeSlotOnce());
static_assert(!Perm(Perm::kEmptyRaw | 0xf0).NamesFreeSlotOnce() && !Perm(Perm::kEmptyRaw - 0x20).NamesFreeSlotOnce());

static_assert(Perm::ForNew(0).IsWellFormed() && Perm::ForNew(0).slot(0) == 2 && Perm::ForNew(0).slot(3) == 5);
static_assert(Perm::ForNew(7).IsWellFormed() && Perm::ForNew(7).slot(6) == 11 && Perm::ForNew(7).slot(7) == 2);
static_assert(Perm::ForNew(14).IsWellFormed() && Perm::ForNew(14).slot(13) == 4);
static_assert(Perm::ForNew(7).Exchange(5, 12).IsWellFormed() && Perm::ForNew(7).Exchange(5, 12).slot(0) == 12);
static_assert(Perm::ForNew(7).PositionOf(5) == 0 && Perm::ForNew(7).PositionOf(2) == 7);

// The kinds word.
class Kinds {
 public:
  constexpr explicit Kinds(uint64_t raw = 0) : raw_(raw) {}
  constexpr Kinds(unsigned level, PrefixKind prefix) : raw_(level | static_cast<uint64_t>(prefix) << 4) {}

  constexpr uint64_t raw() const { return raw_; }
  constexpr unsigned level() const { return raw_ & 15; }
  constexpr PrefixKind prefix() const { return static_cast<PrefixKind>(raw_ >> 4 & 15); }
  constexpr bool is_leaf_without_prefix() const { return (raw_ & 0xff) == 0; }
  constexpr Kind kind(unsigned slot) const { return static_cast<Kind>(raw_ >> (4 * slot) & 15); }
  constexpr Kinds With(unsigned slot, Kind kind) const {
    const uint64_t cleared = raw_ & ~(uint64_t{15} << (4 * slot));
    return Kinds(cleared | static_cast<uint64_t>(kind) << (4 * slot));
  }

 private:
  uint64_t raw_;
};

// The lock word: volatile, though it lies in persistent memory, for it carries the generation of the open that wrote
// it; one of another generation reads as free (invariant 6 of docs/design.md).
//
//   BITS    SIZE  MEANING
//   0       1     locked: the node changes, or a change is not yet durable. Readers wait, writers too
//   1       1     obsolete: the node was replaced; whoever gets here starts again
//   2       1     claimed: somebody is going to change the node. Writers wait, readers needn't
//   3       1     versioned: what the node was when a snapshot was opened may be kept elsewhere (kv/versions.h)
//   4..31   28    version, counts changes: of the node, and on over all nodes that come to lie here
//   32..63  32    generation
class LockWord {
 public:
  constexpr explicit LockWord(uint64_t raw) : raw_(raw) {}
  constexpr uint64_t raw() const { return raw_; }
  // As they stand, in whichever generation.
  constexpr uint64_t version() const { return (raw_ & kVersionBits) / kVersionUnit; }
  constexpr uint64_t generation() const { return raw_ >> 32; }
  // Whether is_locked or is_obsolete is worth asking.
  constexpr bool may_be_held() const { return (raw_ & (kLocked | kObsolete)) != 0; }
  constexpr bool is_locked(uint32_t generation) const { return Has(kLocked, generation); }
  constexpr bool is_obsolete(uint32_t generation) const { return Has(kObsolete, generation); }
  constexpr bool is_versioned(uint32_t generation) const { return Has(kVersioned, generation); }
  // Whether a writer that was killed left it so: perhaps with a change that is visible and not durable (kv/settle.cc).
  constexpr bool is_left_locked(uint32_t generation) const {
    return (raw_ & (kLocked | kObsolete)) == kLocked && !OfGeneration(generation);
  }
  // Whether a writer may take it.
  constexpr bool is_free(uint32_t generation) const { return !Has(kLocked | kObsolete | kClaimed, generation); }

  // In whichever generation. The mark is made when the commit that unlinks the node is durable, and taken away before
  // one that makes it part of the tree again; but lock words are volatile, so it is a hint for salvage and no more.
  constexpr bool was_replaced() const { return (raw_ & kObsolete) != 0; }

  constexpr LockWord Locked(uint32_t generation) const { return LockWord(Free(generation) | kLocked); }
  constexpr LockWord Claimed(uint32_t generation) const { return LockWord(Free(generation) | kClaimed); }
  // A new node's, wherever it comes to lie: nothing that was said of an old one here holds for it.
  constexpr LockWord LockedAsNew(uint32_t generation) const {
    return LockWord((Free(generation) & ~kVersioned) | kLocked);
  }
  // After Locked(): lets go, and counts the change.
  constexpr LockWord Unlocked() const {
    return LockWord((raw_ & ~uint64_t{0xffffffff}) | ((raw_ + kVersionUnit) & 0xfffffff8));
  }
  // After is_left_locked(): as nobody's, in this generation.
  constexpr LockWord Settled(uint32_t generation) const { return LockWord(Free(generation)); }
  // After Claimed(), when nothing was changed: lets go.
  constexpr LockWord Unclaimed() const { return LockWord(raw_ & ~kClaimed); }
  constexpr LockWord Obsolete() const { return LockWord(raw_ | kObsolete); }
  constexpr LockWord WithVersions(bool has_any) const {
    return LockWord(has_any ? raw_ | kVersioned : raw_ & ~kVersioned);
  }

 private:
  static constexpr uint64_t kLocked = 1;
  static constexpr uint64_t kObsolete = 2;
  static constexpr uint64_t kClaimed = 4;
  static constexpr uint64_t kVersioned = 8;
  static constexpr uint64_t kVersionUnit = 16;
  static constexpr uint64_t kVersionBits = 0xfffffff0;

  // Generation 0 is a reader of a store that nobody writes: no word is of it.
  constexpr bool OfGeneration(uint32_t generation) const { return generation != 0 && raw_ >> 32 == generation; }
  constexpr bool Has(uint64_t bits, uint32_t generation) const {
    return (raw_ & bits) != 0 && OfGeneration(generation);
  }
  constexpr uint64_t Free(uint32_t generation) const {
    const uint64_t kept = OfGeneration(generation) ? raw_ & kVersioned : 0;
    return uint64_t{generation} << 32 | (raw_ & kVersionBits) | kept;
  }
  uint64_t raw_;
};

static_assert(LockWord(0).Locked(7).is_locked(7) && !LockWord(0).Locked(7).is_locked(8));
static_assert(LockWord(0).Claimed(7).Locked(7).Unlocked().is_free(7));
static_assert(!LockWord(0).Claimed(7).may_be_held() && !LockWord(0).Claimed(7).is_free(7));
static_assert(LockWord(0).Locked(7).WithVersions(true).Unlocked().is_versioned(7));
static_assert(LockWord(0).Locked(7).WithVersions(true).Unlocked().Claimed(7).version() == 1);
static_assert(LockWord(0xffffffff).Locked(7).version() == 0xfffffff && LockWord(0).Locked(7).generation() == 7);
static_assert(!LockWord(0).Locked(7).WithVersions(true).Unlocked().Locked(8).WithVersions(false).is_versioned(8));

struct alignas(kNodeBytes) Node {
  uint64_t words[kNodeBytes / sizeof(uint64_t)];

  static constexpr unsigned kPermWord = 0;
  static constexpr unsigned kKindsWord = 1;
  static constexpr unsigned kLockWord = 16;
  static constexpr unsigned kPrefixWord = 17;
  // Any number below 16, as a damaged permutation may have it, names a word of the node.
  static constexpr unsigned SliceWord(unsigned slot) { return slot < 5 || slot >= 8 ? slot : slot + 16; }
  static constexpr unsigned RefWord(unsigned slot) { return slot >= 8 ? slot + 16 : slot < 5 ? slot + 3 : slot + 13; }
  static constexpr bool IsInPermLine(unsigned slot) { return slot < kFirstSlot + kPermLineSlots; }
  // Whether two slots outside the line of `perm` lie in the same lines.
  static constexpr bool ShareLines(unsigned a, unsigned b) { return (a < 8) == (b < 8); }

  uint64_t& slice_word(unsigned slot) { return words[SliceWord(slot)]; }
  uint64_t& ref_word(unsigned slot) { return words[RefWord(slot)]; }

  // All reads are acquire loads: plain loads on x86-64, and an optimistic reader's order of reading is the program's.
  Perm perm() const { return Perm(Load(words[kPermWord])); }
  Kinds kinds() const { return Kinds(Load(words[kKindsWord])); }
  uint64_t slice(unsigned slot) const { return Load(words[SliceWord(slot)]); }
  uint64_t ref(unsigned slot) const { return Load(words[RefWord(slot)]); }
  LockWord lock() const { return LockWord(Load(words[kLockWord])); }
  uint64_t prefix_word() const { return Load(words[kPrefixWord]); }
  // Zero where the word isn't a prefix.
  uint64_t layer_prefix_word() const { return kinds().prefix() == PrefixKind::kNone ? 0 : prefix_word(); }
  uint64_t bound() const { return prefix_word(); }  // of a leaf of the top layer
  unsigned level() const { return kinds().level(); }
  bool is_leaf() const { return level() == 0; }
  Offset child(unsigned slot) const { return static_cast<Offset>(ref(slot)); }
  RecordRef record(unsigned slot) const { return RecordRef::FromRaw(ref(slot)); }

  // By assembly: gcc takes a function of nothing but __builtin_prefetch for one without effect, and drops its calls.
  void Prefetch() const {
    asm volatile("prefetcht0 %0" : : "m"(words[0]));
    asm volatile("prefetcht0 %0" : : "m"(words[8]));
    asm volatile("prefetcht0 %0" : : "m"(words[16]));
    asm volatile("prefetcht0 %0" : : "m"(words[24]));
  }
  void PrefetchLastLine() const { asm volatile("prefetcht0 %0" : : "m"(words[24])); }

  static uint64_t Load(const uint64_t& word) {
    return std::atomic_ref<uint64_t>(const_cast<uint64_t&>(word)).load(std::memory_order_acquire);
  }
};

static_assert(sizeof(Node) == kNodeBytes && alignof(Node) == kNodeBytes);
static_assert(Node::SliceWord(2) == 2 && Node::RefWord(2) == 5 && Node::SliceWord(4) == 4 && Node::RefWord(4) == 7);
static_assert(Node::SliceWord(5) == 21 && Node::RefWord(5) == 18 && Node::SliceWord(7) == 23 && Node::RefWord(7) == 20);
static_assert(Node::SliceWord(8) == 8 && Node::RefWord(8) == 24 && Node::SliceWord(15) == 15 &&
              Node::RefWord(15) == 31);

// The slice of 8 bytes of a key.
inline uint64_t WholeSlice(const char* bytes) {
  uint64_t slice;
  __builtin_memcpy(&slice, bytes, kSliceBytes);
  return __builtin_bswap64(slice);
}

// The slice of a key at a depth: its next 8 bytes, big-endian, padded with zeros. `depth` <= key.size().
inline uint64_t SliceAt(std::string_view key, size_t depth) {
  const size_t rest = key.size() - depth;
  if (rest >= kSliceBytes) [[likely]]
    return WholeSlice(key.data() + depth);
  uint64_t padded = 0;
  __builtin_memcpy(&padded, key.data() + depth, rest);
  return __builtin_bswap64(padded);
}

// How a key's entry at this depth reads when it is alone with its slice: it ends here, or goes on.
inline Kind KindAt(std::string_view key, size_t depth) {
  const size_t rest = key.size() - depth;
  return rest <= kSliceBytes ? static_cast<Kind>(rest) : Kind::kMore;
}

}  // namespace sealkv::internal

#endif  // SEALKV_KV_NODE_H_
