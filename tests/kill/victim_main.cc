// What a victim does: opens the store, writes with several threads and reads with one, and notes in the journal how
// far it is, until it is killed.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "daxfile/dax_file.h"
#include "daxfile/persist.h"
#include "kv/sealkv.h"
#include "tests/kill/death.h"
#include "tests/kill/journal.h"
#include "tests/kill/script.h"
#include "tests/kill/snapshot_reader.h"
#include "tests/kill/victim.h"
#include "tests/model.h"
#include "tests/random.h"

namespace sealkv::kill {
namespace {

using testing::Printable;
using testing::Random;

// Lives take some milliseconds. One that doesn't end is a finding too (a lock of the last life that nobody lets go of,
// say), and is to be told with its number.
constexpr unsigned kHangSeconds = 100;

class VictimProcess {
 public:
  VictimProcess(int journal_fd, int progress_fd)
      : journal_(journal_fd), life_(journal_->life), progress_fd_(progress_fd), death_(*journal_) {}

  void Run() {
    NoteProgress();
    absl::StatusOr<std::unique_ptr<Store>> store = Open();
    if (!store.ok()) Fail(store.status().ToString());
    store_ = *std::move(store);
    journal_->is_open = true;
    NoteProgress();
    std::vector<std::thread> threads;
    if (life_.waits_for_pass) threads.emplace_back([this] { AwaitPass(); });
    threads.emplace_back([this] { Read(); });
    for (unsigned i = 0; i < life_.writers; ++i) threads.emplace_back([this, i] { Write(i); });
    for (std::thread& thread : threads) thread.join();
  }

 private:
  // Whoever kills this process before it has ended by itself is told too.
  [[noreturn]] void Fail(std::string_view what) {
    journal_->has_failed = true;
    std::fprintf(stderr, "victim: %.*s\n", static_cast<int>(what.size()), what.data());
    _exit(2);
  }

  absl::StatusOr<std::unique_ptr<Store>> Open() {
    const char* path = life_.store_path.data();
    if (life_.killer == Killer::kTest) return Store::Open(path, {.weakest_tier = daxfile::Tier::kVolatile});
    // The same, but watched.
    absl::StatusOr<daxfile::DaxFile> file =
        daxfile::DaxFile::Open(path, {.weakest_tier = daxfile::Tier::kVolatile, .live = true, .observer = &death_});
    if (!file.ok()) return file.status();
    return Store::Attach(*std::move(file));
  }

  void NoteProgress() {
    if (journal_->progress.fetch_add(1) + 1 != life_.moment || life_.killer != Killer::kTest) return;
    const char note = '.';
    if (write(progress_fd_, &note, 1) != 1) Fail("the test is gone");
    sched_yield();  // to the test, where there is one processor for both
  }

  void Write(unsigned writer) {
    const Script script(life_.seed, writer, life_.writers);
    WriterNotes& notes = journal_->writers[writer];
    const uint64_t first = notes.begun;
    for (uint64_t number = first; number < first + kMostOperations - 1; ++number) {
      const Operation operation = script.At(number);
      notes.begun = number + 1;
      NoteProgress();
      Death::BeginTrail();
      const absl::StatusOr<bool> is_done = Do(operation, *store_);
      if (!is_done.ok()) {
        Fail(absl::StrCat("writer ", writer, ", operation ", number, " (", Describe(operation),
                          "): ", is_done.status().ToString()));
      }
      if (!*is_done) notes.NoteNoSpace(number);
      notes.ended = number + 1;
      NoteProgress();
    }
    Die();
  }

  // Gets, pins and scans in turn, and at snapshots now and then. Sums only grow, from one life to the next too.
  void Read() {
    Random random(life_.seed + life_.number);
    SnapshotReader snapshots(*store_, *journal_, life_.writers);
    for (;;) {
      if (random.OneIn(8)) {
        const auto meanwhile = [&] { Scan(random.Below(kCounters.size()), random.Between(1, 200)); };
        if (const std::string complaint = snapshots.Read(meanwhile); !complaint.empty()) Fail(complaint);
      }
      const size_t counter = random.Below(kCounters.size());
      const std::string_view key = kCounters[counter];
      if (random.OneIn(3)) {
        NoteShown(counter, store_->Get(key));
      } else if (random.OneIn(2)) {
        const absl::StatusOr<PinnedValue> value = store_->GetPinned(key);
        NoteShown(counter, value.ok() ? absl::StatusOr<std::string>(std::string(value->view())) : value.status());
      } else {
        Scan(counter, random.Between(1, 60));
      }
    }
  }

  void Scan(size_t counter, uint64_t steps) {
    const std::unique_ptr<Iterator> iterator = store_->NewIterator();
    iterator->Seek(kCounters[counter]);
    if (iterator->Valid() && iterator->key() == kCounters[counter]) NoteShown(counter, std::string(iterator->value()));
    std::string last;
    for (; iterator->Valid() && steps > 0; --steps) {
      last = iterator->key();
      iterator->Next();
      if (iterator->Valid() && iterator->key() <= last)
        Fail(absl::StrCat("a scan shows ", Printable(iterator->key()), " after ", Printable(last)));
    }
    if (!iterator->status().ok()) Fail(iterator->status().ToString());
  }

  void NoteShown(size_t counter, const absl::StatusOr<std::string>& value) {
    std::atomic<uint64_t>& shown = journal_->shown[counter];
    if (absl::IsNotFound(value.status()) && shown == 0) return;
    if (!value.ok()) Fail(absl::StrCat(Printable(kCounters[counter]), ": ", value.status().ToString()));
    if (value->size() != sizeof(uint64_t))
      Fail(absl::StrCat(Printable(kCounters[counter]), " has ", value->size(), " bytes"));
    const uint64_t sum = testing::WordOf(*value);
    if (sum < shown) Fail(absl::StrCat(Printable(kCounters[counter]), " was ", shown.load(), " and is ", sum));
    shown = sum;
  }

  void AwaitPass() {
    if (const absl::Status status = store_->WaitUntilSpaceIsKnown(); !status.ok()) Fail(status.ToString());
    journal_->pass_is_through = true;
  }

  const SharedJournal journal_;
  const Life& life_;
  const int progress_fd_;
  Death death_;
  std::unique_ptr<Store> store_;
};

}  // namespace

void BecomeVictimIfAsked(int argc, char** argv) {
  if (argc != 4 || std::string_view(argv[1]) != "--victim") return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(kHangSeconds);
  VictimProcess(std::atoi(argv[2]), std::atoi(argv[3])).Run();
  _exit(0);
}

}  // namespace sealkv::kill
