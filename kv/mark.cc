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
  has_begun_ = true;
  for (; at_tree_ < trees_.size(); ++at_tree_) {
    if (!StepIn(*trees_[at_tree_], &entries)) return is_done_;
    has_last_key_ = false;
  }
  heap_.FinishMarking();
  is_done_ = true;
  return true;
}

bool Marker::StepIn(const Tree& tree, unsigned* entries) {
  HeapMarks marks(heap_);
  Cursor cursor(tree, epochs_, &marks);
  if (has_last_key_) {
    cursor.SeekAfter(last_key_);
  } else {
    cursor.SeekToFirst();
  }
  for (; cursor.Valid(); cursor.Next()) {
    if (*entries > 0) {
      --*entries;
      continue;
    }
    if (absl::Status status = cursor.CheckRecord(); !status.ok()) return Fail(std::move(status));
    // Each step begins where the last one ended, so a damaged tree mustn't lead it back.
    if (has_last_key_ && cursor.key() <= std::string_view(last_key_)) {
      return Fail(
          absl::DataLossError("store damaged: keys out of order. Run `kvdump check` to learn how much is affected."));
    }
    last_key_.assign(cursor.key());
    has_last_key_ = true;
    return false;
  }
  return cursor.status().ok() || Fail(cursor.status());
}

bool Marker::Fail(absl::Status status) {
  status_ = std::move(status);
  is_done_ = true;
  return false;
}

}  // namespace sealkv::internal
