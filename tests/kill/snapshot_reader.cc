#include "tests/kill/snapshot_reader.h"

#include "absl/strings/str_cat.h"
#include "tests/kill/script.h"
#include "tests/model.h"

namespace sealkv::kill {

using testing::Printable;

SnapshotReader::SnapshotReader(Store& store, Journal& journal, unsigned writers) : store_(store), journal_(journal) {
  sets_.emplace_back(kTwins.begin(), kTwins.end());
  for (unsigned writer = 0; writer < writers; ++writer) sets_.push_back(GroupOf(writer));
}

std::string SnapshotReader::Read(const std::function<void()>& meanwhile) {
  const absl::StatusOr<Snapshot> snapshot = store_.OpenSnapshot();
  if (!snapshot.ok()) return snapshot.status().ToString();
  const absl::StatusOr<Values> first = ReadAll(*snapshot);
  if (!first.ok()) return first.status().ToString();
  if (const std::optional<std::string>& sum = first->front(); sum.has_value()) {
    if (sum->size() != sizeof(uint64_t)) return absl::StrCat("the twins have ", sum->size(), " bytes");
    const uint64_t shown = journal_.shown_by_twins;
    if (testing::WordOf(*sum) < shown) return absl::StrCat("the twins were ", shown, " and are ", Printable(*sum));
    journal_.shown_by_twins = testing::WordOf(*sum);
  } else if (journal_.shown_by_twins != 0) {
    return "the twins are gone";
  }
  meanwhile();
  const absl::StatusOr<Values> second = ReadAll(*snapshot);
  if (!second.ok()) return second.status().ToString();
  for (size_t i = 0; i < sets_.size(); ++i) {
    if ((*first)[i] != (*second)[i]) return absl::StrCat(Printable(sets_[i].front()), " has changed in a snapshot");
  }
  return "";
}

absl::StatusOr<SnapshotReader::Values> SnapshotReader::ReadAll(const Snapshot& snapshot) const {
  Values values;
  for (const std::vector<std::string>& keys : sets_) {
    absl::StatusOr<std::optional<std::string>> value = ReadSet(snapshot, keys);
    if (!value.ok()) return value.status();
    values.push_back(*std::move(value));
  }
  return values;
}

// The first by an iterator, which has a way of its own.
absl::StatusOr<std::optional<std::string>> SnapshotReader::ReadSet(const Snapshot& snapshot,
                                                                   const std::vector<std::string>& keys) {
  const std::unique_ptr<Iterator> at = snapshot.NewIterator();
  at->Seek(keys.front());
  if (!at->status().ok()) return at->status();
  std::optional<std::string> first;
  if (at->Valid() && at->key() == keys.front()) first = std::string(at->value());
  for (const std::string& key : keys) {
    const absl::StatusOr<std::string> value = snapshot.Get(key);
    if (!value.ok() && !absl::IsNotFound(value.status())) return value.status();
    const std::optional<std::string> seen = value.ok() ? std::optional(*value) : std::nullopt;
    if (seen == first) continue;
    return absl::InternalError(absl::StrCat("a snapshot shows ", Printable(keys.front()), " and ", Printable(key),
                                            " torn: ", first.has_value() ? Printable(*first) : "nothing", ", ",
                                            seen.has_value() ? Printable(*seen) : "nothing"));
  }
  return first;
}

}  // namespace sealkv::kill
