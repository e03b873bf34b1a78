// What benchmarks have left in a store: which records must be there, which may be, and what may be in them. By this
// reads are judged.
#ifndef SEALKV_BENCH_CONTENTS_H_
#define SEALKV_BENCH_CONTENTS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace sealkv::bench {

// Records have ranks, 0 to records() - 1, by which they are chosen, and indexes, of which their keys are made.
class Contents {
 public:
  // Indexes of keys: count of them, from the first on.
  struct Extent {
    uint64_t first;
    uint64_t count;
  };

  // An empty store is filled.
  void BeginFill(uint64_t records, bool random_keys) {
    *this = Contents();
    has_random_keys_ = random_keys;
    extents_ = {{0, records}};
  }
  // A store that earlier runs made: they may have overwritten, added to, deleted and inserted what they wanted.
  void TakeOver(uint64_t records, bool random_keys, uint64_t value_bytes) {
    BeginFill(records, random_keys);
    is_known_ = false;
    if (value_bytes == sizeof(uint64_t)) cold_adds_ = kMostUnknownAdds;
  }
  // Records are going to be written, by values that are told from those before, as far as a byte can count.
  void BeginRound() {
    BeginWrites();
    if (round_ < 255) ++round_;
  }
  // Records are going to be written; those that were deleted come back, if they are among them.
  void BeginWrites() { gone_.clear(); }
  // So many times 1 is going to be added to records.
  void BeginAdds(uint64_t count) {
    BeginWrites();
    cold_adds_ += count;
  }
  void AddInserted(const Extent& extent) { extents_.push_back(extent); }
  void MarkDeleted(uint64_t rank) {
    for (std::vector<bool>* marks : {&deleted_, &gone_}) {
      if (marks->size() <= rank) marks->resize(std::max(records(), rank + 1));
      (*marks)[rank] = true;
    }
  }

  bool has_random_keys() const { return has_random_keys_; }
  bool is_known() const { return is_known_; }
  uint8_t round() const { return round_; }
  // No value is of a later round than this; additions count as rounds.
  uint64_t last_round() const { return (is_known_ ? round_ : 255) + cold_adds_; }

  uint64_t records() const {
    uint64_t sum = 0;
    for (const Extent& extent : extents_) sum += extent.count;
    return sum;
  }
  // Of which none is missing.
  uint64_t least_records() const {
    if (!is_known_) return 0;
    return records() - static_cast<uint64_t>(std::count(deleted_.begin(), deleted_.end(), true));
  }
  uint64_t IndexOf(uint64_t rank) const {
    for (const Extent& extent : extents_) {
      if (rank < extent.count) [[likely]]
        return extent.first + rank;
      rank -= extent.count;
    }
    return rank;
  }
  // Where insertions go on.
  uint64_t EndOfIndexes() const {
    uint64_t end = 0;
    for (const Extent& extent : extents_) end = std::max(end, extent.first + extent.count);
    return end;
  }
  // No record has this index, or a greater one.
  uint64_t FirstIndexOfNone() const { return is_known_ ? EndOfIndexes() : std::max(EndOfIndexes(), kBeyondAllRuns); }

  bool MayBeMissing(uint64_t rank) const { return !is_known_ || IsMarked(deleted_, rank); }
  bool MustBeMissing(uint64_t rank) const { return IsMarked(gone_, rank); }
  bool has_gone() const { return !gone_.empty(); }
  // Whether the value is what additions alone make, of a record that wasn't there.
  bool MayBeSum(uint64_t rank, std::string_view value) const {
    uint64_t sum = 0;
    if (value.size() != sizeof(sum) || !MayBeMissing(rank)) return false;
    std::memcpy(&sum, value.data(), sizeof(sum));
    return sum - 1 < cold_adds_;
  }

 private:
  static constexpr uint64_t kMostUnknownAdds = uint64_t{1} << 32;
  static constexpr uint64_t kBeyondAllRuns = uint64_t{1} << 40;

  static bool IsMarked(const std::vector<bool>& marks, uint64_t rank) { return rank < marks.size() && marks[rank]; }

  bool has_random_keys_ = true;
  bool is_known_ = true;
  uint8_t round_ = 0;
  uint64_t cold_adds_ = 0;       // additions to records since the fill
  std::vector<Extent> extents_;  // the records: those of the fill, then those that each inserting thread added
  // By rank; empty: none was.
  std::vector<bool> deleted_;  // since the fill
  std::vector<bool> gone_;     // and nothing was written since
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_CONTENTS_H_
