// RocksDB: a log-structured merge tree; writers queue up, and share a sync of the log.
#include <rocksdb/c.h>
#include <rocksdb/version.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "bench/engine.h"
#include "bench/shared_library.h"
#include "bench/store_files.h"

namespace sealkv::bench {
namespace {

// The soname has the version in it: what isn't this version's isn't opened.
struct Library {
  SharedLibrary library{{absl::StrCat("librocksdb.so.", ROCKSDB_MAJOR, ".", ROCKSDB_MINOR)},
                        absl::StrCat("librocksdb", ROCKSDB_MAJOR, ".", ROCKSDB_MINOR)};
  Imported<decltype(rocksdb_open)> open{library, "rocksdb_open"};
  Imported<decltype(rocksdb_close)> close{library, "rocksdb_close"};
  Imported<decltype(rocksdb_put)> put{library, "rocksdb_put"};
  Imported<decltype(rocksdb_get_pinned)> get_pinned{library, "rocksdb_get_pinned"};
  Imported<decltype(rocksdb_delete)> del{library, "rocksdb_delete"};
  Imported<decltype(rocksdb_write)> write{library, "rocksdb_write"};
  Imported<decltype(rocksdb_compact_range)> compact_range{library, "rocksdb_compact_range"};
  Imported<decltype(rocksdb_create_snapshot)> create_snapshot{library, "rocksdb_create_snapshot"};
  Imported<decltype(rocksdb_release_snapshot)> release_snapshot{library, "rocksdb_release_snapshot"};
  Imported<decltype(rocksdb_free)> free{library, "rocksdb_free"};
  Imported<decltype(rocksdb_create_iterator)> create_iterator{library, "rocksdb_create_iterator"};
  Imported<decltype(rocksdb_iter_destroy)> iter_destroy{library, "rocksdb_iter_destroy"};
  Imported<decltype(rocksdb_iter_valid)> iter_valid{library, "rocksdb_iter_valid"};
  Imported<decltype(rocksdb_iter_seek)> iter_seek{library, "rocksdb_iter_seek"};
  Imported<decltype(rocksdb_iter_seek_to_first)> iter_seek_to_first{library, "rocksdb_iter_seek_to_first"};
  Imported<decltype(rocksdb_iter_seek_to_last)> iter_seek_to_last{library, "rocksdb_iter_seek_to_last"};
  Imported<decltype(rocksdb_iter_next)> iter_next{library, "rocksdb_iter_next"};
  Imported<decltype(rocksdb_iter_prev)> iter_prev{library, "rocksdb_iter_prev"};
  Imported<decltype(rocksdb_iter_value)> iter_value{library, "rocksdb_iter_value"};
  Imported<decltype(rocksdb_pinnableslice_value)> pinnableslice_value{library, "rocksdb_pinnableslice_value"};
  Imported<decltype(rocksdb_pinnableslice_destroy)> pinnableslice_destroy{library, "rocksdb_pinnableslice_destroy"};
  Imported<decltype(rocksdb_writebatch_create)> writebatch_create{library, "rocksdb_writebatch_create"};
  Imported<decltype(rocksdb_writebatch_destroy)> writebatch_destroy{library, "rocksdb_writebatch_destroy"};
  Imported<decltype(rocksdb_writebatch_clear)> writebatch_clear{library, "rocksdb_writebatch_clear"};
  Imported<decltype(rocksdb_writebatch_put)> writebatch_put{library, "rocksdb_writebatch_put"};
  Imported<decltype(rocksdb_options_create)> options_create{library, "rocksdb_options_create"};
  Imported<decltype(rocksdb_options_destroy)> options_destroy{library, "rocksdb_options_destroy"};
  Imported<decltype(rocksdb_options_set_create_if_missing)> options_set_create_if_missing{
      library, "rocksdb_options_set_create_if_missing"};
  Imported<decltype(rocksdb_options_set_compression)> options_set_compression{library,
                                                                              "rocksdb_options_set_compression"};
  Imported<decltype(rocksdb_options_set_write_buffer_size)> options_set_write_buffer_size{
      library, "rocksdb_options_set_write_buffer_size"};
  Imported<decltype(rocksdb_options_set_max_background_jobs)> options_set_max_background_jobs{
      library, "rocksdb_options_set_max_background_jobs"};
  Imported<decltype(rocksdb_options_set_info_log_level)> options_set_info_log_level{
      library, "rocksdb_options_set_info_log_level"};
  Imported<decltype(rocksdb_options_set_block_based_table_factory)> options_set_block_based_table_factory{
      library, "rocksdb_options_set_block_based_table_factory"};
  Imported<decltype(rocksdb_block_based_options_create)> block_based_options_create{
      library, "rocksdb_block_based_options_create"};
  Imported<decltype(rocksdb_block_based_options_destroy)> block_based_options_destroy{
      library, "rocksdb_block_based_options_destroy"};
  Imported<decltype(rocksdb_block_based_options_set_block_cache)> block_based_options_set_block_cache{
      library, "rocksdb_block_based_options_set_block_cache"};
  Imported<decltype(rocksdb_block_based_options_set_filter_policy)> block_based_options_set_filter_policy{
      library, "rocksdb_block_based_options_set_filter_policy"};
  Imported<decltype(rocksdb_cache_create_lru)> cache_create_lru{library, "rocksdb_cache_create_lru"};
  Imported<decltype(rocksdb_cache_destroy)> cache_destroy{library, "rocksdb_cache_destroy"};
  Imported<decltype(rocksdb_filterpolicy_create_bloom_full)> filterpolicy_create_bloom_full{
      library, "rocksdb_filterpolicy_create_bloom_full"};
  Imported<decltype(rocksdb_readoptions_create)> readoptions_create{library, "rocksdb_readoptions_create"};
  Imported<decltype(rocksdb_readoptions_destroy)> readoptions_destroy{library, "rocksdb_readoptions_destroy"};
  Imported<decltype(rocksdb_writeoptions_create)> writeoptions_create{library, "rocksdb_writeoptions_create"};
  Imported<decltype(rocksdb_writeoptions_destroy)> writeoptions_destroy{library, "rocksdb_writeoptions_destroy"};
  Imported<decltype(rocksdb_writeoptions_set_sync)> writeoptions_set_sync{library, "rocksdb_writeoptions_set_sync"};
};

const Library& RocksDb() {
  static const Library* const library = new Library;
  return *library;
}

// What a call left behind: nullptr, or a text that is ours to free.
absl::Status TakeError(char* error) {
  if (error == nullptr) return absl::OkStatus();
  absl::Status status = absl::InternalError(absl::StrCat("RocksDB: ", error));
  RocksDb().free(error);
  return status;
}

class RocksDbEngine : public Engine {
 public:
  explicit RocksDbEngine(bool is_durable) : is_durable_(is_durable) {
    RocksDb().writeoptions_set_sync(write_options_, is_durable ? 1 : 0);
  }
  ~RocksDbEngine() override {
    Close();
    RocksDb().readoptions_destroy(read_options_);
    RocksDb().writeoptions_destroy(write_options_);
  }

