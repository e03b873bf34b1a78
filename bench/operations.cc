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
      workload == "readrandom" || workload == "overwrite" || workload == "seekrandom" || workload == "addcold";
  return is_chosen ? options.distribution : Distribution::kUniform;
}

}  // namespace

Operations::Operations(std::string_view workload, const WorkloadOptions& options, Subject& subject)
    : options_(options),
      subject_(subject),
      engine_(*subject.engine),
      is_fill_(IsFill(workload)),
      operate_(OperationOf(workload)),
      mix_(MixOf(workload, options).value_or(YcsbMix())),
      records_(std::max<uint64_t>(1, subject.records())),
      order_(Scatter(std::hash<std::string_view>()(workload)) >> 1),
      chooser_(DistributionOf(workload, options), records_, mix_.zipfian_constant, order_) {}

Operations::Operation Operations::OperationOf(std::string_view workload) {
  if (IsFill(workload)) return &Operations::Fill;
  if (workload == "overwrite") return &Operations::Overwrite;
  if (workload == "readrandom") return &Operations::ReadRandom;
  if (workload == "readmissing") return &Operations::ReadMissing;
  if (workload == "seekrandom") return &Operations::SeekRandom;
  if (workload == "deleterandom") return &Operations::DeleteRandom;
  if (workload == "deletemost") return &Operations::DeleteMost;
  if (workload == "addhot") return &Operations::AddHot;
  if (workload == "addcold") return &Operations::AddCold;
  if (workload == "snapshot") return &Operations::TouchSnapshot;
  return workload == "readseqwhilewriting" ? &Operations::Overwrite : &Operations::Mix;
}

// These four are part of each operation that they are in: a call of each, and the processor looks no further ahead than
// to the end of one operation, where it had begun the next.
[[gnu::always_inline]] inline Key Operations::KeyAt(Share& share, uint64_t index) const {
  const uint64_t number = subject_.has_random_keys ? share.data.RandomKey(index) : share.data.SequentialKey(index);
  return {number, share.data.key()};
}

[[gnu::always_inline]] inline Key Operations::AnyKey(Share& share, uint64_t i) const {
  const uint64_t rank = chooser_.Choose(i, records_ + share.inserted.count);
  if (rank >= records_) [[unlikely]]
    return KeyAt(share, share.inserted.first + (rank - records_));
  return KeyAt(share, subject_.IndexOf(rank));
}

[[gnu::always_inline]] inline absl::Status Operations::Write(Share& share, const Key& key) {
  share.bytes += key.bytes.size() + options_.data.value_bytes;
  return engine_.Put(key, share.data.ValueOf(key.number, subject_.round));
}

[[gnu::always_inline]] inline absl::Status Operations::Read(Share& share, const Key& key) {
  if (!engine_.Get(key, &share.value)) return absl::DataLossError("a key that was written wasn't found");
  if (!share.data.IsValueOf(key.number, subject_.last_round(), share.value))
    return absl::DataLossError("a wrong value was read");
  share.bytes += key.bytes.size() + share.value.size();
  return absl::OkStatus();
}

absl::Status Operations::Scan(Share& share, const Key& from, uint64_t count) {
  const uint64_t seen = engine_.Scan(from, count, false, &share.sum);
  if (seen == 0 && count > 0 && subject_.is_complete) {
    return absl::DataLossError("a scan from a key that was written found nothing");
  }
  share.bytes += seen * (from.bytes.size() + options_.data.value_bytes);
  return absl::OkStatus();
}

absl::Status Operations::Fill(Share& share, uint64_t i) { return Write(share, KeyAt(share, i)); }
absl::Status Operations::Overwrite(Share& share, uint64_t i) { return Write(share, AnyKey(share, i)); }
absl::Status Operations::ReadRandom(Share& share, uint64_t i) { return Read(share, AnyKey(share, i)); }

absl::Status Operations::ReadMissing(Share& share, uint64_t i) {
  // Beyond all indexes that were filled; the random order is a bijection, so these are other keys.
  const Key key = KeyAt(share, subject_.EndOfIndexes() + i);
  if (engine_.Get(key, &share.value)) return absl::DataLossError("a key was found that was never written");
  share.bytes += key.bytes.size();
  return absl::OkStatus();
}

absl::Status Operations::SeekRandom(Share& share, uint64_t i) {
  return Scan(share, AnyKey(share, i), options_.seek_nexts);
}

absl::Status Operations::DeleteRandom(Share& share, uint64_t i) {
  const Key key = AnyKey(share, i);
  share.bytes += key.bytes.size();
  absl::Status status = engine_.Delete(key);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;  // some are gone already
}

// Nine of ten, each once.
absl::Status Operations::DeleteMost(Share& share, uint64_t i) {
  if (i % 10 == 0) return absl::OkStatus();
  const Key key = KeyAt(share, i);
  share.bytes += key.bytes.size();
  absl::Status status = engine_.Delete(key);
  return absl::IsNotFound(status) ? absl::DataLossError("a key that was to be deleted wasn't found") : status;
}

absl::Status Operations::AddHot(Share& share, uint64_t) {
  share.bytes += 2 * sizeof(uint64_t);
  return engine_.Increment({~uint64_t{0}, kHotKey});
}

absl::Status Operations::AddCold(Share& share, uint64_t i) {
  share.bytes += 2 * sizeof(uint64_t);
  return engine_.Increment(AnyKey(share, i));
}

absl::Status Operations::TouchSnapshot(Share&, uint64_t) { return engine_.TouchSnapshot(); }

absl::Status Operations::WriteBatch(Share& share, uint64_t i) {
  const uint64_t end = std::min((i + 1) * options_.batch_size, options_.num);
  for (uint64_t at = i * options_.batch_size; at < end; ++at) {
    const Key key = is_fill_ ? KeyAt(share, at) : AnyKey(share, at);
    share.bytes += key.bytes.size() + options_.data.value_bytes;
    share.batch->Put(key, share.data.ValueOf(key.number, subject_.round));
  }
  return share.batch->Write();
}

absl::Status Operations::Mix(Share& share, uint64_t i) {
  const uint64_t random = Scatter(~(i + order_));
  double at = UnitInterval(random);
  if (at < mix_.reads) return Read(share, AnyKey(share, i));
  if ((at -= mix_.reads) < mix_.updates) return Overwrite(share, i);
  if ((at -= mix_.updates) < mix_.inserts) {
    const absl::Status status = Write(share, KeyAt(share, share.inserted.first + share.inserted.count));
    if (status.ok()) share.inserted.count += 1;
    return status;
  }
  if ((at -= mix_.inserts) < mix_.scans) return Scan(share, AnyKey(share, i), 1 + Scatter(random) % mix_.most_scanned);
  // What YCSB calls a read-modify-write: a read, then a write of the same record.
  const Key key = AnyKey(share, i);
  if (absl::Status status = Read(share, key); !status.ok()) return status;
  return Write(share, key);
}

absl::Status Operations::CheckHotKey(uint64_t adds) const {
  std::string value;
  uint64_t counter = 0;
  if (engine_.Get({~uint64_t{0}, kHotKey}, &value) && value.size() == sizeof(counter)) {
    std::memcpy(&counter, value.data(), sizeof(counter));
  }
  if (counter == adds) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(adds, " additions of 1 to a key made ", counter));
}

}  // namespace sealkv::bench
