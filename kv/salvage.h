// Saves what can be saved of a damaged store into a fresh one, and says what is lost.
//
//   absl::StatusOr<DamagedImage> damaged = OpenDamagedImage(file);         // kv/recovery.h; `file` may be read-only
//   absl::StatusOr<SalvageReport> report = Salvage(damaged->image, *target);
//   for (const LostKeys& lost : report->lost) …                            // what to fetch from a backup
//
// Two passes, of which the second is needed only if something is lost:
//
// THE TREE. The checker's own walk (kv/check_walk.h) with a visitor: there is one walk, so what the checker calls sound
// is what is saved. A damaged node, reference or record costs what hangs on it, and the walk goes on beside it. An
// entry is taken if its record's checksum holds and the record's key fits the way to it. An 8-byte key with an 8-byte
// value has no record: it is taken if it is in order among its neighbours and within its leaf's bounds.
//
// THE HEAP. All records with a good checksum (kv/heap_scan.h) whose key lies in a lost range; records that the tree
// refers to at a place where they don't fit; 8-byte keys with their values in leaves that nothing leads to any more,
// likewise. What the tree had for a key always counts; of several finds for one key that with the highest sequence
// number.
//
// Each find of the heap is as it was written once, but perhaps not what was written last: a delete leaves no trace, and
// an older version may be what remains. They are put all the same, and listed: what isn't put is gone with the damaged
// file, while what is put and unwanted can be deleted by the list. SalvageOptions::trusted_only leaves them out.
//
// What can't be noticed can't be listed: see docs/format.md, "What damage shows". Values of 8 bytes have no checksum.
//
// Never writes to the damaged image and trusts nothing in it. Cost: reads the tree and what it refers to, once; where
// something is lost, the whole file once more. Memory: the checker's bit per 8 bytes, and 40 bytes for each record
// found in the heap.
#ifndef SEALKV_KV_SALVAGE_H_
#define SEALKV_KV_SALVAGE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "kv/image.h"
#include "kv/key_range.h"
#include "kv/sealkv.h"

namespace sealkv::internal {

struct SalvageProgress {
  uint64_t keys_from_tree = 0;
  uint64_t heap_bytes_done = 0;  // 0: in the tree still
  uint64_t heap_bytes = 0;
  uint64_t keys_recovered = 0;
};

struct SalvageOptions {
  bool trusted_only = false;
  // Called often, so it should be quick; false stops the salvage.
  std::function<bool(const SalvageProgress&)> progress;
};

// Keys that were perhaps in the store, and that the tree no longer leads to.
struct LostKeys {
  KeyRange range;
  uint64_t offset;  // of the damage: the word, node or record
  std::string why;
};

// A key that was found beside the tree: perhaps stale.
class RecoveredKey {
 public:
  RecoveredKey(RecordView record, Offset at) : record_(record), sequence_(record.header().sequence), at_(at) {}
  // From a leaf: its lock word takes the place of a sequence number, as well as it can.
  RecoveredKey(uint64_t slice, uint64_t value, Offset at, LockWord lock);

  // Both point into the damaged image, or into this object.
  uint32_t expiry() const { return record_.is_null() ? 0 : record_.header().expiry; }
  std::string_view key() const {
    return record_.is_null() ? std::string_view(slice_.data(), slice_.size()) : record_.key();
  }
  std::string_view value() const {
    return record_.is_null() ? std::string_view(value_.data(), value_.size()) : record_.value();
  }
  uint64_t sequence() const { return sequence_; }  // as in record.h
  Offset offset() const { return at_; }

 private:
  RecordView record_;
  std::array<char, 8> slice_{};
  std::array<char, 8> value_{};
  uint64_t sequence_;
  Offset at_;
};

struct SalvageReport {
  uint64_t keys_from_tree = 0;
  std::vector<RecoveredKey> recovered;  // ascending; put, unless trusted_only
  std::vector<LostKeys> lost;           // as the walk met them: nearly in key order; ranges may overlap
  bool was_stopped = false;
};

// `target` is empty. Errors are its own: ResourceExhausted if it is too small.
absl::StatusOr<SalvageReport> Salvage(const Image& damaged, Store& target, const SalvageOptions& options = {});

}  // namespace sealkv::internal

#endif  // SEALKV_KV_SALVAGE_H_
