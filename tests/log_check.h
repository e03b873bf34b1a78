// Whether the log of a store says of its contents what is so.
#ifndef SEALKV_TESTS_LOG_CHECK_H_
#define SEALKV_TESTS_LOG_CHECK_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "kv/expiry.h"
#include "kv/sealkv.h"
#include "tests/model.h"

namespace sealkv::testing {

// Empty, or what is wrong: the entries don't follow one another; a key isn't what the last of them that names it made
// of it; or, if they are all there since the first, the store isn't what they make of an empty one. Nothing is wrong
// with a store that keeps no log.
inline std::string LogComplaint(const Store& store) {
  const LogStats stats = store.GetStats().log;
  if (stats.most_bytes == 0) return "";
  std::map<std::string, std::optional<std::string>, std::less<>> last;
  uint64_t number = stats.first_change - 1;
  const bool is_whole = number == 0;
  bool has_expiries = false;
  std::string complaint;
  const absl::Status status = store.ReadChanges(number, [&](const CommittedChange& change) {
    if (change.number != ++number) complaint = "the log goes on with " + std::to_string(change.number);
    if (change.operations.empty()) complaint = "an entry of the log that says nothing";
    for (const auto& [is_delete, key, value, expiry] : change.operations) {
      has_expiries |= expiry.has_value();
      auto& known = last[std::string(key)];
      if (is_delete && is_whole && !known.has_value() && !has_expiries) complaint = "the log deletes what isn't there";
      const bool is_over = internal::IsOver(internal::ExpiryOf(expiry));
      known = is_delete || is_over ? std::nullopt : std::optional<std::string>(value);
    }
    return complaint.empty();
  });
  if (!status.ok()) return "the log: " + status.ToString();
  if (!complaint.empty()) return complaint;
  if (number != stats.last_change) return "the log ends before its last entry";
  const std::unique_ptr<Iterator> at = store.NewIterator();
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    const auto found = last.find(at->key());
    if (found == last.end()) {
      if (is_whole) return "the log doesn't know " + Printable(at->key());
      continue;
    }
    if (found->second != at->value()) return "the log knows another value of " + Printable(at->key());
    last.erase(found);
  }
  for (const auto& [key, value] : last) {
    if (value.has_value()) return "the log knows " + Printable(key) + ", which isn't there";
  }
  return "";
}

}  // namespace sealkv::testing

#endif  // SEALKV_TESTS_LOG_CHECK_H_
