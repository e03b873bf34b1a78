// Two courtesies of long commands: a line on the terminal that says how far they are, and an end at Ctrl-C that leaves
// nothing half done.
#ifndef SEALKV_TOOLS_PROGRESS_H_
#define SEALKV_TOOLS_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace sealkv::tools {

// On standard error, and only if that is a terminal.
class Progress {
 public:
  Progress();
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Whether it is time to show something again (a few times a second). Cheap.
  bool IsDue();
  void Show(const std::string& text);
  void Clear();

 private:
  const bool is_terminal_;
  bool is_shown_ = false;
  std::chrono::steady_clock::time_point next_;
};

inline constexpr int kExitAsBySigint = 130;  // what a shell makes of it, and these programs of being interrupted

// From now on SIGINT and SIGTERM only set a flag (a second one ends the program as usual).
void CatchInterrupts();
bool WasInterrupted();

// For a file that this process is making, while zeros are written to it: shows how far that is; interrupted, it removes
// the file and ends the program. What DaxFile::Create and Store::Create call.
std::function<void(uint64_t, uint64_t)> FillProgress(const std::string& path, Progress& progress);

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_PROGRESS_H_
