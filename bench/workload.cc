#include "bench/workload.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bench/clock.h"
#include "bench/opens.h"
#include "bench/operations.h"
#include "bench/process_memory.h"

namespace sealkv::bench {
namespace {

constexpr char kNames[] =
    "fillseq fillrandom overwrite readrandom readmissing readseq readreverse seekrandom deleterandom deletemost "
    "readseqwhilewriting addhot addcold snapshot compact open ycsbload ycsba ycsbb ycsbc ycsbd ycsbe ycsbf ycsb";
constexpr uint64_t kProgressEvery = 4096;

class Run {
 public:
  Run(std::string_view workload, const WorkloadOptions& options, Subject& subject, Progress& progress,
      const std::atomic<bool>& stop)
      : workload_(workload),
        options_(options),
        subject_(subject),
        engine_(*subject.engine),
        progress_(progress),
        stop_(stop) {}

  absl::StatusOr<Result> Go() {
    if (workload_ == "open") return TimeOpens(subject_, stop_);
    if (workload_ == "compact") return Compact();
    if (IsFill(workload_)) subject_.BeginFill(options_.num, workload_ != "fillseq");
    if (workload_ == "readseq" || workload_ == "readreverse") return Walk();
    if (workload_ == "readseqwhilewriting") return WalkBesideWriter();
    if (workload_ == "addcold" && options_.data.value_bytes != sizeof(uint64_t)) {
      return absl::UnimplementedError("it adds to the records' values: --value_size=8");
    }
    const std::optional<YcsbMix> mix = MixOf(workload_, options_);
    if (workload_ == "overwrite" || (mix.has_value() && mix->writes())) subject_.BeginRound();
    if (workload_ == "deleterandom" || workload_ == "deletemost") subject_.is_complete = false;
    return RunThreads(OperationCount());
  }

 private:
  uint64_t OperationCount() {
    if (workload_ == "ycsb" && options_.ycsb_operations > 0) return options_.ycsb_operations;
    const bool has_reads = !IsWrite(workload_, options_) || MixOf(workload_, options_).has_value();
    const uint64_t operations = has_reads && options_.reads > 0 ? options_.reads : options_.num;
    if (workload_ != "seekrandom") return operations;
    return std::max<uint64_t>(1, operations / std::max<uint64_t>(1, options_.seek_nexts));
  }

  Result NewResult(uint64_t operations) const {
    Result result;
    result.engine = subject_.name;
    result.benchmark = workload_;
    result.operations = operations;
    return result;
  }

  absl::StatusOr<Result> RunThreads(uint64_t operations) {
    Operations work(workload_, options_, subject_);
    Result result = NewResult(operations);
    const unsigned threads = engine_.is_thread_safe() || !IsWrite(workload_, options_) ? options_.threads : 1;
    if (threads < options_.threads) result.note = "one thread: this engine can't be written by more";
    std::vector<std::unique_ptr<Share>> shares;
    const uint64_t end_of_indexes = subject_.EndOfIndexes();
    for (unsigned i = 0; i < threads; ++i) {
      shares.push_back(std::make_unique<Share>(options_.data));
      shares[i]->inserted.first = end_of_indexes + i * operations;
    }
    const bool in_batches = options_.batch_size > 1 && (IsFill(workload_) || workload_ == "overwrite");
    if (in_batches) {
      for (const auto& share : shares) share->batch = engine_.NewBatch();
      if (shares[0]->batch == nullptr) return absl::UnimplementedError("this engine has no batches");
      operations = (operations + options_.batch_size - 1) / options_.batch_size;
      work.UseBatches();
    }
    // From here on a value may be any of its additions.
    if (workload_ == "addcold") subject_.cold_adds += operations;
    progress_.Begin(absl::StrCat(subject_.name, " ", workload_));
    const std::optional<uint64_t> moved_before = engine_.BytesMoved();
    const double cpu_begin = CpuSeconds();
    const uint64_t begin = NowNs();
    RunShares(work, shares, operations);
    result.seconds = static_cast<double>(NowNs() - begin) * 1e-9;
    result.cpu_seconds = CpuSeconds() - cpu_begin;
    progress_.End();
    if (absl::Status status = Gather(work, shares, result); !status.ok()) return status;
    if (const uint64_t moved = engine_.BytesMoved().value_or(0) - moved_before.value_or(0); moved > 0) {
      result.note = absl::StrCat(moved / operations, " bytes/op moved by compaction");
    }
    if (in_batches) result.note = absl::StrCat("in batches of ", options_.batch_size, "; percentiles are of batches");
    return result;
  }

  void RunShares(Operations& work, const std::vector<std::unique_ptr<Share>>& shares, uint64_t operations) {
    const uint64_t threads = shares.size();
    if (threads == 1) return RunShare(work, *shares[0], 0, operations, operations);
    std::vector<std::thread> running;
    for (uint64_t i = 0; i < threads; ++i) {
      running.emplace_back(
          [&, i] { RunShare(work, *shares[i], operations * i / threads, operations * (i + 1) / threads, operations); });
    }
    for (std::thread& thread : running) thread.join();
  }

