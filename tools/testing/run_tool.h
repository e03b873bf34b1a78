// Runs kvdump, or another program, as a user does.
#ifndef SEALKV_TOOLS_TESTING_RUN_TOOL_H_
#define SEALKV_TOOLS_TESTING_RUN_TOOL_H_

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace sealkv::testing {

struct ToolResult {
  int exit_code = -1;  // 128 + the signal's number if one ended it, as in a shell
  std::string out;
  std::string err;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
  ASSERT_TRUE(file.good()) << path;
}

// An empty folder for this test; removed by whoever removes the tests' temporary files.
inline std::string NewFolder() {
  std::string name = ::testing::TempDir() + "/kvdump.XXXXXX";
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  return name + "/";
}

// The binary under test; $KVDUMP names another than Bazel's.
inline std::string Kvdump() {
  const char* given = std::getenv("KVDUMP");
  return given != nullptr ? given : "tools/kvdump";
}

// Starts a program in the child: does not return there.
[[noreturn]] inline void Exec(const std::vector<std::string>& words) {
  constexpr unsigned kHangSeconds = 120;  // survives exec: a program that hangs dies of SIGALRM
  alarm(kHangSeconds);
  signal(SIGPIPE, SIG_DFL);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(127);
}

inline int ExitCodeOf(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

// Runs a program to its end. `out_path`: where its standard output goes; "": into the result.
inline ToolResult RunProgram(const std::vector<std::string>& words, const std::string& input = "",
                             std::string out_path = "") {
  const std::string folder = NewFolder();
  WriteFile(folder + "in", input);
  const bool captures = out_path.empty();
  if (captures) out_path = folder + "out";
  const pid_t child = fork();
  if (child == 0) {
    const int in = open((folder + "in").c_str(), O_RDONLY);
    const int out = open(out_path.c_str(), O_WRONLY | O_CREAT, 0600);
    const int err = open((folder + "err").c_str(), O_WRONLY | O_CREAT, 0600);
    if (in < 0 || out < 0 || err < 0) _exit(126);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    Exec(words);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ToolResult result{ExitCodeOf(status), captures ? ReadFile(out_path) : "", ReadFile(folder + "err")};
  for (const char* name : {"in", "out", "err", ""}) std::remove((folder + name).c_str());
  return result;
}

inline ToolResult RunKvdump(std::vector<std::string> words, const std::string& input = "", std::string out_path = "") {
  words.insert(words.begin(), Kvdump());
  return RunProgram(words, input, std::move(out_path));
}

}  // namespace sealkv::testing

#endif  // SEALKV_TOOLS_TESTING_RUN_TOOL_H_
