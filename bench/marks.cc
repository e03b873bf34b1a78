#include "bench/marks.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace sealkv::bench {
namespace {

absl::StatusCode NotFoundUnless(bool found) { return found ? absl::StatusCode::kOk : absl::StatusCode::kNotFound; }

class MarkedEngine : public Engine {
 public:
  MarkedEngine(std::unique_ptr<Engine> engine, Marks& marks) : engine_(std::move(engine)), marks_(marks) {}

  absl::Status Open(const EngineOptions& options) override {
    key_kind_ = options.data.key_kind;
    const uint64_t number = marks_.Begin("open", options.path);
    absl::Status status = engine_->Open(options);
    marks_.End(number, status.code());
    return status;
  }
  void Close() override {
    const uint64_t number = marks_.Begin("close", "-");
    engine_->Close();
    marks_.End(number, absl::StatusCode::kOk);
  }
  absl::Status Put(const Key& key, std::string_view value) override {
    const uint64_t number = marks_.Begin("put", Text(key));
    absl::Status status = engine_->Put(key, value);
    marks_.End(number, status.code());
    return status;
  }
  absl::Status Get(const Key& key, std::string* value) override {
    const uint64_t number = marks_.Begin("get", Text(key));
    absl::Status status = engine_->Get(key, value);
    marks_.End(number, status.code());
    return status;
  }
  absl::Status Delete(const Key& key) override {
    const uint64_t number = marks_.Begin("delete", Text(key));
    absl::Status status = engine_->Delete(key);
    marks_.End(number, status.code());
    return status;
  }
  std::unique_ptr<EngineBatch> NewBatch() override {
    class Batch : public EngineBatch {
     public:
      Batch(std::unique_ptr<EngineBatch> batch, Marks& marks) : batch_(std::move(batch)), marks_(marks) {}
      void Put(const Key& key, std::string_view value) override { batch_->Put(key, value), ++size_; }
      absl::Status Write() override {
        const uint64_t number = marks_.Begin("batch", absl::StrCat(std::exchange(size_, 0)));
        absl::Status status = batch_->Write();
        marks_.End(number, status.code());
        return status;
      }

     private:
      const std::unique_ptr<EngineBatch> batch_;
      Marks& marks_;
      uint64_t size_ = 0;
    };
    std::unique_ptr<EngineBatch> batch = engine_->NewBatch();
    if (batch == nullptr) return nullptr;
    return std::make_unique<Batch>(std::move(batch), marks_);
  }
  absl::Status Increment(const Key& key) override {
    const uint64_t number = marks_.Begin("add", Text(key));
    absl::Status status = engine_->Increment(key);
    marks_.End(number, status.code());
    return status;
  }
  absl::Status TouchSnapshot() override {
    const uint64_t number = marks_.Begin("snapshot", "-");
    absl::Status status = engine_->TouchSnapshot();
    marks_.End(number, status.code());
    return status;
  }
  absl::StatusOr<uint64_t> Scan(const std::optional<Key>& from, uint64_t count, bool reverse, uint64_t* sum) override {
    const uint64_t number = marks_.Begin(reverse ? "scan-reverse" : "scan", from.has_value() ? Text(*from) : "-");
    absl::StatusOr<uint64_t> seen = engine_->Scan(from, count, reverse, sum);
    marks_.End(number, seen.status().code());
    return seen;
  }

  bool is_thread_safe() const override { return engine_->is_thread_safe(); }
  bool is_persistent() const override { return engine_->is_persistent(); }
  std::string Describe() const override {
    return absl::StrCat(engine_->Describe(), "; operations are marked: the times are those of the marks");
  }
  absl::Status Compact() override {
    const uint64_t number = marks_.Begin("compact", "-");
    absl::Status status = engine_->Compact();
    marks_.End(number, status.code());
    return status;
  }
  std::optional<uint64_t> BytesTaken() override { return engine_->BytesTaken(); }
  std::optional<uint64_t> BytesMoved() override { return engine_->BytesMoved(); }
  // Not only looking: it waits for the background pass, which may give segments back.
  std::optional<uint64_t> BytesUsed() override {
    const uint64_t number = marks_.Begin("count-space", "-");
    const std::optional<uint64_t> bytes = engine_->BytesUsed();
    marks_.End(number, NotFoundUnless(bytes.has_value()));
    return bytes;
  }

 private:
  // The strings that kvbench makes are printable.
  std::string Text(const Key& key) const {
    const absl::string_view bytes(key.bytes.data(), key.bytes.size());
    return key_kind_ == KeyKind::kU64 ? absl::BytesToHexString(bytes) : std::string(bytes);
  }

  const std::unique_ptr<Engine> engine_;
  Marks& marks_;
  KeyKind key_kind_ = KeyKind::kU64;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Marks>> Marks::Open(const std::string& path) {
  const int fd = path == "stderr" ? dup(STDERR_FILENO)
                                  : open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) {
    return absl::FailedPreconditionError(absl::StrCat("--mark_operations: ", path, " can't be opened for writing: ",
                                                      std::strerror(errno), ". Name a file you may write, or stderr."));
  }
  return std::unique_ptr<Marks>(new Marks(path, fd));
}

Marks::~Marks() { close(fd_); }

uint64_t Marks::Begin(std::string_view operation, std::string_view operand) {
  const uint64_t number = last_number_.fetch_add(1) + 1;
  WriteLine(absl::StrCat("begin ", number, " ", std::string(operation), " ", std::string(operand), "\n"));
  return number;
}

void Marks::End(uint64_t number, absl::StatusCode result) {
  WriteLine(absl::StrCat("end ", number, " ", absl::StatusCodeToString(result), "\n"));
}

void Marks::WriteLine(const std::string& line) {
  ssize_t written;
  do {
    errno = 0;
    written = write(fd_, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  // A terminal may keep it for a while, and a serial console's reader relies on what has come through.
  if (is_terminal_) tcdrain(fd_);
  if (written == static_cast<ssize_t>(line.size())) return;
  int none = 0;
  errno_.compare_exchange_strong(none, errno != 0 ? errno : ENOSPC);  // written in part: there was no room for the rest
}

absl::Status Marks::status() const {
  if (errno_ == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("--mark_operations: ", path_, " lacks lines: writing failed: ",
                                                    std::strerror(errno_), ". Give it room, or another file."));
}

std::unique_ptr<Engine> MarkOperations(std::unique_ptr<Engine> engine, Marks& marks) {
  return std::make_unique<MarkedEngine>(std::move(engine), marks);
}

}  // namespace sealkv::bench
