#include <rocksdb/c.h>
#include <rocksdb/version.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "bench/counter.h"
#include "bench/engine_lsm.h"
#include "bench/shared_library.h"

namespace sealkv::bench {
namespace {

struct RocksDb {
  using Db = rocksdb_t;
  using Options = rocksdb_options_t;
  using Cache = rocksdb_cache_t;
  using Iterator = rocksdb_iterator_t;
  using ReadOptions = rocksdb_readoptions_t;
  using WriteOptions = rocksdb_writeoptions_t;
  using WriteBatch = rocksdb_writebatch_t;
  static constexpr char kName[] = "RocksDB";
  static constexpr int kNoCompression = rocksdb_no_compression;

  static const RocksDb& Get() {
    static const RocksDb* const library = new RocksDb;
    return *library;
  }

  // The soname has the version in it: what isn't this version's isn't opened.
  SharedLibrary library{{absl::StrCat("librocksdb.so.", ROCKSDB_MAJOR, ".", ROCKSDB_MINOR)},
                        absl::StrCat("librocksdb", ROCKSDB_MAJOR, ".", ROCKSDB_MINOR)};
#define IMPORT(name) Imported<decltype(rocksdb_##name)> name{library, "rocksdb_" #name};
  SEALKV_LSM_FUNCTIONS(IMPORT)
  IMPORT(get_pinned)
  IMPORT(pinnableslice_value)
  IMPORT(pinnableslice_destroy)
  IMPORT(merge)
  IMPORT(multi_get)
  IMPORT(options_set_uint64add_merge_operator)
  IMPORT(options_set_max_background_jobs)
  IMPORT(options_set_info_log_level)
  IMPORT(options_set_block_based_table_factory)
  IMPORT(block_based_options_create)
  IMPORT(block_based_options_destroy)
  IMPORT(block_based_options_set_block_cache)
  IMPORT(block_based_options_set_filter_policy)
  IMPORT(filterpolicy_create_bloom_full)
#undef IMPORT
  Imported<decltype(rocksdb_delete)> del{library, "rocksdb_delete"};
};

class RocksDbEngine final : public LsmEngine<RocksDb> {
 public:
  using LsmEngine::LsmEngine;

  absl::Status Get(const Key& key, std::string* value) override {
    char* error = nullptr;
    rocksdb_pinnableslice_t* found = Lib().get_pinned(db(), read_options(), key.bytes.data(), key.bytes.size(), &error);
    if (found == nullptr) return error == nullptr ? Missing() : TakeError(error);
    size_t size = 0;
    const char* bytes = Lib().pinnableslice_value(found, &size);
    value->assign(bytes, size);
    Lib().pinnableslice_destroy(found);
    return absl::OkStatus();
  }

  void MultiGet(std::span<const Key> keys, std::vector<absl::StatusOr<std::string>>* values) override {
    std::vector<const char*> names(keys.size());
    std::vector<size_t> name_bytes(keys.size()), value_bytes(keys.size());
    std::vector<char*> found(keys.size()), errors(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      names[i] = keys[i].bytes.data();
      name_bytes[i] = keys[i].bytes.size();
    }
    Lib().multi_get(db(), read_options(), keys.size(), names.data(), name_bytes.data(), found.data(),
                    value_bytes.data(), errors.data());
    values->clear();
    for (size_t i = 0; i < keys.size(); ++i) {
      if (found[i] != nullptr) {
        values->emplace_back(std::string(found[i], value_bytes[i]));
        Lib().free(found[i]);
      } else {
        values->emplace_back(errors[i] == nullptr ? Missing() : TakeError(errors[i]));
      }
    }
  }

  // A merge: it writes that 1 is to be added, and reads nothing. Gets and compactions make the sum.
  absl::Status Increment(const Key& key) override {
    const std::string_view one = BytesOfCounter(kOne);
    char* error = nullptr;
    Lib().merge(db(), write_options(), key.bytes.data(), key.bytes.size(), one.data(), one.size(), &error);
    return TakeError(error);
  }

  std::string Describe() const override {
    return absl::StrCat("RocksDB ", ROCKSDB_MAJOR, ".", ROCKSDB_MINOR, ".", ROCKSDB_PATCH, DescribeLog("WAL"));
  }

 private:
  void Tune(rocksdb_options_t* options, rocksdb_cache_t* cache) override {
    rocksdb_block_based_table_options_t* table = Lib().block_based_options_create();
    Lib().block_based_options_set_block_cache(table, cache);
    // The table's options own the filter.
    Lib().block_based_options_set_filter_policy(table, Lib().filterpolicy_create_bloom_full(10));
    Lib().options_set_block_based_table_factory(options, table);
    Lib().block_based_options_destroy(table);
    Lib().options_set_uint64add_merge_operator(options);
    Lib().options_set_max_background_jobs(options, static_cast<int>(std::max(2u, std::thread::hardware_concurrency())));
    Lib().options_set_info_log_level(options, kErrorsOnly);
  }

  static constexpr uint64_t kOne = 1;
  static constexpr int kErrorsOnly = 3;  // of rocksdb::InfoLogLevel
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeRocksDbEngine(bool is_durable) {
  if (const absl::Status& status = RocksDb::Get().library.status(); !status.ok()) return status;
  return std::make_unique<RocksDbEngine>(is_durable);
}

}  // namespace sealkv::bench
