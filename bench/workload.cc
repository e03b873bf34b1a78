#include "bench/workload.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"

namespace sealkv::bench {
namespace {

constexpr std::array<std::string_view, 15> kNames = {
    "fillseq",     "fillrandom", "overwrite",    "readrandom", "readmissing",         "readseq",
    "readreverse", "seekrandom", "deleterandom", "deletemost", "readseqwhilewriting", "addhot",
    "snapshot",    "compact",    "open"};
constexpr uint64_t kProgressEvery = 4096;
constexpr int kOpens = 21;

double CpuSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

uint64_t NowNs() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

// What one thread does and finds.
struct Share {
  explicit Share(const DataOptions& options) : data(options) {}

  Data data;
  std::string value;
  uint64_t bytes = 0;
  uint64_t sum = 0;  // of what was scanned, so that it is read
  absl::Status status;
  Histogram latency_ns;
  daxfile::PersistCounters persist;
  std::unique_ptr<EngineBatch> batch;
};

class Run {
 public:
  Run(std::string_view workload, const WorkloadOptions& options, Subject& subject, Progress& progress,
      const std::atomic<bool>& stop)
      : workload_(workload),
        operate_(OperationOf(workload)),
        order_(Scatter(std::hash<std::string_view>()(workload)) >> 1),
        options_(options),
        subject_(subject),
        engine_(*subject.engine),
        progress_(progress),
        stop_(stop) {}

  absl::StatusOr<Result> Go() {
    if (workload_ == "open") return TimeOpens();
    if (workload_ == "compact") return Compact();
    if (workload_ == "fillseq" || workload_ == "fillrandom") {
      subject_.has_random_keys = workload_ == "fillrandom";
      subject_.round = 0;
    }
    if (workload_ == "overwrite") ++subject_.round;
    const bool is_read = !IsWrite(workload_);
    uint64_t operations = is_read && options_.reads > 0 ? options_.reads : options_.num;
    if (workload_ == "readseq" || workload_ == "readreverse") return Walk();
    if (workload_ == "readseqwhilewriting") return WalkBesideWriter();
    if (workload_ == "seekrandom")
      operations = std::max<uint64_t>(1, operations / std::max<uint64_t>(1, options_.seek_nexts));
    return RunThreads(operations);
  }

 private:
  // Everything that a loop of operations needs to know of its name is found out before it: the less the benchmark does
  // between two operations, the more of the engine is measured.
  using Operation = absl::Status (Run::*)(Share& share, uint64_t i);
  static Operation OperationOf(std::string_view workload) {
    if (IsFill(workload)) return &Run::Fill;
    if (workload == "overwrite") return &Run::Overwrite;
    if (workload == "readrandom") return &Run::ReadRandom;
    if (workload == "readmissing") return &Run::ReadMissing;
    if (workload == "seekrandom") return &Run::SeekRandom;
    if (workload == "addhot") return &Run::AddHot;
    if (workload == "deletemost") return &Run::DeleteMost;
    if (workload == "snapshot") return &Run::TouchSnapshot;
    return &Run::DeleteRandom;
  }

  Result NewResult(uint64_t operations) const {
    Result result;
    result.engine = subject_.name;
    result.benchmark = workload_;
    result.operations = operations;
    return result;
  }

  absl::StatusOr<Result> RunThreads(uint64_t operations) {
    Result result = NewResult(operations);
    const unsigned threads = engine_.is_thread_safe() || !IsWrite(workload_) ? options_.threads : 1;
    if (threads < options_.threads) result.note = "one thread: this engine can't be written by more";
    std::vector<std::unique_ptr<Share>> shares;
    for (unsigned i = 0; i < threads; ++i) shares.push_back(std::make_unique<Share>(options_.data));
    const uint64_t puts = operations;
    const bool in_batches = options_.batch_size > 1 && (IsFill(workload_) || workload_ == "overwrite");
    if (in_batches) {
      for (const auto& share : shares) share->batch = engine_.NewBatch();
      if (shares[0]->batch == nullptr) return absl::UnimplementedError("this engine has no batches");
      operations = (operations + options_.batch_size - 1) / options_.batch_size;
      operate_ = &Run::WriteBatch;
    }
    progress_.Begin(absl::StrCat(subject_.name, " ", workload_));
    const std::optional<uint64_t> moved_before = engine_.BytesMoved();
    const double cpu_begin = CpuSeconds();
    const uint64_t begin = NowNs();
    if (threads == 1) {
      RunShare(*shares[0], 0, operations, operations);
    } else {
      std::vector<std::thread> running;
      for (unsigned i = 0; i < threads; ++i) {
        running.emplace_back(
            [&, i] { RunShare(*shares[i], operations * i / threads, operations * (i + 1) / threads, operations); });
      }
      for (std::thread& thread : running) thread.join();
    }
    result.seconds = static_cast<double>(NowNs() - begin) * 1e-9;
    result.cpu_seconds = CpuSeconds() - cpu_begin;
    progress_.End();
    for (const auto& share : shares) {
      if (!share->status.ok()) return share->status;
      result.bytes += share->bytes;
      result.persist = result.persist + share->persist;
      result.latency_ns.Merge(share->latency_ns);
    }
    if (const uint64_t moved = engine_.BytesMoved().value_or(0) - moved_before.value_or(0); moved > 0) {
      result.note = absl::StrCat(moved / operations, " bytes/op moved by compaction");
    }
    if (in_batches) {
      result.operations = puts;
      result.note = absl::StrCat("in batches of ", options_.batch_size, "; percentiles are of batches");
    }
    return result;
  }

