// On a tier that the CPU alone makes durable nothing calls fsync or its family once the file is there. The kernel is
// the judge: a seccomp filter kills the process at the first such call. The controls show that it would.
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/random.h"
#include "tests/run_name.h"

namespace sealkv {
namespace {

using daxfile::Tier;
using testing::Random;

constexpr int kForbidden[] = {SCMP_SYS(fsync),           SCMP_SYS(fdatasync), SCMP_SYS(msync),
                              SCMP_SYS(sync_file_range), SCMP_SYS(syncfs),    SCMP_SYS(sync)};

// For all threads of the process, those that run already too: a store works in the background.
bool ForbidFsync() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr || seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) != 0) return false;
  for (const int call : kForbidden) {
    if (seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call, 0) != 0) return false;
  }
  const bool is_loaded = seccomp_load(filter) == 0;
  seccomp_release(filter);
  return is_loaded;
}

// How a child process ended that ran `body`: its exit code, or the negated number of the signal that killed it.
int InChild(const std::function<bool()>& body) {
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    const bool is_well = body();
    std::fflush(nullptr);
    _exit(is_well ? 0 : 1);
  }
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return 255;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// In a child a failed assertion of GoogleTest's would go unnoticed.
bool Need(bool holds, const std::string& what) {
  if (!holds) std::fprintf(stderr, "not so: %s\n", what.c_str());
  return holds;
}
bool Need(const absl::Status& status, const std::string& what) {
  return Need(status.ok(), what + ": " + status.ToString());
}

struct Place {
  std::string name;
  std::string directory;
  bool emulate_on_dram;
};

std::string PathIn(const Place& place) {
  return place.directory + "/no_fsync_test." + testing::RunName() + "." + place.name;
}

class NoFsync : public ::testing::TestWithParam<Place> {
 protected:
  ~NoFsync() override { unlink(path_.c_str()); }

  daxfile::OpenOptions FileOptions() const {
    return {.weakest_tier = Tier::kVolatile, .emulate_on_dram = GetParam().emulate_on_dram};
  }
  Options StoreOptions() const {
    Options options;
    options.capacity_bytes = 96 << 20;
    options.weakest_tier = Tier::kVolatile;
    options.emulate_on_dram = GetParam().emulate_on_dram;
    return options;
  }

  std::string path_ = PathIn(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Places, NoFsync,
                         ::testing::Values(Place{"memory", "/dev/shm", false},
                                           Place{"emulated", ::testing::TempDir(), true}),
                         [](const auto& param) { return param.param.name; });

TEST_P(NoFsync, TheSeam) {
  const int end = InChild([&] {
    absl::StatusOr<daxfile::DaxFile> file =
        daxfile::DaxFile::Create(path_, {.open = FileOptions(), .size_bytes = 1 << 20, .progress = {}});
    if (!Need(file.status(), "create") || !Need(ForbidFsync(), "the filter is loaded")) return false;
    for (uint64_t i = 0; i < 10'000; ++i) {
      std::byte* const at = file->data() + i * 64 % file->size_bytes();
      file->persist().Store(reinterpret_cast<uint64_t*>(at), i);
      file->persist().Flush(at, 8);
      file->persist().CopyNonTemporal(at + 8, &i, sizeof i);
      file->persist().Fence();
    }
    if (!Need(file->persist().status(), "the seam")) return false;
    file = absl::CancelledError("closed");
    return Need(daxfile::DaxFile::Open(path_, FileOptions()).status(), "reopen") &&
           Need(daxfile::DaxFile::Inspect(path_).status(), "inspect");
  });
  EXPECT_EQ(end, 0);
}

// Every operation, on a tree deep enough for splits and merges at several levels, beside a model that is compared at
// last.
class Work {
 public:
  Work(std::string path, Options options) : path_(std::move(path)), options_(std::move(options)) {}

  bool Open(bool create) {
    store_.reset();
    absl::StatusOr<std::unique_ptr<Store>> store =
        create ? Store::Create(path_, options_) : Store::Open(path_, options_);
    if (!Need(store.status(), "open")) return false;
    store_ = *std::move(store);
    return true;
  }

  bool Put(uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      const std::string key = NewKey();
      const std::string value = random_.Bytes(random_.OneIn(3) ? 8 : random_.Below(300));
      if (!Need(store_->Put(key, value), "put")) return false;
      model_[key] = value;
    }
    return true;
  }

