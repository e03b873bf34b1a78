#include "bench/doomed_writer.h"

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

constexpr int kPuts = 1000;

[[noreturn]] void Write(std::string_view engine_name, EngineOptions options) {
  options.use_existing = true;
  auto engine = MakeEngine(engine_name, options.data.key_kind, options.data.value_bytes);
  if (!engine.ok() || !(*engine)->Open(options).ok()) _exit(1);
  for (int i = 1; i <= kPuts; ++i) {
    if (!(*engine)->Put(DoomedWriter::key(), std::to_string(i)).ok()) _exit(1);
  }
  kill(getpid(), SIGKILL);
  _exit(1);
}

// Forks a writer for each byte that comes, answers with a byte: whether it was killed as it should.
[[noreturn]] void Serve(int fd, std::string_view engine, const EngineOptions& options) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal_number : {SIGINT, SIGTERM}) signal(signal_number, SIG_IGN);  // its end is that of `fd`
  char byte;
  while (read(fd, &byte, 1) == 1) {
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      Write(engine, options);
    }
    int result = 0;
    const bool was_killed =
        child > 0 && waitpid(child, &result, 0) == child && WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL;
    byte = was_killed ? 1 : 0;
    if (write(fd, &byte, 1) != 1) break;
  }
  _exit(0);
}

}  // namespace

std::string DoomedWriter::LastValue() { return std::to_string(kPuts); }

absl::StatusOr<std::unique_ptr<DoomedWriter>> DoomedWriter::Start(std::string_view engine,
                                                                  const EngineOptions& options) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return absl::InternalError(absl::StrCat("no socket pair: ", std::strerror(errno)));
  }
  const pid_t pid = fork();
  if (pid < 0) return absl::InternalError(absl::StrCat("can't fork: ", std::strerror(errno)));
  if (pid == 0) {
    close(fds[0]);
    Serve(fds[1], engine, options);
  }
  close(fds[1]);
  return std::unique_ptr<DoomedWriter>(new DoomedWriter(fds[0], pid, options.path));
}

DoomedWriter::~DoomedWriter() {
  shutdown(fd_, SHUT_RDWR);  // processes that were forked off since may have the other end's copy
  close(fd_);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::Status DoomedWriter::WriteAndDie() {
  char byte = 0;
  if (write(fd_, &byte, 1) == 1) {
    ssize_t got;
    do got = read(fd_, &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got == 1 && byte == 1) return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat(path_, ": the process that was to be killed couldn't open or write it"));
}

}  // namespace sealkv::bench
