// SQLite as a key-value store: one table without row ids, prepared statements, a write-ahead log.
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/counter.h"
#include "bench/engine.h"
#include "bench/per_thread.h"
#include "bench/shared_library.h"
#include "bench/store_files.h"

namespace sealkv::bench {
namespace {

struct Library {
  SharedLibrary library{{"libsqlite3.so.0", "libsqlite3.so"}, "libsqlite3-0"};
  Imported<decltype(sqlite3_libversion)> libversion{library, "sqlite3_libversion"};
  Imported<decltype(sqlite3_open_v2)> open_v2{library, "sqlite3_open_v2"};
  Imported<decltype(sqlite3_close_v2)> close_v2{library, "sqlite3_close_v2"};
  Imported<decltype(sqlite3_errmsg)> errmsg{library, "sqlite3_errmsg"};
  Imported<decltype(sqlite3_exec)> exec{library, "sqlite3_exec"};
  Imported<decltype(sqlite3_busy_timeout)> busy_timeout{library, "sqlite3_busy_timeout"};
  Imported<decltype(sqlite3_changes)> changes{library, "sqlite3_changes"};
  Imported<decltype(sqlite3_prepare_v3)> prepare_v3{library, "sqlite3_prepare_v3"};
  Imported<decltype(sqlite3_finalize)> finalize{library, "sqlite3_finalize"};
  Imported<decltype(sqlite3_bind_blob)> bind_blob{library, "sqlite3_bind_blob"};
  Imported<decltype(sqlite3_bind_int64)> bind_int64{library, "sqlite3_bind_int64"};
  Imported<decltype(sqlite3_step)> step{library, "sqlite3_step"};
  Imported<decltype(sqlite3_reset)> reset{library, "sqlite3_reset"};
  Imported<decltype(sqlite3_column_blob)> column_blob{library, "sqlite3_column_blob"};
  Imported<decltype(sqlite3_column_bytes)> column_bytes{library, "sqlite3_column_bytes"};
};

const Library& Sqlite() {
  static const Library* const library = new Library;
  return *library;
}

enum Statement { kBegin, kCommit, kRollback, kPut, kGet, kDelete, kFrom, kForward, kBackward, kStatements };
constexpr std::array<const char*, kStatements> kTexts = {
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "INSERT INTO pairs VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    "SELECT value FROM pairs WHERE key = ?1",
    "DELETE FROM pairs WHERE key = ?1",
    "SELECT value, key FROM pairs WHERE key >= ?1 ORDER BY key LIMIT ?2",
    "SELECT value, key FROM pairs ORDER BY key LIMIT ?2",
    "SELECT value, key FROM pairs ORDER BY key DESC LIMIT ?2"};

// A thread's, with its statements.
class Connection {
 public:
  ~Connection() {
    for (sqlite3_stmt* statement : statements_) Sqlite().finalize(statement);
    Sqlite().close_v2(db_);
  }

