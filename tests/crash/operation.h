// The operations that scripts are made of, and how one is applied to a store.
#ifndef SEALKV_TESTS_CRASH_OPERATION_H_
#define SEALKV_TESTS_CRASH_OPERATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "kv/sealkv.h"
#include "tests/model.h"

namespace sealkv::crash {

enum class Action : uint8_t {
  kFormat,
  kReopen,
  kRecover,
  kPut,
  kPutIfAbsent,
  kDelete,
  kAdd,
  kCompareAndSwap,
  kGet,
  kScan
};

struct Operation {
  Action action;
  std::string key;
  std::string value;    // kPut, kPutIfAbsent; kCompareAndSwap: what is expected
  uint64_t number = 0;  // kAdd, kCompareAndSwap
};

inline Operation Format() { return {Action::kFormat, {}, {}, 0}; }
inline Operation Reopen() { return {Action::kReopen, {}, {}, 0}; }
// Opens, and waits for the pass that finds reusable space.
inline Operation Recover() { return {Action::kRecover, {}, {}, 0}; }
inline Operation Put(std::string key, std::string value) { return {Action::kPut, std::move(key), std::move(value), 0}; }
inline Operation Put(std::string key, uint64_t value) { return Put(std::move(key), testing::WordValue(value)); }
inline Operation PutIfAbsent(std::string key, std::string value) {
  return {Action::kPutIfAbsent, std::move(key), std::move(value), 0};
}
inline Operation Delete(std::string key) { return {Action::kDelete, std::move(key), {}, 0}; }
inline Operation Add(std::string key, uint64_t delta) { return {Action::kAdd, std::move(key), {}, delta}; }
inline Operation CompareAndSwap(std::string key, uint64_t expected, uint64_t desired) {
  return {Action::kCompareAndSwap, std::move(key), testing::WordValue(expected), desired};
}
inline Operation Get(std::string key) { return {Action::kGet, std::move(key), {}, 0}; }
// All keys, forward.
inline Operation Scan() { return {Action::kScan, {}, {}, 0}; }

// Whether the answer may be that there is no space: not where a value is replaced in place, or something goes.
inline bool MayFindNoSpace(Action action) {
  return action == Action::kPut || action == Action::kPutIfAbsent || action == Action::kAdd;
}

// For people: `Put "key" (20 bytes)`.
std::string Describe(const Operation& operation);

// The value of a key; nothing: it isn't there.
using Value = std::optional<std::string>;

// What an operation on one key answers.
struct Answer {
  absl::StatusCode code = absl::StatusCode::kOk;
  Value value;  // kGet: the value. kAdd: the sum. kCompareAndSwap: what was there
  friend bool operator==(const Answer&, const Answer&) = default;
};

// What the contract says: the answer, given the value before; and the value after. Not for actions on the whole store.
Answer ApplyTo(Value& value, const Operation& operation);
// What the store says.
Answer ApplyTo(Store& store, const Operation& operation);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_OPERATION_H_