  absl::Status Open(const EngineOptions& options) override {
    Close();
    path_ = options.path;
    if (absl::Status status = PrepareFolder(path_, options.use_existing); !status.ok()) return status;
    rocksdb_options_t* open_options = NewOptions(options);
    char* error = nullptr;
    db_ = RocksDb().open(open_options, path_.c_str(), &error);
    RocksDb().options_destroy(open_options);
    return TakeError(error);
  }

  void Close() override {
    if (db_ != nullptr) RocksDb().close(db_);
    if (cache_ != nullptr) RocksDb().cache_destroy(cache_);
    db_ = nullptr;
    cache_ = nullptr;
  }

  absl::Status Put(const Key& key, std::string_view value) override {
    char* error = nullptr;
    RocksDb().put(db_, write_options_, key.bytes.data(), key.bytes.size(), value.data(), value.size(), &error);
    return TakeError(error);
  }

  bool Get(const Key& key, std::string* value) override {
    char* error = nullptr;
    rocksdb_pinnableslice_t* found =
        RocksDb().get_pinned(db_, read_options_, key.bytes.data(), key.bytes.size(), &error);
    if (!TakeError(error).ok() || found == nullptr) return false;
    size_t size = 0;
    const char* bytes = RocksDb().pinnableslice_value(found, &size);
    value->assign(bytes, size);
    RocksDb().pinnableslice_destroy(found);
    return true;
  }

  absl::Status Delete(const Key& key) override {
    char* error = nullptr;
    RocksDb().del(db_, write_options_, key.bytes.data(), key.bytes.size(), &error);
    return TakeError(error);
  }

  uint64_t Scan(const std::optional<Key>& from, uint64_t count, bool reverse, uint64_t* sum) override {
    rocksdb_iterator_t* it = RocksDb().create_iterator(db_, read_options_);
    if (reverse) {
      RocksDb().iter_seek_to_last(it);
    } else if (from.has_value()) {
      RocksDb().iter_seek(it, from->bytes.data(), from->bytes.size());
    } else {
      RocksDb().iter_seek_to_first(it);
    }
    uint64_t seen = 0;
    for (; seen < count && RocksDb().iter_valid(it) != 0; ++seen) {
      size_t size = 0;
      const char* value = RocksDb().iter_value(it, &size);
      if (size > 0) *sum += static_cast<unsigned char>(value[size - 1]);
      reverse ? RocksDb().iter_prev(it) : RocksDb().iter_next(it);
    }
    RocksDb().iter_destroy(it);
    return seen;
  }

