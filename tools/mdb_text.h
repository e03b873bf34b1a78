// The text format of LMDB's mdb_dump and mdb_load (and of Berkeley DB's db_dump, from which it comes):
//
//   VERSION=3
//   format=bytevalue        or print
//   type=btree
//   mapsize=1048576         any more lines NAME=VALUE
//   HEADER=END
//    6b6579                 a key, behind a blank
//    76616c7565             its value, likewise
//   DATA=END
//
// bytevalue: two hex digits a byte. print: printable ASCII as it is, any other byte as \ and two hex digits; a
// backslash is \5c here, which all readers take, or \\. Without a header, pairs of lines in the print encoding, with no
// blank, are what `mdb_load -T` reads.
#ifndef SEALKV_TOOLS_MDB_TEXT_H_
#define SEALKV_TOOLS_MDB_TEXT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/line_reader.h"
#include "tools/output.h"

namespace sealkv::tools {

enum class MdbEncoding { kByteValue, kPrint };

class MdbTextWriter {
 public:
  MdbTextWriter(Output& output, MdbEncoding encoding) : output_(output), encoding_(encoding) {}

  void WriteHeader(uint64_t mapsize);
  void WritePair(std::string_view key, std::string_view value);
  void WriteEnd();

 private:
  void WriteBytes(std::string_view bytes);

  Output& output_;
  const MdbEncoding encoding_;
};

class MdbTextReader {
 public:
  struct Header {
    MdbEncoding encoding = MdbEncoding::kByteValue;
    std::optional<uint64_t> mapsize;
    std::optional<std::string> database;
    bool may_repeat_keys = false;  // duplicates=1: one key may have several values
  };

  // `is_plain`: there is no header, but pairs of lines. `warn` is told, with its line, what is skipped.
  MdbTextReader(LineReader& lines, bool is_plain, std::function<void(const std::string&)> warn);

  // Reads the next header. False at the end of the input. A dump of several databases has one after the other; what was
  // left of the one before is skipped. Errors in the text: InvalidArgument, with the line; else those of LineReader.
  absl::StatusOr<bool> NextDatabase();
  const Header& header() const { return header_; }

  // Reads the next pair of this database. False at its end.
  absl::StatusOr<bool> NextPair(std::string* key, std::string* value);

  // An error at the line read last.
  absl::Status Error(const std::string& what) const;

 private:
  absl::Status ReadHeaderLine(std::string_view line);
  absl::StatusOr<bool> ReadItem(std::string* bytes, const char* item);
  absl::Status Decode(std::string_view text, std::string* bytes) const;

  LineReader& lines_;
  const bool is_plain_;
  const std::function<void(const std::string&)> warn_;
  Header header_;
  bool has_begun_ = false;
  bool is_in_data_ = false;
};

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_MDB_TEXT_H_