  absl::Status Open(const std::string& file, const std::string& settings) {
    // NOMUTEX: no two threads share one.
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (Sqlite().open_v2(file.c_str(), &db_, flags, nullptr) != SQLITE_OK) return Error();
    Sqlite().busy_timeout(db_, 60000);
    if (Sqlite().exec(db_, settings.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return Error();
    for (int i = 0; i < kStatements; ++i) {
      if (Sqlite().prepare_v3(db_, kTexts[i], -1, SQLITE_PREPARE_PERSISTENT, &statements_[i], nullptr) != SQLITE_OK) {
        return Error();
      }
    }
    return absl::OkStatus();
  }

  // What can't be bound (a value beyond SQLite's limit) is the next step's error.
  void Bind(Statement which, int place, std::string_view bytes) {
    // SQLITE_STATIC: the bytes stay until the statement is through.
    NoteBound(
        Sqlite().bind_blob(statements_[which], place, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC));
  }
  void Bind(Statement which, int place, uint64_t number) {
    NoteBound(Sqlite().bind_int64(statements_[which], place,
                                  static_cast<sqlite3_int64>(std::min<uint64_t>(number, INT64_MAX))));
  }
  // SQLITE_ROW: there is another row, and its first column is the value. SQLITE_DONE: there is none. Else an error.
  int Step(Statement which) {
    const int bound = std::exchange(bound_, SQLITE_OK);
    return bound == SQLITE_OK ? Sqlite().step(statements_[which]) : bound;
  }
  std::string_view Value(Statement which) {
    const void* bytes = Sqlite().column_blob(statements_[which], 0);
    return {static_cast<const char*>(bytes), static_cast<size_t>(Sqlite().column_bytes(statements_[which], 0))};
  }
  // Ends a statement that gives rows; `code` is of its last step.
  absl::Status End(Statement which, int code) {
    absl::Status status = code == SQLITE_ROW || code == SQLITE_DONE ? absl::OkStatus() : Error();
    Sqlite().reset(statements_[which]);
    return status;
  }
  // Runs one that gives none.
  absl::Status Execute(Statement which) { return End(which, Step(which)); }
  int changes() const { return Sqlite().changes(db_); }
  absl::Status Error() const { return absl::InternalError(absl::StrCat("SQLite: ", Sqlite().errmsg(db_))); }
  absl::Status Execute(const char* text) {
    return Sqlite().exec(db_, text, nullptr, nullptr, nullptr) == SQLITE_OK ? absl::OkStatus() : Error();
  }

 private:
  void NoteBound(int code) {
    if (bound_ == SQLITE_OK) bound_ = code;
  }

  int bound_ = SQLITE_OK;  // by the first that failed since the last step
  sqlite3* db_ = nullptr;
  std::array<sqlite3_stmt*, kStatements> statements_{};
};

class SqliteEngine : public Engine {
 public:
  explicit SqliteEngine(bool is_durable) : is_durable_(is_durable) {}
  ~SqliteEngine() override { Close(); }

  absl::Status Open(const EngineOptions& options) override {
    Close();
    path_ = options.path;
    if (absl::Status status = PrepareFolder(path_, options.use_existing); !status.ok()) return status;
    // As much cache and map as all data: the others have theirs in memory too.
    const uint64_t bytes = std::max<uint64_t>(options.capacity_bytes, uint64_t{256} << 20);
    settings_ = absl::StrCat("PRAGMA journal_mode = WAL; PRAGMA synchronous = ", is_durable_ ? "FULL" : "OFF",
                             "; PRAGMA cache_size = -", bytes >> 10, "; PRAGMA mmap_size = ", bytes,
                             "; CREATE TABLE IF NOT EXISTS pairs (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID;");
    return ThreadsConnection() != nullptr ? absl::OkStatus() : open_error();
  }
  void Close() override { connections_.Clear(); }

  absl::Status Put(const Key& key, std::string_view value) override {
    Connection* connection = ThreadsConnection();
    return connection == nullptr ? open_error() : PutBy(*connection, key.bytes, value);
  }

  absl::Status Get(const Key& key, std::string* value) override {
    Connection* connection = ThreadsConnection();
    return connection == nullptr ? open_error() : GetBy(*connection, key.bytes, value);
  }

  absl::Status Delete(const Key& key) override {
    Connection* connection = ThreadsConnection();
    if (connection == nullptr) return open_error();
    connection->Bind(kDelete, 1, key.bytes);
    if (absl::Status status = connection->Execute(kDelete); !status.ok()) return status;
    return connection->changes() > 0 ? absl::OkStatus() : absl::NotFoundError("no such key");
  }

  absl::StatusOr<uint64_t> Scan(const std::optional<Key>& from, uint64_t count, bool reverse, uint64_t* sum) override {
    Connection* connection = ThreadsConnection();
    if (connection == nullptr) return open_error();
    const Statement which = reverse ? kBackward : from.has_value() ? kFrom : kForward;
    if (which == kFrom) connection->Bind(which, 1, from->bytes);
    connection->Bind(which, 2, count);
    uint64_t seen = 0;
    int code = connection->Step(which);
    for (; code == SQLITE_ROW; code = connection->Step(which), ++seen) {
      const std::string_view value = connection->Value(which);
      if (!value.empty()) *sum += static_cast<unsigned char>(value.back());
    }
    if (absl::Status status = connection->End(which, code); !status.ok()) return status;
    return seen;
  }

  std::unique_ptr<EngineBatch> NewBatch() override {
    // A transaction is open from the first put on, of the thread that makes it.
    class Batch : public EngineBatch {
     public:
      explicit Batch(SqliteEngine& engine) : engine_(engine) {}
      void Put(const Key& key, std::string_view value) override {
        if (!status_.ok()) return;
        if (connection_ == nullptr) {
          connection_ = engine_.ThreadsConnection();
          status_ = connection_ == nullptr ? engine_.open_error() : connection_->Execute(kBegin);
        }
        if (status_.ok()) status_ = PutBy(*connection_, key.bytes, value);
      }
      absl::Status Write() override {
        Connection* connection = std::exchange(connection_, nullptr);
        absl::Status status = std::exchange(status_, absl::OkStatus());
        return connection == nullptr ? status : End(*connection, std::move(status));
      }

     private:
      SqliteEngine& engine_;
      Connection* connection_ = nullptr;
      absl::Status status_;
    };
    return std::make_unique<Batch>(*this);
  }

  absl::Status Increment(const Key& key) override {
    Connection* connection = ThreadsConnection();
    if (connection == nullptr) return open_error();
    if (absl::Status status = connection->Execute(kBegin); !status.ok()) return status;
    std::string value;
    const absl::Status got = GetBy(*connection, key.bytes, &value);
    const absl::StatusOr<uint64_t> counter = CountOneMore(got, value);
    if (!counter.ok()) return End(*connection, counter.status());
    return End(*connection, PutBy(*connection, key.bytes, BytesOfCounter(*counter)));
  }

  absl::Status Compact() override {
    Connection* connection = ThreadsConnection();
    return connection == nullptr ? open_error() : connection->Execute("VACUUM");
  }

  bool is_thread_safe() const override { return true; }
  bool is_persistent() const override { return true; }
  std::string Describe() const override {
    return absl::StrCat("SQLite ", Sqlite().libversion(), ", WAL with ",
                        is_durable_ ? absl::StrCat("synchronous=FULL: ", DurabilityOfSynced(path_))
                                    : "synchronous=OFF: outlives the process, not the power");
  }
  std::optional<uint64_t> BytesUsed() override { return BytesOnDisk(path_); }
  std::optional<uint64_t> BytesTaken() override { return BytesOnDisk(path_); }

 private:
  static absl::Status PutBy(Connection& connection, std::string_view key, std::string_view value) {
    connection.Bind(kPut, 1, key);
    connection.Bind(kPut, 2, value);
    return connection.Execute(kPut);
  }
  static absl::Status GetBy(Connection& connection, std::string_view key, std::string* value) {
    connection.Bind(kGet, 1, key);
    const int code = connection.Step(kGet);
    if (code == SQLITE_ROW) value->assign(connection.Value(kGet));
    absl::Status status = connection.End(kGet, code);
    return code == SQLITE_DONE ? Missing() : status;
  }
  static absl::Status End(Connection& connection, absl::Status status) {
    if (status.ok()) status = connection.Execute(kCommit);
    if (!status.ok()) connection.Execute(kRollback).IgnoreError();
    return status;
  }

  // Of the last connection that couldn't be opened.
  absl::Status open_error() {
    const std::lock_guard lock(open_error_mutex_);
    return open_error_;
  }

  Connection* ThreadsConnection() {
    return connections_.Get([this]() -> std::unique_ptr<Connection> {
      auto connection = std::make_unique<Connection>();
      absl::Status status = connection->Open(path_ + "/pairs.db", settings_);
      if (status.ok()) return connection;
      const std::lock_guard lock(open_error_mutex_);
      open_error_ = std::move(status);
      return nullptr;
    });
  }

  const bool is_durable_;
  std::string path_;
  std::string settings_;
  std::mutex open_error_mutex_;
  absl::Status open_error_;
  PerThread<Connection> connections_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeSqliteEngine(bool is_durable) {
  if (const absl::Status& status = Sqlite().library.status(); !status.ok()) return status;
  return std::make_unique<SqliteEngine>(is_durable);
}

}  // namespace sealkv::bench
