// LevelDB: a log-structured merge tree; writers queue up, and share a sync of the log.
#include <leveldb/c.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "bench/engine.h"
#include "bench/shared_library.h"
#include "bench/store_files.h"

namespace sealkv::bench {
namespace {

struct Library {
  SharedLibrary library{{"libleveldb.so.1d", "libleveldb.so.1", "libleveldb.so"}, "libleveldb1d"};
  Imported<decltype(leveldb_major_version)> major_version{library, "leveldb_major_version"};
  Imported<decltype(leveldb_minor_version)> minor_version{library, "leveldb_minor_version"};
  Imported<decltype(leveldb_free)> free{library, "leveldb_free"};
  Imported<decltype(leveldb_open)> open{library, "leveldb_open"};
  Imported<decltype(leveldb_close)> close{library, "leveldb_close"};
  Imported<decltype(leveldb_put)> put{library, "leveldb_put"};
  Imported<decltype(leveldb_get)> get{library, "leveldb_get"};
  Imported<decltype(leveldb_delete)> del{library, "leveldb_delete"};
  Imported<decltype(leveldb_write)> write{library, "leveldb_write"};
  Imported<decltype(leveldb_compact_range)> compact_range{library, "leveldb_compact_range"};
  Imported<decltype(leveldb_create_snapshot)> create_snapshot{library, "leveldb_create_snapshot"};
  Imported<decltype(leveldb_release_snapshot)> release_snapshot{library, "leveldb_release_snapshot"};
  Imported<decltype(leveldb_create_iterator)> create_iterator{library, "leveldb_create_iterator"};
  Imported<decltype(leveldb_iter_destroy)> iter_destroy{library, "leveldb_iter_destroy"};
  Imported<decltype(leveldb_iter_valid)> iter_valid{library, "leveldb_iter_valid"};
  Imported<decltype(leveldb_iter_seek)> iter_seek{library, "leveldb_iter_seek"};
  Imported<decltype(leveldb_iter_seek_to_first)> iter_seek_to_first{library, "leveldb_iter_seek_to_first"};
  Imported<decltype(leveldb_iter_seek_to_last)> iter_seek_to_last{library, "leveldb_iter_seek_to_last"};
  Imported<decltype(leveldb_iter_next)> iter_next{library, "leveldb_iter_next"};
  Imported<decltype(leveldb_iter_prev)> iter_prev{library, "leveldb_iter_prev"};
  Imported<decltype(leveldb_iter_value)> iter_value{library, "leveldb_iter_value"};
  Imported<decltype(leveldb_writebatch_create)> writebatch_create{library, "leveldb_writebatch_create"};
  Imported<decltype(leveldb_writebatch_destroy)> writebatch_destroy{library, "leveldb_writebatch_destroy"};
  Imported<decltype(leveldb_writebatch_clear)> writebatch_clear{library, "leveldb_writebatch_clear"};
  Imported<decltype(leveldb_writebatch_put)> writebatch_put{library, "leveldb_writebatch_put"};
  Imported<decltype(leveldb_options_create)> options_create{library, "leveldb_options_create"};
  Imported<decltype(leveldb_options_destroy)> options_destroy{library, "leveldb_options_destroy"};
  Imported<decltype(leveldb_options_set_create_if_missing)> options_set_create_if_missing{
      library, "leveldb_options_set_create_if_missing"};
  Imported<decltype(leveldb_options_set_compression)> options_set_compression{library,
                                                                              "leveldb_options_set_compression"};
  Imported<decltype(leveldb_options_set_write_buffer_size)> options_set_write_buffer_size{
      library, "leveldb_options_set_write_buffer_size"};
  Imported<decltype(leveldb_options_set_cache)> options_set_cache{library, "leveldb_options_set_cache"};
  Imported<decltype(leveldb_options_set_filter_policy)> options_set_filter_policy{library,
                                                                                  "leveldb_options_set_filter_policy"};
  Imported<decltype(leveldb_cache_create_lru)> cache_create_lru{library, "leveldb_cache_create_lru"};
  Imported<decltype(leveldb_cache_destroy)> cache_destroy{library, "leveldb_cache_destroy"};
  Imported<decltype(leveldb_filterpolicy_create_bloom)> filterpolicy_create_bloom{library,
                                                                                  "leveldb_filterpolicy_create_bloom"};
  Imported<decltype(leveldb_filterpolicy_destroy)> filterpolicy_destroy{library, "leveldb_filterpolicy_destroy"};
  Imported<decltype(leveldb_readoptions_create)> readoptions_create{library, "leveldb_readoptions_create"};
  Imported<decltype(leveldb_readoptions_destroy)> readoptions_destroy{library, "leveldb_readoptions_destroy"};
  Imported<decltype(leveldb_writeoptions_create)> writeoptions_create{library, "leveldb_writeoptions_create"};
  Imported<decltype(leveldb_writeoptions_destroy)> writeoptions_destroy{library, "leveldb_writeoptions_destroy"};
  Imported<decltype(leveldb_writeoptions_set_sync)> writeoptions_set_sync{library, "leveldb_writeoptions_set_sync"};
};

const Library& LevelDb() {
  static const Library* const library = new Library;
  return *library;
}

// What a call left behind: nullptr, or a text that is ours to free.
absl::Status TakeError(char* error) {
  if (error == nullptr) return absl::OkStatus();
  absl::Status status = absl::InternalError(absl::StrCat("LevelDB: ", error));
  LevelDb().free(error);
  return status;
}

class LevelDbEngine : public Engine {
 public:
  explicit LevelDbEngine(bool is_durable) : is_durable_(is_durable) {
    LevelDb().writeoptions_set_sync(write_options_, is_durable ? 1 : 0);
  }
  ~LevelDbEngine() override {
    Close();
    LevelDb().readoptions_destroy(read_options_);
    LevelDb().writeoptions_destroy(write_options_);
    LevelDb().filterpolicy_destroy(filter_);
  }

