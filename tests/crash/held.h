// What a script holds from one operation to another: a snapshot or an iterator, and pinned values.
#ifndef SEALKV_TESTS_CRASH_HELD_H_
#define SEALKV_TESTS_CRASH_HELD_H_

#include <memory>
#include <optional>
#include <vector>

#include "kv/sealkv.h"
#include "tests/crash/operation.h"

namespace sealkv::crash {

class Held {
 public:
  static bool Concerns(Action action) { return action >= Action::kOpenSnapshot; }

  // An operation that Concerns this. kClose answers what was seen; nothing if there was nothing to close.
  Answer Apply(
      Store& store, const Operation& operation, const std::function<void()>& in_between = [] {});
  bool has_snapshot() const { return snapshot_.has_value() || iterator_ != nullptr; }
  void LetGo() { *this = Held(); }

 private:
  Answer Close(const std::function<void()>& in_between);

  std::optional<Snapshot> snapshot_;
  std::unique_ptr<Iterator> iterator_;
  std::vector<PinnedValue> pinned_;
};

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_HELD_H_
