#include <leveldb/c.h>

#include <memory>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "bench/counter.h"
#include "bench/engine_lsm.h"
#include "bench/shared_library.h"

namespace sealkv::bench {
namespace {

struct LevelDb {
  using Db = leveldb_t;
  using Options = leveldb_options_t;
  using Cache = leveldb_cache_t;
  using Iterator = leveldb_iterator_t;
  using ReadOptions = leveldb_readoptions_t;
  using WriteOptions = leveldb_writeoptions_t;
  using WriteBatch = leveldb_writebatch_t;
  static constexpr char kName[] = "LevelDB";
  static constexpr int kNoCompression = leveldb_no_compression;

  static const LevelDb& Get() {
    static const LevelDb* const library = new LevelDb;
    return *library;
  }

  SharedLibrary library{{"libleveldb.so.1d", "libleveldb.so.1", "libleveldb.so"}, "libleveldb1d"};
#define IMPORT(name) Imported<decltype(leveldb_##name)> name{library, "leveldb_" #name};
  SEALKV_LSM_FUNCTIONS(IMPORT)
  IMPORT(get)
  IMPORT(major_version)
  IMPORT(minor_version)
  IMPORT(options_set_cache)
  IMPORT(options_set_filter_policy)
  IMPORT(filterpolicy_create_bloom)
#undef IMPORT
  Imported<decltype(leveldb_delete)> del{library, "leveldb_delete"};
};

class LevelDbEngine final : public LsmEngine<LevelDb> {
 public:
  using LsmEngine::LsmEngine;

  absl::Status Get(const Key& key, std::string* value) override {
    char* error = nullptr;
    size_t size = 0;
    char* found = Lib().get(db(), read_options(), key.bytes.data(), key.bytes.size(), &size, &error);
    if (found == nullptr) return error == nullptr ? Missing() : TakeError(error);
    value->assign(found, size);
    Lib().free(found);
    return absl::OkStatus();
  }

  // It has no addition: a get and a put, that no other addition comes between.
  absl::Status Increment(const Key& key) override {
    const std::lock_guard lock(increments_);
    std::string value;
    const absl::Status got = Get(key, &value);
    const absl::StatusOr<uint64_t> counter = CountOneMore(got, value);
    return counter.ok() ? Put(key, BytesOfCounter(*counter)) : counter.status();
  }

  std::string Describe() const override {
    return absl::StrCat("LevelDB ", Lib().major_version(), ".", Lib().minor_version(), DescribeLog("log"));
  }

 private:
  void Tune(leveldb_options_t* options, leveldb_cache_t* cache) override {
    // For the rest of the process: a store doesn't own its filter.
    static leveldb_filterpolicy_t* const filter = Lib().filterpolicy_create_bloom(10);
    Lib().options_set_cache(options, cache);
    Lib().options_set_filter_policy(options, filter);
  }

  std::mutex increments_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeLevelDbEngine(bool is_durable) {
  if (const absl::Status& status = LevelDb::Get().library.status(); !status.ok()) return status;
  return std::make_unique<LevelDbEngine>(is_durable);
}

}  // namespace sealkv::bench
