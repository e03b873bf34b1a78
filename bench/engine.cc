#include "bench/engine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sealkv::bench {

std::vector<std::string> EngineNames() {
  return {"sealkv",         "lmdb",   "lmdb-nosync",   "rocksdb",   "rocksdb-nosync", "leveldb",
          "leveldb-nosync", "sqlite", "sqlite-nosync", "btree_map", "std_map"};
}

bool IsVolatile(std::string_view name) { return name == "btree_map" || name == "std_map"; }

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(std::string_view name, KeyKind key_kind, size_t value_bytes) {
  if (name == "sealkv") return MakeSealkvEngine();
  if (IsVolatile(name)) return MakeVolatileEngine(name, key_kind, value_bytes);
  absl::string_view peer(name.data(), name.size());
  const bool is_durable = !absl::ConsumeSuffix(&peer, "-nosync");
  if (peer == "lmdb") return MakeLmdbEngine(is_durable);
  if (peer == "rocksdb") return MakeRocksDbEngine(is_durable);
  if (peer == "leveldb") return MakeLevelDbEngine(is_durable);
  if (peer == "sqlite") return MakeSqliteEngine(is_durable);
  return absl::InvalidArgumentError(absl::StrCat("no such engine: ", std::string(name)));
}

}  // namespace sealkv::bench
