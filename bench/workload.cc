#include "bench/workload.h"

#include <algorithm>
#include <thread>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bench/clock.h"
#include "bench/opens.h"
#include "bench/operations.h"
#include "bench/process_memory.h"

namespace sealkv::bench {
namespace {

constexpr char kNames[] =
    "fillseq fillrandom overwrite readrandom multireadrandom readmissing readseq readreverse seekrandom deleterandom "
    "deletemost "
    "readwhilewriting readseqwhilewriting addhot addcold snapshot compact open ycsbload ycsba ycsbb ycsbc ycsbd ycsbe "
    "ycsbf ycsb";
constexpr uint64_t kProgressEvery = 4096;
constexpr uint64_t kGetsTogether = 64;  // where no number is given

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
    if (workload_ == "readseq" || workload_ == "readreverse") return Walk();
    if (workload_ == "readseqwhilewriting") return BesideWriter([this] { return Walk(); });
    if (workload_ == "readwhilewriting") return BesideWriter([this] { return RunThreads(OperationCount()); });
    if (workload_ == "addcold" && options_.data.value_bytes != sizeof(uint64_t)) {
      return absl::UnimplementedError("it adds to the records' values: --value_size=8");
    }
    const uint64_t operations = OperationCount();
    if (operations == 0) return absl::UnimplementedError("of a single record it deletes none: --num=2 or more");
    BeginChanges(operations);
    return RunThreads(operations);
  }

 private:
  // From here on what is read may be of these changes.
  void BeginChanges(uint64_t operations) {
    Contents& contents = subject_.contents;
    if (IsFill(workload_)) {
      contents.BeginFill(options_.num, workload_ != "fillseq");
      subject_.hot_adds = 0;
    }
    const std::optional<YcsbMix> mix = MixOf(workload_, options_);
    if (workload_ == "overwrite" || (mix.has_value() && mix->writes())) contents.BeginRound();
    if (workload_ == "addcold") contents.BeginAdds(operations);
  }

