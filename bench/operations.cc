#include "bench/operations.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "absl/strings/str_cat.h"

namespace sealkv::bench {
namespace {

constexpr std::string_view kHotKey = "hot key.";

Distribution DistributionOf(std::string_view workload, const WorkloadOptions& options) {
  if (const auto mix = MixOf(workload, options)) return mix->distribution;
  const bool is_chosen =
      IsReadRandom(workload) || workload == "overwrite" || workload == "seekrandom" || workload == "addcold";
  return is_chosen ? options.distribution : Distribution::kUniform;
}

}  // namespace

Operations::Operations(std::string_view workload, const WorkloadOptions& options, const Subject& subject)
    : options_(options),
      contents_(subject.contents),
      engine_(*subject.engine),
      is_fill_(IsFill(workload)),
      deletes_most_(workload == "deletemost"),
      has_gone_(contents_.has_gone()),
      operate_(OperationOf(workload)),
      mix_(MixOf(workload, options).value_or(YcsbMix())),
      records_(std::max<uint64_t>(1, contents_.records())),
      order_(Scatter(std::hash<std::string_view>()(workload)) >> 1),
      chooser_(DistributionOf(workload, options), records_, mix_.zipfian_constant, order_) {}

Operations::Operation Operations::OperationOf(std::string_view workload) {
  if (IsFill(workload)) return &Operations::Fill;
  if (workload == "overwrite") return &Operations::Overwrite;
  if (IsReadRandom(workload)) return &Operations::ReadRandom;
  if (workload == "readmissing") return &Operations::ReadMissing;
  if (workload == "seekrandom") return &Operations::SeekRandom;
  if (IsDeletion(workload)) return &Operations::Delete;
  if (workload == "addhot") return &Operations::AddHot;
  if (workload == "addcold") return &Operations::AddCold;
  if (workload == "snapshot") return &Operations::TouchSnapshot;
  return &Operations::Mix;
}

// These are part of each operation that they are in: a call of each, and the processor looks no further ahead than to
// the end of one operation, where it had begun the next.
[[gnu::always_inline]] inline uint64_t Operations::AnyRank(const Share& share, uint64_t i) const {
  return chooser_.Choose(i, records_ + share.inserted.count);
}

[[gnu::always_inline]] inline Key Operations::KeyAt(Share& share, uint64_t index) const {
  const uint64_t number = contents_.has_random_keys() ? share.data.RandomKey(index) : share.data.SequentialKey(index);
  return {number, share.data.key()};
}

[[gnu::always_inline]] inline Key Operations::KeyOf(Share& share, uint64_t rank) const {
  if (rank >= records_) [[unlikely]]
    return KeyAt(share, share.inserted.first + (rank - records_));
  return KeyAt(share, contents_.IndexOf(rank));
}

[[gnu::always_inline]] inline absl::Status Operations::Write(Share& share, const Key& key) {
  share.bytes += key.bytes.size() + options_.data.value_bytes;
  return engine_.Put(key, share.data.ValueOf(key.number, contents_.round()));
}

[[gnu::always_inline]] inline absl::Status Operations::Read(Share& share, uint64_t rank) {
  const Key key = KeyOf(share, rank);
  if (const absl::Status got = engine_.Get(key, &share.value); !got.ok()) [[unlikely]]
    return JudgeNotFound(share, rank, got);
  return Check(share, rank, key.number, key.bytes, share.value);
}

[[gnu::always_inline]] inline absl::Status Operations::Check(Share& share, uint64_t rank, uint64_t key_number,
                                                             std::string_view key, std::string_view value) {
  if (has_gone_ && contents_.MustBeMissing(rank)) [[unlikely]]
    return absl::DataLossError("a key was found that had been deleted");
  if (!share.data.IsValueOf(key_number, contents_.last_round(), value)) [[unlikely]] {
    if (absl::Status status = JudgeOtherValue(rank, value); !status.ok()) return status;
  }
  share.bytes += key.size() + value.size();
  return absl::OkStatus();
}

absl::Status Operations::JudgeNotFound(Share& share, uint64_t rank, const absl::Status& got) const {
  if (!absl::IsNotFound(got)) return got;
  if (!contents_.MayBeMissing(rank)) return absl::DataLossError("a key that was written wasn't found");
  ++share.missing;
  return absl::OkStatus();
}

absl::Status Operations::JudgeOtherValue(uint64_t rank, std::string_view value) const {
  return contents_.MayBeSum(rank, value) ? absl::OkStatus() : absl::DataLossError("a wrong value was read");
}

absl::Status Operations::Scan(Share& share, uint64_t from_rank, uint64_t count) {
  const Key from = KeyOf(share, from_rank);
  const absl::StatusOr<uint64_t> seen = engine_.Scan(from, count, false, &share.sum);
  if (!seen.ok()) return seen.status();
  if (*seen == 0 && count > 0) {
    if (!contents_.MayBeMissing(from_rank)) {
      return absl::DataLossError("a scan from a key that was written found nothing");
    }
    ++share.missing;
  }
  share.bytes += *seen * (from.bytes.size() + options_.data.value_bytes);
  return absl::OkStatus();
}

absl::Status Operations::Fill(Share& share, uint64_t i) { return Write(share, KeyAt(share, i)); }
absl::Status Operations::Overwrite(Share& share, uint64_t i) { return Write(share, KeyOf(share, AnyRank(share, i))); }
absl::Status Operations::ReadRandom(Share& share, uint64_t i) { return Read(share, AnyRank(share, i)); }

absl::Status Operations::ReadMissing(Share& share, uint64_t i) {
  // Beyond all indexes that were filled; the random order is a bijection, so these are other keys.
  const Key key = KeyAt(share, contents_.FirstIndexOfNone() + i);
  const absl::Status got = engine_.Get(key, &share.value);
  if (got.ok()) return absl::DataLossError("a key was found that was never written");
  share.bytes += key.bytes.size();
  return absl::IsNotFound(got) ? absl::OkStatus() : got;
}

absl::Status Operations::SeekRandom(Share& share, uint64_t i) {
  return Scan(share, AnyRank(share, i), options_.seek_nexts);
}

// Of most: nine of ten, each once.
uint64_t Operations::RankToDelete(uint64_t i) const {
  return deletes_most_ ? i / 9 * 10 + i % 9 + 1 : chooser_.Choose(i, records_);
}

absl::Status Operations::Delete(Share& share, uint64_t i) {
  const uint64_t rank = RankToDelete(i);
  const Key key = KeyOf(share, rank);
  share.bytes += key.bytes.size();
  absl::Status status = engine_.Delete(key);
  if (!absl::IsNotFound(status)) return status;
  // One that is chosen at random may have been chosen before.
  if (!deletes_most_ || contents_.MayBeMissing(rank)) return absl::OkStatus();
  return absl::DataLossError("a key that was to be deleted wasn't found");
}

absl::Status Operations::AddHot(Share& share, uint64_t) {
  share.bytes += 2 * sizeof(uint64_t);
  return engine_.Increment({~uint64_t{0}, kHotKey});
}

absl::Status Operations::AddCold(Share& share, uint64_t i) {
  const Key key = KeyOf(share, AnyRank(share, i));
  share.bytes += key.bytes.size() + sizeof(uint64_t);
  return engine_.Increment(key);
}

absl::Status Operations::TouchSnapshot(Share&, uint64_t) { return engine_.TouchSnapshot(); }

absl::Status Operations::WriteBatch(Share& share, uint64_t i) {
  const uint64_t end = std::min((i + 1) * batch_size_, operations_);
  for (uint64_t at = i * batch_size_; at < end; ++at) {
    const Key key = is_fill_ ? KeyAt(share, at) : KeyOf(share, AnyRank(share, at));
    share.bytes += key.bytes.size() + options_.data.value_bytes;
    share.batch->Put(key, share.data.ValueOf(key.number, contents_.round()));
  }
  return share.batch->Write();
}

absl::Status Operations::ReadBatch(Share& share, uint64_t i) {
  const uint64_t begin = i * batch_size_;
  const uint64_t end = std::min(begin + batch_size_, operations_);
  // Keys one behind the other, and views of them when all are there.
  share.asked.clear();
  share.keys.clear();
  share.key_bytes.clear();
  for (uint64_t at = begin; at < end; ++at) {
    const uint64_t rank = AnyRank(share, at);
    const Key key = KeyOf(share, rank);
    share.asked.push_back({rank, key.bytes.size()});
    share.keys.push_back({key.number, {}});
    share.key_bytes.insert(share.key_bytes.end(), key.bytes.begin(), key.bytes.end());
  }
  const char* bytes = share.key_bytes.data();
  for (size_t at = 0; at < share.keys.size(); ++at) {
    share.keys[at].bytes = {bytes, share.asked[at].key_bytes};
    bytes += share.asked[at].key_bytes;
  }
  engine_.MultiGet(share.keys, &share.values);
  for (size_t at = 0; at < share.keys.size(); ++at) {
    const absl::StatusOr<std::string>& value = share.values[at];
    const absl::Status status =
        value.ok() ? Check(share, share.asked[at].rank, share.keys[at].number, share.keys[at].bytes, *value)
                   : JudgeNotFound(share, share.asked[at].rank, value.status());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Operations::Mix(Share& share, uint64_t i) {
  const uint64_t random = Scatter(~(i + order_));
  double at = UnitInterval(random);
  if (at < mix_.reads) return Read(share, AnyRank(share, i));
  if ((at -= mix_.reads) < mix_.updates) return Overwrite(share, i);
  if ((at -= mix_.updates) < mix_.inserts) {
    const absl::Status status = Write(share, KeyAt(share, share.inserted.first + share.inserted.count));
    if (status.ok()) share.inserted.count += 1;
    return status;
  }
  if ((at -= mix_.inserts) < mix_.scans) return Scan(share, AnyRank(share, i), 1 + Scatter(random) % mix_.most_scanned);
  // What YCSB calls a read-modify-write: a read, then a write of the same record.
  const uint64_t rank = AnyRank(share, i);
  if (absl::Status status = Read(share, rank); !status.ok()) return status;
  return Write(share, KeyOf(share, rank));
}

absl::Status Operations::CheckHotKey(uint64_t adds) const {
  std::string value;
  uint64_t counter = 0;
  const absl::Status got = engine_.Get({~uint64_t{0}, kHotKey}, &value);
  if (!got.ok() && !absl::IsNotFound(got)) return got;
  if (got.ok() && value.size() == sizeof(counter)) std::memcpy(&counter, value.data(), sizeof(counter));
  if (counter == adds) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(adds, " additions of 1 to a key made ", counter));
}

}  // namespace sealkv::bench
