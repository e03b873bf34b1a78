// The log, as StoreImpl keeps it (kv/change_log.h). Where there is one every write is a batch: of what it changes, and
// of the log's entry about it. Whoever writes holds the log's lock from before he enters the gate until the batch is
// over; so the order of entries is that of commits.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/cursor.h"
#include "kv/store_impl.h"
#include "kv/write_scope.h"

namespace sealkv::internal {
namespace {

// An entry that is added erases so many at most: else who adds one that is large would do the work of thousands.
constexpr int kMostErasedAtOnce = 64;
constexpr uint64_t kMostEntryBytes = (uint64_t{1} << 32) - (uint64_t{1} << 20);
constexpr uint64_t kChangesBetweenCalls = 256;

absl::Status KeepsNoLog(const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat(path,
                   ": the store doesn't keep its changes. One does that was made with Options::change_log_bytes "
                   "(kvdump load and backup: --change-log=BYTES)."));
}

absl::Status DamagedEntry(uint64_t number) {
  return absl::DataLossError(
      absl::StrCat("store damaged: entry ", number, " of the change log can't be read. Run `kvdump check`."));
}

absl::Status IsGone(uint64_t since, uint64_t first) {
  return absl::OutOfRangeError(absl::StrCat("the changes after ", since,
                                            " are no longer all there: the oldest that is kept is ", first,
                                            ". Make a new copy of the store, and go on from that."));
}

}  // namespace

absl::Status StoreImpl::WriteLogged(std::string_view key, uint64_t bytes, Operation operation) {
  return RunBatch(1, bytes + sizeof(LogHeader) + sizeof(LoggedOperation) + RecordBytes(sizeof(uint64_t), key.size()),
                  [&](Arena& arena, const Node** blocker) { return TryWriteLogged(arena, key, operation, blocker); });
}

absl::Status StoreImpl::TryWriteLogged(Arena& arena, std::string_view key, Operation operation, const Node** blocker) {
  BatchState batch(lanes_);
  Change change(context_, arena, &batch);
  absl::Status status;
  do {
    Location location;
    status = LocateAndClaim(tree_, change, key, &location);
    if (status.ok()) status = operation(change, location);
  } while (IsAgain(status));
  if (status.ok()) status = AppendToLog(change);
  if (status.ok()) status = change.CommitBatch([] { return true; });
  if (status.ok()) OfferHints(batch);
  *blocker = change.blocker();
  return status;
}

absl::Status StoreImpl::AppendToLog(Change& change) {
  LogEntry& entry = change.batch()->log_entry();
  if (entry.is_empty()) return absl::OkStatus();
  if (entry.bytes() > kMostEntryBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a batch of ", entry.bytes(),
                     " bytes is too large for a store that keeps its changes: the most is ", kMostEntryBytes, "."));
  }
  Location last;
  if (absl::Status status = LocateAndClaim(log_tree_, change, U64Key(~uint64_t{0}), &last); !status.ok()) return status;
  const PathStep& leaf = last.leaf();
  uint64_t number = 1;
  uint64_t begin_bytes = 0;
  if (leaf.position > 0) {
    const unsigned slot = leaf.perm.slot(leaf.position - 1);
    number = leaf.node->slice(slot) + 1;
    const RecordView record = image_.RecordAt(leaf.node->record(slot).offset());
    const std::optional<LogHeader> header = record.is_null() ? std::nullopt : LogHeaderOf(record.value());
    if (!header.has_value()) return DamagedEntry(number - 1);
    begin_bytes = header->begin_bytes + record.bytes();
  } else if (entry.is_loaded()) {
    number = *entry.number();
  }
  if (number != entry.number().value_or(number)) {
    return absl::FailedPreconditionError(absl::StrCat(file_.path(),
                                                      ": the store has changed meanwhile: the next change is ", number,
                                                      ", not ", *entry.number(), "."));
  }
  const std::string key = U64Key(number);
  const std::string_view value = entry.Finish(begin_bytes);
  absl::Status status;
  do {
    Location location;
    status = LocateAndClaim(log_tree_, change, key, &location);
    if (status.ok()) status = log_tree_.Insert(change, location, key, value);
  } while (IsAgain(status));
  if (!status.ok()) return status;
  return EraseOldLogEntries(change, number, begin_bytes + RecordBytes(key.size(), value.size()));
}

absl::Status StoreImpl::LocateFirstLogEntry(Change& change, Location* location) const {
  absl::Status status = log_tree_.Locate(U64Key(0), change, location);
  if (status.ok() && location->leaf().perm.count() == 0) status = absl::NotFoundError("the log is empty");
  return status;
}

