#include "kv/mark.h"

#include "kv/cursor.h"

namespace sealkv::internal {
namespace {

class HeapMarks : public WalkObserver {
 public:
  explicit HeapMarks(Heap& heap) : heap_(heap) {}
  void OnNode(Offset node) override { heap_.MarkNode(node); }
  void OnRecord(Offset record, uint64_t bytes) override { heap_.MarkRecord(record, bytes); }

 private:
  Heap& heap_;
};

}  // namespace

bool Marker::Step(unsigned entries) {
  if (is_done_) return true;
  if (!has_begun_) heap_.BeginMarking();
  HeapMarks marks(heap_);
  Cursor cursor(*trees_[at_tree_], epochs_, &marks);
  if (has_last_key_) {
    cursor.SeekAfter(last_key_);
  } else {
    cursor.SeekToFirst();
  }
  has_begun_ = true;
  for (; cursor.Valid(); cursor.Next()) {
    if (entries-- > 0) continue;
    if (absl::Status status = cursor.CheckRecord(); !status.ok()) {
      status_ = std::move(status);
      is_done_ = true;
      return true;
    }
    // Each step begins where the last one ended, so a damaged tree mustn't lead it back.
    if (has_last_key_ && cursor.key() <= std::string_view(last_key_)) {
      status_ =
          absl::DataLossError("store damaged: keys out of order. Run `kvdump check` to learn how much is affected.");
      is_done_ = true;
      return true;
    }
    last_key_.assign(cursor.key());
    has_last_key_ = true;
    return false;
  }
  status_ = cursor.status();
  if (status_.ok() && ++at_tree_ < trees_.size()) {
    has_last_key_ = false;
    return false;
  }
  if (status_.ok()) heap_.FinishMarking();
  is_done_ = true;
  return true;
}

}  // namespace sealkv::internal
