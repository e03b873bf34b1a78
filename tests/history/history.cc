#include "tests/history/history.h"

#include <algorithm>
#include <cctype>

namespace sealkv::history {
namespace {

std::string Bytes(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes.substr(0, 24)) {
    const auto code = static_cast<unsigned char>(byte);
    if (std::isprint(code) != 0) {
      text += byte;
    } else {
      text += {'\\', kHex[code >> 4], kHex[code & 15]};
    }
  }
  return bytes.size() > 24 ? text + "…" : text;
}

std::string RangeText(const Step& step) {
  return "[" + Bytes(step.key) + ", " + (step.upper.has_value() ? Bytes(*step.upper) : "end") + ")";
}

std::string Presence(const Step& step) {
  if (!step.was_there.has_value()) return "";
  return *step.was_there ? " (was there)" : " (wasn't there)";
}

std::string ScanText(const Step& step) {
  std::string text = (step.is_reverse ? "ScanBackward " : "Scan ") + RangeText(step) + " -> {";
  for (const Row& row : step.rows) text += " " + Bytes(row.first) + "=" + Describe(Value(row.second));
  return text + " }";
}

}  // namespace

bool MayWrite(const Step& step) {
  switch (step.action) {
    case Action::kGet:
    case Action::kScan:
      return false;
    case Action::kPutIfAbsent:
      return step.was_there != true;
    case Action::kCompareAndSwap:
      return step.seen == step.expected;
    case Action::kDelete:
      return step.was_there != false;
    case Action::kPut:
    case Action::kAdd:
    case Action::kUpdate:
    case Action::kDeleteRange:
      return true;
  }
  return true;
}

bool IsReadOnly(const Transaction& transaction) {
  return std::none_of(transaction.steps.begin(), transaction.steps.end(), MayWrite);
}

Interval IntervalOf(const Transaction& transaction) {
  const Time last = transaction.outcome == Outcome::kUnknown ? kNever : transaction.end;
  return {IsReadOnly(transaction) ? transaction.begin : transaction.commit, last};
}

std::string Describe(const Value& value) {
  if (!value.has_value()) return "absent";
  // A short word reads better as a number.
  if (value->size() == sizeof(uint64_t) && value->find('\0') != std::string::npos)
    return std::to_string(WordOf(*value));
  return Bytes(*value);
}

std::string Describe(const Step& step) {
  const std::string key = " " + Bytes(step.key);
  switch (step.action) {
    case Action::kGet:
      return "Get" + key + " -> " + Describe(step.seen);
    case Action::kPut:
      return "Put" + key + " = " + Describe(step.value);
    case Action::kPutIfAbsent:
      return "PutIfAbsent" + key + " = " + Describe(step.value) + Presence(step);
    case Action::kDelete:
      return "Delete" + key + Presence(step);
    case Action::kAdd:
      return "Add" + key + " + " + std::to_string(step.delta) +
             (step.seen.has_value() ? " -> " + Describe(step.seen) : "");
    case Action::kCompareAndSwap:
      return "CompareAndSwap" + key + " " + Describe(step.expected) + " => " + Describe(step.value) + " -> " +
             Describe(step.seen);
    case Action::kUpdate:
      return "Update" + key + " " + Describe(step.seen) + " => " + Describe(step.value);
    case Action::kScan:
      return ScanText(step);
    case Action::kDeleteRange:
      return "DeleteRange " + RangeText(step);
  }
  return "?";
}

std::string Describe(const Transaction& transaction) {
  static constexpr const char* kKinds[] = {"operation", "batch", "snapshot", "transaction"};
  static constexpr const char* kOutcomes[] = {"", " ABORTED", " UNKNOWN"};
  std::string text = "thread " + std::to_string(transaction.thread) + " " +
                     kKinds[static_cast<size_t>(transaction.kind)] +
                     kOutcomes[static_cast<size_t>(transaction.outcome)] + " @" + std::to_string(transaction.begin);
  if (transaction.commit != transaction.begin) text += ".." + std::to_string(transaction.commit);
  text += ".." + (transaction.end == kNever ? "never" : std::to_string(transaction.end)) + ":";
  for (const Step& step : transaction.steps) text += " " + Describe(step) + ";";
  return text;
}

std::string Describe(const History& history) {
  std::string text;
  for (const auto& [key, value] : history.initial)
    text += "initially " + Bytes(key) + "=" + Describe(Value(value)) + "\n";
  for (const Transaction& transaction : history.transactions) text += Describe(transaction) + "\n";
  return text;
}

}  // namespace sealkv::history
