// The log, as StoreImpl keeps it (kv/change_log.h). Where there is one every write is a batch: of what it changes, and
// of the log's entry about it. Whoever writes holds the log's lock from before he enters the gate until the batch is
// over; so the order of entries is that of commits.
#include <sched.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/cursor.h"
#include "kv/store_impl.h"
#include "kv/wait.h"
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
  const bool frees_space = bytes == 0;
  const uint64_t record_run_bytes = RunBytes(bytes);
  bytes += sizeof(LogHeader) + sizeof(LoggedOperation) + RecordBytes(sizeof(uint64_t), key.size());
  return RunBatch(
      1,
      [&] {
        return BatchSize{bytes, record_run_bytes + RunBytes(bytes), frees_space};
      },
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
  if (entry.is_empty()) return entry.expected() != 0 ? DamagedEntry(entry.expected()) : absl::OkStatus();
  if (change.arena().keeps_log_silent) entry.Silence();
  if (entry.bytes() > kMostEntryBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a batch of ", entry.bytes(),
                     " bytes is too large for a store that keeps its changes: the most is ", kMostEntryBytes, "."));
  }
  Location last;
  if (absl::Status status = LocateAndClaim(log_tree_, change, U64Key(~uint64_t{0}), &last); !status.ok()) return status;
  const PathStep& leaf = last.leaf();
  LogPlace before{};
  if (leaf.position > 0) {
    const absl::StatusOr<LogPlace> place = LogPlaceAt(leaf, leaf.position - 1);
    if (!place.ok()) return place.status();
    before = *place;
    // What decides how the log goes on, and how much of it is old. (Whether an old one is damaged is no matter: it
    // goes.)
    if (!before.record.ChecksumHolds()) return DamagedEntry(before.number);
  } else if (last.path.size() > 1) {
    return DamagedEntry(0);  // the last leaf has the last entry
  }
  const uint64_t number = entry.NumberAfter(before.number);
  if (entry.expected() != 0 && number != entry.expected()) {
    return absl::FailedPreconditionError(absl::StrCat(file_.path(),
                                                      ": the store has changed meanwhile: the next change is ", number,
                                                      ", not ", entry.expected(), "."));
  }
  const std::string key = U64Key(number);
  const std::string_view value = entry.Finish(before.end_bytes, before.header.chain);
  absl::Status status;
  do {
    Location location;
    status = LocateAndClaim(log_tree_, change, key, &location);
    if (status.ok()) status = log_tree_.Insert(change, location, key, value);
  } while (IsAgain(status));
  if (!status.ok()) return status;
  // Nobody gets from what is before a silent entry to what comes after it.
  const uint64_t most_bytes = entry.is_silent() ? 0 : log_terms().most_bytes;
  return EraseOldLogEntries(change, number, before.end_bytes + RecordBytes(key.size(), value.size()), most_bytes);
}

absl::StatusOr<StoreImpl::LogPlace> StoreImpl::LogPlaceAt(const PathStep& leaf, unsigned position) const {
  const unsigned slot = leaf.perm.slot(position);
  const uint64_t number = leaf.node->slice(slot);
  if (leaf.node->kinds().kind(slot) != Kind::kEndsWith8) return DamagedEntry(number);
  const RecordView record = image_.RecordAt(leaf.node->record(slot).offset());
  const bool is_its = !record.is_null() && record.header().flags() == kLogRecord && record.key() == U64Key(number);
  const std::optional<LogHeader> header = is_its ? LogHeaderOf(record.value()) : std::nullopt;
  if (!header.has_value()) return DamagedEntry(number);
  return LogPlace{number, header->begin_bytes + record.bytes(), *header, record};
}

// A crash between an erasure and the tidying up after it leaves an empty leaf; so does somebody who was in the way.
absl::StatusOr<std::optional<StoreImpl::LogPlace>> StoreImpl::FirstLogPlace(Change& change, bool* is_alone) const {
  Location location;
  if (absl::Status status = log_tree_.Locate(U64Key(0), change, &location); !status.ok()) return status;
  *is_alone = location.path.size() == 1;
  if (location.leaf().perm.count() == 0) return std::nullopt;
  const absl::StatusOr<LogPlace> place = LogPlaceAt(location.leaf(), 0);
  if (!place.ok()) return place.status();
  return *place;
}

