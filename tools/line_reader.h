// Lines of a file or pipe, one at a time, of any length up to a limit.
#ifndef SEALKV_TOOLS_LINE_READER_H_
#define SEALKV_TOOLS_LINE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sealkv::tools {

class LineReader {
 public:
  // Reads from `fd`, which stays the caller's. `name` is for messages.
  LineReader(int fd, std::string name, size_t line_bytes_max);

  // The next line without its newline, good until the next call. False at the end of the input.
  // InvalidArgument: longer than allowed; Unavailable: it can't be read; Cancelled: Ctrl-C while waiting for more.
  absl::StatusOr<bool> Next(std::string_view* line);

  // Whether the line that Next gave last had a newline: only the last line of the input may lack it.
  bool ended_with_newline() const { return ended_with_newline_; }
  uint64_t line_number() const { return line_number_; }  // of the line that Next gave last; 1 is the first
  uint64_t bytes_read() const { return bytes_read_; }
  const std::string& name() const { return name_; }

 private:
  absl::StatusOr<bool> Fill();

  const int fd_;
  const std::string name_;
  const size_t line_bytes_max_;
  std::string buffer_;
  size_t begin_ = 0;    // of what wasn't given out yet
  size_t scanned_ = 0;  // no newline in [begin_, scanned_)
  bool is_at_end_ = false;
  bool ended_with_newline_ = true;
  uint64_t line_number_ = 0;
  uint64_t bytes_read_ = 0;
};

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_LINE_READER_H_
