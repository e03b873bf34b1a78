// A node as it was read, its entries in key order: what a walk along the order needs, and a search by slice. With
// AVX-512 reading it so costs no more than copying it (vector instructions permute both kinds of words by `perm`;
// chosen at run time, as in kv/search.h), and whoever goes from entry to entry doesn't look for slots any more.
//
// A node that may be changing, or damaged, can be read: each word is read whole, whatever the node holds the reader
// stays inside of it, and finds out from its version whether what was read is void.
#ifndef SEALKV_KV_ORDERED_NODE_H_
#define SEALKV_KV_ORDERED_NODE_H_

#include <algorithm>
#include <cstdint>

#include "kv/node.h"
#include "kv/reference.h"
#include "kv/search.h"

namespace sealkv::internal {

class alignas(64) OrderedNode {
 public:
  OrderedNode() {}  // and nothing is zeroed that is about to be read

  void Read(const Node& node) {
    if (kVectors == Vectors::kAvx512) return ReadAvx512(node);
    if (kVectors == Vectors::kAvx2) return ReadAvx2(node);
    ReadScalar(node);
  }

  Perm perm() const { return perm_; }
  unsigned count() const { return perm_.count(); }
  Kinds kinds() const { return kinds_; }
  unsigned level() const { return kinds_.level(); }
  uint64_t prefix_word() const { return prefix_word_; }

  // By position. From count() on they mean nothing; a damaged count may reach up to 15.
  uint64_t slice(unsigned position) const { return slices_[position]; }
  uint64_t ref(unsigned position) const { return refs_[position]; }
  Kind kind(unsigned position) const { return static_cast<Kind>(kinds_by_position_[position]); }
  Offset child(unsigned position) const { return static_cast<Offset>(ref(position)); }
  RecordRef record(unsigned position) const { return RecordRef::FromRaw(ref(position)); }

  // Whether there is an entry of that kind at the position, any from -1 on.
  bool IsInline(int position) const { return Has(inline_, position); }
  bool IsRecord(int position) const { return Has(record_, position); }
  // Whether there are such entries at the position, and at the next one.
  bool AreInline(unsigned position) const { return (inline_ >> position & 3) == 3; }

  // As Perm::IsWellFormed.
  bool IsWellFormed() const { return is_well_formed_; }
  // Whether each slice is greater than the one before.
  bool AscendsStrictly() const { return ascends_strictly_; }
  // As those of kv/search.h.
  SliceRange FindSlice(uint64_t slice) const;
  unsigned FindChild(uint64_t slice) const {
    const unsigned end = FindSlice(slice).end;
    return end == 0 ? 0 : end - 1;
  }

 private:
  static constexpr unsigned kPositions = 16;

  void ReadAvx2(const Node& node);
  void ReadAvx512(const Node& node);
  void ReadScalar(const Node& node);
  void ReadWords(const Node& node);
  void OrderKinds(uint8_t (&slots)[kPositions]);
  SliceRange FindSliceAvx2(uint64_t slice) const;
  // One bit for each entry that has a successor.
  uint32_t Pairs() const {
    const unsigned count = std::min(perm_.count(), kSlots);
    return count > 0 ? (uint32_t{1} << (count - 1)) - 1 : 0;
  }

  static bool Has(uint32_t entries, int position) {
    return static_cast<unsigned>(position) < kPositions && (entries >> position & 1) != 0;
  }

  uint64_t slices_[kPositions];
  uint64_t refs_[kPositions];
  alignas(16) uint8_t kinds_by_position_[kPositions];
  Perm perm_;
  Kinds kinds_;
  uint64_t prefix_word_;
  uint32_t inline_;  // one bit for each position
  uint32_t record_;
  bool is_well_formed_;
  bool ascends_strictly_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_ORDERED_NODE_H_