absl::Status StoreImpl::EraseOldLogEntries(Change& change, uint64_t last, uint64_t end_bytes, uint64_t most_bytes) {
  for (int erased = 0;; ++erased) {
    bool is_alone = false;
    absl::StatusOr<std::optional<LogPlace>> first = FirstLogPlace(change, &is_alone);
    if (first.ok() && !first->has_value() && !is_alone) {
      absl::Status tidied = Again();
      for (unsigned height = 0; IsAgain(tidied);) tidied = log_tree_.Rebalance(change, U64Key(0), &height);
      if (!tidied.ok()) return tidied;
      first = FirstLogPlace(change, &is_alone);
    }
    if (!first.ok()) return first.status();
    if (!first->has_value()) return DamagedEntry(0);  // there is the last one at least
    const uint64_t number = (*first)->number;
    const bool is_kept = number == last || end_bytes - (*first)->header.begin_bytes <= most_bytes;
    if (is_kept || (erased == kMostErasedAtOnce && most_bytes > 0)) return absl::OkStatus();
    const std::string key = U64Key(number);
    Location location;
    if (absl::Status status = LocateAndClaim(log_tree_, change, key, &location); !status.ok()) return status;
    if (location.outcome != Location::Outcome::kFound) return DamagedEntry(number);
    const bool is_sparse = Tree::IsSparse(location.leaf().perm.Remove(location.leaf().position));
    if (absl::Status status = log_tree_.Erase(change, location); !status.ok()) return status;
    if (is_sparse) RebalanceInBatch(log_tree_, change, key);
  }
}

absl::StatusOr<StoreImpl::Erased> StoreImpl::EraseFirstLogEntry(uint64_t last) {
  std::optional<LogPlace> first;
  bool is_alone = false;
  {
    const EpochGuard guard(epochs_);
    Change reader(context_, heap_.ArenaOf(guard.slot()));
    const absl::StatusOr<std::optional<LogPlace>> place = FirstLogPlace(reader, &is_alone);
    if (!place.ok()) return place.status();
    first = *place;
  }
  if (first.has_value() ? first->number >= last : is_alone) return Erased::kNothingLeft;
  const std::string key = U64Key(first.has_value() ? first->number : 0);
  if (first.has_value()) {
    const absl::Status status = WriteInSpace(log_tree_, key, [&](Change& change, Location& location) {
      if (location.outcome != Location::Outcome::kFound) return DamagedEntry(first->number);
      return log_tree_.Erase(change, location);
    });
    if (!status.ok()) return status;
  }
  Rebalance(log_tree_, key);
  return first.has_value() ? Erased::kEntry : Erased::kEmptyLeaf;
}

void StoreImpl::DropLog() {
  const std::unique_lock<WriterLock> log = LockLog();
  const absl::StatusOr<LogEnd> end = LogEndAt(nullptr);
  if (!end.ok()) return;
  // Where somebody is in the way of a leaf that was emptied, for long, that is tried a few times.
  int turned_back = 0;
  while (file_.persist().is_ok() && turned_back < kMostTurnedBack) {
    const absl::StatusOr<Erased> erased = EraseFirstLogEntry(end->number);
    if (erased.ok() ? *erased == Erased::kNothingLeft : !IsRestart(erased.status())) return;
    const bool is_gone = erased.ok() && *erased == Erased::kEntry;
    turned_back += !is_gone;
    if (!is_gone && !WaitInTest()) sched_yield();
  }
}

// ---- readers

absl::StatusOr<LogEnd> StoreImpl::LogEndAt(const OpenSnapshot* at) const {
  if (!keeps_log()) return KeepsNoLog(file_.path());
  std::optional<Cursor> cursor;
  at != nullptr ? cursor.emplace(log_tree_, epochs_, at->view()) : cursor.emplace(log_tree_, epochs_);
  cursor->SeekToLast();
  if (!cursor->Valid()) return cursor->status().ok() ? absl::StatusOr<LogEnd>(LogEnd{}) : cursor->status();
  const uint64_t number = SliceAt(cursor->key(), 0);
  const std::optional<LogHeader> header = LogHeaderOf(cursor->value());
  if (!header.has_value()) return DamagedEntry(number);
  return LogEnd{number, header->chain};
}

absl::Status StoreImpl::ReadLog(uint64_t since, absl::FunctionRef<bool(const CommittedChange&)> visit) const {
  const absl::StatusOr<LogEnd> end = LogEndAt(nullptr);
  if (!end.ok()) return end.status();
  if (since > end->number) {
    return absl::InvalidArgumentError(
        absl::StrCat(file_.path(), ": there was no change ", since, " yet; the last one is ", end->number, "."));
  }
  Cursor cursor(log_tree_, epochs_);
  CommittedChange change;
  uint64_t next = since + 1;
  for (cursor.Seek(U64Key(next)); cursor.Valid(); cursor.Next(), ++next) {
    change.number = SliceAt(cursor.key(), 0);
    const std::optional<LogHeader> header = LogHeaderOf(cursor.value());
    if (!header.has_value() || !ParseLogEntry(cursor.value(), &change)) return DamagedEntry(change.number);
    if (change.number != next || header->is_silent()) return IsGone(next - 1, change.number + header->is_silent());
    if (!visit(change)) return absl::OkStatus();
  }
  return cursor.status();
}

