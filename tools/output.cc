#include "tools/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sealkv::tools {
namespace {

constexpr int kExitAsBySigpipe = 141;

absl::Status CantWrite(const std::string& path) {
  return absl::UnavailableError(absl::StrCat(path, ": can't write: ", std::strerror(errno)));
}

}  // namespace

Output::Output() : Output(STDOUT_FILENO, "standard output", "") {}

Output::Output(int fd, std::string path, std::string temporary_path)
    : fd_(fd), path_(std::move(path)), temporary_path_(std::move(temporary_path)) {}

Output::Output(Output&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      temporary_path_(std::exchange(other.temporary_path_, "")),
      buffer_(std::move(other.buffer_)),
      status_(std::move(other.status_)) {}

Output::~Output() {
  if (fd_ > STDERR_FILENO) close(fd_);
  if (!temporary_path_.empty()) unlink(temporary_path_.c_str());
}

absl::StatusOr<Output> Output::ToFile(const std::string& path) {
  struct stat info;
  const bool writes_at_once = stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
  const std::string temporary = writes_at_once ? "" : absl::StrCat(path, ".", getpid(), ".part");
  const std::string& name = writes_at_once ? path : temporary;
  const int fd = open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return CantWrite(name);
  return Output(fd, path, temporary);
}

void Output::Flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && status_.ok()) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(written);
    } else if (errno == EPIPE) {
      if (!temporary_path_.empty()) unlink(temporary_path_.c_str());
      _exit(kExitAsBySigpipe);
    } else if (errno != EINTR) {
      status_ = CantWrite(path_);
    }
  }
  buffer_.clear();
}

absl::Status Output::Close() {
  Flush();
  if (fd_ > STDERR_FILENO && close(std::exchange(fd_, -1)) != 0 && status_.ok()) status_ = CantWrite(path_);
  if (status_.ok() && !temporary_path_.empty()) {
    if (rename(temporary_path_.c_str(), path_.c_str()) != 0) {
      status_ = CantWrite(path_);
    } else {
      temporary_path_.clear();
    }
  }
  return status_;
}

}  // namespace sealkv::tools