  std::unique_ptr<EngineBatch> NewBatch() override {
    class Batch : public EngineBatch {
     public:
      explicit Batch(RocksDbEngine& engine) : engine_(engine) {}
      ~Batch() override { RocksDb().writebatch_destroy(batch_); }
      void Put(const Key& key, std::string_view value) override {
        RocksDb().writebatch_put(batch_, key.bytes.data(), key.bytes.size(), value.data(), value.size());
      }
      absl::Status Write() override {
        char* error = nullptr;
        RocksDb().write(engine_.db_, engine_.write_options_, batch_, &error);
        RocksDb().writebatch_clear(batch_);
        return TakeError(error);
      }

     private:
      RocksDbEngine& engine_;
      rocksdb_writebatch_t* const batch_ = RocksDb().writebatch_create();
    };
    return std::make_unique<Batch>(*this);
  }

  // It has no addition: a get and a put, that no other addition comes between.
  absl::Status Increment(const Key& key) override {
    const std::lock_guard lock(increments_);
    uint64_t counter = 0;
    std::string value;
    if (Get(key, &value)) {
      if (value.size() != sizeof(counter)) return absl::FailedPreconditionError("the value isn't 8 bytes");
      std::memcpy(&counter, value.data(), sizeof(counter));
    }
    ++counter;
    return Put(key, {reinterpret_cast<const char*>(&counter), sizeof(counter)});
  }

  absl::Status TouchSnapshot() override {
    RocksDb().release_snapshot(db_, RocksDb().create_snapshot(db_));
    return absl::OkStatus();
  }
  absl::Status Compact() override {
    RocksDb().compact_range(db_, nullptr, 0, nullptr, 0);
    return absl::OkStatus();
  }

  bool is_thread_safe() const override { return true; }
  bool is_persistent() const override { return true; }
  std::string Describe() const override {
    return absl::StrCat("RocksDB ", ROCKSDB_MAJOR, ".", ROCKSDB_MINOR, ".", ROCKSDB_PATCH,
                        is_durable_ ? absl::StrCat(", WAL with sync=true: ", DurabilityOfSynced(path_))
                                    : ", WAL with sync=false: outlives the process, not the power");
  }
  std::optional<uint64_t> BytesUsed() override { return BytesOnDisk(path_); }
  std::optional<uint64_t> BytesTaken() override { return BytesOnDisk(path_); }

 private:
  rocksdb_options_t* NewOptions(const EngineOptions& options) {
    // As much as all data: the others have theirs in memory too.
    cache_ = RocksDb().cache_create_lru(std::max<uint64_t>(options.capacity_bytes, uint64_t{256} << 20));
    rocksdb_block_based_table_options_t* table = RocksDb().block_based_options_create();
    RocksDb().block_based_options_set_block_cache(table, cache_);
    // The table's options own the filter.
    RocksDb().block_based_options_set_filter_policy(table, RocksDb().filterpolicy_create_bloom_full(10));
    rocksdb_options_t* made = RocksDb().options_create();
    RocksDb().options_set_block_based_table_factory(made, table);
    RocksDb().block_based_options_destroy(table);
    RocksDb().options_set_create_if_missing(made, options.use_existing ? 0 : 1);
    RocksDb().options_set_compression(made, rocksdb_no_compression);
    RocksDb().options_set_write_buffer_size(made, kWriteBufferBytes);
    RocksDb().options_set_max_background_jobs(made,
                                              static_cast<int>(std::max(2u, std::thread::hardware_concurrency())));
    RocksDb().options_set_info_log_level(made, kErrorsOnly);
    return made;
  }

  static constexpr size_t kWriteBufferBytes = 64 << 20;  // its default
  static constexpr int kErrorsOnly = 3;                  // of rocksdb::InfoLogLevel

  const bool is_durable_;
  std::string path_;
  rocksdb_t* db_ = nullptr;
  rocksdb_cache_t* cache_ = nullptr;
  rocksdb_readoptions_t* const read_options_ = RocksDb().readoptions_create();
  rocksdb_writeoptions_t* const write_options_ = RocksDb().writeoptions_create();
  std::mutex increments_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeRocksDbEngine(bool is_durable) {
  if (const absl::Status& status = RocksDb().library.status(); !status.ok()) return status;
  return std::make_unique<RocksDbEngine>(is_durable);
}

}  // namespace sealkv::bench
