#include "tests/kill/script.h"

#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "tests/key_shapes.h"
#include "tests/model.h"
#include "tests/random.h"

namespace sealkv::kill {
namespace {

using testing::Printable;
using testing::Random;
using testing::WordOf;
using testing::WordValue;
using Action = Operation::Action;
using Together = Operation::Together;

constexpr uint64_t kKeys = 400;    // a writer
constexpr uint64_t kPhase = 1500;  // operations of growth, then as many of decline

bool IsShared(std::string_view key) {
  return std::find(kCounters.begin(), kCounters.end(), key) != kCounters.end() ||
         std::find(kTwins.begin(), kTwins.end(), key) != kTwins.end();
}

bool IsWord(const std::optional<std::string>& value) { return value.has_value() && value->size() == sizeof(uint64_t); }

std::string SomeBytes(Random& random) {
  if (random.OneIn(40)) return random.Bytes(random.Between(0, 20'000));
  return random.Bytes(random.Below(random.OneIn(4) ? 600 : 100));
}

// Answers that follow from what is there. What was there is judged when the victim is dead.
absl::StatusOr<bool> Judge(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return false;
  if (status.ok() || absl::IsNotFound(status) || absl::IsAlreadyExists(status) || absl::IsFailedPrecondition(status))
    return true;
  return status;
}

// The key is the writer's own, so what a get shows is there until the writer changes it.
absl::StatusOr<bool> DoCompareAndSwap(const Operation& operation, Store& store) {
  const absl::StatusOr<std::string> before = store.Get(operation.key());
  if (!before.ok() && !absl::IsNotFound(before.status())) return before.status();
  const bool is_word = before.ok() && before->size() == sizeof(uint64_t);
  const uint64_t truth = is_word ? WordOf(*before) : 0;
  const absl::StatusOr<uint64_t> seen =
      store.CompareAndSwap(operation.key(), operation.expects_truth ? truth : truth + 1, operation.word);
  // While a snapshot sees it a value doesn't change in place, and another takes space.
  if (absl::IsResourceExhausted(seen.status())) return false;
  if (seen.ok() != is_word) return absl::InternalError(absl::StrCat("answered ", seen.status().ToString()));
  if (seen.ok() && *seen != truth) return absl::InternalError(absl::StrCat("saw ", *seen, ", a get ", truth));
  return Judge(seen.status());
}

WriteBatch BatchOf(const Operation& operation) {
  WriteBatch batch;
  for (const std::string_view key : operation.keys) {
    if (operation.action == Action::kPut) batch.Put(key, operation.value);
    if (operation.action == Action::kDelete) batch.Delete(key);
    if (operation.action == Action::kAdd) batch.Add(key, operation.word);
  }
  return batch;
}

// What it reads agrees, for nobody writes one of these keys alone.
absl::Status DoInTransaction(const Operation& operation, Transaction& transaction) {
  std::optional<std::string> first;
  for (const std::string_view key : operation.keys) {
    const absl::StatusOr<std::string> value = transaction.Get(key);
    if (!value.ok() && !absl::IsNotFound(value.status())) return value.status();
    const std::optional<std::string> seen = value.ok() ? std::optional(*value) : std::nullopt;
    if (key == operation.key()) first = seen;
    if (seen != first) return absl::InternalError(absl::StrCat("a transaction sees a torn ", Printable(key)));
  }
  for (const std::string_view key : operation.keys) {
    absl::Status status;
    if (operation.action == Action::kPut) status = transaction.Put(key, operation.value);
    if (operation.action == Action::kDelete) status = transaction.Delete(key);
    if (operation.action == Action::kAdd) status = transaction.Add(key, operation.word).status();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// False: there is no space. To delete so few there always is.
absl::StatusOr<bool> DoTogether(const Operation& operation, Store& store) {
  const absl::Status status =
      operation.together == Together::kBatch
          ? store.Write(BatchOf(operation))
          : store.Transact([&](Transaction& transaction) { return DoInTransaction(operation, transaction); });
  if (absl::IsResourceExhausted(status) && operation.action != Action::kDelete) return false;
  if (!status.ok()) return status;
  return true;
}

}  // namespace

std::vector<std::string> GroupOf(unsigned writer) {
  const std::string name = absl::StrCat("group ", writer);
  return {absl::StrCat("group", writer % 10, writer / 10, "."),  // 8 bytes
          name,
          absl::StrCat(name, ", which goes on"),
          absl::StrCat("/usr/share/doc/", name),
          absl::StrCat("a prefix that layers share, ", name),
          absl::StrCat("zzz ", name)};
}

Script::Script(uint64_t seed, unsigned writer, unsigned writers)
    : seed_(Random(Random(seed).Next() + writer).Next()), group_(GroupOf(writer)) {
  Random random(seed_);
  testing::KeyMaker next_key = testing::MixedKeys();
  while (keys_.size() < kKeys) {
    std::string key = next_key(random);
    if (std::hash<std::string_view>()(key) % writers == writer && !IsShared(key)) keys_.push_back(std::move(key));
  }
}

Operation Script::At(uint64_t number) const {
  Random random(seed_ + number * 0x9e3779b97f4a7c15);
  random.Next();
  if (random.OneIn(6)) return TogetherAt(random);
  Operation operation;
  if (random.OneIn(6)) {
    operation.action = Action::kAdd;
    operation.counter = random.Below(kCounters.size());
    operation.keys = {kCounters[*operation.counter]};
    operation.word = random.Between(1, 1 << 20);  // several in flight can be told apart by their sum
    return operation;
  }
  const uint64_t index = random.Below(keys_.size());
  operation.keys = {keys_[index]};
  const bool has_words = index % 2 == 1;  // mostly
  if (!random.Percent(number / kPhase % 2 == 0 ? 78 : 20)) {
    operation.action = Action::kDelete;
  } else if (has_words && random.Percent(40)) {
    operation.action = random.OneIn(2) ? Action::kAdd : Action::kCompareAndSwap;
    operation.word = random.Next();
    operation.expects_truth = random.Percent(75);
  } else {
    operation.action = random.OneIn(5) ? Action::kPutIfAbsent : Action::kPut;
    operation.value = has_words != random.OneIn(8) ? WordValue(random.Next()) : SomeBytes(random);
  }
  return operation;
}

Operation Script::TogetherAt(Random& random) const {
  Operation operation;
  operation.together = random.OneIn(3) ? Together::kTransaction : Together::kBatch;
  if (random.OneIn(3)) {
    operation.action = Action::kAdd;
    operation.is_of_twins = true;
    operation.keys.assign(kTwins.begin(), kTwins.end());
    operation.word = random.Between(1, 1 << 20);
    return operation;
  }
  operation.action = random.OneIn(6) ? Action::kDelete : Action::kPut;
  operation.keys.assign(group_.begin(), group_.end());
  operation.value = random.OneIn(2) ? WordValue(random.Next()) : SomeBytes(random);
  return operation;
}

std::optional<std::string> After(const Operation& operation, const std::optional<std::string>& before) {
  switch (operation.action) {
    case Action::kPut:
      return operation.value;
    case Action::kPutIfAbsent:
      return before.has_value() ? before : operation.value;
    case Action::kDelete:
      return std::nullopt;
    case Action::kAdd:
      if (!before.has_value()) return WordValue(operation.word);
      return IsWord(before) ? WordValue(WordOf(*before) + operation.word) : before;
    case Action::kCompareAndSwap:
      return IsWord(before) && operation.expects_truth ? WordValue(operation.word) : before;
  }
  return before;
}

absl::StatusOr<bool> Do(const Operation& operation, Store& store) {
  if (operation.together != Together::kNo) return DoTogether(operation, store);
  switch (operation.action) {
    case Action::kPut:
      return Judge(store.Put(operation.key(), operation.value));
    case Action::kPutIfAbsent:
      return Judge(store.PutIfAbsent(operation.key(), operation.value));
    case Action::kDelete: {
      const absl::Status status = store.Delete(operation.key());
      if (absl::IsResourceExhausted(status)) return status;  // a full store can be emptied
      return Judge(status);
    }
    case Action::kAdd:
      return Judge(store.Add(operation.key(), operation.word).status());
    case Action::kCompareAndSwap:
      return DoCompareAndSwap(operation, store);
  }
  return true;
}

std::string Describe(const Operation& operation) {
  static constexpr const char* kNames[] = {"put", "put if absent", "delete", "add", "compare and swap"};
  static constexpr const char* kHow[] = {"", " by a batch", " by a transaction"};
  return absl::StrCat(kNames[static_cast<size_t>(operation.action)], " ", Printable(operation.key()),
                      operation.keys.size() > 1 ? " and others" : "", kHow[static_cast<size_t>(operation.together)]);
}

}  // namespace sealkv::kill
