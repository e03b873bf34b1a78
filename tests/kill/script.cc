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

constexpr uint64_t kKeys = 400;    // a writer
constexpr uint64_t kPhase = 1500;  // operations of growth, then as many of decline

bool IsCounter(std::string_view key) { return std::find(kCounters.begin(), kCounters.end(), key) != kCounters.end(); }

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
  const absl::StatusOr<std::string> before = store.Get(operation.key);
  if (!before.ok() && !absl::IsNotFound(before.status())) return before.status();
  const bool is_word = before.ok() && before->size() == sizeof(uint64_t);
  const uint64_t truth = is_word ? WordOf(*before) : 0;
  const absl::StatusOr<uint64_t> seen =
      store.CompareAndSwap(operation.key, operation.expects_truth ? truth : truth + 1, operation.word);
  if (seen.ok() != is_word) return absl::InternalError(absl::StrCat("answered ", seen.status().ToString()));
  if (seen.ok() && *seen != truth) return absl::InternalError(absl::StrCat("saw ", *seen, ", a get ", truth));
  return Judge(seen.status());
}

}  // namespace

Script::Script(uint64_t seed, unsigned writer, unsigned writers) : seed_(Random(Random(seed).Next() + writer).Next()) {
  Random random(seed_);
  testing::KeyMaker next_key = testing::MixedKeys();
  while (keys_.size() < kKeys) {
    std::string key = next_key(random);
    if (std::hash<std::string_view>()(key) % writers == writer && !IsCounter(key)) keys_.push_back(std::move(key));
  }
}

Operation Script::At(uint64_t number) const {
  Random random(seed_ + number * 0x9e3779b97f4a7c15);
  random.Next();
  Operation operation;
  if (random.OneIn(6)) {
    operation.action = Action::kAdd;
    operation.counter = random.Below(kCounters.size());
    operation.key = kCounters[*operation.counter];
    operation.word = random.Between(1, 1 << 20);  // several in flight can be told apart by their sum
    return operation;
  }
  const uint64_t index = random.Below(keys_.size());
  operation.key = keys_[index];
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
  switch (operation.action) {
    case Action::kPut:
      return Judge(store.Put(operation.key, operation.value));
    case Action::kPutIfAbsent:
      return Judge(store.PutIfAbsent(operation.key, operation.value));
    case Action::kDelete: {
      const absl::Status status = store.Delete(operation.key);
      if (absl::IsResourceExhausted(status)) return status;  // a full store can be emptied
      return Judge(status);
    }
    case Action::kAdd:
      return Judge(store.Add(operation.key, operation.word).status());
    case Action::kCompareAndSwap:
      return DoCompareAndSwap(operation, store);
  }
  return true;
}

std::string Describe(const Operation& operation) {
  static constexpr std::string_view kNames[] = {"put", "put if absent", "delete", "add", "compare and swap"};
  return std::string(kNames[static_cast<size_t>(operation.action)]) + " " + Printable(operation.key);
}

}  // namespace sealkv::kill
