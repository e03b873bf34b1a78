#include "kv/read_set.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace sealkv::internal {
namespace {

absl::Status Conflict(std::string_view key) {
  constexpr size_t kMostShown = 64;
  const absl::string_view shown(key.data(), std::min(key.size(), kMostShown));
  return absl::AbortedError(absl::StrCat("somebody else has changed what this transaction has read, at or near key \"",
                                         absl::CHexEscape(shown), key.size() > kMostShown ? "…" : "",
                                         "\". Nothing was done: try again."));
}

}  // namespace

absl::Status ReadSet::Compare(Change& change) {
  leaves_.clear();
  for (const Key& key : keys_) {
    if (absl::Status status = CompareKey(key, change.arena()); !status.ok()) return status;
  }
  for (const KeyRange& range : ranges_) {
    if (absl::Status status = CompareRange(range); !status.ok()) return status;
  }
  return CheckLeavesAreFree(change);
}

// By a change that holds nothing, so that it sees what is there, and not what the transaction is going to write.
absl::Status ReadSet::CompareKey(const Key& key, Arena& arena) {
  Change reader(context_, arena);
  Location location;
  absl::Status status;
  do {
    status = tree_.Locate(key.key, reader, &location);
  } while (IsRestart(status));
  if (!status.ok()) return status;
  const PathStep& last = location.path.back();
  std::optional<EntryIdentity> now;
  if (location.outcome == Location::Outcome::kFound && !IsOver(tree_.ExpiryOf(location), snapshot_.seconds)) {
    now = IdentityOf(location.kind, last.home->ref(last.perm.slot(last.position)));
  }
  if (now != key.identity && !HaveSameValue(now, key.identity)) return Conflict(key.key);
  leaves_.push_back({last.home, last.version});
  return absl::OkStatus();
}

// Compaction moves records. The one that was read is still there, for the transaction's snapshot sees it.
bool ReadSet::HaveSameValue(const std::optional<EntryIdentity>& a, const std::optional<EntryIdentity>& b) const {
  if (!a.has_value() || !b.has_value() || a->is_inline || b->is_inline) return false;
  const RecordView record_a = tree_.image().RecordAt(Offset{a->value_or_record});
  const RecordView record_b = tree_.image().RecordAt(Offset{b->value_or_record});
  return !record_a.is_null() && !record_b.is_null() && record_a.value() == record_b.value() &&
         record_a.header().expiry == record_b.header().expiry;
}

absl::Status ReadSet::CompareRange(const KeyRange& range) {
  Cursor then(tree_, epochs_, snapshot_);
  Cursor now(tree_, epochs_);
  now.NoteLeaves(&leaves_);
  now.ShowAsOf(snapshot_.seconds);
  then.Seek(range.from);
  now.Seek(range.from);
  for (;; then.Next(), now.Next()) {
    if (!then.status().ok()) return then.status();
    if (!now.status().ok()) return now.status();
    const bool was_there = then.Valid() && range.Contains(then.key());
    const bool is_there = now.Valid() && range.Contains(now.key());
    if (!was_there && !is_there) return absl::OkStatus();
    const bool is_same =
        was_there == is_there && then.key() == now.key() &&
        (then.identity() == now.identity() || (then.value() == now.value() && then.expiry() == now.expiry()));
    if (!is_same) {
      return Conflict(was_there ? then.key() : now.key());
    }
  }
}

absl::Status ReadSet::CheckLeavesAreFree(Change& change) const {
  for (const LeafRead& read : leaves_) {
    if (read.version.is_free(context_.locks.generation()) || change.FindHeld(read.leaf) != nullptr) continue;
    change.set_blocker(read.leaf);
    return Restart();
  }
  return absl::OkStatus();
}

bool ReadSet::IsStillTrue(const Change& change) {
  for (const LeafRead& read : leaves_) {
    if (!Tree::IsUnchanged(*read.leaf, read.version) && change.FindHeld(read.leaf) == nullptr) return false;
  }
  return true;
}

}  // namespace sealkv::internal