  void RunShare(Share& share, uint64_t first, uint64_t last, uint64_t total) {
    const daxfile::PersistCounters before = daxfile::ThreadPersistCounters();
    for (uint64_t i = first; i < last && share.status.ok(); ++i) {
      absl::Status status;
      if (i % options_.sample_every == 0) {
        const uint64_t begin = NowNs();
        status = (this->*operate_)(share, i);
        share.latency_ns.Add(NowNs() - begin);
        if (i % kProgressEvery == 0 && first == 0) progress_.Show(i * total / std::max<uint64_t>(1, last), total);
        if (i % kProgressEvery == 0 && stop_) status = absl::CancelledError("stopped");
      } else {
        status = (this->*operate_)(share, i);
      }
      if (!status.ok()) [[unlikely]]
        share.status = std::move(status);
    }
    share.persist = daxfile::ThreadPersistCounters() - before;
  }

  // Picks one of the keys that the last fill put, in an order of its own for each workload.
  Key AnyKey(Share& share, uint64_t i) const {
    const uint64_t index = Scatter(i + order_) % options_.num;
    const uint64_t number = subject_.has_random_keys ? share.data.RandomKey(index) : share.data.SequentialKey(index);
    return {number, share.data.key()};
  }

  absl::Status Fill(Share& share, uint64_t i) {
    const uint64_t number = subject_.has_random_keys ? share.data.RandomKey(i) : share.data.SequentialKey(i);
    return Write(share, {number, share.data.key()});
  }
  absl::Status Overwrite(Share& share, uint64_t i) { return Write(share, AnyKey(share, i)); }
  absl::Status ReadRandom(Share& share, uint64_t i) { return Read(share, AnyKey(share, i)); }
  absl::Status ReadMissing(Share& share, uint64_t i) {
    // Beyond all indexes that were filled; the random order is a bijection, so these are other keys.
    const uint64_t index = options_.num + i;
    const uint64_t number = subject_.has_random_keys ? share.data.RandomKey(index) : share.data.SequentialKey(index);
    const Key key{number, share.data.key()};
    if (engine_.Get(key, &share.value)) return absl::DataLossError("a key was found that was never written");
    share.bytes += key.bytes.size();
    return absl::OkStatus();
  }
  absl::Status SeekRandom(Share& share, uint64_t i) {
    const uint64_t seen = engine_.Scan(AnyKey(share, i), options_.seek_nexts, false, &share.sum);
    share.bytes += seen * (share.data.key().size() + options_.data.value_bytes);
    return absl::OkStatus();
  }
  absl::Status DeleteRandom(Share& share, uint64_t i) {
    const Key key = AnyKey(share, i);  // some are gone already
    engine_.Delete(key);
    share.bytes += key.bytes.size();
    return absl::OkStatus();
  }

  // Nine of ten, each once.
  absl::Status DeleteMost(Share& share, uint64_t i) {
    if (i % 10 == 0) return absl::OkStatus();
    const Key key{subject_.has_random_keys ? share.data.RandomKey(i) : share.data.SequentialKey(i), share.data.key()};
    if (!engine_.Delete(key)) return absl::DataLossError("a key that was to be deleted wasn't found");
    share.bytes += key.bytes.size();
    return absl::OkStatus();
  }

  absl::Status AddHot(Share& share, uint64_t) {
    share.bytes += 2 * sizeof(uint64_t);
    return engine_.Increment({~uint64_t{0}, "hot key."});
  }
  absl::Status TouchSnapshot(Share&, uint64_t) { return engine_.TouchSnapshot(); }

  absl::Status Write(Share& share, const Key& key) {
    share.bytes += key.bytes.size() + options_.data.value_bytes;
    return engine_.Put(key, share.data.ValueOf(key.number, subject_.round));
  }
  // An operation is a batch then.
  absl::Status WriteBatch(Share& share, uint64_t i) {
    const uint64_t end = std::min((i + 1) * options_.batch_size, options_.num);
    for (uint64_t at = i * options_.batch_size; at < end; ++at) {
      Key key = AnyKey(share, at);
      if (IsFill(workload_)) {
        key.number = subject_.has_random_keys ? share.data.RandomKey(at) : share.data.SequentialKey(at);
        key.bytes = share.data.key();
      }
      share.bytes += key.bytes.size() + options_.data.value_bytes;
      share.batch->Put(key, share.data.ValueOf(key.number, subject_.round));
    }
    return share.batch->Write();
  }