  uint64_t OperationCount() const {
    if (workload_ == "deletemost") return options_.num - (options_.num + 9) / 10;
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
    result.threads = threads;
    if (threads < options_.threads) result.AddNote("one thread: this engine can't be written by more");
    std::vector<std::unique_ptr<Share>> shares;
    const uint64_t end_of_indexes = subject_.contents.EndOfIndexes();
    for (unsigned i = 0; i < threads; ++i) {
      shares.push_back(std::make_unique<Share>(options_.data));
      shares[i]->inserted.first = end_of_indexes + i * operations;
    }
    const bool reads_batches = workload_ == "multireadrandom";
    const uint64_t batch_size = reads_batches && options_.batch_size == 1 ? kGetsTogether : options_.batch_size;
    bool in_batches = reads_batches || (batch_size > 1 && (IsFill(workload_) || workload_ == "overwrite"));
    if (in_batches && !reads_batches) {
      for (const auto& share : shares) share->batch = engine_.NewBatch();
      in_batches = shares[0]->batch != nullptr;
      if (!in_batches) result.AddNote("one by one: this engine has no batches");
    }
    if (in_batches) {
      work.UseBatches(batch_size, operations);
      operations = (operations + batch_size - 1) / batch_size;
    }
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
      result.AddNote(absl::StrCat(moved / result.operations, " bytes/op moved by compaction"));
    }
    if (in_batches) result.AddNote(absl::StrCat("in batches of ", batch_size, "; percentiles are of batches"));
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
    uint64_t missing = 0;
    for (const auto& share : shares) {
      if (!share->status.ok()) return share->status;
      missing += share->missing;
      result.bytes += share->bytes;
      result.persist = result.persist + share->persist;
      result.latency_ns.Merge(share->latency_ns);
      if (share->inserted.count > 0) subject_.contents.AddInserted(share->inserted);
    }
    if (IsDeletion(workload_)) {
      for (uint64_t i = 0; i < result.operations; ++i) subject_.contents.MarkDeleted(work.RankToDelete(i));
    }
    NoteMissing(missing, result);
    if (workload_ != "addhot" || subject_.options.use_existing) return absl::OkStatus();
    subject_.hot_adds += result.operations;
    return work.CheckHotKey(subject_.hot_adds);
  }

  // What wasn't there is allowed not to be.
  void NoteMissing(uint64_t missing, Result& result) const {
    if (missing == 0) return;
    result.AddNote(absl::StrCat(missing, subject_.contents.is_known() ? " of what was asked for was deleted"
                                                                      : " of what was asked for isn't there"));
  }

  // While another thread overwrites what it meets at random, as fast as it can.
  absl::StatusOr<Result> BesideWriter(absl::FunctionRef<absl::StatusOr<Result>()> read) {
    if (!engine_.is_thread_safe()) return absl::UnimplementedError("this engine can't be written while it is read");
    std::atomic<bool> is_over{false};
    std::atomic<uint64_t> overwrites{0};
    absl::Status written;
    subject_.contents.BeginWrites();
    std::thread writer([&] {
      Operations work("overwrite", options_, subject_);
      Share share(options_.data);
      for (uint64_t i = 0; !is_over && written.ok(); ++i) {
        written = work.Overwrite(share, i);
        overwrites.store(i + 1, std::memory_order_relaxed);
      }
    });
    while (overwrites == 0) std::this_thread::yield();
    absl::StatusOr<Result> result = read();
    is_over = true;
    writer.join();
    if (!written.ok()) return written;
    if (result.ok()) result->AddNote(absl::StrCat(overwrites.load(), " overwrites meanwhile; the CPU time is of both"));
    return result;
  }

  absl::StatusOr<Result> Walk() {
    const uint64_t wanted = options_.reads > 0 ? options_.reads : subject_.contents.records();
    progress_.Begin(absl::StrCat(subject_.name, " ", workload_));
    const double cpu_begin = CpuSeconds();
    const daxfile::PersistCounters before = daxfile::ThreadPersistCounters();
    uint64_t sum = 0;
    const uint64_t begin = NowNs();
    const absl::StatusOr<uint64_t> scanned = engine_.Scan(std::nullopt, wanted, workload_ == "readreverse", &sum);
    const uint64_t end = NowNs();
    const double cpu_end = CpuSeconds();
    progress_.End();
    if (!scanned.ok()) return scanned.status();
    const uint64_t seen = *scanned;
    const uint64_t least = subject_.contents.least_records();
    if (seen < std::min(wanted, least)) {
      return absl::DataLossError(absl::StrCat("only ", seen, " of ", least, " records were met"));
    }
    Result result = NewResult(std::max<uint64_t>(1, seen));
    result.seconds = static_cast<double>(end - begin) * 1e-9;
    result.cpu_seconds = cpu_end - cpu_begin;
    result.persist = daxfile::ThreadPersistCounters() - before;
    result.bytes = static_cast<uint64_t>(
        static_cast<double>(seen) * (MeanKeyBytes(options_.data) + static_cast<double>(options_.data.value_bytes)));
    if (sum == 0 && seen > 0) result.AddNote("all values ended in 0");
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
      result.AddNote(absl::StrCat(*before >> 20, " MiB in use before, ", *engine_.BytesTaken() >> 20, " MiB after"));
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

bool IsReadRandom(std::string_view workload) {
  return workload == "readrandom" || workload == "multireadrandom" || workload == "readwhilewriting";
}
bool IsDeletion(std::string_view workload) { return workload == "deleterandom" || workload == "deletemost"; }

bool NeedsRecords(std::string_view workload) {
  return !IsFill(workload) && workload != "addhot" && workload != "snapshot" && workload != "compact" &&
         workload != "open";
}

std::optional<YcsbMix> MixOf(std::string_view workload, const WorkloadOptions& options) {
  return workload == "ycsb" ? options.ycsb : CoreMix(workload);
}

bool IsWrite(std::string_view workload, const WorkloadOptions& options) {
  if (const auto mix = MixOf(workload, options)) return mix->writes();
  return IsFill(workload) || IsDeletion(workload) || workload == "overwrite" || workload == "addhot" ||
         workload == "addcold";
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
