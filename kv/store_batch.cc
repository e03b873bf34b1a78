// Batches, as StoreImpl writes them: each change of a key by the operations of the tree, on copies (kv/change.h), and
// then one commit for all.
#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/iterator.h"
#include "kv/store_impl.h"
#include "kv/write_scope.h"

namespace sealkv::internal {
namespace {

constexpr size_t kAtOnce = 8;
constexpr int kMostLogDrops = 64;

bool IsWordPut(const KeyChange& change) {
  return change.kind == KeyChange::Kind::kPut && change.key.size() == kSliceBytes &&
         change.value.size() == sizeof(uint64_t) && change.expiry == kNeverOver;
}

}  // namespace

absl::Status StoreImpl::ChangeKey(Change& change, const KeyChange& to) {
  Location location;
  if (absl::Status status = LocateAndClaim(tree_, change, to.key, &location); !status.ok()) return status;
  if (to.kind == KeyChange::Kind::kPut) return PutAt(change, location, to.key, {to.value, to.expiry});
  const bool is_found = IsThere(location);
  if (to.kind == KeyChange::Kind::kDelete) {
    // Of a change that is made again: what was there then may be over by now.
    const bool is_repeated = change.batch()->log_entry().expected() != 0;
    const bool is_erased = is_repeated ? location.outcome == Location::Outcome::kFound : is_found;
    if (!is_erased) {
      if (is_repeated) change.LogDelete(to.key);
      return absl::OkStatus();
    }
    const Node* const leaf = location.leaf().home;
    const bool is_sparse = Tree::IsSparse(location.leaf().perm.Remove(location.leaf().position));
    if (absl::Status status = EraseAt(change, location, to.key); !status.ok()) return status;
    LeaveSparse(change, leaf);
    if (is_sparse) change.batch()->sparse() = {leaf, to.key};
    return absl::OkStatus();
  }
  if (!is_found) return PutAt(change, location, to.key, Tree::BytesOf(to.delta));
  uint64_t* const word = tree_.ValueWord(location);
  if (word == nullptr) return absl::FailedPreconditionError("Add needs a value of 8 bytes");
  return StoreWordAt(change, location, to.key, word, Node::Load(*word) + to.delta);
}

// A leaf is rebalanced when the batch is through with it: often more of it is deleted, or all.
void StoreImpl::LeaveSparse(Change& change, const Node* next_leaf) {
  BatchState::SparseLeaf& sparse = change.batch()->sparse();
  if (sparse.leaf == nullptr || sparse.leaf == next_leaf) return;
  RebalanceInBatch(tree_, change, std::exchange(sparse, {}).key);
}

void StoreImpl::RebalanceInBatch(Tree& tree, Change& change, std::string_view key) {
  unsigned height = 0;
  while (IsAgain(tree.Rebalance(change, key, &height))) continue;
}

absl::Status StoreImpl::TryWriteBatch(Arena& arena, const KeyChanges& changes, Validation* validation,
                                      const Node** blocker, uint64_t number) {
  BatchState batch(lanes_);
  batch.log_entry().Expect(number);
  Change change(context_, arena, &batch);
  const auto& list = changes.list();
  change.Reserve(list.size());
  absl::Status status;
  for (size_t i = 0; i < list.size() && status.ok(); i += kAtOnce) {
    status = ChangeKeys(change, std::span(list).subspan(i));
  }
  if (status.ok()) LeaveSparse(change, nullptr);
  if (status.ok() && validation != nullptr) status = validation->Compare(change);
  if (status.ok() && keeps_log()) status = AppendToLog(change);
  if (status.ok()) {
    status = change.CommitBatch([&] { return validation == nullptr || validation->IsStillTrue(change); });
  }
  if (status.ok()) OfferHints(batch);
  *blocker = change.blocker();
  return status;
}

void StoreImpl::OfferHints(BatchState& batch) {
  for (const BatchState::HintOffer& offer : batch.hint_offers()) {
    tree_.hints().Offer(offer.first, offer.bound, offer.leaf);
  }
}

// The first few of these. Their leaves are looked for one after the other, so that the cache misses of one overlap with
// the next one's: a claim is a locked instruction, and would wait for them. Meanwhile what comes next is fetched:
// hints, and behind them leaves.
absl::Status StoreImpl::ChangeKeys(Change& change, std::span<const KeyChange> list) {
  std::array<Descent, kAtOnce> descents;
  const size_t count = std::min(list.size(), kAtOnce);
  const auto prefetch_hints = [&](size_t from) {
    for (size_t i = from; i < std::min(from + kAtOnce, list.size()); ++i) tree_.PrefetchHint(list[i].key);
  };
  const auto prefetch_leaves = [&](size_t from) {
    for (size_t i = from; i < std::min(from + kAtOnce, list.size()); ++i) {
      tree_.PrefetchLeaf(list[i].key);
      __builtin_prefetch(list[i].key.data());  // in a record, if a range is deleted
    }
  };
  prefetch_hints(2 * kAtOnce);
  prefetch_leaves(kAtOnce);
  for (size_t i = 0; i < count; ++i) {
    if (IsWordPut(list[i])) tree_.Descend(list[i].key, Purpose::kWrite, descents[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    // What most puts of an 8-byte key and value come down to, in a leaf that the batch comes to for the first time.
    if (IsWordPut(list[i])) {
      uint64_t value;
      std::memcpy(&value, list[i].value.data(), sizeof(value));
      if (tree_.PutInlineWordInBatch(change, descents[i], list[i].key, value)) {
        change.LogPut(list[i].key, list[i].value, kNeverOver);
        continue;
      }
    }
    absl::Status status;
    do {
      status = ChangeKey(change, list[i]);
    } while (IsAgain(status));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// The log's record is about as large as all the others.
StoreImpl::BatchSize StoreImpl::SizeOf(const KeyChanges& changes) const {
  BatchSize size{.frees_space = true};
  uint64_t all_bytes = 0;
  for (const KeyChange& change : changes.list()) {
    const uint64_t bytes = RecordBytes(change.key.size(), change.value.size());
    size.bytes = std::max(size.bytes, bytes);
    size.run_bytes += RunBytes(bytes);
    size.frees_space &= change.kind == KeyChange::Kind::kDelete;
    all_bytes += bytes;
  }
  if (keeps_log()) {
    size.bytes = all_bytes;
    size.run_bytes += RunBytes(all_bytes);
  }
  return size;
}

absl::Status StoreImpl::WriteChanges(const KeyChanges& changes, Validation* validation) {
  if (!IsWritable()) return NotWritableError();
  if (!background_has_begun_.load(std::memory_order_acquire)) BeginBackgroundPass();
  return RunBatch(
      changes.list().size(), [&] { return SizeOf(changes); },
      [&](Arena& arena, const Node** blocker) { return TryWriteBatch(arena, changes, validation, blocker); });
}

// What only erases may use what is kept back for compaction. A log gives way to what is written; and what is erased is
// left out of it, at last: that may be longer than any space which is left in one piece.
absl::Status StoreImpl::RunBatch(size_t pairs, absl::FunctionRef<BatchSize()> size, BatchAttempt attempt) {
  int drops_left = kMostLogDrops;
  Means means = Means::kUsual;
  const Means last_means = keeps_log() ? Means::kSilent : Means::kReserve;
  for (SpaceSought sought = SeekSpace();;) {
    const absl::Status status = RunBatchInSpace(attempt, means);
    LookAfterSpaceIfDue(pairs);
    if (!absl::IsResourceExhausted(status)) return status;
    if (!file_.persist().is_ok()) return file_.persist().status();
    // There may be space that isn't known yet, or that others hold.
    if (FindSpace(&sought, {size().bytes, size().run_bytes})) continue;
    const LogStats log = keeps_log() ? GetLogStats() : LogStats{};
    const bool may_help = keeps_log() && size().bytes <= sought.most_usable + log.bytes;
    // More than once, if others have taken what the log left, and logged that.
    const bool is_first_drop = drops_left == kMostLogDrops;
    if (may_help && drops_left > 0 && (is_first_drop || log.first_change < log.last_change)) {
      --drops_left;
      DropLog();
      sought = SeekSpace();
    } else if (size().frees_space && means != last_means) {
      means = means == Means::kUsual ? Means::kReserve : Means::kSilent;
      if (means == Means::kSilent) DropLog();  // what others have added since, too
      sought = SeekSpace();
    } else {
      return WithGrowthError(status);
    }
  }
}

StoreImpl::ByMeans::ByMeans(Heap& heap, Arena& arena, Means means) : heap_(heap), arena_(arena) {
  arena.may_use_reserve = means != Means::kUsual;
  arena.keeps_log_silent = means == Means::kSilent;
}
StoreImpl::ByMeans::~ByMeans() {
  if (arena_.may_use_reserve) heap_.LeaveAppending(arena_);
  arena_.may_use_reserve = arena_.keeps_log_silent = false;
}

absl::Status StoreImpl::RunBatchInSpace(BatchAttempt attempt, Means means) {
  const std::unique_lock<WriterLock> log = LockLog();
  absl::Status status;
  {
    WriteScope scope(*this, Gate::Kind::kPrepares);
    std::optional<ByMeans> by_means(std::in_place, heap_, scope.arena(), means);
    for (int turned_back = 0;;) {
      const Node* blocker = nullptr;
      status = attempt(scope.arena(), &blocker);
      if (!IsRestart(status) || ++turned_back > kMostTurnedBack) break;
      scope.WaitFor(blocker);
    }
    by_means.reset();
    scope.ReclaimIfDue();
  }
  return IsRestart(status) ? RunBatchAlone(attempt, means) : status;
}

// Others were in the way, again and again.
absl::Status StoreImpl::RunBatchAlone(BatchAttempt attempt, Means means) {
  const ClosedGate closed(gate_);
  const EpochGuard guard(epochs_);
  Arena& arena = heap_.ArenaOf(guard.slot());
  const ByMeans by_means(heap_, arena, means);
  absl::Status status;
  do {
    const Node* blocker = nullptr;
    status = attempt(arena, &blocker);
  } while (IsStoppedByReader(status));
  return status;
}

absl::Status StoreImpl::Write(KeyChanges changes) {
  for (const KeyChange& change : changes.list()) {
    if (!SizesFit(change.key, change.value.size())) return SizeError(change.key, change.value.size());
    if (absl::Status status = CheckExpiry(change.expiry); !status.ok()) return status;
  }
  if (absl::Status status = changes.SortAndFold(); !status.ok()) return status;
  return WriteChanges(changes, nullptr);
}

// As a transaction that reads the range and deletes what it finds there.
absl::Status StoreImpl::DeleteRangeOnce(const KeyRange& range, const OpenSnapshot& snapshot, Arena* alone) {
  std::optional<ReadSet> reads;
  MakeReadSet(snapshot.view(), &reads);
  reads->AddRange(range);
  // Most keys stay where they are: the snapshot keeps their records. One without a record is kept here.
  std::deque<std::array<char, kSliceBytes>> inline_keys;
  KeyChanges changes;
  Cursor cursor(tree_, epochs_, snapshot.view());
  for (cursor.Seek(range.from); cursor.Valid() && range.Contains(cursor.key()); cursor.Next()) {
    std::string_view key = cursor.key();
    if (cursor.identity().is_inline) {
      auto& bytes = inline_keys.emplace_back();
      key = {bytes.data(), key.copy(bytes.data(), bytes.size())};
    }
    changes.Append({key, KeyChange::Kind::kDelete, {}});
  }
  if (!cursor.status().ok()) return cursor.status();
  if (changes.list().empty()) return absl::OkStatus();
  if (alone == nullptr) return WriteChanges(changes, &*reads);
  const Node* blocker = nullptr;
  return TryWriteBatch(*alone, changes, &*reads, &blocker);
}

absl::Status StoreImpl::DeleteRange(Range range) {
  if (!IsWritable()) return NotWritableError();
  auto [lower, upper] = BoundsOf(std::move(range));
  const KeyRange keys{std::move(lower), std::move(upper)};
  for (int turned_back = 0; turned_back < kMostTurnedBack; ++turned_back) {
    const absl::StatusOr<std::shared_ptr<const OpenSnapshot>> snapshot = NewSnapshot();
    if (!snapshot.ok()) return snapshot.status();
    const absl::Status status = DeleteRangeOnce(keys, **snapshot, nullptr);
    if (!absl::IsAborted(status)) return status;
  }
  // The snapshot is closed when the gate is open again: to close one is to go through it.
  std::shared_ptr<const OpenSnapshot> snapshot;
  const std::unique_lock<WriterLock> log = LockLog();
  const ClosedGate closed(gate_);
  const EpochGuard guard(epochs_);
  snapshot = *NewSnapshot();
  absl::Status status;
  do {
    status = DeleteRangeOnce(keys, *snapshot, &heap_.ArenaOf(guard.slot()));
  } while (IsStoppedByReader(status));
  return status;
}

}  // namespace sealkv::internal
