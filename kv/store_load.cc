// Bulk load, as StoreImpl does it: the caller's input is asked for outside of the gate, for it may take its time.
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "kv/bulk_load.h"
#include "kv/cursor.h"
#include "kv/store_impl.h"
#include "kv/write_scope.h"

namespace sealkv::internal {
namespace {

// Pairs that are kept until they are taken.
class Pairs {
 public:
  void Add(std::string_view key, NewValue value) {
    const size_t key_end = bytes_.size() + key.size();
    ends_.push_back({key_end, key_end + value.bytes.size(), value.expiry});
    bytes_.append(key).append(value.bytes);
  }
  size_t size() const { return ends_.size(); }
  bool is_full() const { return size() >= 64 || bytes_.size() >= (size_t{1} << 20); }
  std::string_view key(size_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[i - 1].value;
    return std::string_view(bytes_).substr(begin, ends_[i].key - begin);
  }
  NewValue value(size_t i) const {
    return {std::string_view(bytes_).substr(ends_[i].key, ends_[i].value - ends_[i].key), ends_[i].expiry};
  }
  void Clear() {
    bytes_.clear();
    ends_.clear();
  }

 private:
  struct Ends {
    size_t key;
    size_t value;
    uint32_t expiry;
  };
  std::string bytes_;
  std::vector<Ends> ends_;
};

// As many as go in at once. False: these are the last.
absl::StatusOr<bool> Fill(Pairs& pairs, absl::FunctionRef<bool(std::string_view* key, NewValue* value)> next) {
  pairs.Clear();
  while (!pairs.is_full()) {
    std::string_view key;
    NewValue value{{}};
    if (!next(&key, &value)) return false;
    if (!SizesFit(key, value.bytes.size())) return SizeError(key, value.bytes.size());
    pairs.Add(key, value);
  }
  return true;
}

}  // namespace

// One step, again while there may be space for it, or others are in the way.
absl::Status StoreImpl::InBulkLoad(absl::FunctionRef<absl::Status(Arena&)> step) {
  SpaceSought sought = SeekSpace();
  for (;;) {
    absl::Status status;
    {
      WriteScope scope(*this, Gate::Kind::kPrepares);
      status = step(scope.arena());
      scope.ReclaimIfDue();
    }
    if (IsRestart(status)) continue;
    if (absl::IsResourceExhausted(status) && FindSpace(&sought, {})) continue;
    return WithGrowthError(status);
  }
}

// Of a tree without keys, but for its last one: a crash leaves such between a delete and the tidying up after it, and
// so does a batch whose neighbours were in use.
void StoreImpl::DropEmptyLeaves() {
  for (int tries_left = 10'000; tries_left > 0; --tries_left) {
    {
      const EpochGuard guard(epochs_);
      const Node* const root = tree_.Root();
      if (root == nullptr || root->is_leaf()) return;
    }
    Rebalance(tree_, "", Gate::Kind::kPrepares);
  }
}

absl::Status StoreImpl::Load(absl::FunctionRef<bool(std::string_view* key, NewValue* value)> next) {
  if (!IsWritable()) return NotWritableError();
  if (!background_has_begun_.load(std::memory_order_acquire)) BeginBackgroundPass();
  {
    // As a reader: a key that isn't durable yet is no reason to refuse.
    Cursor cursor(tree_, epochs_);
    cursor.ShowAsOf(0);  // what is over is there still
    cursor.SeekToFirst();
    if (!cursor.status().ok()) return cursor.status();
    if (cursor.Valid()) return StoreIsNotEmpty();
  }
  DropEmptyLeaves();
  if (absl::Status status = file_.persist().status(); !status.ok()) return status;
  BulkLoad load(context_);
  // Also if `next` throws.
  absl::Cleanup give_back = [this, &load] {
    WriteScope scope(*this, Gate::Kind::kPrepares);
    load.Abort(scope.arena());
  };
  Pairs pairs;
  absl::Status status;
  for (bool has_more = true; has_more && status.ok();) {
    const absl::StatusOr<bool> filled = Fill(pairs, next);
    has_more = filled.ok() && *filled;
    status = filled.status();
    size_t taken = 0;
    if (!status.ok()) break;
    status = InBulkLoad([&](Arena& arena) {
      absl::Status added;
      for (; taken < pairs.size() && added.ok(); taken += added.ok()) {
        added = load.Add(arena, pairs.key(taken), pairs.value(taken));
      }
      return added;
    });
    LookAfterSpaceIfDue(taken);
  }
  if (status.ok()) {
    status = InBulkLoad([&](Arena& arena) {
      Gate::BeginChange(arena);
      const absl::Status committed = load.Commit(arena);
      Gate::EndChange(arena);
      return committed;
    });
  }
  if (!status.ok()) return status;
  std::move(give_back).Cancel();
  return file_.persist().status();
}

}  // namespace sealkv::internal
