#include "tests/crash/held.h"

#include <utility>

namespace sealkv::crash {

Answer Held::Apply(Store& store, const Operation& operation, const std::function<void()>& in_between) {
  switch (operation.action) {
    case Action::kOpenSnapshot: {
      iterator_.reset();
      absl::StatusOr<Snapshot> snapshot = store.OpenSnapshot();
      if (!snapshot.ok()) return {snapshot.status().code()};
      snapshot_ = *std::move(snapshot);
      return {};
    }
    case Action::kOpenIterator:
      snapshot_.reset();
      iterator_ = store.NewIterator();
      iterator_->SeekToFirst();  // on a key it holds back what it stands on
      return {iterator_->status().code()};
    case Action::kPin: {
      absl::StatusOr<PinnedValue> pinned = store.GetPinned(operation.key);
      if (!pinned.ok()) return {pinned.status().code()};
      return {absl::StatusCode::kOk, std::string(pinned_.emplace_back(*std::move(pinned)).view())};
    }
    default:
      return Close(in_between);
  }
}

Answer Held::Close(const std::function<void()>& in_between) {
  if (!has_snapshot()) return {};
  if (snapshot_.has_value()) iterator_ = snapshot_->NewIterator();
  Answer answer;
  answer.code = ReadAll(*iterator_, &answer.contents, in_between).code();
  snapshot_.reset();
  iterator_.reset();
  return answer;
}

}  // namespace sealkv::crash
