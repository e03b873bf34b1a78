#include "tests/history/random_steps.h"

#include <optional>

#include "tests/history/key_class.h"

namespace sealkv::history {
namespace {

constexpr const char* kCounter = "n";

}  // namespace

std::string RandomSteps::AnyKey() { return "k" + std::to_string(random_.Below(keys_)); }
std::string RandomSteps::NewValue() {
  if (!are_values_unique_) return WordValue(random_.Below(2));
  return WordValue(++last_value_);
}
Step RandomSteps::AnyAdd(unsigned thread) {
  if (are_values_unique_) return Add(kCounter, CounterDelta(thread));
  return Add(AnyKey(), 1);
}

Step RandomSteps::AnyRead() {
  switch (random_.Below(4)) {
    case 0:
      return Scan("", std::nullopt, {}, random_.OneIn(2));
    case 1:
      return Scan("k", AnyKey(), {}, random_.OneIn(2));
    default:
      return Get(random_.OneIn(4) ? kCounter : AnyKey(), std::nullopt);
  }
}

Step RandomSteps::TransactionWrite() {
  if (random_.OneIn(3)) return Asking(Delete(AnyKey()));
  return Put(AnyKey(), NewValue());
}

Step RandomSteps::BlindWrite(unsigned thread) {
  switch (random_.Below(4)) {
    case 0:
      return Delete(AnyKey());
    case 1:
      return AnyAdd(thread);
    default:
      return Put(AnyKey(), NewValue());
  }
}

Step RandomSteps::AnyOperation(unsigned thread, const Map& state) {
  switch (random_.Below(10)) {
    case 0:
      return Put(AnyKey(), NewValue());
    case 1:
      return Asking(PutIfAbsent(AnyKey(), NewValue(), false));
    case 2:
      return Asking(Delete(AnyKey()));
    case 3:
      return Asking(AnyAdd(thread));
    case 4: {
      const std::string key = AnyKey();
      return CompareAndSwap(key, ValueIn(state, key).value_or(WordValue(0)), NewValue(), std::nullopt);
    }
    case 5:
      return Update(AnyKey(), std::nullopt, NewValue());
    case 6:
      return DeleteRange("k", random_.OneIn(2) ? Value("l") : Value(AnyKey()));
    default:
      return Get(random_.OneIn(4) ? kCounter : AnyKey(), std::nullopt);
  }
}

}  // namespace sealkv::history
