#include "tests/kill/oracle.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "daxfile/dax_file.h"
#include "kv/check.h"
#include "kv/recovery.h"
#include "tests/check_clean.h"

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

void Oracle::Apply(const Operation& operation) {
  const auto found = model_.find(operation.key);
  std::optional<std::string> before;
  if (found != model_.end()) before = std::move(found->second);
  std::optional<std::string> after = After(operation, before);
  if (found == model_.end()) {
    if (after.has_value()) model_.emplace(operation.key, *std::move(after));
  } else if (after.has_value()) {
    found->second = *std::move(after);
  } else {
    model_.erase(found);
  }
}

std::string Oracle::Settle(const Store& store) {
  for (const InFlight& in_flight : in_flight_) {
    if (in_flight.operation.counter.has_value()) continue;
    if (std::string complaint = SettleOwnKey(store, in_flight); !complaint.empty()) return complaint;
  }
  for (size_t counter = 0; counter < kCounters.size(); ++counter) {
    if (std::string complaint = SettleCounter(store, counter); !complaint.empty()) return complaint;
  }
  return "";
}

std::string Oracle::SettleOwnKey(const Store& store, const InFlight& in_flight) {
  const Operation& operation = in_flight.operation;
  const absl::StatusOr<std::optional<std::string>> value = Find(store, operation.key);
  if (!value.ok()) return absl::StrCat(Printable(operation.key), ": ", value.status().ToString());
  const auto found = model_.find(operation.key);
  const std::optional<std::string> before =
      found == model_.end() ? std::nullopt : std::optional<std::string>(found->second);
  const std::optional<std::string> after = After(operation, before);
  if (*value != before && *value != after) {
    return absl::StrCat("in flight, operation ", in_flight.number, " of writer ", in_flight.writer, " (",
                        Describe(operation), "): found ", Show(*value), ", allowed is ", Show(before), " or ",
                        Show(after));
  }
  if (before == after) return "";
  ++tally_.in_flight;
  if (*value == before) return "";
  ++tally_.in_flight_there;
  Apply(operation);
  return "";
}

// Of those in flight any may have been added. Which can be seen by the sum.
std::string Oracle::SettleCounter(const Store& store, size_t counter) {
  std::vector<const Operation*> adds;
  for (const InFlight& in_flight : in_flight_) {
    if (in_flight.operation.counter == counter) adds.push_back(&in_flight.operation);
  }
  const absl::StatusOr<std::optional<std::string>> value = Find(store, kCounters[counter]);
  if (!value.ok()) return absl::StrCat(Printable(kCounters[counter]), ": ", value.status().ToString());
  if (value->has_value() && (*value)->size() != sizeof(uint64_t))
    return absl::StrCat(Printable(kCounters[counter]), " torn");
  const auto found = model_.find(kCounters[counter]);
  const uint64_t acknowledged = found == model_.end() ? 0 : WordOf(found->second);
  const uint64_t sum = value->has_value() ? WordOf(**value) : 0;
  for (uint64_t subset = 0; subset < uint64_t{1} << adds.size(); ++subset) {
    uint64_t expected = acknowledged;
    for (size_t i = 0; i < adds.size(); ++i) expected += (subset >> i & 1) * adds[i]->word;
    if (expected != sum) continue;
    tally_.in_flight += adds.size();
    for (size_t i = 0; i < adds.size(); ++i) {
      if ((subset >> i & 1) == 0) continue;
      ++tally_.in_flight_there;
      Apply(*adds[i]);
    }
    return "";
  }
  return absl::StrCat(Printable(kCounters[counter]), " is ", sum, ": acknowledged were ", acknowledged,
                      ", and none of the ", adds.size(), " additions in flight explain the difference");
}

std::string Oracle::CompareWithModel(const Store& store, const Journal& journal) const {
  if (std::string complaint = Complaint(testing::ScansAs(store, model_)); !complaint.empty()) return complaint;
  if (std::string complaint = Complaint(testing::GetsAs(store, model_)); !complaint.empty()) return complaint;
  for (const Script& script : scripts_) {
    for (const std::string& key : script.keys()) {
      const absl::StatusOr<bool> exists = store.Exists(key);
      if (!exists.ok()) return absl::StrCat(Printable(key), ": ", exists.status().ToString());
      if (*exists != model_.contains(key)) return absl::StrCat("get and scan disagree about ", Printable(key));
    }
  }
  for (size_t counter = 0; counter < kCounters.size(); ++counter) {
    const auto found = model_.find(kCounters[counter]);
    const uint64_t sum = found == model_.end() ? 0 : WordOf(found->second);
    if (const uint64_t shown = journal.shown[counter]; sum < shown)
      return absl::StrCat(Printable(kCounters[counter]), " is ", sum, ", but a reader was shown ", shown);
  }
  return "";
}

std::string Oracle::FindLeak(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::StrCat(path, ": can't be read");
  const auto bytes = static_cast<size_t>(lseek(fd, 0, SEEK_END));
  void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  close(fd);
  if (at == MAP_FAILED) return absl::StrCat(path, ": can't be mapped");
  const absl::Cleanup unmap = [&] { munmap(at, bytes); };
  const std::span<std::byte> copy(static_cast<std::byte*>(at), bytes);
  if (std::string complaint = Complaint(testing::IsClean(copy)); !complaint.empty()) return complaint;

  const absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(daxfile::DaxFile::OverMemory(copy));
  if (!store.ok()) return store.status().ToString();
  if (const absl::Status status = (*store)->WaitUntilSpaceIsKnown(); !status.ok()) return status.ToString();
  const internal::CheckReport report = internal::Check(internal::Image(copy.data()), {.verify_checksums = false});
  const Stats stats = (*store)->GetStats();
  tally_.most_segments = std::max(tally_.most_segments, stats.segments_total - stats.segments_free);
  if (report.keys != model_.size()) return absl::StrCat("the checker counts ", report.keys, " keys");
  return CompareSpace(stats, report);
}

}  // namespace sealkv::kill
