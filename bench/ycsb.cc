#include "bench/ycsb.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sealkv::bench {
namespace {

// Of the properties that were given, takes one after the other; what is left then is unknown.
class Taker {
 public:
  explicit Taker(const PropertyMap& properties) : left_(properties) {}

  std::optional<std::string> Text(const std::string& name) {
    const auto found = left_.find(name);
    if (found == left_.end()) return std::nullopt;
    std::string value = std::move(found->second);
    left_.erase(found);
    return value;
  }
  void Proportion(const std::string& name, double* to) {
    const std::optional<std::string> text = Text(name);
    if (!text.has_value()) return;
    double value;
    if (!absl::SimpleAtod(*text, &value) || !(value >= 0 && value <= 1)) return Fail(name, *text, "a number 0 to 1");
    *to = value;
  }
  std::optional<uint64_t> Count(const std::string& name, uint64_t least, uint64_t most) {
    const std::optional<std::string> text = Text(name);
    if (!text.has_value()) return std::nullopt;
    uint64_t value;
    if (absl::SimpleAtoi(*text, &value) && value >= least && value <= most) return value;
    Fail(name, *text, absl::StrCat("a whole number ", least, " to ", most));
    return std::nullopt;
  }
  void Fail(const std::string& name, const std::string& value, const std::string& wanted) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat("property ", name, "=", value, ": must be ", wanted, " (see -P, -p)"));
    }
  }

  const absl::Status& status() const { return status_; }
  const PropertyMap& left() const { return left_; }

 private:
  PropertyMap left_;
  absl::Status status_;
};

void TakeMix(Taker& taker, YcsbMix* mix) {
  taker.Proportion("readproportion", &mix->reads);
  taker.Proportion("updateproportion", &mix->updates);
  taker.Proportion("insertproportion", &mix->inserts);
  taker.Proportion("scanproportion", &mix->scans);
  taker.Proportion("readmodifywriteproportion", &mix->read_modify_writes);
  const double sum = mix->reads + mix->updates + mix->inserts + mix->scans + mix->read_modify_writes;
  if (sum == 0) return taker.Fail("readproportion", "0", "above 0, or another proportion");
  for (double* each : {&mix->reads, &mix->updates, &mix->inserts, &mix->scans, &mix->read_modify_writes}) *each /= sum;
  if (const auto text = taker.Text("zipfianconstant")) {
    if (!absl::SimpleAtod(*text, &mix->zipfian_constant) || !(mix->zipfian_constant > 0 && mix->zipfian_constant < 1)) {
      taker.Fail("zipfianconstant", *text, "a number between 0 and 1");
    }
  }
  if (const auto text = taker.Text("requestdistribution")) {
    const std::optional<Distribution> distribution = DistributionFromName(*text);
    if (!distribution.has_value()) {
      return taker.Fail("requestdistribution", *text, absl::StrJoin(DistributionNames(), ", "));
    }
    mix->distribution = *distribution;
  }
  mix->most_scanned = taker.Count("maxscanlength", 1, uint64_t{1} << 40).value_or(mix->most_scanned);
}

}  // namespace

std::optional<YcsbMix> CoreMix(std::string_view benchmark) {
  constexpr Distribution kZipfian = Distribution::kZipfian;
  if (benchmark == "ycsba") return YcsbMix{.reads = 0.5, .updates = 0.5, .distribution = kZipfian};
  if (benchmark == "ycsbb") return YcsbMix{.reads = 0.95, .updates = 0.05, .distribution = kZipfian};
  if (benchmark == "ycsbc") return YcsbMix{.reads = 1, .updates = 0, .distribution = kZipfian};
  if (benchmark == "ycsbd") {
    return YcsbMix{.reads = 0.95, .updates = 0, .inserts = 0.05, .distribution = Distribution::kLatest};
  }
  if (benchmark == "ycsbe") {
    return YcsbMix{
        .reads = 0, .updates = 0, .inserts = 0.05, .scans = 0.95, .distribution = kZipfian, .most_scanned = 100};
  }
  if (benchmark == "ycsbf") {
    return YcsbMix{.reads = 0.5, .updates = 0, .read_modify_writes = 0.5, .distribution = kZipfian};
  }
  return std::nullopt;
}

absl::Status ReadPropertyFile(const std::string& path, PropertyMap* properties) {
  // A folder can be opened, but not read.
  if (std::error_code error; std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat("-P ", path, ": is a folder; name a file of YCSB's properties"));
  }
  std::ifstream file(path);
  if (!file) return absl::InvalidArgumentError(absl::StrCat("-P ", path, ": can't be read: ", std::strerror(errno)));
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty() || text[0] == '#' || text[0] == '!') continue;
    if (!AddProperty({text.data(), text.size()}, properties).ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("-P ", path, ", line ", number, ": no property: '", text, "'; one is KEY=VALUE"));
    }
  }
  if (file.bad()) {
    return absl::InvalidArgumentError(absl::StrCat("-P ", path, ": reading failed after line ", number));
  }
  return absl::OkStatus();
}

absl::Status AddProperty(std::string_view text, PropertyMap* properties) {
  const size_t equals = text.find_first_of("=:");
  if (equals == std::string_view::npos || equals == 0) {
    return absl::InvalidArgumentError(absl::StrCat("-p ", std::string(text), ": no property; one is KEY=VALUE"));
  }
  const std::string all(text);
  (*properties)[std::string(absl::StripAsciiWhitespace(all.substr(0, equals)))] =
      std::string(absl::StripAsciiWhitespace(all.substr(equals + 1)));
  return absl::OkStatus();
}

absl::StatusOr<YcsbProperties> Interpret(const PropertyMap& properties) {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max() >> 16;
  Taker taker(properties);
  YcsbProperties result;
  TakeMix(taker, &result.mix);
  result.records = taker.Count("recordcount", 1, kMost);
  result.operations = taker.Count("operationcount", 1, kMost);
  result.value_bytes =
      taker.Count("fieldcount", 1, 1 << 20).value_or(10) * taker.Count("fieldlength", 1, 1 << 20).value_or(100);
  // These say which program is to be run, and on which of a record's fields: here a record is one value.
  for (const char* name : {"workload", "table", "readallfields", "writeallfields"}) taker.Text(name);
  if (!taker.status().ok()) return taker.status();
  if (result.value_bytes > uint64_t{1} << 30) {
    return absl::InvalidArgumentError("fieldcount * fieldlength is the size of a value: at most 1 GiB");
  }
  for (const auto& [name, value] : taker.left()) {
    result.warnings.push_back(absl::StrCat("property ", name, "=", value, " has no meaning here"));
  }
  return result;
}

}  // namespace sealkv::bench
