#include "tests/kill/victim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace sealkv::kill {

Victim::Victim(const SharedJournal& journal) : life_(journal->life) {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) std::abort();
  pid_ = fork();
  if (pid_ == 0) {
    fcntl(pipe_ends[1], F_SETFD, 0);
    execl("/proc/self/exe", "kill_test", "--victim", std::to_string(journal.fd()).c_str(),
          std::to_string(pipe_ends[1]).c_str(), nullptr);
    _exit(3);
  }
  close(pipe_ends[1]);
  progress_fd_ = pipe_ends[0];
}

Victim::~Victim() { close(progress_fd_); }

std::string Victim::AwaitDeath(uint64_t pauses) {
  if (pid_ < 0) return absl::StrCat("the victim couldn't be started: ", std::strerror(errno));
  const bool is_at_once = life_.killer == Killer::kTest && life_.moment == 0;
  char note;
  // One byte when the moment has come; none, but the pipe's end, from a victim that is dead.
  while (!is_at_once && read(progress_fd_, &note, 1) < 0 && errno == EINTR) continue;
  for (; pauses > 0; --pauses) __builtin_ia32_pause();
  if (life_.killer == Killer::kTest) ::kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return "";
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "the victim hung";
  if (WIFSIGNALED(status)) return absl::StrCat("the victim died of signal ", WTERMSIG(status));
  return absl::StrCat("the victim ended by itself, with exit code ", WEXITSTATUS(status), "; what it said is above");
}

}  // namespace sealkv::kill
