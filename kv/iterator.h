// The public iterator: a cursor within bounds.
#ifndef SEALKV_KV_ITERATOR_H_
#define SEALKV_KV_ITERATOR_H_

#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "kv/cursor.h"
#include "kv/sealkv.h"
#include "kv/snapshot.h"

namespace sealkv::internal {

// The keys that a range allows: from the first on, to before the second, if there is one.
std::pair<std::string, std::optional<std::string>> BoundsOf(Range&& range);

class RangeIterator final : public Iterator {
 public:
  // Without a snapshot it shows each leaf as it finds it: for a store that this process doesn't write.
  RangeIterator(const Tree& tree, Epochs& epochs, Range&& range, std::shared_ptr<const OpenSnapshot> snapshot);

  // A few kilobytes, for as long as a short scan takes: a thread keeps those of the last ones.
  static void* operator new(size_t bytes, std::align_val_t alignment);
  static void operator delete(void* memory, std::align_val_t alignment);

  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key) override;
  void SeekForPrev(std::string_view key) override;
  void Next() override;
  void Prev() override;
  std::optional<std::chrono::sys_seconds> expiry() const override { return ExpiryFrom(cursor_.expiry()); }
  absl::Status status() const override { return cursor_.status(); }

 private:
  void NextOtherwise();
  // A cursor that moved up can only have left the range at its upper end; one that moved down, at its lower end.
  void CheckUpper() { StayIf(!upper_.has_value() || (cursor_.Valid() && cursor_.key() < *upper_)); }
  void CheckLower() { StayIf(cursor_.Valid() && cursor_.key() >= lower_); }
  // Outside of the range the cursor holds back no space.
  void StayIf(bool is_inside) {
    if (is_inside && cursor_.Valid()) [[likely]]
      return StandOn(cursor_.key(), cursor_.value());
    StandOnNothing();
    cursor_.Stop();
  }

  const std::shared_ptr<const OpenSnapshot> snapshot_;
  Cursor cursor_;
  std::string lower_;
  std::optional<std::string> upper_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_ITERATOR_H_
