// Where results go: standard output or a file, buffered. A reader that goes away ends the program quietly, as it ends
// other filters; any other failure is an error that nobody may miss.
#ifndef SEALKV_TOOLS_OUTPUT_H_
#define SEALKV_TOOLS_OUTPUT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sealkv::tools {

class Output {
 public:
  Output();  // standard output
  // A file that appears under its name only when Close() has succeeded. (What isn't a regular file, say a pipe or
  // /dev/stdout, is written at once.)
  static absl::StatusOr<Output> ToFile(const std::string& path);

  Output(Output&& other) noexcept;
  Output& operator=(Output&&) = delete;
  ~Output();  // without Close(): the file is dropped

  void Write(std::string_view bytes) {
    buffer_.append(bytes);
    if (buffer_.size() >= kBufferBytes) Flush();
  }
  // The first failure so far: a loop that writes much asks now and then.
  const absl::Status& status() const { return status_; }
  absl::Status Close();
  // What was written so far is out.
  void Flush();

 private:
  static constexpr size_t kBufferBytes = 64 << 10;

  Output(int fd, std::string path, std::string temporary_path);

  int fd_;
  std::string path_;
  std::string temporary_path_;  // empty: there is none
  std::string buffer_;
  absl::Status status_;
};

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_OUTPUT_H_