absl::Status StoreImpl::EraseOldLogEntries(Change& change, uint64_t last, uint64_t end_bytes) {
  for (int erased = 0; erased < kMostErasedAtOnce; ++erased) {
    Location location;
    if (absl::Status status = LocateFirstLogEntry(change, &location); !status.ok()) return status;
    const PathStep& leaf = location.leaf();
    const unsigned slot = leaf.perm.slot(0);
    const uint64_t number = leaf.node->slice(slot);
    const RecordView record = image_.RecordAt(leaf.node->record(slot).offset());
    const std::optional<LogHeader> header = record.is_null() ? std::nullopt : LogHeaderOf(record.value());
    if (!header.has_value()) return DamagedEntry(number);
    if (number == last || end_bytes - header->begin_bytes <= log_terms().most_bytes) return absl::OkStatus();
    const std::string key = U64Key(number);
    if (absl::Status status = LocateAndClaim(log_tree_, change, key, &location); !status.ok()) return status;
    if (location.outcome != Location::Outcome::kFound) return Restart();
    const bool is_sparse = Tree::IsSparse(location.leaf().perm.Remove(location.leaf().position));
    if (absl::Status status = log_tree_.Erase(change, location); !status.ok()) return status;
    if (is_sparse) RebalanceInBatch(log_tree_, change, key);
  }
  return absl::OkStatus();
}

// Aborted by Restart(), or the last one is the only one: NotFound.
absl::Status StoreImpl::EraseFirstLogEntry(uint64_t last) {
  std::string key;
  {
    const EpochGuard guard(epochs_);
    Change reader(context_, heap_.ArenaOf(guard.slot()));
    Location location;
    if (absl::Status status = LocateFirstLogEntry(reader, &location); !status.ok()) return status;
    const uint64_t first = location.leaf().node->slice(location.leaf().perm.slot(0));
    if (first >= last) return absl::NotFoundError("");
    key = U64Key(first);
  }
  const absl::Status status = WriteInSpace(log_tree_, key, [&](Change& change, Location& location) {
    if (location.outcome != Location::Outcome::kFound) return absl::OkStatus();
    return log_tree_.Erase(change, location);
  });
  if (status.ok()) Rebalance(log_tree_, key);
  return status;
}

bool StoreImpl::DropLog() {
  const std::unique_lock<WriterLock> log = LockLog();
  const absl::StatusOr<uint64_t> last = LastLogged(nullptr);
  if (!last.ok()) return false;
  bool has_erased = false;
  for (;;) {
    const absl::Status status = EraseFirstLogEntry(*last);
    if (IsRestart(status)) continue;
    if (!status.ok()) return has_erased;
    has_erased = true;
  }
}

// ---- readers

absl::StatusOr<uint64_t> StoreImpl::LastLogged(const OpenSnapshot* at) const {
  if (!keeps_log()) return KeepsNoLog(file_.path());
  std::optional<Cursor> cursor;
  at != nullptr ? cursor.emplace(log_tree_, epochs_, at->view()) : cursor.emplace(log_tree_, epochs_);
  cursor->SeekToLast();
  if (!cursor->Valid()) return cursor->status().ok() ? absl::StatusOr<uint64_t>(0) : cursor->status();
  return SliceAt(cursor->key(), 0);
}

absl::Status StoreImpl::ReadLog(uint64_t since, absl::FunctionRef<bool(const CommittedChange&)> visit) const {
  if (!keeps_log()) return KeepsNoLog(file_.path());
  Cursor cursor(log_tree_, epochs_);
  cursor.Seek(U64Key(since + 1));
  CommittedChange change;
  for (uint64_t next = since + 1; cursor.Valid(); cursor.Next(), ++next) {
    change.number = SliceAt(cursor.key(), 0);
    const std::optional<LogHeader> header = LogHeaderOf(cursor.value());
    if (!header.has_value() || !ParseLogEntry(cursor.value(), &change)) return DamagedEntry(change.number);
    // What was loaded isn't in the log.
    const bool is_loaded = header->flags == LogHeader::kLoaded;
    if (change.number != next || is_loaded) return IsGone(next - 1, change.number + is_loaded);
    if (!visit(change)) return absl::OkStatus();
  }
  if (!cursor.status().ok()) return cursor.status();
  const absl::StatusOr<uint64_t> last = LastLogged(nullptr);
  if (!last.ok() || since <= *last) return last.status();
  return absl::InvalidArgumentError(
      absl::StrCat(file_.path(), ": there was no change ", since, " yet; the last one is ", *last, "."));
}

