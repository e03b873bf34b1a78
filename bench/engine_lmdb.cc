// LMDB: a B+ tree of copied pages in a memory map; one writer, readers that take no lock.
#include <lmdb.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/engine.h"
#include "bench/per_thread.h"
#include "bench/shared_library.h"
#include "bench/store_files.h"

namespace sealkv::bench {
namespace {

struct Library {
  SharedLibrary library{{"liblmdb.so.0", "liblmdb.so"}, "liblmdb0"};
  Imported<decltype(mdb_version)> version{library, "mdb_version"};
  Imported<decltype(mdb_strerror)> strerror{library, "mdb_strerror"};
  Imported<decltype(mdb_env_create)> env_create{library, "mdb_env_create"};
  Imported<decltype(mdb_env_set_mapsize)> env_set_mapsize{library, "mdb_env_set_mapsize"};
  Imported<decltype(mdb_env_set_maxreaders)> env_set_maxreaders{library, "mdb_env_set_maxreaders"};
  Imported<decltype(mdb_env_open)> env_open{library, "mdb_env_open"};
  Imported<decltype(mdb_env_close)> env_close{library, "mdb_env_close"};
  Imported<decltype(mdb_dbi_open)> dbi_open{library, "mdb_dbi_open"};
  Imported<decltype(mdb_txn_begin)> txn_begin{library, "mdb_txn_begin"};
  Imported<decltype(mdb_txn_commit)> txn_commit{library, "mdb_txn_commit"};
  Imported<decltype(mdb_txn_abort)> txn_abort{library, "mdb_txn_abort"};
  Imported<decltype(mdb_txn_reset)> txn_reset{library, "mdb_txn_reset"};
  Imported<decltype(mdb_txn_renew)> txn_renew{library, "mdb_txn_renew"};
  Imported<decltype(mdb_get)> get{library, "mdb_get"};
  Imported<decltype(mdb_put)> put{library, "mdb_put"};
  Imported<decltype(mdb_del)> del{library, "mdb_del"};
  Imported<decltype(mdb_cursor_open)> cursor_open{library, "mdb_cursor_open"};
  Imported<decltype(mdb_cursor_close)> cursor_close{library, "mdb_cursor_close"};
  Imported<decltype(mdb_cursor_renew)> cursor_renew{library, "mdb_cursor_renew"};
  Imported<decltype(mdb_cursor_get)> cursor_get{library, "mdb_cursor_get"};
};

const Library& Lmdb() {
  static const Library* const library = new Library;
  return *library;
}

absl::Status ErrorOf(int code, std::string_view what) {
  if (code == MDB_SUCCESS) return absl::OkStatus();
  if (code == MDB_NOTFOUND) return absl::NotFoundError("no such key");
  const std::string text = absl::StrCat("LMDB, ", std::string(what), ": ", Lmdb().strerror(code));
  if (code == MDB_MAP_FULL) return absl::ResourceExhaustedError(absl::StrCat(text, ". Give it a larger --capacity."));
  return absl::InternalError(text);
}

MDB_val ValOf(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
std::string_view BytesOf(const MDB_val& val) { return {static_cast<const char*>(val.mv_data), val.mv_size}; }

// A thread's read transaction and cursor, both used again and again: each renewal sees what was committed last.
class Reader {
 public:
  // nullptr: `code` says why.
  static std::unique_ptr<Reader> New(MDB_env* env, MDB_dbi dbi, int* code) {
    auto reader = std::make_unique<Reader>();
    *code = Lmdb().txn_begin(env, nullptr, MDB_RDONLY, &reader->txn_);
    if (*code == MDB_SUCCESS) *code = Lmdb().cursor_open(reader->txn_, dbi, &reader->cursor_);
    if (*code != MDB_SUCCESS) return nullptr;
    Lmdb().txn_reset(reader->txn_);
    return reader;
  }
  ~Reader() {
    if (cursor_ != nullptr) Lmdb().cursor_close(cursor_);
    if (txn_ != nullptr) Lmdb().txn_abort(txn_);
  }
  int Renew() { return Lmdb().txn_renew(txn_); }
  void Reset() { Lmdb().txn_reset(txn_); }
  MDB_txn* txn() { return txn_; }
  MDB_cursor* cursor() { return cursor_; }

 private:
  MDB_txn* txn_ = nullptr;
  MDB_cursor* cursor_ = nullptr;
};

class LmdbEngine : public Engine {
 public:
  explicit LmdbEngine(bool is_durable) : is_durable_(is_durable) {}
  ~LmdbEngine() override { Close(); }

  absl::Status Open(const EngineOptions& options) override {
    Close();
    path_ = options.path;
    if (absl::Status status = PrepareFolder(path_, options.use_existing); !status.ok()) return status;
    if (const int code = OpenEnvironment(options.capacity_bytes); code != MDB_SUCCESS) return ErrorOf(code, path_);
    return InTransaction([&](MDB_txn* txn) { return Lmdb().dbi_open(txn, nullptr, 0, &dbi_); });
  }

  void Close() override {
    readers_.Clear();
    if (env_ != nullptr) Lmdb().env_close(env_);
    env_ = nullptr;
  }

  absl::Status Put(const Key& key, std::string_view value) override {
    return InTransaction([&](MDB_txn* txn) { return PutIn(txn, key.bytes, value); });
  }

  absl::Status Get(const Key& key, std::string* value) override {
    Reader* reader = nullptr;
    if (const int code = BeginRead(&reader); code != MDB_SUCCESS) return ErrorOf(code, path_);
    MDB_val name = ValOf(key.bytes), found;
    const int code = Lmdb().get(reader->txn(), dbi_, &name, &found);
    if (code == MDB_SUCCESS) value->assign(BytesOf(found));
    reader->Reset();
    return code == MDB_NOTFOUND ? Missing() : ErrorOf(code, path_);
  }

  // Within one transaction.
  void MultiGet(std::span<const Key> keys, std::vector<absl::StatusOr<std::string>>* values) override {
    Reader* reader = nullptr;
    const int begun = BeginRead(&reader);
    if (begun != MDB_SUCCESS) return values->assign(keys.size(), ErrorOf(begun, path_));
    values->resize(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      absl::StatusOr<std::string>& value = (*values)[i];
      MDB_val name = ValOf(keys[i].bytes), found;
      const int code = Lmdb().get(reader->txn(), dbi_, &name, &found);
      if (code != MDB_SUCCESS) {
        value = code == MDB_NOTFOUND ? Missing() : ErrorOf(code, path_);
      } else if (value.ok()) {
        value->assign(BytesOf(found));
      } else {
        value.emplace(BytesOf(found));
      }
    }
    reader->Reset();
  }

  absl::Status Delete(const Key& key) override {
    return InTransaction([&](MDB_txn* txn) {
      MDB_val name = ValOf(key.bytes);
      return Lmdb().del(txn, dbi_, &name, nullptr);
    });
  }

  absl::StatusOr<uint64_t> Scan(const std::optional<Key>& from, uint64_t count, bool reverse, uint64_t* sum) override {
    Reader* reader = nullptr;
    if (const int code = BeginRead(&reader); code != MDB_SUCCESS) return ErrorOf(code, path_);
    MDB_cursor* cursor = reader->cursor();
    MDB_val name = ValOf(from.has_value() ? from->bytes : std::string_view()), value;
    int code = Lmdb().cursor_renew(reader->txn(), cursor);
    if (code == MDB_SUCCESS) {
      code = Lmdb().cursor_get(cursor, &name, &value,
                               reverse            ? MDB_LAST
                               : from.has_value() ? MDB_SET_RANGE
                                                  : MDB_FIRST);
    }
    uint64_t seen = 0;
    for (; code == MDB_SUCCESS && seen < count; ++seen) {
      if (value.mv_size > 0) *sum += static_cast<unsigned char>(BytesOf(value).back());
      code = Lmdb().cursor_get(cursor, &name, &value, reverse ? MDB_PREV : MDB_NEXT);
    }
    reader->Reset();
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND) return ErrorOf(code, path_);
    return seen;
  }

  std::unique_ptr<EngineBatch> NewBatch() override {
    // LMDB's batch is a transaction: it is open from the first put on.
    class Batch : public EngineBatch {
     public:
      explicit Batch(LmdbEngine& engine) : engine_(engine) {}
      ~Batch() override {
        if (txn_ != nullptr) Lmdb().txn_abort(txn_);
      }
      void Put(const Key& key, std::string_view value) override {
        if (txn_ == nullptr && code_ == MDB_SUCCESS) code_ = Lmdb().txn_begin(engine_.env_, nullptr, 0, &txn_);
        if (code_ == MDB_SUCCESS) code_ = engine_.PutIn(txn_, key.bytes, value);
      }
      absl::Status Write() override {
        MDB_txn* txn = std::exchange(txn_, nullptr);
        if (code_ == MDB_SUCCESS && txn != nullptr) {
          code_ = Lmdb().txn_commit(txn);
        } else if (txn != nullptr) {
          Lmdb().txn_abort(txn);
        }
        return ErrorOf(std::exchange(code_, MDB_SUCCESS), engine_.path_);
      }

     private:
      LmdbEngine& engine_;
      MDB_txn* txn_ = nullptr;
      int code_ = MDB_SUCCESS;
    };
    return std::make_unique<Batch>(*this);
  }

  absl::Status Increment(const Key& key) override {
    return InTransaction([&](MDB_txn* txn) {
      uint64_t counter = 0;
      MDB_val name = ValOf(key.bytes), found;
      const int code = Lmdb().get(txn, dbi_, &name, &found);
      if (code == MDB_SUCCESS && found.mv_size == sizeof(counter)) {
        std::memcpy(&counter, found.mv_data, sizeof(counter));
      } else if (code != MDB_NOTFOUND) {
        return code == MDB_SUCCESS ? EINVAL : code;
      }
      ++counter;
      return PutIn(txn, key.bytes, {reinterpret_cast<const char*>(&counter), sizeof(counter)});
    });
  }

  absl::Status TouchSnapshot() override {
    Reader* reader = nullptr;
    if (const int code = BeginRead(&reader); code != MDB_SUCCESS) return ErrorOf(code, path_);
    reader->Reset();
    return absl::OkStatus();
  }

  bool is_thread_safe() const override { return true; }
  bool is_persistent() const override { return true; }
  std::string Describe() const override {
    int major = 0, minor = 0, patch = 0;
    Lmdb().version(&major, &minor, &patch);
    return absl::StrCat("LMDB ", major, ".", minor, ".", patch,
                        is_durable_ ? absl::StrCat(", fdatasync at each commit: ", DurabilityOfSynced(path_))
                                    : ", MDB_WRITEMAP|MDB_NOSYNC: not durable");
  }
  std::optional<uint64_t> BytesUsed() override { return BytesOnDisk(path_); }

 private:
  int OpenEnvironment(uint64_t capacity_bytes) {
    if (const int code = Lmdb().env_create(&env_); code != MDB_SUCCESS) return code;
    // Address space, of which it takes what it needs; at most half of what a process has.
    const uint64_t map_bytes = std::clamp<uint64_t>(capacity_bytes * 4, uint64_t{1} << 30, uint64_t{1} << 46);
    if (const int code = Lmdb().env_set_mapsize(env_, map_bytes); code != MDB_SUCCESS) return code;
    if (const int code = Lmdb().env_set_maxreaders(env_, 2048); code != MDB_SUCCESS) return code;
    // MDB_NOTLS: read transactions belong to `readers_`, which knows of threads itself.
    const unsigned flags = MDB_NOTLS | (is_durable_ ? 0 : MDB_WRITEMAP | MDB_NOSYNC);
    return Lmdb().env_open(env_, path_.c_str(), flags, 0644);
  }

  template <typename Action>  // int(MDB_txn*): an error of LMDB, after which nothing is committed
  absl::Status InTransaction(const Action& action) {
    MDB_txn* txn = nullptr;
    int code = Lmdb().txn_begin(env_, nullptr, 0, &txn);
    if (code != MDB_SUCCESS) return ErrorOf(code, path_);
    code = action(txn);
    if (code == MDB_SUCCESS) {
      code = Lmdb().txn_commit(txn);
    } else {
      Lmdb().txn_abort(txn);
    }
    return ErrorOf(code, path_);
  }

  int PutIn(MDB_txn* txn, std::string_view key, std::string_view value) {
    MDB_val name = ValOf(key), data = ValOf(value);
    return Lmdb().put(txn, dbi_, &name, &data, 0);
  }

  // The thread's reader, which sees what was committed last, until it is reset.
  int BeginRead(Reader** reader) {
    int code = MDB_SUCCESS;
    *reader = readers_.Get([&] { return Reader::New(env_, dbi_, &code); });
    return *reader == nullptr ? code : (*reader)->Renew();
  }

  const bool is_durable_;
  std::string path_;
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
  PerThread<Reader> readers_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeLmdbEngine(bool is_durable) {
  if (const absl::Status& status = Lmdb().library.status(); !status.ok()) return status;
  return std::make_unique<LmdbEngine>(is_durable);
}

}  // namespace sealkv::bench
