// What a writer does: operation `number` of writer `writer` follows from the seed. So a victim needs no list of what to
// do, and the test, which knows only how far it came, can say what must be there.
//
// Each writer owns the keys that no other one touches, of all shapes and side by side with the others' in the same
// nodes. All add to the counters.
//
// Each also owns a group of keys that are written together only, by batches and transactions: they agree, always, for
// whoever looks at one moment. All add to the twins, likewise: all sums of these are one.
#ifndef SEALKV_TESTS_KILL_SCRIPT_H_
#define SEALKV_TESTS_KILL_SCRIPT_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "kv/sealkv.h"
#include "tests/random.h"

namespace sealkv::kill {

// Sums that lie in a leaf (8-byte keys), and in records: in the top layer, and among the paths.
inline constexpr std::array<std::string_view, 4> kCounters = {"counter0", "counter1", "counter in a record",
                                                              "/usr/share/doc/counter"};

// In a leaf, in records of the top layer and of another one, side by side with the counters and far from them.
inline constexpr std::array<std::string_view, 4> kTwins = {"counter2", "counter in another record", "twin",
                                                           "/usr/share/doc/twin"};

// The keys of a writer's group.
std::vector<std::string> GroupOf(unsigned writer);

struct Operation {
  enum class Action : uint8_t { kPut, kPutIfAbsent, kDelete, kAdd, kCompareAndSwap };
  enum class Together : uint8_t { kNo, kBatch, kTransaction };
  Action action = Action::kPut;
  Together together = Together::kNo;   // how: one key by its own call, or several: kPut, kDelete, kAdd
  std::vector<std::string_view> keys;  // the writer's own: one, or its group; or a counter; or the twins
  std::optional<size_t> counter;       // index in kCounters
  bool is_of_twins = false;
  std::string value;           // kPut, kPutIfAbsent
  uint64_t word = 0;           // kAdd: what is added. kCompareAndSwap: what is wanted
  bool expects_truth = false;  // kCompareAndSwap: whether what is expected is what is there

  std::string_view key() const { return keys.front(); }
  bool is_of_own_keys() const { return !counter.has_value() && !is_of_twins; }
};

class Script {
 public:
  Script(uint64_t seed, unsigned writer, unsigned writers);

  Operation At(uint64_t number) const;
  const std::vector<std::string>& keys() const { return keys_; }
  const std::vector<std::string>& group() const { return group_; }

 private:
  Operation TogetherAt(testing::Random& random) const;

  const uint64_t seed_;
  std::vector<std::string> keys_;
  const std::vector<std::string> group_;
};

// The value of each of its keys when an operation is through, if that found space. `before`: nothing if the key wasn't
// there.
std::optional<std::string> After(const Operation& operation, const std::optional<std::string>& before);

// Does it. False: there was no space for it. An error is one that the operation can't explain.
absl::StatusOr<bool> Do(const Operation& operation, Store& store);

// For messages.
std::string Describe(const Operation& operation);

}  // namespace sealkv::kill

#endif  // SEALKV_TESTS_KILL_SCRIPT_H_