LogStats StoreImpl::GetLogStats() const {
  LogStats stats{.most_bytes = log_terms().most_bytes};
  Cursor cursor(log_tree_, epochs_);
  cursor.SeekToLast();
  const std::optional<LogHeader> last = cursor.Valid() ? LogHeaderOf(cursor.value()) : std::nullopt;
  if (!last.has_value()) return stats;
  stats.last_change = SliceAt(cursor.key(), 0);
  const uint64_t end_bytes = last->begin_bytes + RecordBytes(cursor.key().size(), cursor.value().size());
  cursor.SeekToFirst();
  const std::optional<LogHeader> first = cursor.Valid() ? LogHeaderOf(cursor.value()) : std::nullopt;
  if (!first.has_value()) return stats;
  stats.first_change = SliceAt(cursor.key(), 0) + (first->flags == LogHeader::kLoaded);
  stats.bytes = end_bytes - first->begin_bytes;
  return stats;
}

// ---- copies

absl::Status StoreImpl::BeginLogAt(uint64_t lineage, uint64_t number) {
  LogTerms& terms = image_.superblock().log_terms;
  const LogTerms fresh{lineage, terms.most_bytes, LogTermsChecksum({lineage, terms.most_bytes, 0})};
  file_.persist().Store(&terms.lineage, fresh.lineage);
  file_.persist().Store(&terms.checksum, fresh.checksum);
  file_.persist().Flush(&terms, sizeof(terms));
  file_.persist().Fence();
  if (number == 0) return file_.persist().status();
  return RunBatch(1, 0, [&](Arena& arena, const Node** blocker) {
    BatchState batch(lanes_);
    Change change(context_, arena, &batch);
    batch.log_entry().BeginAt(number);
    absl::Status status = AppendToLog(change);
    if (status.ok()) status = change.CommitBatch([] { return true; });
    *blocker = change.blocker();
    return status;
  });
}

// The last change that this store has must be what the other one has under that number.
absl::Status StoreImpl::CheckSameLineage(const StoreImpl& other, uint64_t last) const {
  if (other.log_terms().lineage != log_terms().lineage) {
    return absl::FailedPreconditionError(absl::StrCat(file_.path(), ": is no copy of ", other.file_.path(),
                                                      ", nor is that one of it. Copies are made by Checkpoint."));
  }
  if (last == 0) return absl::OkStatus();
  Cursor ours(log_tree_, epochs_);
  Cursor theirs(other.log_tree_, other.epochs_);
  ours.SeekToLast();
  theirs.Seek(U64Key(last));
  if (!ours.Valid() || !theirs.Valid() || ours.key() != theirs.key()) {
    if (!ours.status().ok()) return ours.status();
    if (!theirs.status().ok() || theirs.Valid()) return theirs.status();  // older ones may be gone
    return absl::FailedPreconditionError(
        absl::StrCat(file_.path(), ": is ahead of ", other.file_.path(), ", which has no change ", last, "."));
  }
  const auto is_loaded = [](const Cursor& cursor) { return LogHeaderOf(cursor.value())->flags == LogHeader::kLoaded; };
  if (!LogHeaderOf(ours.value()).has_value() || !LogHeaderOf(theirs.value()).has_value()) return DamagedEntry(last);
  if (is_loaded(ours) || is_loaded(theirs) || SayTheSame(ours.value(), theirs.value())) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(file_.path(), ": has changes of its own: its change ", last,
                                                    " isn't that of ", other.file_.path(), ". Make a new copy."));
}

absl::Status StoreImpl::ApplyLogged(const CommittedChange& change) {
  KeyChanges changes;
  changes.Reserve(change.operations.size());
  for (const CommittedChange::Operation& operation : change.operations) {
    changes.Append(
        {operation.key, operation.is_delete ? KeyChange::Kind::kDelete : KeyChange::Kind::kPut, operation.value});
  }
  return RunBatch(changes.list().size(), 0, [&](Arena& arena, const Node** blocker) {
    return TryWriteBatch(arena, changes, nullptr, blocker, change.number);
  });
}

absl::Status StoreImpl::CatchUpWith(const StoreImpl& other, const std::function<bool(uint64_t)>& go_on) {
  if (!IsWritable()) return NotWritableError();
  if (!background_has_begun_.load(std::memory_order_acquire)) BeginBackgroundPass();
  const absl::StatusOr<uint64_t> last = LastLogged(nullptr);
  if (!last.ok()) return last.status();
  if (!other.keeps_log()) return KeepsNoLog(other.file_.path());
  if (absl::Status status = CheckSameLineage(other, *last); !status.ok()) return status;
  absl::Status applied;
  uint64_t count = 0;
  const absl::Status status = other.ReadLog(*last, [&](const CommittedChange& change) {
    if (count % kChangesBetweenCalls == 0 && go_on != nullptr && !go_on(count)) {
      applied = absl::CancelledError("stopped");
      return false;
    }
    applied = ApplyLogged(change);
    count += applied.ok();
    return applied.ok();
  });
  if (!applied.ok()) return applied;
  if (status.ok() && go_on != nullptr) go_on(count);
  return status;
}

}  // namespace sealkv::internal