  bool PutLarge() {
    for (const size_t bytes : {100'000, 2 << 20, 7'000'000}) {
      for (int twice = 0; twice < 2; ++twice) {  // the second replaces the first
        const std::string key = "large " + std::to_string(bytes);
        model_[key] = random_.Bytes(bytes);
        if (!Need(store_->Put(key, model_[key]), "put of a large value")) return false;
      }
    }
    return true;
  }

  bool CountUp(int round) {
    const std::string prefix = "count " + std::to_string(round) + " ";
    for (uint64_t i = 0; i < 2000; ++i) {
      const std::string key = prefix + std::to_string(i % 100);
      if (!Need(store_->Add(key, 1).status(), "add")) return false;
    }
    for (int i = 0; i < 100; ++i) {
      const std::string key = prefix + std::to_string(i);
      if (!Need(store_->CompareAndSwap(key, 20, 21).value_or(0) == 20, "compare-and-swap")) return false;
      model_[key] = std::string("\x15\0\0\0\0\0\0\0", 8);
      if (!Need(store_->PutIfAbsent(key, "").code() == absl::StatusCode::kAlreadyExists, "put-if-absent")) return false;
    }
    return true;
  }

  bool DeleteMost() {
    for (auto entry = model_.begin(); entry != model_.end();) {
      if (random_.OneIn(10)) {
        ++entry;
        continue;
      }
      if (!Need(store_->Delete(entry->first), "delete")) return false;
      entry = model_.erase(entry);
    }
    return true;
  }

  bool IsAllThere() const {
    const std::unique_ptr<Iterator> forward = store_->NewIterator();
    forward->SeekToFirst();
    for (const auto& [key, value] : model_) {
      if (!Need(forward->Valid() && forward->key() == key && forward->value() == value, "the next key")) return false;
      if (!Need(store_->Get(key).value_or("not there") == value, "get")) return false;
      forward->Next();
    }
    if (!Need(!forward->Valid() && forward->status().ok(), "the end")) return false;
    const std::unique_ptr<Iterator> backward = store_->NewIterator();
    backward->SeekToLast();
    for (auto entry = model_.rbegin(); entry != model_.rend(); ++entry, backward->Prev()) {
      if (!Need(backward->Valid() && backward->key() == entry->first, "the previous key")) return false;
    }
    return Need(store_->WaitUntilSpaceIsKnown(), "the background pass");
  }

 private:
  // Numbers, texts, and long common prefixes, so that there are layers.
  std::string NewKey() {
    if (random_.OneIn(3)) return U64Key(random_.Next());
    if (random_.OneIn(2)) return random_.Bytes(random_.Below(40));
    return "/usr/share/doc/some package/" + std::to_string(random_.Below(20'000));
  }

  const std::string path_;
  const Options options_;
  Random random_{testing::TestSeed()};
  std::map<std::string, std::string> model_;
  std::unique_ptr<Store> store_;
};

TEST_P(NoFsync, TheStore) {
  const int end = InChild([&] {
    Work work(path_, StoreOptions());
    if (!work.Open(/*create=*/true) || !Need(ForbidFsync(), "the filter is loaded")) return false;
    for (int round = 0; round < 2; ++round) {
      if (!work.Put(testing::Scaled(20'000)) || !work.PutLarge() || !work.CountUp(round) || !work.IsAllThere())
        return false;
      if (!work.Open(/*create=*/false) || !work.IsAllThere()) return false;
      if (!work.DeleteMost() || !work.IsAllThere()) return false;
    }
    return work.Open(/*create=*/false) && work.IsAllThere();
  });
  EXPECT_EQ(end, 0);
}

// From here on the controls.
TEST(NoFsyncControl, EachForbiddenCallKills) {
  const std::pair<const char*, std::function<void()>> calls[] = {
      {"fsync", [] { fsync(0); }},
      {"fdatasync", [] { fdatasync(0); }},
      {"msync", [] { msync(nullptr, 0, MS_SYNC); }},
      {"sync_file_range", [] { sync_file_range(0, 0, 0, 0); }},
      {"syncfs", [] { syncfs(0); }},
      {"sync", [] { sync(); }},
  };
  for (const auto& [name, call] : calls) {
    const std::function<void()>& forbidden = call;
    EXPECT_EQ(InChild([&] {
                if (!Need(ForbidFsync(), "the filter is loaded")) return false;
                forbidden();
                return true;
              }),
              -SIGSYS)
        << name;
  }
}

// A store that does need msync doesn't survive the filter: so the filter reaches what a store does.
TEST(NoFsyncControl, AStoreOnTierMsyncIsKilled) {
  const std::string path = PathIn({"control", ::testing::TempDir(), false});
  Options options;
  options.capacity_bytes = 8 << 20;
  options.weakest_tier = Tier::kVolatile;
  std::optional<Tier> tier;
  {
    const absl::StatusOr<std::unique_ptr<Store>> store = Store::Create(path, options);
    ASSERT_TRUE(store.ok()) << store.status();
    tier = (*store)->GetStats().tier;
  }
  if (tier == Tier::kMsync) {
    EXPECT_EQ(InChild([&] {
                const absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(path, options);
                if (!Need(store.status(), "open") || !Need(ForbidFsync(), "the filter is loaded")) return false;
                return Need((*store)->Put("key", "value"), "put");
              }),
              -SIGSYS);
  }
  unlink(path.c_str());
  if (tier != Tier::kMsync) GTEST_SKIP() << "the test's directory has another tier: " << daxfile::TierName(*tier);
}

}  // namespace
}  // namespace sealkv
