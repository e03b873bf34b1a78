#include "bench/engine.h"

namespace sealkv::bench {

std::vector<std::string> EngineNames() { return {"sealkv", "std_map", "btree_map"}; }

std::unique_ptr<Engine> MakeEngine(std::string_view name, KeyKind key_kind, size_t value_bytes) {
  if (name == "sealkv") return MakeSealkvEngine();
  return MakeVolatileEngine(name, key_kind, value_bytes);
}

}  // namespace sealkv::bench
