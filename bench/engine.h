// What is measured: a store behind one interface. A call costs every engine the same: one virtual call, and a key that
// is given both as a number and as bytes, so that engines for integers needn't parse.
#ifndef SEALKV_BENCH_ENGINE_H_
#define SEALKV_BENCH_ENGINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/data.h"
#include "daxfile/tier.h"

namespace sealkv::bench {

struct Key {
  uint64_t number;
  std::string_view bytes;
};

// Instead of a path: memory of the process, on huge pages where they may be had, as a mapping of persistent memory is.
inline constexpr std::string_view kInMemory = "memory";

struct EngineOptions {
  DataOptions data;
  std::string path;  // or kInMemory; a folder, but for SealKV
  uint64_t capacity_bytes = 0;
  uint64_t max_capacity_bytes = 0;  // no more than that: it doesn't grow
  uint64_t change_log_bytes = 0;    // how much it keeps of what is changed
  daxfile::Tier weakest_tier = daxfile::Tier::kVolatile;
  bool use_existing = false;
};

// Puts that are made together. One thread's.
class EngineBatch {
 public:
  virtual ~EngineBatch() = default;
  virtual void Put(const Key& key, std::string_view value) = 0;
  // Makes those since the last call.
  virtual absl::Status Write() = 0;
};

// Of a get that finds nothing. Without a text, for which memory would be allocated.
inline absl::Status Missing() { return {absl::StatusCode::kNotFound, ""}; }

class Engine {
 public:
  virtual ~Engine() = default;

  // Makes a store, or opens the one that is there (use_existing). An engine may be opened again.
  virtual absl::Status Open(const EngineOptions& options) = 0;
  // Ends what Open began, and every thread of it. What is persistent stays.
  virtual void Close() = 0;
  virtual absl::Status Put(const Key& key, std::string_view value) = 0;
  // NotFound if the key isn't there; any other error means that this couldn't be found out.
  virtual absl::Status Get(const Key& key, std::string* value) = 0;
  // Gets of several keys, in one call where the engine has that.
  virtual void MultiGet(std::span<const Key> keys, std::vector<absl::StatusOr<std::string>>* values) {
    values->resize(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      absl::StatusOr<std::string>& value = (*values)[i];
      if (!value.ok()) value.emplace();
      if (const absl::Status got = Get(keys[i], &*value); !got.ok()) value = got;
    }
  }
  // NotFound if the key isn't there; OK from log-structured engines, which don't look.
  virtual absl::Status Delete(const Key& key) = 0;
  // Up to `count` pairs from the first key >= `from` (nothing: from the first key, or the last when reversed).
  // Returns how many there were; adds up the values' last bytes, so that they are really read. An error: the walk ended
  // before its time.
  virtual absl::StatusOr<uint64_t> Scan(const std::optional<Key>& from, uint64_t count, bool reverse,
                                        uint64_t* sum) = 0;

  // nullptr: it has none.
  virtual std::unique_ptr<EngineBatch> NewBatch() { return nullptr; }
  // Adds 1 to the 8-byte integer at a key, or puts 1.
  virtual absl::Status Increment(const Key& key) {
    (void)key;
    return absl::UnimplementedError("this engine has no atomic addition");
  }
  // Gives back what space can be given back.
  virtual absl::Status Compact() { return absl::UnimplementedError("this engine has no compaction"); }
  // Opens a snapshot, and closes it.
  virtual absl::Status TouchSnapshot() { return absl::UnimplementedError("this engine has no snapshots"); }

  // Whether threads may write at the same time.
  virtual bool is_thread_safe() const = 0;
  // Whether what was written is there when it is opened again.
  virtual bool is_persistent() const = 0;
  // How durable a write is when it returns; and what stands behind it.
  virtual std::string Describe() const = 0;
  // Bytes of persistent memory in use; nothing for volatile engines.
  virtual std::optional<uint64_t> BytesUsed() { return std::nullopt; }
  // Of what it has taken: bytes that nothing else can use now.
  virtual std::optional<uint64_t> BytesTaken() { return std::nullopt; }
  // Bytes that the engine has moved or rewritten by itself so far.
  virtual std::optional<uint64_t> BytesMoved() { return std::nullopt; }
};

// SealKV, the peers at their durable and at their relaxed setting ("-nosync"), and volatile maps.
std::vector<std::string> EngineNames();
// Whether it is one of the maps.
bool IsVolatile(std::string_view name);
// NotFound: its library isn't installed; the message says what is.
absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(std::string_view name, KeyKind key_kind, size_t value_bytes);

std::unique_ptr<Engine> MakeSealkvEngine();
absl::StatusOr<std::unique_ptr<Engine>> MakeLmdbEngine(bool is_durable);
absl::StatusOr<std::unique_ptr<Engine>> MakeRocksDbEngine(bool is_durable);
absl::StatusOr<std::unique_ptr<Engine>> MakeLevelDbEngine(bool is_durable);
absl::StatusOr<std::unique_ptr<Engine>> MakeSqliteEngine(bool is_durable);
std::unique_ptr<Engine> MakeVolatileEngine(std::string_view name, KeyKind key_kind, size_t value_bytes);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_ENGINE_H_
