// A run of all that is done to a store, a step at a time, and what each step comes to: for tests that let each of
// something fail in turn. A step changes the store as a whole or not at all, and may be done again if it didn't.
#ifndef SEALKV_TESTS_STEPS_H_
#define SEALKV_TESTS_STEPS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "kv/sealkv.h"
#include "tests/model.h"

namespace sealkv::testing {

struct Step {
  std::string name;
  std::function<absl::Status(Store&)> change;
  std::function<void(Model&)> expect;
};

// What is there before: words in many nodes.
inline constexpr uint64_t kOld = 3000;
inline std::string OldKey(uint64_t id) { return U64Key((uint64_t{1} << 32) + id); }

namespace steps {

inline std::string LongKey(uint64_t id) { return "a key of a layer, number " + std::to_string(1000 + id); }
inline std::string Text(uint64_t id, char fill) { return std::to_string(id) + std::string(100, fill); }

inline Step Put(const std::string& key, const std::string& value) {
  return {"put " + key, [=](Store& store) { return store.Put(key, value); }, [=](Model& model) { model[key] = value; }};
}
inline Step Delete(const std::string& key) {
  return {"delete " + key, [=](Store& store) { return store.Delete(key); }, [=](Model& model) { model.erase(key); }};
}
inline Step Add(const std::string& key, uint64_t sum) {
  return {"add to " + key, [=](Store& store) { return store.Add(key, 5).status(); },
          [=](Model& model) { model[key] = WordValue(sum); }};
}
inline Step Update(const std::string& key, const std::string& more) {
  return {"update " + key,
          [=](Store& store) {
            return store.Update(key, [&](std::optional<std::string_view> value) {
              return std::optional<std::string>(std::string(value.value_or("")) + more);
            });
          },
          [=](Model& model) { model[key] += more; }};
}
inline Step CompareAndSwap(const std::string& key, uint64_t from, uint64_t to) {
  return {"compare and swap " + key, [=](Store& store) { return store.CompareAndSwap(key, from, to).status(); },
          [=](Model& model) { model[key] = WordValue(to); }};
}
// Reads one key and what follows it, and writes both of them.
inline Step Transact(const std::string& read, const std::string& written) {
  const auto next = [](const auto& key) { return key + " and more"; };
  return {"transaction",
          [=](Store& store) {
            return store.Transact([&](Transaction& transaction) -> absl::Status {
              const absl::StatusOr<std::string> value = transaction.Get(read);
              if (!value.ok()) return value.status();
              const auto iterator = transaction.NewIterator();
              for (iterator->Seek(read); iterator->Valid(); iterator->Next()) continue;
              if (!iterator->status().ok()) return iterator->status();
              if (absl::Status status = transaction.Put(written, *value); !status.ok()) return status;
              return transaction.Put(next(written), *value);
            });
          },
          [=](Model& model) { model[written] = model[next(written)] = model[read]; }};
}

inline Step PutUntil(const std::string& key, const std::string& value) {
  return {"put until " + key,
          [=](Store& store) {
            return store.PutUntil(key, value, std::chrono::sys_seconds(std::chrono::hours(24 * 365 * 100)));
          },
          [=](Model& model) { model[key] = value; }};
}
inline Step Compact() {
  return {"compact", [](Store& store) { return store.Compact(); }, [](Model&) {}};
}
// In every way that there is.
inline Step Read(const std::string& one, const std::string& another) {
  return {"read " + one,
          [=](Store& store) {
            const absl::StatusOr<std::string> got = store.Get(one);
            if (!got.ok()) return got.status();
            const absl::StatusOr<PinnedValue> pinned = store.GetPinned(one);
            if (!pinned.ok()) return pinned.status();
            const std::string_view keys[] = {one, another};
            for (const auto& value : store.MultiGet(keys)) {
              if (!value.ok()) return value.status();
            }
            const auto iterator = store.NewIterator({.prefix = one.substr(0, 5)});
            for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev()) continue;
            return iterator->status();
          },
          [](Model&) {}};
}

// Words, records, new keys and old ones.
template <class PutOne, class EraseOne>
void ForEachOfBatch(uint64_t from, const PutOne& put, const EraseOne& erase) {
  for (uint64_t id = from; id < from + 12; ++id) {
    put(U64Key(id), WordValue(id + 7));
    put(LongKey(id), Text(id, 'b'));
  }
  for (uint64_t id = 0; id < 4; ++id) put(LongKey(id), Text(id, 'c'));
  erase(U64Key(1));
  erase(LongKey(5));
}
inline Step Batch(uint64_t from) {
  return {"batch from " + std::to_string(from),
          [=](Store& store) {
            WriteBatch batch;
            ForEachOfBatch(
                from, [&](const auto& key, const auto& value) { batch.Put(key, value); },
                [&](const auto& key) { batch.Delete(key); });
            return store.Write(batch);
          },
          [=](Model& model) {
            ForEachOfBatch(
                from, [&](const auto& key, const auto& value) { model[key] = value; },
                [&](const auto& key) { model.erase(key); });
          }};
}
// Of words in many pages, with others between them.
inline Step WideBatch() {
  return {"wide batch",
          [=](Store& store) {
            WriteBatch batch;
            for (uint64_t id = 0; id < kOld; id += 500) batch.Put(OldKey(id), WordValue(id + 1));
            return store.Write(batch);
          },
          [=](Model& model) {
            for (uint64_t id = 0; id < kOld; id += 500) model[OldKey(id)] = WordValue(id + 1);
          }};
}
inline Step DeleteRange(const std::string& from, const std::string& to) {
  return {"delete range", [=](Store& store) { return store.DeleteRange({.lower = from, .upper = to}); },
          [=](Model& model) { model.erase(model.lower_bound(from), model.lower_bound(to)); }};
}

}  // namespace steps

inline std::vector<Step> AllSteps() {
  using namespace steps;  // NOLINT
  std::vector<Step> all;
  for (uint64_t id = 0; id < 30; ++id) all.push_back(Put(U64Key(id * 3), WordValue(id)));  // splits
  for (uint64_t id = 0; id < 8; ++id) all.push_back(Put(LongKey(id), Text(id, 'a')));      // a layer
  for (uint64_t id = 0; id < 8; id += 2) all.push_back(Put(LongKey(id), Text(id, 'o')));   // records replaced
  all.push_back(Put(U64Key(6), Text(6, 'w')));                                             // another kind
  all.push_back(Add(U64Key(9), 3 + 5));
  all.push_back(Batch(100));
  all.push_back(DeleteRange(U64Key(12), U64Key(60)));  // nodes are merged
  all.push_back(Batch(106));
  for (uint64_t id = 60; id < 88; id += 3) all.push_back(Delete(U64Key(id)));
  all.push_back(WideBatch());
  all.push_back(Delete(LongKey(0)));
  all.push_back(CompareAndSwap(U64Key(9), 8, 77));
  all.push_back(Update(LongKey(2), " and more"));
  all.push_back(Transact(LongKey(2), LongKey(300)));
  all.push_back(PutUntil(LongKey(400), Text(400, 'e')));
  all.push_back(Put(LongKey(500) + std::string(3000, 'k'), Text(500, 'k')));
  all.push_back(Read(LongKey(300), LongKey(400)));
  all.push_back(Compact());
  all.push_back(Put(LongKey(3), std::string(5000, 'l')));
  return all;
}

}  // namespace sealkv::testing

#endif  // SEALKV_TESTS_STEPS_H_
