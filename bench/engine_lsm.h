// What LevelDB and RocksDB have in common, as engines: RocksDB began as a copy of LevelDB, and its C API still has the
// same functions, with another prefix. Both are log-structured merge trees; writers queue up, and share a sync of the
// log.
#ifndef SEALKV_BENCH_ENGINE_LSM_H_
#define SEALKV_BENCH_ENGINE_LSM_H_

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "bench/engine.h"
#include "bench/store_files.h"

namespace sealkv::bench {

// The functions that both have, by their names without the prefix: F(name) declares each. (`delete` is no name for a
// member: libraries have it as `del`.)
// clang-format off
#define SEALKV_LSM_FUNCTIONS(F)                                                                    \
  F(free) F(open) F(close) F(put) F(write) F(compact_range) F(create_snapshot) F(release_snapshot) \
  F(create_iterator) F(iter_destroy) F(iter_valid) F(iter_seek) F(iter_seek_to_first)              \
  F(iter_seek_to_last) F(iter_next) F(iter_prev) F(iter_value) F(iter_get_error)                   \
  F(writebatch_create) F(writebatch_destroy) F(writebatch_clear) F(writebatch_put)                 \
  F(options_create) F(options_destroy) F(options_set_create_if_missing) F(options_set_compression) \
  F(options_set_write_buffer_size) F(cache_create_lru) F(cache_destroy) F(readoptions_create)      \
  F(readoptions_destroy) F(writeoptions_create) F(writeoptions_destroy) F(writeoptions_set_sync)
// clang-format on

// Library: has these functions, the API's types (Db, Options, …), kName, kNoCompression, and Get(), the only one.
template <typename Library>
class LsmEngine : public Engine {
 public:
  explicit LsmEngine(bool is_durable) : is_durable_(is_durable) {
    Lib().writeoptions_set_sync(write_options_, is_durable ? 1 : 0);
  }
  ~LsmEngine() override {
    LsmEngine::Close();
    Lib().readoptions_destroy(read_options_);
    Lib().writeoptions_destroy(write_options_);
  }

  absl::Status Open(const EngineOptions& options) override {
    Close();
    path_ = options.path;
    if (absl::Status status = PrepareFolder(path_, options.use_existing); !status.ok()) return status;
    // As much as all data: the others have theirs in memory too.
    cache_ = Lib().cache_create_lru(std::max<uint64_t>(options.capacity_bytes, uint64_t{256} << 20));
    typename Library::Options* open_options = Lib().options_create();
    Lib().options_set_create_if_missing(open_options, options.use_existing ? 0 : 1);
    Lib().options_set_compression(open_options, Library::kNoCompression);
    Lib().options_set_write_buffer_size(open_options, kWriteBufferBytes);
    Tune(open_options, cache_);
    char* error = nullptr;
    db_ = Lib().open(open_options, path_.c_str(), &error);
    Lib().options_destroy(open_options);
    return TakeError(error);
  }

  void Close() override {
    if (db_ != nullptr) Lib().close(db_);
    if (cache_ != nullptr) Lib().cache_destroy(cache_);
    db_ = nullptr;
    cache_ = nullptr;
  }

  absl::Status Put(const Key& key, std::string_view value) override {
    char* error = nullptr;
    Lib().put(db_, write_options_, key.bytes.data(), key.bytes.size(), value.data(), value.size(), &error);
    return TakeError(error);
  }

  absl::Status Delete(const Key& key) override {
    char* error = nullptr;
    Lib().del(db_, write_options_, key.bytes.data(), key.bytes.size(), &error);
    return TakeError(error);
  }

  absl::StatusOr<uint64_t> Scan(const std::optional<Key>& from, uint64_t count, bool reverse, uint64_t* sum) override {
    typename Library::Iterator* it = Lib().create_iterator(db_, read_options_);
    if (reverse) {
      Lib().iter_seek_to_last(it);
    } else if (from.has_value()) {
      Lib().iter_seek(it, from->bytes.data(), from->bytes.size());
    } else {
      Lib().iter_seek_to_first(it);
    }
    uint64_t seen = 0;
    for (; seen < count && Lib().iter_valid(it) != 0; ++seen) {
      size_t size = 0;
      const char* value = Lib().iter_value(it, &size);
      if (size > 0) *sum += static_cast<unsigned char>(value[size - 1]);
      reverse ? Lib().iter_prev(it) : Lib().iter_next(it);
    }
    // An iterator that fails stands on nothing, as one at the end does.
    char* error = nullptr;
    Lib().iter_get_error(it, &error);
    Lib().iter_destroy(it);
    if (absl::Status status = TakeError(error); !status.ok()) return status;
    return seen;
  }

  std::unique_ptr<EngineBatch> NewBatch() override {
    class Batch : public EngineBatch {
     public:
      explicit Batch(LsmEngine& engine) : engine_(engine) {}
      ~Batch() override { Lib().writebatch_destroy(batch_); }
      void Put(const Key& key, std::string_view value) override {
        Lib().writebatch_put(batch_, key.bytes.data(), key.bytes.size(), value.data(), value.size());
      }
      absl::Status Write() override {
        char* error = nullptr;
        Lib().write(engine_.db_, engine_.write_options_, batch_, &error);
        Lib().writebatch_clear(batch_);
        return TakeError(error);
      }

     private:
      LsmEngine& engine_;
      typename Library::WriteBatch* const batch_ = Lib().writebatch_create();
    };
    return std::make_unique<Batch>(*this);
  }

  absl::Status TouchSnapshot() override {
    Lib().release_snapshot(db_, Lib().create_snapshot(db_));
    return absl::OkStatus();
  }
  absl::Status Compact() override {
    Lib().compact_range(db_, nullptr, 0, nullptr, 0);
    return absl::OkStatus();
  }

  bool is_thread_safe() const override { return true; }
  bool is_persistent() const override { return true; }
  std::optional<uint64_t> BytesUsed() override { return BytesOnDisk(path_); }
  std::optional<uint64_t> BytesTaken() override { return BytesOnDisk(path_); }

 protected:
  static const Library& Lib() { return Library::Get(); }

  // What a call left behind: nullptr, or a text that is ours to free.
  static absl::Status TakeError(char* error) {
    if (error == nullptr) [[likely]]
      return absl::OkStatus();
    absl::Status status = absl::InternalError(absl::StrCat(Library::kName, ": ", error));
    Lib().free(error);
    return status;
  }

  // Cache, Bloom filter, and what else only this one has.
  virtual void Tune(typename Library::Options* options, typename Library::Cache* cache) = 0;

  // How durable a write to its log is.
  std::string DescribeLog(std::string_view log) const {
    return absl::StrCat(", ", std::string(log),
                        is_durable_ ? absl::StrCat(" with sync=true: ", DurabilityOfSynced(path_))
                                    : " with sync=false: outlives the process, not the power");
  }

  typename Library::Db* db() { return db_; }
  const typename Library::ReadOptions* read_options() const { return read_options_; }
  const typename Library::WriteOptions* write_options() const { return write_options_; }

 private:
  static constexpr size_t kWriteBufferBytes = 64 << 20;  // RocksDB's default; LevelDB's is 4 MiB

  const bool is_durable_;
  std::string path_;
  typename Library::Db* db_ = nullptr;
  typename Library::Cache* cache_ = nullptr;
  typename Library::ReadOptions* const read_options_ = Lib().readoptions_create();
  typename Library::WriteOptions* const write_options_ = Lib().writeoptions_create();
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_ENGINE_LSM_H_
