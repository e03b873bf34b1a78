#include "tools/mdb_text.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/args.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

constexpr std::string_view kHeaderEnd = "HEADER=END";
constexpr std::string_view kDataEnd = "DATA=END";
// What a dump may say about its database without any meaning here.
constexpr std::string_view kIgnoredNames[] = {"mapaddr", "maxreaders", "db_pagesize", "dupsort", "keys"};

bool IsPrintedAsItIs(char byte) { return byte >= ' ' && byte <= '~' && byte != '\\'; }

}  // namespace

// ---- writing

void MdbTextWriter::WriteHeader(uint64_t mapsize) {
  output_.Write(absl::StrCat("VERSION=3\nformat=", encoding_ == MdbEncoding::kPrint ? "print" : "bytevalue",
                             "\ntype=btree\nmapsize=", mapsize, "\nHEADER=END\n"));
}

void MdbTextWriter::WritePair(std::string_view key, std::string_view value) {
  WriteBytes(key);
  WriteBytes(value);
}

void MdbTextWriter::WriteEnd() { output_.Write("DATA=END\n"); }

void MdbTextWriter::WriteBytes(std::string_view bytes) {
  // In pieces, so that a value of a gigabyte doesn't take three more.
  constexpr size_t kPieceBytes = 16 << 10;
  output_.Write(" ");
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kPieceBytes))) {
    const std::string_view piece = bytes.substr(0, kPieceBytes);
    if (encoding_ == MdbEncoding::kByteValue) {
      output_.Write(ToHex(piece));
      continue;
    }
    std::string text;
    for (const char byte : piece) {
      if (IsPrintedAsItIs(byte)) {
        text.push_back(byte);
      } else {
        text.append("\\").append(ToHex({&byte, 1}));
      }
    }
    output_.Write(text);
  }
  output_.Write("\n");
}

// ---- reading

MdbTextReader::MdbTextReader(LineReader& lines, bool is_plain, std::function<void(const std::string&)> warn)
    : lines_(lines), is_plain_(is_plain), warn_(std::move(warn)) {}

absl::Status MdbTextReader::Error(const std::string& what) const {
  return absl::InvalidArgumentError(absl::StrCat(lines_.name(), ", line ", lines_.line_number(), ": ", what));
}

absl::StatusOr<bool> MdbTextReader::NextDatabase() {
  if (is_plain_) {
    header_.encoding = MdbEncoding::kPrint;
    is_in_data_ = !has_begun_;
    return !std::exchange(has_begun_, true);
  }
  std::string_view line;
  while (is_in_data_) {
    const absl::StatusOr<bool> found = lines_.Next(&line);
    if (!found.ok()) return found;
    if (!*found) return Error("the input ends here, without DATA=END: it is not complete");
    is_in_data_ = line != kDataEnd;
  }
  header_ = Header();
  for (bool is_first = true;; is_first = false) {
    const absl::StatusOr<bool> found = lines_.Next(&line);
    if (!found.ok()) return found;
    if (!*found && is_first && has_begun_) return false;
    if (!*found) return Error(is_first ? "the input is empty" : "the input ends inside the header");
    if (line == kHeaderEnd) break;
    if (is_first && line.substr(0, 8) != "VERSION=") {
      return Error(absl::StrCat("a dump begins with VERSION=3, not with ", Quote(line, 40),
                                ". Is it plain pairs of lines? Then use -T"));
    }
    if (absl::Status status = ReadHeaderLine(line); !status.ok()) return status;
  }
  has_begun_ = true;
  is_in_data_ = true;
  return true;
}

