#include "tests/crash/operation.h"

namespace sealkv::crash {
namespace {

using absl::StatusCode;
using testing::WordOf;
using testing::WordValue;

template <typename T>
Answer AnswerOf(const absl::StatusOr<T>& got) {
  if (!got.ok()) return {got.status().code(), std::nullopt};
  if constexpr (std::is_same_v<T, uint64_t>) {
    return {StatusCode::kOk, WordValue(*got)};
  } else {
    return {StatusCode::kOk, *got};
  }
}

}  // namespace

std::string Describe(const Operation& operation) {
  const std::string key = " \"" + testing::Printable(operation.key) + "\"";
  const std::string bytes = " (" + std::to_string(operation.value.size()) + " bytes)";
  switch (operation.action) {
    case Action::kFormat:
      return "Format";
    case Action::kReopen:
      return "Reopen";
    case Action::kRecover:
      return "Recover";
    case Action::kPut:
      return "Put" + key + bytes;
    case Action::kPutIfAbsent:
      return "PutIfAbsent" + key + bytes;
    case Action::kDelete:
      return "Delete" + key;
    case Action::kAdd:
      return "Add" + key + " " + std::to_string(operation.number);
    case Action::kCompareAndSwap:
      return "CompareAndSwap" + key + " " + std::to_string(WordOf(operation.value)) + " -> " +
             std::to_string(operation.number);
    case Action::kGet:
      return "Get" + key;
    case Action::kScan:
      return "Scan";
  }
  return "?";
}

Answer ApplyTo(Value& value, const Operation& operation) {
  const bool is_word = value.has_value() && value->size() == sizeof(uint64_t);
  switch (operation.action) {
    case Action::kPut:
      value = operation.value;
      return {};
    case Action::kPutIfAbsent:
      if (value.has_value()) return {StatusCode::kAlreadyExists, std::nullopt};
      value = operation.value;
      return {};
    case Action::kDelete:
      if (!value.has_value()) return {StatusCode::kNotFound, std::nullopt};
      value.reset();
      return {};
    case Action::kAdd:
      if (value.has_value() && !is_word) return {StatusCode::kFailedPrecondition, std::nullopt};
      value = WordValue((is_word ? WordOf(*value) : 0) + operation.number);
      return {StatusCode::kOk, value};
    case Action::kCompareAndSwap: {
      if (!value.has_value()) return {StatusCode::kNotFound, std::nullopt};
      if (!is_word) return {StatusCode::kFailedPrecondition, std::nullopt};
      const Answer answer{StatusCode::kOk, value};
      if (value == operation.value) value = WordValue(operation.number);
      return answer;
    }
    case Action::kGet:
      if (!value.has_value()) return {StatusCode::kNotFound, std::nullopt};
      return {StatusCode::kOk, value};
    case Action::kFormat:
    case Action::kReopen:
    case Action::kRecover:
    case Action::kScan:
      break;
  }
  return {};
}

Answer ApplyTo(Store& store, const Operation& operation) {
  switch (operation.action) {
    case Action::kPut:
      return {store.Put(operation.key, operation.value).code(), std::nullopt};
    case Action::kPutIfAbsent:
      return {store.PutIfAbsent(operation.key, operation.value).code(), std::nullopt};
    case Action::kDelete:
      return {store.Delete(operation.key).code(), std::nullopt};
    case Action::kAdd:
      return AnswerOf(store.Add(operation.key, operation.number));
    case Action::kCompareAndSwap:
      return AnswerOf(store.CompareAndSwap(operation.key, WordOf(operation.value), operation.number));
    case Action::kGet:
      return AnswerOf(store.Get(operation.key));
    case Action::kFormat:
    case Action::kReopen:
    case Action::kRecover:
    case Action::kScan:
      break;
  }
  return {};
}

}  // namespace sealkv::crash