// The first one first: beside writers there may only be more, not less, between that and the last.
LogStats StoreImpl::GetLogStats() const {
  LogStats stats{.most_bytes = log_terms().most_bytes, .first_change = 1};
  Cursor cursor(log_tree_, epochs_);
  cursor.SeekToFirst();
  const std::optional<LogHeader> first = cursor.Valid() ? LogHeaderOf(cursor.value()) : std::nullopt;
  if (!first.has_value()) return stats;
  stats.first_change = SliceAt(cursor.key(), 0) + first->is_silent();
  cursor.SeekToLast();
  const std::optional<LogHeader> last = cursor.Valid() ? LogHeaderOf(cursor.value()) : std::nullopt;
  if (!last.has_value()) return stats;
  stats.last_change = SliceAt(cursor.key(), 0);
  stats.bytes = last->begin_bytes + RecordBytes(cursor.key().size(), cursor.value().size()) - first->begin_bytes;
  return stats;
}

// ---- copies

absl::Status StoreImpl::BeginLogAt(uint64_t lineage, const LogEnd& end) {
  LogTerms& terms = image_.superblock().log_terms;
  const LogTerms fresh{lineage, terms.most_bytes, LogTermsChecksum({lineage, terms.most_bytes, 0})};
  file_.persist().Store(&terms.lineage, fresh.lineage);
  file_.persist().Store(&terms.checksum, fresh.checksum);
  file_.persist().Flush(&terms, sizeof(terms));
  file_.persist().Fence();
  if (end.number == 0) return file_.persist().status();
  return RunBatch(
      1, [] { return BatchSize{}; },
      [&](Arena& arena, const Node** blocker) {
        BatchState batch(lanes_);
        Change change(context_, arena, &batch);
        batch.log_entry().StandFor(end);
        absl::Status status = AppendToLog(change);
        if (status.ok()) status = change.CommitBatch([] { return true; });
        *blocker = change.blocker();
        return status;
      });
}

// What both have behind them must be the same, up to where this one ends.
absl::Status StoreImpl::CheckSamePast(const StoreImpl& other, const LogEnd& end) const {
  if (other.log_terms().lineage != log_terms().lineage) {
    return absl::FailedPreconditionError(absl::StrCat(file_.path(), ": is no copy of ", other.file_.path(),
                                                      ", nor is that one of it. Copies are made by Checkpoint."));
  }
  Cursor theirs(other.log_tree_, other.epochs_);
  theirs.Seek(U64Key(end.number));
  if (!theirs.Valid()) {
    if (!theirs.status().ok() || end.number == 0) return theirs.status();
    return absl::FailedPreconditionError(
        absl::StrCat(file_.path(), ": is ahead of ", other.file_.path(), ", which has no change ", end.number, "."));
  }
  const uint64_t number = SliceAt(theirs.key(), 0);
  const std::optional<LogHeader> header = LogHeaderOf(theirs.value());
  if (!header.has_value()) return DamagedEntry(number);
  if (number > end.number + 1) return absl::OkStatus();  // what is between is gone, as ReadLog will say
  const uint64_t past = number == end.number ? header->chain : header->past;
  if (past == end.chain || (header->is_silent() && number > end.number)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(file_.path(), ": has changes of its own: up to change ", end.number,
                                                    " it isn't what ", other.file_.path(), " was. Make a new copy."));
}

absl::Status StoreImpl::ApplyLogged(const CommittedChange& change) {
  KeyChanges changes;
  changes.Reserve(change.operations.size());
  for (const CommittedChange::Operation& operation : change.operations) {
    changes.Append({operation.key, operation.is_delete ? KeyChange::Kind::kDelete : KeyChange::Kind::kPut,
                    operation.value, 0, ExpiryOf(operation.expiry)});
  }
  return RunBatch(
      changes.list().size(), [&] { return SizeOf(changes); },
      [&](Arena& arena, const Node** blocker) {
        return TryWriteBatch(arena, changes, nullptr, blocker, change.number);
      });
}

absl::Status StoreImpl::CatchUpWith(const StoreImpl& other, const std::function<bool(uint64_t)>& go_on, uint64_t last) {
  if (!IsWritable()) return NotWritableError();
  if (!background_has_begun_.load(std::memory_order_acquire)) BeginBackgroundPass();
  const absl::StatusOr<LogEnd> end = LogEndAt(nullptr);
  if (!end.ok()) return end.status();
  if (!other.keeps_log()) return KeepsNoLog(other.file_.path());
  if (absl::Status status = CheckSamePast(other, *end); !status.ok()) return status;
  absl::Status applied;
  uint64_t count = 0;
  const absl::Status status = other.ReadLog(end->number, [&](const CommittedChange& change) {
    if (change.number > last) return false;
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