absl::Status MdbTextReader::ReadHeaderLine(std::string_view line) {
  const size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    return Error(absl::StrCat("a header line is NAME=VALUE, not ", Quote(line, 40)));
  }
  const std::string_view name = line.substr(0, equals);
  const std::string value(line.substr(equals + 1));
  if (name == "VERSION") {
    if (value != "3") return Error(absl::StrCat("version ", Escape(value), " of the format; this program reads 3"));
  } else if (name == "format") {
    if (value != "bytevalue" && value != "print") {
      return Error(absl::StrCat("format ", Quote(value), "; this program reads bytevalue and print"));
    }
    header_.encoding = value == "print" ? MdbEncoding::kPrint : MdbEncoding::kByteValue;
  } else if (name == "type") {
    if (value != "btree" && value != "hash") {
      return Error(absl::StrCat("type ", Quote(value), " has no keys of its own; this program reads btree and hash"));
    }
  } else if (name == "mapsize") {
    header_.mapsize = ParseNumber(value);
    if (!header_.mapsize.has_value()) return Error(absl::StrCat("mapsize ", Quote(value), " is not a number"));
  } else if (name == "database") {
    header_.database = value;
  } else if (name == "duplicates") {
    header_.may_repeat_keys = value == "1";
  } else if (std::find(std::begin(kIgnoredNames), std::end(kIgnoredNames), name) == std::end(kIgnoredNames)) {
    warn_(absl::StrCat(lines_.name(), ", line ", lines_.line_number(), ": skipped: ", Escape(line.substr(0, 80))));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> MdbTextReader::NextPair(std::string* key, std::string* value) {
  if (!is_in_data_) return false;
  const absl::StatusOr<bool> has_key = ReadItem(key, "key");
  if (!has_key.ok() || !*has_key) return has_key;
  const absl::StatusOr<bool> has_value = ReadItem(value, "value");
  if (!has_value.ok()) return has_value;
  if (!*has_value) return Error("a key without a value");
  return true;
}

absl::StatusOr<bool> MdbTextReader::ReadItem(std::string* bytes, const char* item) {
  std::string_view line;
  const absl::StatusOr<bool> found = lines_.Next(&line);
  if (!found.ok()) return found;
  if (is_plain_) {
    is_in_data_ = *found;
    if (!*found) return false;
  } else {
    if (!*found) return Error("the input ends here, without DATA=END: it is not complete");
    if (line == kDataEnd) {
      is_in_data_ = false;
      return false;
    }
    if (!lines_.ended_with_newline()) return Error("the input ends in the middle of this line: it is not complete");
    if (line.empty() || line[0] != ' ') {
      return Error(absl::StrCat("a ", item, " begins with a blank; this is ", Quote(line, 40)));
    }
    line.remove_prefix(1);
  }
  if (absl::Status status = Decode(line, bytes); !status.ok()) return status;
  return true;
}

absl::Status MdbTextReader::Decode(std::string_view text, std::string* bytes) const {
  bytes->clear();
  const bool is_print = header_.encoding == MdbEncoding::kPrint;
  if (!is_print && text.size() % 2 != 0) return Error("an odd number of hex digits");
  for (size_t i = 0; i < text.size();) {
    if (is_print && text[i] != '\\') {
      bytes->push_back(text[i++]);
      continue;
    }
    if (is_print && text.substr(i + 1, 1) == "\\") {
      bytes->push_back('\\');
      i += 2;
      continue;
    }
    const size_t at = is_print ? i + 1 : i;
    const int high = at < text.size() ? HexDigit(text[at]) : -1;
    const int low = at + 1 < text.size() ? HexDigit(text[at + 1]) : -1;
    if (high < 0 || low < 0) {
      if (!is_print) return Error(absl::StrCat("not hex digits: ", Quote(text.substr(at, 2))));
      return Error(absl::StrCat("a backslash needs two hex digits behind it, or another backslash; this is ",
                                Quote(text.substr(i, 3)),
                                ". (mdb_dump -p up to LMDB 0.9.24 writes backslashes as they are: dump without -p)"));
    }
    bytes->push_back(static_cast<char>(high << 4 | low));
    i = at + 2;
  }
  return absl::OkStatus();
}

}  // namespace sealkv::tools
