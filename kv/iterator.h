// The public iterator: a cursor within bounds.
#ifndef SEALKV_KV_ITERATOR_H_
#define SEALKV_KV_ITERATOR_H_

#include <optional>
#include <string>
#include <string_view>

#include "kv/cursor.h"
#include "kv/sealkv.h"

namespace sealkv::internal {

class RangeIterator : public Iterator {
 public:
  RangeIterator(const Tree& tree, Epochs& epochs, Range range);

  bool Valid() const override { return is_in_range_; }
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key) override;
  void SeekForPrev(std::string_view key) override;
  void Next() override;
  void Prev() override;
  std::string_view key() const override { return cursor_.key(); }
  std::string_view value() const override { return cursor_.value(); }
  absl::Status status() const override { return cursor_.status(); }

 private:
  // A cursor that moved up can only have left the range at its upper end; one that moved down, at its lower end.
  void CheckUpper() { is_in_range_ = cursor_.Valid() && (!upper_.has_value() || cursor_.key() < *upper_); }
  void CheckLower() { is_in_range_ = cursor_.Valid() && cursor_.key() >= lower_; }

  Cursor cursor_;
  std::string lower_;
  std::optional<std::string> upper_;
  bool is_in_range_ = false;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_ITERATOR_H_
