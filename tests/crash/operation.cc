#include "tests/crash/operation.h"

namespace sealkv::crash {

std::string Describe(const Operation& operation) {
  const std::string key = " \"" + testing::Printable(operation.key) + "\"";
  const std::string bytes = " (" + std::to_string(operation.value.size()) + " bytes)";
  const auto with_parts = [&](std::string text) {
    for (const Operation& part : operation.parts)
      text += (&part == operation.parts.data() ? " " : ", ") + Describe(part);
    return text + "}";
  };
  switch (operation.action) {
    case Action::kFormat:
      return "Format";
    case Action::kReopen:
      return "Reopen";
    case Action::kRecover:
      return "Recover";
    case Action::kPut:
      return "Put" + key + bytes;
    case Action::kPutUntil:
      return "PutUntil " + std::to_string(operation.number) + key + bytes;
    case Action::kPutIfAbsent:
      return "PutIfAbsent" + key + bytes;
    case Action::kDelete:
      return "Delete" + key;
    case Action::kAdd:
      return "Add" + key + " " + std::to_string(operation.number);
    case Action::kCompareAndSwap:
      return "CompareAndSwap" + key + " " + std::to_string(testing::WordOf(operation.value)) + " -> " +
             std::to_string(operation.number);
    case Action::kUpdate:
      return (operation.number == 1 ? "UpdateAway" : "Update") + key + bytes;
    case Action::kGet:
      return "Get" + key;
    case Action::kWrite:
      return with_parts("Batch {");
    case Action::kTransact:
      return with_parts("Transact {");
    case Action::kDeleteRange:
      return "DeleteRange" + key + " to \"" + testing::Printable(operation.value) + "\"";
    case Action::kBulkLoad:
      return with_parts("BulkLoad {");
    case Action::kScan:
      return "Scan";
    case Action::kCompact:
      return "Compact";
    case Action::kGrow:
      return "Grow";
    case Action::kShrink:
      return "Shrink";
    case Action::kOpenSnapshot:
      return "OpenSnapshot";
    case Action::kOpenIterator:
      return "OpenIterator";
    case Action::kClose:
      return "Close";
    case Action::kPin:
      return "Pin" + key;
  }
  return "?";
}

bool MayFindNoSpace(const Operation& operation, bool has_snapshots) {
  switch (operation.action) {
    case Action::kPut:
    case Action::kPutUntil:
    case Action::kPutIfAbsent:
    case Action::kAdd:
    case Action::kWrite:
    case Action::kTransact:
    case Action::kDeleteRange:
    case Action::kBulkLoad:
      return true;
    case Action::kUpdate:
      return operation.number != 1;
    case Action::kCompareAndSwap:
      return has_snapshots;
    default:
      return false;
  }
}

uint64_t BytesOf(const Operation& operation) {
  constexpr uint64_t kForEach = 64;  // of headers, and of the words that change
  uint64_t bytes = operation.key.size() + operation.value.size() + kForEach;
  for (const Operation& part : operation.parts) bytes += BytesOf(part);
  return bytes;
}

void AddKeysOf(const Operation& operation, std::set<std::string>* keys) {
  for (const Operation& part : operation.parts) AddKeysOf(part, keys);
  const bool has_key =
      (operation.action >= Action::kPut && operation.action <= Action::kGet) || operation.action == Action::kPin;
  if (has_key) keys->insert(operation.key);
}

absl::Status ReadAll(Iterator& iterator, Contents* contents, const std::function<void()>& in_between) {
  for (iterator.SeekToFirst(); iterator.Valid(); iterator.Next()) {
    in_between();
    contents->emplace_back(iterator.key(), iterator.value());
  }
  return iterator.status();
}

}  // namespace sealkv::crash
