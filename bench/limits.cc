#include "bench/limits.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/data.h"
#include "bench/permutation.h"
#include "daxfile/persist.h"

namespace sealkv::bench {
namespace {

constexpr size_t kBytes = size_t{256} << 20;
constexpr size_t kHugePageBytes = size_t{2} << 20;
constexpr uint64_t kLines = kBytes / daxfile::kCacheLineBytes;
constexpr int kRounds = 9;
constexpr uint64_t kSteps = 200000;  // of each round

struct alignas(daxfile::kCacheLineBytes) Line {
  std::array<uint64_t, 8> words;
};

// Memory in which every line is touched, on pages of either size.
class Memory {
 public:
  explicit Memory(int advice) {
    // Address space for one huge page more, so that it begins with one.
    void* mapped = mmap(nullptr, kBytes + kHugePageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return;
    mapped_ = mapped;
    const uintptr_t begin =
        (reinterpret_cast<uintptr_t>(mapped) + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
    lines_ = reinterpret_cast<Line*>(begin);
    madvise(lines_, kBytes, advice);
    // One cycle through all lines: each names the next.
    const Permutation order(kLines, 1);
    for (uint64_t i = 0; i < kLines; ++i) lines_[order(i)].words[0] = order((i + 1) % kLines);
  }
  ~Memory() {
    if (mapped_ != nullptr) munmap(mapped_, kBytes + kHugePageBytes);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  Line* lines() const { return lines_; }  // nullptr: there was none to be had

 private:
  void* mapped_ = nullptr;
  Line* lines_ = nullptr;
};

// Nanoseconds a step: the median of some rounds.
double MedianNs(const std::function<void()>& round) {
  std::array<double, kRounds> ns;
  for (double& each : ns) {
    const auto begin = std::chrono::steady_clock::now();
    round();
    each = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() / kSteps;
  }
  std::sort(ns.begin(), ns.end());
  return ns[kRounds / 2];
}

double DependentReadNs(const Line* lines) {
  uint64_t at = 0;
  const double ns = MedianNs([&] {
    for (uint64_t i = 0; i < kSteps; ++i) at = lines[at].words[0];
  });
  asm volatile("" : : "r"(at));  // somebody wants to know
  return ns;
}

// What stores, flushes and fences take, in the ways that stores of keys use them.
class Persisting {
 public:
  explicit Persisting(Line* lines) : lines_(lines) {}

  double HotLineNs() {
    return MedianNs([this] {
      for (uint64_t i = 0; i < kSteps; ++i) PersistWord(lines_[0], i);
    });
  }
  double ColdLineNs() {
    return MedianNs([this] {
      for (uint64_t i = 0; i < kSteps; ++i) PersistWord(NextColdLine(), i);
    });
  }
  double SixteenLinesNs() {
    return MedianNs([this] {
      for (uint64_t i = 0; i < kSteps; ++i) {
        for (uint64_t line = 0; line < 16; ++line) StoreAndFlush(lines_[line], i);
        persist_.Fence();
      }
    });
  }
  double AppendNs() {
    alignas(64) const Line from{};
    uint64_t end = 0;
    return MedianNs([&] {
      for (uint64_t i = 0; i < kSteps; ++i) {
        persist_.CopyNonTemporal(&lines_[end++ % kLines], &from, sizeof(from));
        persist_.Fence();
      }
    });
  }
  // A record, then the word that names it: two cold lines, one after the other.
  double TwoFencesNs() {
    return MedianNs([this] {
      for (uint64_t i = 0; i < kSteps; ++i) {
        PersistWord(NextColdLine(), i);
        PersistWord(NextColdLine(), i);
      }
    });
  }

 private:
  void StoreAndFlush(Line& line, uint64_t value) {
    persist_.Store(&line.words[1], value);
    persist_.Flush(&line.words[1]);
  }
  void PersistWord(Line& line, uint64_t value) {
    StoreAndFlush(line, value);
    persist_.Fence();
  }
  Line& NextColdLine() { return lines_[Scatter(next_++) % kLines]; }

  daxfile::Persist persist_{daxfile::Persist::Mode::kCpu};
  Line* const lines_;
  uint64_t next_ = 0;
};

double NsOf(std::string_view name, const std::vector<Limit>& limits) {
  for (const Limit& limit : limits) {
    if (limit.name == name) return limit.ns;
  }
  return 0;
}

constexpr char kRead[] = "random_read_2m_ns";
constexpr char kHotPersist[] = "hot_persist_ns";
constexpr char kColdPersist[] = "cold_persist_ns";

}  // namespace

absl::StatusOr<std::vector<Limit>> MeasureLimits() {
  std::vector<Limit> limits;
  double small_pages_ns;
  {
    const Memory small(MADV_NOHUGEPAGE);
    if (small.lines() == nullptr) return absl::ResourceExhaustedError("no 256 MiB of memory to measure");
    small_pages_ns = DependentReadNs(small.lines());
  }
  const Memory huge(MADV_HUGEPAGE);
  if (huge.lines() == nullptr) return absl::ResourceExhaustedError("no 256 MiB of memory to measure");
  limits.push_back(
      {kRead, "dependent read of a random line, of 256 MiB on 2 MiB pages", DependentReadNs(huge.lines())});
  limits.push_back({"random_read_4k_ns", "the same on 4 KiB pages", small_pages_ns});
  Persisting persisting(huge.lines());
  limits.push_back({kHotPersist, "store + clwb + sfence, the same line again and again", persisting.HotLineNs()});
  limits.push_back({kColdPersist, "store + clwb + sfence, a random line of 256 MiB", persisting.ColdLineNs()});
  limits.push_back({"persist_16_lines_ns", "16 hot lines stored and flushed, one sfence", persisting.SixteenLinesNs()});
  limits.push_back({"append_64_bytes_ns", "64 bytes appended non-temporally + sfence", persisting.AppendNs()});
  limits.push_back({"two_fences_ns", "two random lines made durable, one after the other", persisting.TwoFencesNs()});
  return limits;
}

std::string LimitsTable(const std::vector<Limit>& limits) {
  std::string table;
  for (const Limit& limit : limits) absl::StrAppendFormat(&table, "%8.1f ns  %s\n", limit.ns, limit.what);
  return table;
}

nlohmann::ordered_json LimitsJson(const std::vector<Limit>& limits) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const Limit& limit : limits) json[limit.name] = limit.ns;
  return json;
}

std::optional<double> FloorNs(std::string_view benchmark, const std::vector<Limit>& limits) {
  if (limits.empty()) return std::nullopt;
  const double read_ns = NsOf(kRead, limits);
  if (benchmark == "addhot") return NsOf(kHotPersist, limits);
  // The part of it that writes.
  static constexpr std::pair<std::string_view, double> kParts[] = {
      {"readrandom", 0}, {"readmissing", 0}, {"readwhilewriting", 0}, {"seekrandom", 0},   {"ycsbc", 0},
      {"ycsbb", 0.05},   {"ycsbd", 0.05},    {"ycsbe", 0.05},         {"ycsba", 0.5},      {"ycsbf", 0.5},
      {"fillrandom", 1}, {"ycsbload", 1},    {"overwrite", 1},        {"deleterandom", 1}, {"addcold", 1}};
  for (const auto& [name, writes] : kParts) {
    if (benchmark == name) return read_ns + writes * NsOf(kColdPersist, limits);
  }
  return std::nullopt;
}

}  // namespace sealkv::bench