  absl::Status Read(Share& share, const Key& key) {
    if (!engine_.Get(key, &share.value)) return absl::DataLossError("a key that was written wasn't found");
    if (!share.data.IsValueOf(key.number, subject_.round, share.value))
      return absl::DataLossError("a wrong value was read");
    share.bytes += key.bytes.size() + share.value.size();
    return absl::OkStatus();
  }

  // From the first key to the last, while another thread overwrites what it meets at random, as fast as it can.
  absl::StatusOr<Result> WalkBesideWriter() {
    if (!engine_.is_thread_safe()) return absl::UnimplementedError("this engine can't be written while it is read");
    std::atomic<bool> is_over{false};
    std::atomic<uint64_t> overwrites{0};
    absl::Status written;
    std::thread writer([&] {
      Share share(options_.data);
      for (uint64_t i = 0; !is_over && written.ok(); ++i) {
        written = Write(share, AnyKey(share, i));
        overwrites.store(i + 1, std::memory_order_relaxed);
      }
    });
    while (overwrites == 0) std::this_thread::yield();
    absl::StatusOr<Result> result = Walk();
    is_over = true;
    writer.join();
    if (!written.ok()) return written;
    if (result.ok()) result->note = absl::StrCat(overwrites.load(), " overwrites meanwhile");
    return result;
  }

  absl::StatusOr<Result> Walk() {
    const uint64_t wanted = options_.reads > 0 ? options_.reads : options_.num;
    progress_.Begin(absl::StrCat(subject_.name, " ", workload_));
    const double cpu_begin = CpuSeconds();
    const daxfile::PersistCounters before = daxfile::ThreadPersistCounters();
    uint64_t sum = 0;
    const uint64_t begin = NowNs();
    const uint64_t seen = engine_.Scan(std::nullopt, wanted, workload_ == "readreverse", &sum);
    const uint64_t end = NowNs();
    Result result = NewResult(std::max<uint64_t>(1, seen));
    result.seconds = static_cast<double>(end - begin) * 1e-9;
    result.cpu_seconds = CpuSeconds() - cpu_begin;
    result.persist = daxfile::ThreadPersistCounters() - before;
    result.bytes = seen * (Data(options_.data).key().size() + options_.data.value_bytes);
    result.note = sum == 0 && seen > 0 ? "all values began with 0" : "";
    progress_.End();
    return result;
  }

  absl::StatusOr<Result> Compact() {
    const std::optional<uint64_t> before = engine_.BytesTaken();
    const uint64_t begin = NowNs();
    if (absl::Status status = engine_.Compact(); !status.ok()) return status;
    Result result = NewResult(1);
    result.seconds = static_cast<double>(NowNs() - begin) * 1e-9;
    result.cpu_seconds = result.seconds;
    if (before.has_value()) {
      result.note = absl::StrCat(*before >> 20, " MiB in use before, ", *engine_.BytesTaken() >> 20, " MiB after");
    }
    return result;
  }

  absl::StatusOr<Result> TimeOpens() {
    absl::StatusOr<std::vector<double>> seconds = engine_.TimeOpensAfterKill(kOpens);
    if (!seconds.ok()) return seconds.status();
    Result result = NewResult(seconds->size());
    for (const double each : *seconds) {
      result.seconds += each;
      result.latency_ns.Add(static_cast<uint64_t>(each * 1e9));
    }
    result.cpu_seconds = result.seconds;
    result.note = "each after a SIGKILL in the middle of writing";
    return result;
  }

  const std::string workload_;
  Operation operate_;
  const uint64_t order_;
  const WorkloadOptions& options_;
  Subject& subject_;
  Engine& engine_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
};

}  // namespace

std::vector<std::string> WorkloadNames() { return {kNames.begin(), kNames.end()}; }

bool IsFill(std::string_view workload) { return workload == "fillseq" || workload == "fillrandom"; }

bool IsWrite(std::string_view workload) {
  return IsFill(workload) || workload == "overwrite" || workload == "deleterandom" || workload == "deletemost" ||
         workload == "addhot";
}

absl::StatusOr<Result> RunWorkload(std::string_view workload, const WorkloadOptions& options, Subject& subject,
                                   Progress& progress, const std::atomic<bool>& stop) {
  absl::StatusOr<Result> result = Run(workload, options, subject, progress, stop).Go();
  if (result.ok() && IsFill(workload)) {
    if (const std::optional<uint64_t> bytes = subject.engine->BytesUsed()) {
      result->bytes_per_record = static_cast<double>(*bytes) / static_cast<double>(options.num);
    }
  }
  return result;
}

}  // namespace sealkv::bench
