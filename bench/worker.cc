#include "bench/worker.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace sealkv::bench {
namespace {

// What goes through the socket: this, and so many bytes.
struct Header {
  int32_t code;  // absl::StatusCode; of an answer
  uint32_t bytes;
};

// False at the end of the other process. Polls, so that a signal is noticed whenever it comes.
bool ReadAll(int fd, void* to, size_t bytes, const std::atomic<bool>* stop) {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    if (stop != nullptr && *stop) return false;
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, 200) <= 0) continue;
    const ssize_t got = read(fd, at, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

bool WriteAll(int fd, const void* from, size_t bytes) {
  const auto* at = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t put = send(fd, at, bytes, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += put;
    bytes -= static_cast<size_t>(put);
  }
  return true;
}

bool Send(int fd, absl::StatusCode code, const std::string& text) {
  const Header header{.code = static_cast<int32_t>(code), .bytes = static_cast<uint32_t>(text.size())};
  return WriteAll(fd, &header, sizeof(header)) && WriteAll(fd, text.data(), text.size());
}

bool Receive(int fd, Header* header, std::string* text, const std::atomic<bool>* stop) {
  if (!ReadAll(fd, header, sizeof(*header), stop)) return false;
  text->resize(header->bytes);
  return ReadAll(fd, text->data(), text->size(), stop);
}

void ServeAll(int fd, const Worker::Serve& serve) {
  Header header;
  std::string request;
  while (Receive(fd, &header, &request, nullptr)) {
    const absl::StatusOr<std::string> answer = serve(request);
    const bool sent = answer.ok() ? Send(fd, absl::StatusCode::kOk, *answer)
                                  : Send(fd, answer.status().code(), std::string(answer.status().message()));
    if (!sent) return;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Worker>> Worker::Start(std::string name, const MakeServe& make,
                                                      const std::atomic<bool>& stop) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return absl::InternalError(absl::StrCat("no socket pair: ", std::strerror(errno)));
  }
  const pid_t pid = fork();
  if (pid < 0) return absl::InternalError(absl::StrCat("can't fork: ", std::strerror(errno)));
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(fds[0]);
    ServeAll(fds[1], make());
    _exit(0);
  }
  close(fds[1]);
  return std::unique_ptr<Worker>(new Worker(std::move(name), fds[0], pid, stop));
}

Worker::~Worker() {
  shutdown(fd_, SHUT_RDWR);  // by this it knows; closing wouldn't do, of what other workers have inherited
  close(fd_);
  if (pid_ < 0) return;
  if (stop_) kill(pid_, SIGTERM);
  kill(pid_, SIGCONT);
  // After Ctrl-C nobody wants to wait for a store that takes its time.
  for (int tenths = 0; stop_ && tenths < 50; ++tenths) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) return;
    usleep(100000);
  }
  if (stop_) kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::StatusOr<std::string> Worker::Ask(const std::string& request) {
  if (pid_ < 0) return absl::AbortedError(absl::StrCat(name_, ": its process is gone"));
  kill(pid_, SIGCONT);
  Header header;
  std::string answer;
  if (!Send(fd_, absl::StatusCode::kOk, request) || !Receive(fd_, &header, &answer, &stop_)) {
    if (stop_) return absl::CancelledError("stopped");
    return HowItDied(request);
  }
  // So that its background threads work in its own time, not in that of others.
  kill(pid_, SIGSTOP);
  if (header.code == 0) return answer;
  return absl::Status(static_cast<absl::StatusCode>(header.code), answer);
}

absl::Status Worker::HowItDied(const std::string& request) {
  int result = 0;
  while (waitpid(pid_, &result, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  const std::string what = absl::StrCat("the process of ", name_, " died in '", request, "': ");
  if (!WIFSIGNALED(result)) return absl::AbortedError(absl::StrCat(what, "exit code ", WEXITSTATUS(result)));
  const int number = WTERMSIG(result);
  return absl::AbortedError(
      absl::StrCat(what, "signal ", number, " (", strsignal(number), ")",
                   number == SIGKILL ? "; out of memory? The kernel's log (dmesg) says so. Try a smaller --num." : ""));
}

}  // namespace sealkv::bench