  absl::Status Open(const EngineOptions& options) override {
    Close();
    path_ = options.path;
    if (absl::Status status = PrepareFolder(path_, options.use_existing); !status.ok()) return status;
    // As much as all data: the others have theirs in memory too.
    cache_ = LevelDb().cache_create_lru(std::max<uint64_t>(options.capacity_bytes, uint64_t{256} << 20));
    leveldb_options_t* open_options = LevelDb().options_create();
    LevelDb().options_set_create_if_missing(open_options, options.use_existing ? 0 : 1);
    LevelDb().options_set_compression(open_options, leveldb_no_compression);
    LevelDb().options_set_write_buffer_size(open_options, kWriteBufferBytes);
    LevelDb().options_set_cache(open_options, cache_);
    LevelDb().options_set_filter_policy(open_options, filter_);
    char* error = nullptr;
    db_ = LevelDb().open(open_options, path_.c_str(), &error);
    LevelDb().options_destroy(open_options);
    return TakeError(error);
  }

  void Close() override {
    if (db_ != nullptr) LevelDb().close(db_);
    if (cache_ != nullptr) LevelDb().cache_destroy(cache_);
    db_ = nullptr;
    cache_ = nullptr;
  }

  absl::Status Put(const Key& key, std::string_view value) override {
    char* error = nullptr;
    LevelDb().put(db_, write_options_, key.bytes.data(), key.bytes.size(), value.data(), value.size(), &error);
    return TakeError(error);
  }

  bool Get(const Key& key, std::string* value) override {
    char* error = nullptr;
    size_t size = 0;
    char* found = LevelDb().get(db_, read_options_, key.bytes.data(), key.bytes.size(), &size, &error);
    if (!TakeError(error).ok() || found == nullptr) return false;
    value->assign(found, size);
    LevelDb().free(found);
    return true;
  }

  absl::Status Delete(const Key& key) override {
    char* error = nullptr;
    LevelDb().del(db_, write_options_, key.bytes.data(), key.bytes.size(), &error);
    return TakeError(error);
  }

  uint64_t Scan(const std::optional<Key>& from, uint64_t count, bool reverse, uint64_t* sum) override {
    leveldb_iterator_t* it = LevelDb().create_iterator(db_, read_options_);
    if (reverse) {
      LevelDb().iter_seek_to_last(it);
    } else if (from.has_value()) {
      LevelDb().iter_seek(it, from->bytes.data(), from->bytes.size());
    } else {
      LevelDb().iter_seek_to_first(it);
    }
    uint64_t seen = 0;
    for (; seen < count && LevelDb().iter_valid(it) != 0; ++seen) {
      size_t size = 0;
      const char* value = LevelDb().iter_value(it, &size);
      if (size > 0) *sum += static_cast<unsigned char>(value[size - 1]);
      reverse ? LevelDb().iter_prev(it) : LevelDb().iter_next(it);
    }
    LevelDb().iter_destroy(it);
    return seen;
  }

  std::unique_ptr<EngineBatch> NewBatch() override {
    class Batch : public EngineBatch {
     public:
      explicit Batch(LevelDbEngine& engine) : engine_(engine) {}
      ~Batch() override { LevelDb().writebatch_destroy(batch_); }
      void Put(const Key& key, std::string_view value) override {
        LevelDb().writebatch_put(batch_, key.bytes.data(), key.bytes.size(), value.data(), value.size());
      }
      absl::Status Write() override {
        char* error = nullptr;
        LevelDb().write(engine_.db_, engine_.write_options_, batch_, &error);
        LevelDb().writebatch_clear(batch_);
        return TakeError(error);
      }

     private:
      LevelDbEngine& engine_;
      leveldb_writebatch_t* const batch_ = LevelDb().writebatch_create();
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
    LevelDb().release_snapshot(db_, LevelDb().create_snapshot(db_));
    return absl::OkStatus();
  }
  absl::Status Compact() override {
    LevelDb().compact_range(db_, nullptr, 0, nullptr, 0);
    return absl::OkStatus();
  }

  bool is_thread_safe() const override { return true; }
  bool is_persistent() const override { return true; }
  std::string Describe() const override {
    return absl::StrCat("LevelDB ", LevelDb().major_version(), ".", LevelDb().minor_version(),
                        is_durable_ ? absl::StrCat(", log with sync=true: ", DurabilityOfSynced(path_))
                                    : ", log with sync=false: outlives the process, not the power");
  }
  std::optional<uint64_t> BytesUsed() override { return BytesOnDisk(path_); }
  std::optional<uint64_t> BytesTaken() override { return BytesOnDisk(path_); }

 private:
  static constexpr size_t kWriteBufferBytes = 64 << 20;  // RocksDB's default; its own is 4 MiB

  const bool is_durable_;
  std::string path_;
  leveldb_t* db_ = nullptr;
  leveldb_cache_t* cache_ = nullptr;
  leveldb_filterpolicy_t* const filter_ = LevelDb().filterpolicy_create_bloom(10);
  leveldb_readoptions_t* const read_options_ = LevelDb().readoptions_create();
  leveldb_writeoptions_t* const write_options_ = LevelDb().writeoptions_create();
  std::mutex increments_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeLevelDbEngine(bool is_durable) {
  if (const absl::Status& status = LevelDb().library.status(); !status.ok()) return status;
  return std::make_unique<LevelDbEngine>(is_durable);
}

}  // namespace sealkv::bench