  void RunShare(Operations& work, Share& share, uint64_t first, uint64_t last, uint64_t total) {
    const daxfile::PersistCounters before = daxfile::ThreadPersistCounters();
    for (uint64_t i = first; i < last && share.status.ok(); ++i) {
      absl::Status status;
      if (i % options_.sample_every == 0) {
        const uint64_t begin = NowNs();
        status = work.Do(share, i);
        share.latency_ns.Add(NowNs() - begin);
        if (i % kProgressEvery == 0 && first == 0) progress_.Show(i * total / std::max<uint64_t>(1, last), total);
        if (stop_.load(std::memory_order_relaxed)) status = absl::CancelledError("stopped");
      } else {
        status = work.Do(share, i);
      }
      if (!status.ok()) [[unlikely]]
        share.status = std::move(status);
    }
    share.persist = daxfile::ThreadPersistCounters() - before;
  }

  absl::Status Gather(const Operations& work, const std::vector<std::unique_ptr<Share>>& shares, Result& result) {
    for (const auto& share : shares) {
      if (!share->status.ok()) return share->status;
      result.bytes += share->bytes;
      result.persist = result.persist + share->persist;
      result.latency_ns.Merge(share->latency_ns);
      if (share->inserted.count > 0) subject_.extents.push_back(share->inserted);
    }
    if (workload_ != "addhot" || subject_.options.use_existing) return absl::OkStatus();
    subject_.hot_adds += result.operations;
    return work.CheckHotKey(subject_.hot_adds);
  }

  // From the first key to the last, while another thread overwrites what it meets at random, as fast as it can.
  absl::StatusOr<Result> WalkBesideWriter() {
    if (!engine_.is_thread_safe()) return absl::UnimplementedError("this engine can't be written while it is read");
    std::atomic<bool> is_over{false};
    std::atomic<uint64_t> overwrites{0};
    absl::Status written;
    std::thread writer([&] {
      Operations work(workload_, options_, subject_);
      Share share(options_.data);
      for (uint64_t i = 0; !is_over && written.ok(); ++i) {
        written = work.Overwrite(share, i);
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
    const uint64_t wanted = options_.reads > 0 ? options_.reads : subject_.records();
    progress_.Begin(absl::StrCat(subject_.name, " ", workload_));
    const double cpu_begin = CpuSeconds();
    const daxfile::PersistCounters before = daxfile::ThreadPersistCounters();
    uint64_t sum = 0;
    const uint64_t begin = NowNs();
    const uint64_t seen = engine_.Scan(std::nullopt, wanted, workload_ == "readreverse", &sum);
    const uint64_t end = NowNs();
    progress_.End();
    if (subject_.is_complete && seen < std::min(wanted, subject_.records())) {
      return absl::DataLossError(absl::StrCat("only ", seen, " of ", subject_.records(), " records were met"));
    }
    Result result = NewResult(std::max<uint64_t>(1, seen));
    result.seconds = static_cast<double>(end - begin) * 1e-9;
    result.cpu_seconds = CpuSeconds() - cpu_begin;
    result.persist = daxfile::ThreadPersistCounters() - before;
    result.bytes = static_cast<uint64_t>(
        static_cast<double>(seen) * (MeanKeyBytes(options_.data) + static_cast<double>(options_.data.value_bytes)));
    result.note = sum == 0 && seen > 0 ? "all values ended in 0" : "";
    return result;
  }

  absl::StatusOr<Result> Compact() {
    const std::optional<uint64_t> before = engine_.BytesTaken();
    const double cpu_begin = CpuSeconds();
    const uint64_t begin = NowNs();
    if (absl::Status status = engine_.Compact(); !status.ok()) return status;
    Result result = NewResult(1);
    result.seconds = static_cast<double>(NowNs() - begin) * 1e-9;
    result.cpu_seconds = CpuSeconds() - cpu_begin;
    if (before.has_value()) {
      result.note = absl::StrCat(*before >> 20, " MiB in use before, ", *engine_.BytesTaken() >> 20, " MiB after");
    }
    return result;
  }

  const std::string workload_;
  const WorkloadOptions& options_;
  Subject& subject_;
  Engine& engine_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
};

}  // namespace

std::vector<std::string> WorkloadNames() { return absl::StrSplit(kNames, ' '); }

bool IsFill(std::string_view workload) {
  return workload == "fillseq" || workload == "fillrandom" || workload == "ycsbload";
}

std::optional<YcsbMix> MixOf(std::string_view workload, const WorkloadOptions& options) {
  return workload == "ycsb" ? options.ycsb : CoreMix(workload);
}

bool IsWrite(std::string_view workload, const WorkloadOptions& options) {
  if (const auto mix = MixOf(workload, options)) return mix->writes();
  return IsFill(workload) || workload == "overwrite" || workload == "deleterandom" || workload == "deletemost" ||
         workload == "addhot" || workload == "addcold";
}

absl::StatusOr<Result> RunWorkload(std::string_view workload, const WorkloadOptions& options, Subject& subject,
                                   Progress& progress, const std::atomic<bool>& stop) {
  absl::StatusOr<Result> result = Run(workload, options, subject, progress, stop).Go();
  if (!result.ok()) return result;
  if (IsFill(workload)) {
    if (const std::optional<uint64_t> bytes = subject.engine->BytesUsed()) {
      result->bytes_per_record = static_cast<double>(*bytes) / static_cast<double>(options.num);
    }
  }
  const ProcessMemory memory = ReadProcessMemory();
  result->rss_bytes = memory.rss_bytes;
  result->rss_anon_bytes = memory.rss_anon_bytes;
  return result;
}

}  // namespace sealkv::bench
