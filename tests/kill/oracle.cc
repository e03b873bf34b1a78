#include "tests/kill/oracle.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "daxfile/dax_file.h"
#include "kv/check.h"
#include "kv/lanes.h"
#include "kv/recovery.h"
#include "tests/check_clean.h"
#include "tests/log_check.h"

namespace sealkv::kill {
namespace {

using testing::Printable;
using testing::WordOf;

std::string Complaint(const ::testing::AssertionResult& result) { return result ? "" : result.message(); }

std::string Show(const std::optional<std::string>& value) { return value.has_value() ? Printable(*value) : "nothing"; }

absl::StatusOr<std::optional<std::string>> Find(const Store& store, std::string_view key) {
  absl::StatusOr<std::string> value = store.Get(key);
  if (absl::IsNotFound(value.status())) return std::nullopt;
  if (!value.ok()) return value.status();
  return std::optional<std::string>(*std::move(value));
}

// What the store counts as used against what the checker reaches.
std::string CompareSpace(const Stats& stats, const internal::CheckReport& report) {
  const auto differs = [](const char* what, uint64_t counted, uint64_t reached) {
    return counted == reached
               ? ""
               : absl::StrCat(what, " leaked or lost: the store counts ", counted, ", ", reached, " can be reached");
  };
  using internal::SegmentKind;
  const auto in_table = [&](SegmentKind kind) { return report.segments_by_kind[static_cast<size_t>(kind)]; };
  for (std::string complaint : {differs("bytes of nodes", stats.node_bytes_used, report.nodes * internal::kNodeBytes),
                                differs("bytes of records", stats.record_bytes_used, report.record_bytes),
                                differs("segments of nodes", stats.segments_nodes, in_table(SegmentKind::kNodes)),
                                differs("segments of records", stats.segments_records, in_table(SegmentKind::kRecords)),
                                differs("free segments", stats.segments_free, in_table(SegmentKind::kFree)),
                                differs("segments without anything alive", report.segments_unreachable, 0)}) {
    if (!complaint.empty()) return complaint;
  }
  return "";
}

}  // namespace

Oracle::Oracle(uint64_t seed, unsigned writers) : applied_(writers) {
  for (unsigned i = 0; i < writers; ++i) scripts_.emplace_back(seed, i, writers);
}

std::string Oracle::Judge(SharedJournal& journal) {
  const std::string path = journal->life.store_path.data();
  if (std::string complaint = CatchUp(*journal); !complaint.empty()) return complaint;
  {
    const absl::StatusOr<std::unique_ptr<Store>> store =
        Store::Open(path, {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true});
    if (!store.ok()) return store.status().ToString();
    if (std::string complaint = Settle(**store); !complaint.empty()) return complaint;
    if (std::string complaint = CompareWithModel(**store, *journal); !complaint.empty()) return complaint;
  }
  return FindLeak(path);
}

std::string Oracle::CatchUp(Journal& journal) {
  in_flight_.clear();
  uint64_t ended_in_life = 0;
  for (unsigned writer = 0; writer < scripts_.size(); ++writer) {
    WriterNotes& notes = journal.writers[writer];
    const uint64_t begun = notes.begun;
    const uint64_t ended = notes.ended;
    // Those in flight in an earlier life were never ended: `ended` may stand before what is applied.
    if (begun < applied_[writer] || begun > std::max(ended, applied_[writer]) + 1)
      return absl::StrCat("writer ", writer, " noted nonsense: begun ", begun, ", ended ", ended);
    tally_.operations += begun - applied_[writer];
    for (; applied_[writer] < begun; ++applied_[writer]) {
      const uint64_t number = applied_[writer];
      Operation operation = scripts_[writer].At(number);
      const bool found_no_space = notes.FoundNoSpace(number);
      if (found_no_space) {
        notes.ForgetNoSpace(number);
        ++tally_.no_space;
      } else if (number < ended) {
        Apply(operation);
      } else {
        in_flight_.push_back({writer, number, std::move(operation)});
      }
      ended_in_life += number < ended;
    }
  }
  if (!journal.is_open) {
    ++tally_.before_open;
  } else {
    tally_.before_end += ended_in_life == 0;
    tally_.during_pass += journal.life.waits_for_pass && !journal.pass_is_through;
  }
  return "";
}

std::optional<std::string> Oracle::InModel(std::string_view key) const {
  const auto found = model_.find(key);
  return found == model_.end() ? std::nullopt : std::optional<std::string>(found->second);
}

void Oracle::Apply(const Operation& operation) {
  for (const std::string_view key : operation.keys) {
    std::optional<std::string> after = After(operation, InModel(key));
    if (after.has_value()) {
      model_[std::string(key)] = *std::move(after);
    } else if (const auto found = model_.find(key); found != model_.end()) {
      model_.erase(found);
    }
  }
}

void Oracle::NoteInFlight(const Operation& operation, bool is_there) {
  const bool is_together = operation.together != Operation::Together::kNo;
  ++tally_.in_flight;
  tally_.in_flight_there += is_there;
  tally_.together_in_flight += is_together;
  tally_.together_there += is_together && is_there;
}

std::string Oracle::Settle(const Store& store) {
  for (const InFlight& in_flight : in_flight_) {
    if (!in_flight.operation.is_of_own_keys()) continue;
    if (std::string complaint = SettleOwnKeys(store, in_flight); !complaint.empty()) return complaint;
  }
  for (size_t counter = 0; counter < kCounters.size(); ++counter) {
    if (std::string complaint = SettleCounter(store, counter); !complaint.empty()) return complaint;
  }
  return SettleTwins(store);
}

// All of its keys are as before, or all as they were to be.
std::string Oracle::SettleOwnKeys(const Store& store, const InFlight& in_flight) {
  const Operation& operation = in_flight.operation;
  bool may_be_there = true, may_be_missing = true;
  for (const std::string_view key : operation.keys) {
    const absl::StatusOr<std::optional<std::string>> value = Find(store, key);
    if (!value.ok()) return absl::StrCat(Printable(key), ": ", value.status().ToString());
    const std::optional<std::string> before = InModel(key);
    const std::optional<std::string> after = After(operation, before);
    may_be_there &= *value == after;
    may_be_missing &= *value == before;
    if (may_be_there || may_be_missing) continue;
    return absl::StrCat("in flight, operation ", in_flight.number, " of writer ", in_flight.writer, " (",
                        Describe(operation), "): found ", Printable(key), " with ", Show(*value), ", allowed is ",
                        Show(before), " or ", Show(after), operation.keys.size() > 1 ? ", for all keys alike" : "");
  }
  if (may_be_there && may_be_missing) return "";
  NoteInFlight(operation, may_be_there);
  if (may_be_there) Apply(operation);
  return "";
}

std::string Oracle::SettleCounter(const Store& store, size_t counter) {
  std::vector<const Operation*> adds;
  for (const InFlight& in_flight : in_flight_) {
    if (in_flight.operation.counter == counter) adds.push_back(&in_flight.operation);
  }
  return SettleSum(store, kCounters[counter], adds);
}

// The sum of the first says what was added; the others must say the same, as the model then does.
std::string Oracle::SettleTwins(const Store& store) {
  std::vector<const Operation*> adds;
  for (const InFlight& in_flight : in_flight_) {
    if (in_flight.operation.is_of_twins) adds.push_back(&in_flight.operation);
  }
  if (std::string complaint = SettleSum(store, kTwins[0], adds); !complaint.empty()) return complaint;
  for (const std::string_view twin : kTwins) {
    const absl::StatusOr<std::optional<std::string>> value = Find(store, twin);
    if (!value.ok()) return absl::StrCat(Printable(twin), ": ", value.status().ToString());
    if (*value == InModel(kTwins[0])) continue;
    return absl::StrCat("twins disagree: ", Printable(twin), " is ", Show(*value), ", and ", Printable(kTwins[0]), " ",
                        Show(InModel(kTwins[0])));
  }
  return "";
}

// Of those in flight any may have been added. Which can be seen by the sum.
std::string Oracle::SettleSum(const Store& store, std::string_view key, const std::vector<const Operation*>& adds) {
  const absl::StatusOr<std::optional<std::string>> value = Find(store, key);
  if (!value.ok()) return absl::StrCat(Printable(key), ": ", value.status().ToString());
  if (value->has_value() && (*value)->size() != sizeof(uint64_t)) return absl::StrCat(Printable(key), " torn");
  const std::optional<std::string> in_model = InModel(key);
  const uint64_t acknowledged = in_model.has_value() ? WordOf(*in_model) : 0;
  const uint64_t sum = value->has_value() ? WordOf(**value) : 0;
  for (uint64_t subset = 0; subset < uint64_t{1} << adds.size(); ++subset) {
    uint64_t expected = acknowledged;
    for (size_t i = 0; i < adds.size(); ++i) expected += (subset >> i & 1) * adds[i]->word;
    if (expected != sum) continue;
    for (size_t i = 0; i < adds.size(); ++i) {
      const bool is_there = (subset >> i & 1) != 0;
      NoteInFlight(*adds[i], is_there);
      if (is_there) Apply(*adds[i]);
    }
    return "";
  }
  return absl::StrCat(Printable(key), " is ", sum, ": acknowledged were ", acknowledged, ", and none of the ",
                      adds.size(), " additions in flight explain the difference");
}

std::string Oracle::CompareWithModel(const Store& store, const Journal& journal) const {
  if (std::string complaint = Complaint(testing::ScansAs(store, model_)); !complaint.empty()) return complaint;
  if (std::string complaint = Complaint(testing::GetsAs(store, model_)); !complaint.empty()) return complaint;
  for (const Script& script : scripts_) {
    for (const std::vector<std::string>* keys : {&script.keys(), &script.group()}) {
      for (const std::string& key : *keys) {
        const absl::StatusOr<bool> exists = store.Exists(key);
        if (!exists.ok()) return absl::StrCat(Printable(key), ": ", exists.status().ToString());
        if (*exists != model_.contains(key)) return absl::StrCat("get and scan disagree about ", Printable(key));
      }
    }
  }
  return CompareSums(journal);
}

// What a reader was shown is not taken back.
std::string Oracle::CompareSums(const Journal& journal) const {
  const auto compare = [&](std::string_view key, uint64_t shown) {
    const std::optional<std::string> in_model = InModel(key);
    const uint64_t sum = in_model.has_value() ? WordOf(*in_model) : 0;
    return sum >= shown ? "" : absl::StrCat(Printable(key), " is ", sum, ", but a reader was shown ", shown);
  };
  for (size_t counter = 0; counter < kCounters.size(); ++counter) {
    if (std::string complaint = compare(kCounters[counter], journal.shown[counter]); !complaint.empty())
      return complaint;
  }
  return compare(kTwins[0], journal.shown_by_twins);
}

std::string Oracle::FindLeak(const std::string& path) {
  // A copy of this process's own.
  absl::StatusOr<daxfile::DaxFile> file =
      daxfile::DaxFile::Open(path, {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true});
  if (!file.ok()) return file.status().ToString();
  if (absl::Status status = internal::MapParts(*file); !status.ok()) return status.ToString();
  if (absl::Status status = file->MakePrivate(); !status.ok()) return status.ToString();
  const std::span<std::byte> copy(file->data(), file->mapped_bytes());
  tally_.most_parts = std::max<uint64_t>(tally_.most_parts, file->parts());
  const uint64_t to_finish = internal::CommittedBatches(internal::Image(copy.data())).count();
  tally_.batches_to_finish += to_finish;
  // What opening the store finishes is no damage; what comes of it has to be as sound.
  if (to_finish == 0) {
    if (std::string complaint = Complaint(testing::IsClean(copy)); !complaint.empty()) return complaint;
  }
  const absl::StatusOr<std::unique_ptr<Store>> store =
      Store::Attach(daxfile::DaxFile::OverMemory(copy), Background::kNone);
  if (!store.ok()) return store.status().ToString();
  if (const absl::Status status = (*store)->WaitUntilSpaceIsKnown(); !status.ok()) return status.ToString();
  if (std::string complaint = Complaint(testing::IsClean(copy)); !complaint.empty()) return complaint;
  if (std::string complaint = testing::LogComplaint(**store); !complaint.empty()) return complaint;
  const internal::CheckReport report = internal::Check(internal::Image(copy.data()), {.verify_checksums = false});
  const Stats stats = (*store)->GetStats();
  tally_.most_segments = std::max(tally_.most_segments, stats.segments_total - stats.segments_free);
  if (report.keys != model_.size()) return absl::StrCat("the checker counts ", report.keys, " keys");
  return CompareSpace(stats, report);
}

}  // namespace sealkv::kill
