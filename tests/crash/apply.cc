// Operations as the contract has them, and as the store does.
#include <algorithm>
#include <chrono>
#include <memory>
#include <tuple>
#include <type_traits>

#include "absl/status/statusor.h"
#include "tests/crash/operation.h"

namespace sealkv::crash {
namespace {

using absl::StatusCode;
using testing::Model;
using testing::WordOf;
using testing::WordValue;

Contents ContentsOf(const Model& model) { return {model.begin(), model.end()}; }

// What an Update makes of a value. Where it can't be a word it stays short.
Value Updated(const Value& value, const Operation& operation) {
  constexpr size_t kMostBytes = 40;
  if (operation.number == 1) return std::nullopt;
  if (!value.has_value()) return operation.value;
  std::string longer = *value + operation.value;
  if (longer.size() > kMostBytes) longer.resize(sizeof(uint64_t));
  return longer;
}

// An operation of one key.
Answer ApplyToValue(Value& value, const Operation& operation) {
  const bool is_word = value.has_value() && value->size() == sizeof(uint64_t);
  switch (operation.action) {
    case Action::kPut:
      value = operation.value;
      return {};
    case Action::kPutUntil:
      value = operation.number == kLongAgo ? std::nullopt : Value(operation.value);
      return {};
    case Action::kPutIfAbsent:
      if (value.has_value()) return {StatusCode::kAlreadyExists};
      value = operation.value;
      return {};
    case Action::kDelete:
      if (!value.has_value()) return {StatusCode::kNotFound};
      value.reset();
      return {};
    case Action::kAdd:
      if (value.has_value() && !is_word) return {StatusCode::kFailedPrecondition};
      value = WordValue((is_word ? WordOf(*value) : 0) + operation.number);
      return {StatusCode::kOk, value};
    case Action::kCompareAndSwap: {
      if (!value.has_value()) return {StatusCode::kNotFound};
      if (!is_word) return {StatusCode::kFailedPrecondition};
      const Answer answer{StatusCode::kOk, value};
      if (value == operation.value) value = WordValue(operation.number);
      return answer;
    }
    case Action::kUpdate:
      value = Updated(value, operation);
      return {};
    default:  // kGet, kPin
      if (!value.has_value()) return {StatusCode::kNotFound};
      return {StatusCode::kOk, value};
  }
}

// A batch fails as a whole, and its deletions of keys that aren't there don't. A transaction too; but it has its reads'
// answers, and its deletions have none.
Answer ApplyTogether(Model& model, const Operation& operation) {
  Model changed = model;
  Answer answer;
  for (size_t i = 0; i < operation.parts.size(); ++i) {
    const Operation& part = operation.parts[i];
    Answer one = ApplyTo(changed, part);
    if (part.action == Action::kDelete) one = {};
    if (one.code == StatusCode::kFailedPrecondition) {
      // In a batch an addition that a later part makes void isn't looked at.
      const bool is_void =
          operation.action != Action::kTransact &&
          std::any_of(operation.parts.begin() + static_cast<ptrdiff_t>(i) + 1, operation.parts.end(),
                      [&](const Operation& later) { return later.key == part.key && later.action != Action::kAdd; });
      if (!is_void) return one;
    }
    if (operation.action == Action::kTransact) answer.parts.push_back(std::move(one));
  }
  model = std::move(changed);
  return answer;
}

template <typename T>
Answer AnswerOf(const absl::StatusOr<T>& got) {
  if (!got.ok()) return {got.status().code()};
  if constexpr (std::is_same_v<T, uint64_t>) {
    return {StatusCode::kOk, WordValue(*got)};
  } else {
    return {StatusCode::kOk, *got};
  }
}

using InBetween = std::function<void()>;

std::chrono::sys_seconds ExpiryOf(const Operation& operation) {
  return std::chrono::sys_seconds(std::chrono::seconds(operation.number));
}

Answer ScanOf(std::unique_ptr<Iterator> iterator, const InBetween& in_between) {
  Answer answer;
  answer.code = ReadAll(*iterator, &answer.contents, in_between).code();
  return answer;
}

Answer WriteBatchTo(Store& store, const Operation& operation) {
  WriteBatch batch;
  for (const Operation& part : operation.parts) {
    if (part.action == Action::kPut) batch.Put(part.key, part.value);
    if (part.action == Action::kPutUntil) batch.PutUntil(part.key, part.value, ExpiryOf(part));
    if (part.action == Action::kDelete) batch.Delete(part.key);
    if (part.action == Action::kAdd) batch.Add(part.key, part.number);
  }
  return {store.Write(batch).code()};
}

Answer ApplyTo(Transaction& transaction, const Operation& part, const InBetween& in_between) {
  switch (part.action) {
    case Action::kPut:
      return {transaction.Put(part.key, part.value).code()};
    case Action::kPutUntil:
      return {transaction.PutUntil(part.key, part.value, ExpiryOf(part)).code()};
    case Action::kDelete:
      return {transaction.Delete(part.key).code()};
    case Action::kAdd:
      return AnswerOf(transaction.Add(part.key, part.number));
    case Action::kGet:
      return AnswerOf(transaction.Get(part.key));
    default:
      return ScanOf(transaction.NewIterator(), in_between);
  }
}

// The answers of the attempt that was committed, or failed for good.
Answer TransactIn(Store& store, const Operation& operation, const InBetween& in_between) {
  Answer answer;
  const absl::Status status = store.Transact([&](Transaction& transaction) {
    answer.parts.clear();
    for (const Operation& part : operation.parts) {
      Answer one = ApplyTo(transaction, part, in_between);
      if (one.code == StatusCode::kFailedPrecondition) return absl::FailedPreconditionError("in the transaction");
      answer.parts.push_back(std::move(one));
      in_between();
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return {status.code()};
  return answer;
}

Answer BulkLoadInto(Store& store, const Operation& operation, const InBetween& in_between) {
  auto part = operation.parts.begin();
  const absl::Status status = store.BulkLoad([&](std::string_view* key, std::string_view* value) {
    in_between();
    if (part == operation.parts.end()) return false;
    *key = part->key;
    *value = part->value;
    ++part;
    return true;
  });
  return {status.code()};
}

Answer UpdateIn(Store& store, const Operation& operation, const InBetween& in_between) {
  const auto update = [&](std::optional<std::string_view> value) -> std::optional<std::string> {
    in_between();
    return Updated(value.has_value() ? Value(*value) : std::nullopt, operation);
  };
  return {store.Update(operation.key, update).code()};
}

}  // namespace

Answer ApplyTo(Model& model, const Operation& operation) {
  switch (operation.action) {
    case Action::kWrite:
    case Action::kTransact:
      return ApplyTogether(model, operation);
    case Action::kDeleteRange:
      if (operation.key < operation.value) {
        model.erase(model.lower_bound(operation.key), model.lower_bound(operation.value));
      }
      return {};
    case Action::kBulkLoad:
      if (!model.empty()) return {StatusCode::kFailedPrecondition};
      return ApplyTogether(model, operation);
    case Action::kScan:
    case Action::kOpenSnapshot:
    case Action::kOpenIterator:
      return {StatusCode::kOk, {}, ContentsOf(model)};
    case Action::kCompact:
    case Action::kGrow:
    case Action::kShrink:
    case Action::kClose:
      return {};
    default:
      break;
  }
  const auto found = model.find(operation.key);
  Value value = found == model.end() ? std::nullopt : Value(found->second);
  Answer answer = ApplyToValue(value, operation);
  if (!value.has_value()) {
    if (found != model.end()) model.erase(found);
  } else if (found == model.end()) {
    model.emplace(operation.key, *std::move(value));
  } else {
    found->second = *std::move(value);
  }
  return answer;
}

Answer ApplyTo(Store& store, const Operation& operation, const std::function<void()>& in_between) {
  switch (operation.action) {
    case Action::kPut:
      return {store.Put(operation.key, operation.value).code()};
    case Action::kPutUntil:
      return {store.PutUntil(operation.key, operation.value, ExpiryOf(operation)).code()};
    case Action::kPutIfAbsent:
      return {store.PutIfAbsent(operation.key, operation.value).code()};
    case Action::kDelete:
      return {store.Delete(operation.key).code()};
    case Action::kAdd:
      return AnswerOf(store.Add(operation.key, operation.number));
    case Action::kCompareAndSwap:
      return AnswerOf(store.CompareAndSwap(operation.key, WordOf(operation.value), operation.number));
    case Action::kUpdate:
      return UpdateIn(store, operation, in_between);
    case Action::kGet:
      return AnswerOf(store.Get(operation.key));
    case Action::kWrite:
      return WriteBatchTo(store, operation);
    case Action::kTransact:
      return TransactIn(store, operation, in_between);
    case Action::kDeleteRange:
      return {store.DeleteRange({.lower = operation.key, .upper = operation.value}).code()};
    case Action::kBulkLoad:
      return BulkLoadInto(store, operation, in_between);
    case Action::kScan:
      return ScanOf(store.NewIterator(), in_between);
    case Action::kCompact:
      return {store.Compact().code()};
    case Action::kShrink: {
      const absl::Status status = store.Shrink();
      // What can't be moved stays.
      return {absl::IsFailedPrecondition(status) ? StatusCode::kOk : status.code()};
    }
    case Action::kGrow: {
      const absl::Status status = store.Grow();
      // That it is as large as it may become is as good.
      return {absl::IsResourceExhausted(status) ? StatusCode::kOk : status.code()};
    }
    default:
      return {StatusCode::kUnimplemented};
  }
}

}  // namespace sealkv::crash
