// Reads, as StoreImpl has them: of a leaf that a descent leads to, or of a record that the table leads to.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/iterator.h"
#include "kv/store_impl.h"

namespace sealkv::internal {
namespace {

absl::Status DamagedRecord(Offset at, const char* what) {
  return absl::DataLossError(absl::StrCat("store damaged at offset ", Raw(at), ": ", what, ". Run `kvdump check`."));
}

}  // namespace

// The shortest way: the value of an 8-byte key, in its leaf. False: it isn't there, or not so simple.
inline bool StoreImpl::ReadInlineWord(std::string_view key, uint64_t* value) const {
  Descent descent;
  tree_.Descend(key, Purpose::kRead, descent);
  const uint64_t* const word = Tree::InlineWord(descent, key);
  if (word == nullptr) return false;
  *value = Node::Load(*word);
  return Tree::IsUnchanged(*descent.node, descent.version);
}

template <typename Use>
[[gnu::always_inline]] inline absl::StatusOr<Tree::LeafStep> StoreImpl::ReadFound(std::string_view key,
                                                                                  const Found& found,
                                                                                  const Descent* descent,
                                                                                  uint32_t seconds, Use use) const {
  if (found.kind == Kind::kInline) {
    use(std::string_view(reinterpret_cast<const char*>(&found.ref), sizeof(found.ref)), true, kNeverOver);
    return Tree::LeafStep::kFound;
  }
  const Offset at = RecordRef::FromRaw(found.ref).offset();
  const RecordView record = image_.RecordAt(at);
  if (record.is_null()) return DamagedRecord(at, "a reference to a record leads nowhere");
  if (record.key() != key) return Tree::LeafStep::kAbsent;
  if (!record.ChecksumHolds()) return DamagedRecord(at, "a record's checksum");
  const uint32_t expiry = record.header().expiry;
  if (seconds == 0 ? IsOver(expiry) : IsOver(expiry, seconds)) return Tree::LeafStep::kAbsent;
  if (!record.has_word_value()) {
    use(record.value(), false, expiry);
    return Tree::LeafStep::kFound;
  }
  // The word may be changing in place: what was read is durable if the leaf was left alone until after it.
  const uint64_t word = Node::Load(*record.value_word());
  if (descent != nullptr && !Tree::IsUnchanged(*descent->node, descent->version)) return Tree::LeafStep::kRestart;
  use(std::string_view(reinterpret_cast<const char*>(&word), sizeof(word)), true, expiry);
  return Tree::LeafStep::kFound;
}

// By the table: whether it had the key, and a value that isn't over. What is damaged is for the tree to say.
template <typename Use>
[[gnu::always_inline]] inline bool StoreImpl::ReadTabled(std::string_view key, uint64_t hash, Use use) const {
  return table_.Find(hash, [&](Offset at) {
    const absl::StatusOr<Tree::LeafStep> step = ReadFound(key, {Kind::kMore, RecordRef(at, 0).raw()}, nullptr, 0, use);
    return step.ok() && *step == Tree::LeafStep::kFound;
  });
}

// The leaf is claimed while its record is added: so it is the key's, and nobody is about to give it up. Who has closed
// the gate counts on finding nodes as he saw them, before long.
void StoreImpl::AddToTable(uint64_t hash, const Descent& descent, const Found& found) const {
  if (!IsRecord(found.kind) || !table_.is_enabled() || gate_.is_closed()) return;
  const Offset at = RecordRef::FromRaw(found.ref).offset();
  auto& leaf = const_cast<Node&>(*descent.node);
  if (image_.RecordAt(at).has_word_value() || !locks_.TryClaim(leaf, descent.version)) return;
  table_.Add(hash, at);
  locks_.Unclaim(leaf, descent.version);
  table_.MakeRoom();
}

template <typename Use>
absl::Status StoreImpl::Read(std::string_view key, Use use) const {
  if (key.size() > kMaxKeyBytes) return KeyNotFound();
  const bool is_tabled = RecordTable::Takes(key);
  const uint64_t hash = is_tabled ? RecordTable::Hash(key) : 0;
  if (is_tabled && ReadTabled(key, hash, use)) return absl::OkStatus();
  Descent descent;
  Found found;
  for (;;) {
    tree_.Descend(key, Purpose::kRead, descent);
    absl::StatusOr<Tree::LeafStep> step = tree_.Find(descent, key, &found);
    if (step.ok() && *step == Tree::LeafStep::kFound) step = ReadFound(key, found, &descent, 0, use);
    if (!step.ok()) {
      // What looks like damage may lie in a part that couldn't be mapped.
      return follower_ != nullptr && !follower_->status().ok() ? follower_->status() : step.status();
    }
    if (*step == Tree::LeafStep::kAbsent) return KeyNotFound();
    if (*step == Tree::LeafStep::kRestart) continue;
    if (is_tabled) AddToTable(hash, descent, found);
    return absl::OkStatus();
  }
}

absl::Status StoreImpl::Get(std::string_view key, std::string* value) const {
  const EpochGuard guard(epochs_);
  uint64_t word;
  if (key.size() == kSliceBytes && ReadInlineWord(key, &word)) [[likely]] {
    if (value->size() != sizeof(word)) value->resize(sizeof(word));
    std::memcpy(value->data(), &word, sizeof(word));
    return absl::OkStatus();
  }
  return Read(key, [value](std::string_view bytes, bool, uint32_t) { value->assign(bytes); });
}

absl::StatusOr<PinnedValue> StoreImpl::GetPinned(std::string_view key) const {
  EpochGuard guard(epochs_);
  PinnedValue pinned;
  const absl::Status status = Read(key, [&pinned](std::string_view bytes, bool is_word, uint32_t) {
    pinned.is_inline_ = is_word;
    if (is_word) {
      std::memcpy(pinned.inline_bytes_.data(), bytes.data(), sizeof(uint64_t));
    } else {
      pinned.view_ = bytes;
    }
  });
  if (!status.ok()) return status;
  if (!pinned.is_inline_) pinned.slot_ = guard.Keep(epochs_);
  return pinned;
}

absl::StatusOr<bool> StoreImpl::Exists(std::string_view key) const {
  const EpochGuard guard(epochs_);
  const absl::Status status = Read(key, [](std::string_view, bool, uint32_t) {});
  if (absl::IsNotFound(status)) return false;
  if (!status.ok()) return status;
  return true;
}

absl::StatusOr<uint32_t> StoreImpl::GetExpiry(std::string_view key) const {
  const EpochGuard guard(epochs_);
  uint32_t expiry = kNeverOver;
  const absl::Status status = Read(key, [&](std::string_view, bool, uint32_t when) { expiry = when; });
  if (!status.ok()) return status;
  return expiry;
}

// ---- many at a time

// Four steps, each of which asks for what the next one will read: a hint or a line of the table, then the leaf, then
// the record; so nobody waits for them one after the other. Between two steps of a key come those of other keys
// ("software-pipelined prefetching": Chen et al., "Improving hash join performance through prefetching", ICDE 2004).
struct StoreImpl::Sought {
  std::string_view key;
  bool is_tabled;
  bool is_found;  // `found`, by `descent`
  uint64_t hash;  // is_tabled
  Descent descent;
  Found found;
};

namespace {

// Keys between two steps of one.
constexpr size_t kStepsApart = 4;
constexpr size_t kSteps = 4;
// So many in one epoch: a call with millions of keys isn't to hold back all that is freed.
constexpr size_t kMostInAnEpoch = 512;
constexpr uint64_t kMostBytesFetched = 512;  // of a record

}  // namespace

void StoreImpl::FetchFirst(Sought& sought, std::string_view key) const {
  sought.key = key;
  sought.is_found = false;
  sought.is_tabled = RecordTable::Takes(key) && key.size() <= kMaxKeyBytes;
  if (sought.is_tabled) {
    sought.hash = RecordTable::Hash(key);
    table_.PrefetchToFind(sought.hash);
  } else {
    tree_.PrefetchHint(key);
  }
}

void StoreImpl::FetchSecond(const Sought& sought) const {
  if (!sought.is_tabled) tree_.PrefetchLeaf(sought.key);
}

// A key that isn't in the table, or not in the leaf, is looked for once more by Answer.
void StoreImpl::FetchRecord(Sought& sought, uint64_t record_bytes) const {
  if (sought.is_tabled) {
    table_.Find(sought.hash, [&](Offset at) {
      image_.PrefetchRecord(at, record_bytes);
      return true;
    });
  } else if (sought.key.size() <= kSliceBytes) {
    tree_.Descend(sought.key, Purpose::kRead, sought.descent);
    const absl::StatusOr<Tree::LeafStep> step = tree_.Find(sought.descent, sought.key, &sought.found);
    sought.is_found = step.ok() && *step == Tree::LeafStep::kFound;
    if (sought.is_found && IsRecord(sought.found.kind)) {
      image_.PrefetchRecord(RecordRef::FromRaw(sought.found.ref).offset(), record_bytes);
    }
  }
}

void StoreImpl::Answer(const Sought& sought, size_t place, UseOfMany use) const {
  const auto use_value = [&](std::string_view value, bool, uint32_t) { use(place, absl::OkStatus(), value); };
  if (sought.is_found) {
    const absl::StatusOr<Tree::LeafStep> step = ReadFound(sought.key, sought.found, &sought.descent, 0, use_value);
    if (step.ok() && *step == Tree::LeafStep::kFound) return;
  } else if (sought.is_tabled && ReadTabled(sought.key, sought.hash, use_value)) {
    return;
  }
  if (const absl::Status status = Read(sought.key, use_value); !status.ok()) use(place, status, {});
}

void StoreImpl::MultiGet(std::span<const std::string_view> keys, UseOfMany use) const {
  constexpr size_t kLag = (kSteps - 1) * kStepsApart;
  std::array<Sought, kSteps * kStepsApart> on_their_way;
  uint64_t record_bytes = 128;  // what to expect: the last one's, up to what isn't worth fetching
  const auto use_and_learn = [&](size_t place, const absl::Status& status, std::string_view value) {
    if (status.ok()) record_bytes = std::min(RecordBytes(keys[place].size(), value.size()), kMostBytesFetched);
    use(place, status, value);
  };
  const auto at = [&](size_t i) -> Sought& { return on_their_way[i % on_their_way.size()]; };
  for (size_t first = 0; first < keys.size(); first += kMostInAnEpoch) {
    const EpochGuard guard(epochs_);
    const size_t count = std::min(keys.size() - first, kMostInAnEpoch);
    for (size_t i = 0; i < count + kLag; ++i) {
      // The last step comes first: a slot is free again when its next key comes.
      if (i >= 3 * kStepsApart) Answer(at(i - 3 * kStepsApart), first + i - 3 * kStepsApart, use_and_learn);
      if (i >= 2 * kStepsApart && i - 2 * kStepsApart < count) FetchRecord(at(i - 2 * kStepsApart), record_bytes);
      if (i >= kStepsApart && i - kStepsApart < count) FetchSecond(at(i - kStepsApart));
      if (i < count) FetchFirst(at(i), keys[first + i]);
    }
  }
}

std::unique_ptr<Iterator> StoreImpl::NewIterator(Range&& range) {
  return NewIteratorAt(std::move(range), generation_ != 0 ? *NewSnapshot() : nullptr);
}

// Most keys are where they are now, in a leaf that nobody has written to.
absl::Status StoreImpl::GetAt(const SnapshotView& at, std::string_view key, std::string* value,
                              std::optional<EntryIdentity>* identity, uint32_t* expiry) const {
  if (key.size() > kMaxKeyBytes) return KeyNotFound();
  Found found;
  const auto use = [&](std::string_view bytes, bool, uint32_t when) {
    value->assign(bytes);
    if (expiry != nullptr) *expiry = when;
    if (identity != nullptr) *identity = IdentityOf(found.kind, found.ref);
  };
  const EpochGuard guard(epochs_);
  Descent descent;
  tree_.Descend(key, Purpose::kRead, descent);
  if (descent.outcome == Descent::Outcome::kLeaf && !descent.version.is_versioned(generation_)) {
    absl::StatusOr<Tree::LeafStep> step = tree_.Find(descent, key, &found);
    if (step.ok() && *step == Tree::LeafStep::kFound) step = ReadFound(key, found, &descent, at.seconds, use);
    if (step.ok() && *step == Tree::LeafStep::kFound) return absl::OkStatus();
  }
  const absl::StatusOr<bool> is_found = tree_.FindAt(key, at, &found);
  if (!is_found.ok()) return is_found.status();
  if (!*is_found) return KeyNotFound();
  const absl::StatusOr<Tree::LeafStep> step = ReadFound(key, found, nullptr, at.seconds, use);
  if (!step.ok()) return step.status();
  return *step == Tree::LeafStep::kFound ? absl::OkStatus() : KeyNotFound();
}

std::unique_ptr<Iterator> StoreImpl::NewIteratorAt(Range&& range, std::shared_ptr<const OpenSnapshot> snapshot) const {
  return std::make_unique<RangeIterator>(tree_, epochs_, std::move(range), std::move(snapshot));
}

}  // namespace sealkv::internal
