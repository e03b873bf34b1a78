#include "tools/line_reader.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/progress.h"

namespace sealkv::tools {
namespace {

constexpr size_t kReadBytes = 256 << 10;

// Until there is input, or its end. False, and EINTR: a signal came; also one that came before this was called.
bool WaitForInput(int fd) {
  sigset_t interrupts, before;
  sigemptyset(&interrupts);
  sigaddset(&interrupts, SIGINT);
  sigaddset(&interrupts, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &interrupts, &before);
  pollfd input = {.fd = fd, .events = POLLIN, .revents = 0};
  errno = EINTR;
  const bool has_input = !WasInterrupted() && ppoll(&input, 1, nullptr, &before) >= 0;
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return has_input;
}

}  // namespace

LineReader::LineReader(int fd, std::string name, size_t line_bytes_max)
    : fd_(fd), name_(std::move(name)), line_bytes_max_(line_bytes_max) {}

// Reads more behind what is in the buffer. False at the end of the input.
absl::StatusOr<bool> LineReader::Fill() {
  buffer_.erase(0, begin_);
  scanned_ -= std::exchange(begin_, 0);
  const size_t size = buffer_.size();
  buffer_.resize(size + kReadBytes);
  ssize_t got;
  do {
    got = WaitForInput(fd_) ? read(fd_, buffer_.data() + size, kReadBytes) : -1;
  } while (got < 0 && errno == EINTR && !WasInterrupted());
  buffer_.resize(size + (got > 0 ? got : 0));
  if (got < 0 && errno == EINTR) return absl::CancelledError("interrupted");
  if (got < 0) return absl::UnavailableError(absl::StrCat(name_, ": can't read: ", std::strerror(errno)));
  bytes_read_ += got;
  return got > 0;
}

absl::StatusOr<bool> LineReader::Next(std::string_view* line) {
  for (;;) {
    const size_t newline = buffer_.find('\n', scanned_);
    if (newline != std::string::npos) {
      *line = std::string_view(buffer_).substr(begin_, newline - begin_);
      begin_ = scanned_ = newline + 1;
      ++line_number_;
      return true;
    }
    scanned_ = buffer_.size();
    if (scanned_ - begin_ > line_bytes_max_) {
      return absl::InvalidArgumentError(absl::StrCat(name_, ", line ", line_number_ + 1, ": longer than ",
                                                     line_bytes_max_, " bytes, more than any key or value takes"));
    }
    if (!is_at_end_) {
      const absl::StatusOr<bool> more = Fill();
      if (!more.ok()) return more;
      is_at_end_ = !*more;
      continue;
    }
    if (begin_ == buffer_.size()) return false;
    *line = std::string_view(buffer_).substr(begin_);
    begin_ = buffer_.size();
    ended_with_newline_ = false;
    ++line_number_;
    return true;
  }
}

}  // namespace sealkv::tools
