// The operations that scripts are made of, what the contract says of each, and how one is applied to a store.
#ifndef SEALKV_TESTS_CRASH_OPERATION_H_
#define SEALKV_TESTS_CRASH_OPERATION_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "kv/sealkv.h"
#include "tests/model.h"

namespace sealkv::crash {

enum class Action : uint8_t {
  // They open the store.
  kFormat,
  kReopen,
  kRecover,
  // Of one key.
  kPut,
  kPutUntil,
  kPutIfAbsent,
  kDelete,
  kAdd,
  kCompareAndSwap,
  kUpdate,
  kGet,
  // Of many at once.
  kWrite,
  kTransact,
  kDeleteRange,
  kBulkLoad,
  kScan,
  kCompact,
  kGrow,
  kShrink,
  // What is held from one operation to another.
  kOpenSnapshot,
  kOpenIterator,
  kClose,
  kPin
};

struct Operation {
  Action action;
  std::string key = {};
  std::string value = {};             // puts, kUpdate; kCompareAndSwap: what is expected; kDeleteRange: the upper bound
  uint64_t number = 0;                // kPutUntil: the expiry; kAdd, kCompareAndSwap; kUpdate: 1: delete
  std::vector<Operation> parts = {};  // kWrite, kTransact, kBulkLoad: what is done together

  bool IsOpening() const { return action <= Action::kRecover; }
};

inline Operation Format() { return {Action::kFormat}; }
inline Operation Reopen() { return {Action::kReopen}; }
// Opens, and waits for the pass that finds reusable space.
inline Operation Recover() { return {Action::kRecover}; }
inline Operation Put(std::string key, std::string value) { return {Action::kPut, std::move(key), std::move(value)}; }
inline Operation Put(std::string key, uint64_t value) { return Put(std::move(key), testing::WordValue(value)); }
// When these put a value it is over already, or for long not.
inline constexpr uint64_t kLongAgo = 1000;
inline constexpr uint64_t kFarAway = 4'000'000'000;
inline Operation PutUntil(std::string key, std::string value, uint64_t expiry) {
  return {Action::kPutUntil, std::move(key), std::move(value), expiry};
}
inline Operation PutIfAbsent(std::string key, std::string value) {
  return {Action::kPutIfAbsent, std::move(key), std::move(value)};
}
inline Operation Delete(std::string key) { return {Action::kDelete, std::move(key)}; }
inline Operation Add(std::string key, uint64_t delta) { return {Action::kAdd, std::move(key), {}, delta}; }
inline Operation CompareAndSwap(std::string key, uint64_t expected, uint64_t desired) {
  return {Action::kCompareAndSwap, std::move(key), testing::WordValue(expected), desired};
}
// Puts what is given behind the value that is there (what comes of it has 8 bytes if that is possible).
inline Operation Update(std::string key, std::string more) {
  return {Action::kUpdate, std::move(key), std::move(more)};
}
// By an Update that deletes.
inline Operation UpdateAway(std::string key) { return {Action::kUpdate, std::move(key), {}, 1}; }
inline Operation Get(std::string key) { return {Action::kGet, std::move(key)}; }
// All keys, forward.
inline Operation Scan() { return {Action::kScan}; }
inline Operation Compact() { return {Action::kCompact}; }
// By a thread of its own, as a store's own thread does it.
inline Operation Grow() { return {Action::kGrow}; }
inline Operation Shrink() { return {Action::kShrink}; }
// A WriteBatch of kPut, kDelete and kAdd.
inline Operation Batch(std::vector<Operation> parts) { return {Action::kWrite, {}, {}, 0, std::move(parts)}; }
// A transaction of kPut, kDelete, kAdd, kGet and kScan, as often as it takes.
inline Operation Transact(std::vector<Operation> parts) { return {Action::kTransact, {}, {}, 0, std::move(parts)}; }
inline Operation DeleteRange(std::string lower, std::string upper) {
  return {Action::kDeleteRange, std::move(lower), std::move(upper)};
}
// Of kPut, ascending.
inline Operation BulkLoad(std::vector<Operation> parts) { return {Action::kBulkLoad, {}, {}, 0, std::move(parts)}; }
// It is read as a whole when it is closed, and should hold what the store held when it was opened. One at a time.
inline Operation OpenSnapshot() { return {Action::kOpenSnapshot}; }
inline Operation OpenIterator() { return {Action::kOpenIterator}; }
inline Operation Close() { return {Action::kClose}; }
// A PinnedValue, held until the store is closed.
inline Operation Pin(std::string key) { return {Action::kPin, std::move(key)}; }

// Whether the answer may be that there is no space: not where something goes, nor where a value is replaced in place,
// which it is unless somebody has a snapshot.
bool MayFindNoSpace(const Operation& operation, bool has_snapshots);
// How many bytes it brings along, and how many keys it concerns, as far as it says.
uint64_t BytesOf(const Operation& operation);

// For people: `Put "key" (20 bytes)`.
std::string Describe(const Operation& operation);
void AddKeysOf(const Operation& operation, std::set<std::string>* keys);

// The value of a key; nothing: it isn't there.
using Value = std::optional<std::string>;
// All that a store holds, ascending by key.
using Contents = std::vector<std::pair<std::string, std::string>>;

// What an operation answers.
struct Answer {
  absl::StatusCode code = absl::StatusCode::kOk;
  Value value = {};                // kGet, kPin: the value. kAdd: the sum. kCompareAndSwap: what was there
  Contents contents = {};          // kScan; kOpenSnapshot and kOpenIterator: what was read there until it was closed
  std::vector<Answer> parts = {};  // kTransact: of each part
  friend bool operator==(const Answer&, const Answer&) = default;
  friend bool operator<(const Answer& a, const Answer& b) {
    return std::tie(a.code, a.value, a.contents, a.parts) < std::tie(b.code, b.value, b.contents, b.parts);
  }
};

// What the contract says: the answer; and the model is changed as it should be. Not for what opens the store.
Answer ApplyTo(testing::Model& model, const Operation& operation);
// What the store says. Not for what opens it, nor for what is held (held.h). Where it is made of several calls,
// `in_between` is called between them.
Answer ApplyTo(
    Store& store, const Operation& operation, const std::function<void()>& in_between = [] {});

// What an iterator shows, forward.
absl::Status ReadAll(
    Iterator& iterator, Contents* contents, const std::function<void()>& in_between = [] {});

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_OPERATION_H_
