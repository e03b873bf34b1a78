// Whatever is wrong with a file, an option or an argument: its own clear Status, with the path and what to do about it;
// and nothing is changed by finding out.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "kv/superblock.h"
#include "tests/check_clean.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/run_name.h"
#include "tests/status.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv {
namespace {

using absl::StatusCode;
using internal::Superblock;
using testing::IsError;
using testing::Model;
using testing::Random;

// Fast, and good enough to look at what the library says.
Options OnDram(uint64_t capacity_bytes = 0) {
  return {.capacity_bytes = capacity_bytes, .weakest_tier = daxfile::Tier::kVolatile, .emulate_on_dram = true};
}

std::string BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

class BadInputTest : public ::testing::Test {
 protected:
  BadInputTest() {
    const char* base = std::getenv("TEST_TMPDIR");
    std::string pattern = std::string(base != nullptr ? base : "/tmp") + "/bad_input.XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~BadInputTest() override { std::filesystem::remove_all(directory_); }

  std::string PathOf(const std::string& name) const { return directory_ + "/" + name; }

  // A store with a few keys of every kind; closed.
  std::string MakeStore(const std::string& name = "store") {
    const std::string path = PathOf(name);
    const absl::StatusOr<std::unique_ptr<Store>> store = Store::Create(path, OnDram(kCapacityBytes));
    EXPECT_OK(store);
    for (const auto& [key, value] : Contents()) EXPECT_OK((*store)->Put(key, value));
    return path;
  }
  static Model Contents() {
    Model contents = {{"", "empty key"}, {"a", ""}, {"b", testing::WordValue(7)}};
    for (uint64_t i = 0; i < 50; ++i) contents[U64Key(i)] = testing::WordValue(i);
    return contents;
  }

  // Opening fails like this, for writing and for reading, and leaves the file as it was.
  void ExpectOpenFails(const std::string& path, StatusCode code, std::initializer_list<std::string_view> parts) {
    const std::string before = BytesOf(path);
    for (const bool read_only : {false, true}) {
      Options options = OnDram();
      options.read_only = read_only;
      const absl::Status status = Store::Open(path, options).status();
      EXPECT_TRUE(IsError(status, code, {path}));
      EXPECT_TRUE(IsError(status, code, parts));
    }
    EXPECT_TRUE(BytesOf(path) == before) << "the file was changed";
  }
  // Creating fails like this, and leaves nothing.
  void ExpectCreateFails(const std::string& path, const Options& options, StatusCode code,
                         std::initializer_list<std::string_view> parts) {
    const bool existed = std::filesystem::exists(path);
    EXPECT_TRUE(IsError(Store::Create(path, options).status(), code, parts));
    EXPECT_EQ(std::filesystem::exists(path), existed);
  }

  // The superblock of a store, changed, with a checksum that holds.
  static void ChangeSuperblock(const std::string& path, const std::function<void(Superblock&)>& change) {
    std::string bytes = BytesOf(path);
    Superblock superblock;
    std::memcpy(&superblock, bytes.data(), sizeof(superblock));
    change(superblock);
    superblock.checksum = XXH3_64bits(&superblock, Superblock::kChecksummedBytes);
    std::memcpy(bytes.data(), &superblock, sizeof(superblock));
    WriteBytes(path, bytes);
  }

  static constexpr uint64_t kCapacityBytes = 256 << 10;
  std::string directory_;
};

// ---- files

TEST_F(BadInputTest, MissingFile) {
  const std::string path = PathOf("nothing here");
  EXPECT_TRUE(IsError(Store::Open(path).status(), StatusCode::kNotFound, {path}));
  EXPECT_TRUE(IsError(Store::Open("").status(), StatusCode::kNotFound));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(BadInputTest, Directory) {
  const absl::Status status = Store::Open(directory_).status();
  EXPECT_TRUE(IsError(status, StatusCode::kFailedPrecondition, {directory_, "directory", "Name a "}));
  EXPECT_TRUE(
      IsError(Store::Create(directory_, OnDram(kCapacityBytes)).status(), StatusCode::kAlreadyExists, {directory_}));
}

// Opening a FIFO would wait for a writer for ever.
TEST_F(BadInputTest, NeitherFileNorDevice) {
  const std::string fifo = PathOf("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_TRUE(IsError(Store::Open(fifo).status(), StatusCode::kFailedPrecondition, {fifo}));
  EXPECT_TRUE(IsError(Store::Open("/dev/null").status(), StatusCode::kFailedPrecondition, {"/dev/null"}));
}

TEST_F(BadInputTest, EmptyFile) {
  WriteBytes(PathOf("empty"), "");
  ExpectOpenFails(PathOf("empty"), StatusCode::kFailedPrecondition, {"empty"});
}

TEST_F(BadInputTest, NotAStore) {
  for (const size_t bytes : {1, 2047, 2048, 4096, 5000, 300'000}) {
    const std::string path = PathOf("text" + std::to_string(bytes));
    WriteBytes(path, std::string(bytes, 'x'));
    ExpectOpenFails(path, StatusCode::kFailedPrecondition, {"not a SealKV store"});
  }
}

TEST_F(BadInputTest, Truncated) {
  const std::string path = MakeStore();
  for (const uint64_t bytes : {kCapacityBytes - 1, kCapacityBytes / 2, uint64_t{5000}, uint64_t{2048}}) {
    std::filesystem::resize_file(path, bytes);
    ExpectOpenFails(path, StatusCode::kFailedPrecondition, {"truncated", "backup"});
  }
  std::filesystem::resize_file(path, 1000);
  ExpectOpenFails(path, StatusCode::kFailedPrecondition, {"too short"});
}

TEST_F(BadInputTest, ALongerFileIsNoHarm) {
  const std::string path = MakeStore();
  std::filesystem::resize_file(path, 2 * kCapacityBytes);
  const absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(path, OnDram());
  ASSERT_OK(store);
  EXPECT_TRUE(testing::ScansAs(**store, Contents()));
}

TEST_F(BadInputTest, AnotherFormatVersion) {
  const std::string path = MakeStore();
  ChangeSuperblock(path, [](Superblock& superblock) { superblock.format_major = 2; });
  ExpectOpenFails(path, StatusCode::kFailedPrecondition, {"format 2.2", "reads format 3", "Dump it"});
  ChangeSuperblock(path, [](Superblock& superblock) {
    superblock.format_major = Superblock::kFormatMajor;
    superblock.features_incompatible = 8;
  });
  ExpectOpenFails(path, StatusCode::kFailedPrecondition, {"features 8"});
}

TEST_F(BadInputTest, NewerMinorVersionsAndOtherCompatibleFeaturesAreRead) {
  const std::string path = MakeStore();
  ChangeSuperblock(path, [](Superblock& superblock) {
    superblock.format_minor = 9;
    superblock.features_compatible = 0xff;
  });
  const absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(path, OnDram());
  ASSERT_OK(store);
  EXPECT_TRUE(testing::ScansAs(**store, Contents()));
}

TEST_F(BadInputTest, EachBitOfTheIdentityIsGuarded) {
  const std::string path = MakeStore();
  const std::string sound = BytesOf(path);
  for (size_t bit = 0; bit < 64 * 8; ++bit) {
    std::string damaged = sound;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    WriteBytes(path, damaged);
    const bool is_magic = bit / 8 < 8;
    ExpectOpenFails(path, is_magic ? StatusCode::kFailedPrecondition : StatusCode::kDataLoss,
                    {is_magic ? "magic" : "superblock damaged"});
  }
}

// Geometry with a checksum that holds, but which can't be.
TEST_F(BadInputTest, SuperblockThatContradictsItself) {
  const std::string path = MakeStore();
  const std::string sound = BytesOf(path);
  const std::function<void(Superblock&)> changes[] = {
      [](Superblock& superblock) { superblock.segment_bytes_log2 = 0; },
      [](Superblock& superblock) { superblock.segment_bytes_log2 = 63; },
      [](Superblock& superblock) { superblock.segment_count += 1; },
      [](Superblock& superblock) { superblock.segment_count = 0; },
      [](Superblock& superblock) { superblock.segment_count = ~uint64_t{0}; },
      [](Superblock& superblock) { superblock.header_segments = 0; },
      [](Superblock& superblock) { superblock.header_segments = 0xffffffff; },
      [](Superblock& superblock) { superblock.capacity_bytes = 0; },
      [](Superblock& superblock) {  // consistent in itself, but the table doesn't fit into the header
        superblock.capacity_bytes = uint64_t{1} << 40;
        superblock.segment_count = superblock.capacity_bytes >> superblock.segment_bytes_log2;
      },
  };
  for (const auto& change : changes) {
    WriteBytes(path, sound);
    ChangeSuperblock(path, change);
    ExpectOpenFails(path, StatusCode::kDataLoss, {"geometry"});
  }
}

TEST_F(BadInputTest, RootWordDamaged) {
  const std::string path = MakeStore();
  for (const uint64_t root : {uint64_t{0}, uint64_t{100}, uint64_t{4096 + 8}, kCapacityBytes, ~uint64_t{0}}) {
    ChangeSuperblock(path, [root](Superblock& superblock) { superblock.root = root; });
    ExpectOpenFails(path, StatusCode::kDataLoss, {"root", "offset 64"});
  }
}

// ---- other processes

// Opens the store in a process of its own for as long as the object lives.
class OtherProcess {
 public:
  OtherProcess(const std::string& path, const Options& options) {
    int ready[2];
    if (pipe(ready) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      const absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(path, options);
      if (!store.ok() || write(ready[1], "x", 1) != 1) _exit(1);
      for (;;) pause();
    }
    close(ready[1]);
    char byte;
    is_open_ = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
  }
  ~OtherProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  bool is_open() const { return is_open_; }

 private:
  pid_t pid_;
  bool is_open_;
};

TEST_F(BadInputTest, ASecondWriterIsToldWhoTheFirstIs) {
  const std::string path = MakeStore();
  Options read_only = OnDram();
  read_only.read_only = true;
  {
    const OtherProcess writer(path, OnDram());
    ASSERT_TRUE(writer.is_open());
    const std::string pid = std::to_string(writer.pid());
    const std::string before = BytesOf(path);
    EXPECT_TRUE(IsError(Store::Open(path, OnDram()).status(), StatusCode::kUnavailable, {path, pid}));
    EXPECT_OK(Store::Open(path, read_only)) << "readers are in nobody's way";
    EXPECT_TRUE(IsError(Store::Create(path, OnDram(kCapacityBytes)).status(), StatusCode::kAlreadyExists, {path}));
    EXPECT_TRUE(BytesOf(path) == before);
  }
  {
    const OtherProcess reader(path, read_only);
    ASSERT_TRUE(reader.is_open());
    EXPECT_OK(Store::Open(path, OnDram()));
    EXPECT_OK(Store::Open(path, read_only));
  }
  EXPECT_OK(Store::Open(path, OnDram())) << "the lock ends with the process";
}

// ---- options

TEST_F(BadInputTest, TierThatIsNotReached) {
  const std::string on_disk = MakeStore();
  const std::string on_tmpfs = "/dev/shm/sealkv-bad-input-test-" + testing::RunName();
  ASSERT_OK(Store::Create(on_tmpfs, {.capacity_bytes = kCapacityBytes, .weakest_tier = daxfile::Tier::kVolatile}));
  const std::string before = BytesOf(on_tmpfs);
  EXPECT_TRUE(IsError(Store::Open(on_tmpfs).status(), StatusCode::kFailedPrecondition,
                      {on_tmpfs, "'volatile'", "'msync'", "tmpfs", "accept tier 'volatile'"}));
  EXPECT_TRUE(BytesOf(on_tmpfs) == before);
  std::filesystem::remove(on_tmpfs);
  ExpectCreateFails(on_tmpfs, {.capacity_bytes = kCapacityBytes}, StatusCode::kFailedPrecondition,
                    {on_tmpfs, "'volatile'", "accept tier 'volatile'"});
  const std::string bytes_on_disk = BytesOf(on_disk);
  EXPECT_TRUE(IsError(Store::Open(on_disk, {.weakest_tier = daxfile::Tier::kStaticDax}).status(),
                      StatusCode::kFailedPrecondition, {on_disk, "'static-dax'"}));
  EXPECT_TRUE(BytesOf(on_disk) == bytes_on_disk);
  ExpectCreateFails(PathOf("new"), {.capacity_bytes = kCapacityBytes, .weakest_tier = daxfile::Tier::kStaticDax},
                    StatusCode::kFailedPrecondition, {PathOf("new"), "'static-dax'"});
}

TEST_F(BadInputTest, EmulationMustBeAccepted) {
  const Options options = {.capacity_bytes = kCapacityBytes, .emulate_on_dram = true};
  ExpectCreateFails(PathOf("new"), options, StatusCode::kInvalidArgument, {"volatile"});
  EXPECT_TRUE(IsError(Store::Open(MakeStore(), options).status(), StatusCode::kInvalidArgument, {"volatile"}));
}

TEST_F(BadInputTest, WrongCapacity) {
  const std::string path = PathOf("new");
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, kMinCapacityBytes - 1}) {
    ExpectCreateFails(path, OnDram(bytes), StatusCode::kInvalidArgument, {std::to_string(kMinCapacityBytes)});
  }
  ExpectCreateFails(path, OnDram(uint64_t{1} << 60), StatusCode::kResourceExhausted, {path});  // more than any disk has
  for (const uint64_t bytes : {uint64_t{1} << 63, ~uint64_t{0} - 4096, ~uint64_t{0}}) {  // adding to it would overflow
    ExpectCreateFails(path, OnDram(bytes), StatusCode::kInvalidArgument, {path, std::to_string(bytes)});
  }
  EXPECT_OK(Store::Create(path, OnDram(kMinCapacityBytes + 1))) << "rounded up to whole pages";
}

TEST_F(BadInputTest, CreateDoesNotReplaceAFile) {
  const std::string path = MakeStore();
  const std::string before = BytesOf(path);
  ExpectCreateFails(path, OnDram(kCapacityBytes), StatusCode::kAlreadyExists, {path, "remove"});
  EXPECT_TRUE(BytesOf(path) == before);
  ExpectCreateFails(PathOf("no/such/directory"), OnDram(kCapacityBytes), StatusCode::kNotFound,
                    {PathOf("no/such/directory")});
}

TEST_F(BadInputTest, ReadOnlyMeansReadOnly) {
  const std::string path = MakeStore();
  const std::string before = BytesOf(path);
  Options options = OnDram(kCapacityBytes);
  options.read_only = true;
  {
    const absl::StatusOr<std::unique_ptr<Store>> opened = Store::Open(path, options);
    ASSERT_OK(opened);
    Store& store = **opened;
    EXPECT_TRUE(IsError(store.Put("a", "b"), StatusCode::kPermissionDenied, {path, "reading"}));
    EXPECT_TRUE(IsError(store.PutIfAbsent("x", "y"), StatusCode::kPermissionDenied, {path}));
    EXPECT_TRUE(IsError(store.Delete("a"), StatusCode::kPermissionDenied, {path}));
    EXPECT_TRUE(IsError(store.Add("b", 1).status(), StatusCode::kPermissionDenied, {path}));
    EXPECT_TRUE(IsError(store.CompareAndSwap("b", 7, 8).status(), StatusCode::kPermissionDenied, {path}));
    EXPECT_TRUE(testing::ScansAs(store, Contents()));
    EXPECT_TRUE(testing::GetsAs(store, Contents()));
    EXPECT_OK(store.WaitUntilSpaceIsKnown());
    EXPECT_EQ(store.GetStats().path, path);
  }
  EXPECT_TRUE(BytesOf(path) == before);
  ExpectCreateFails(PathOf("new"), options, StatusCode::kInvalidArgument, {"read-only"});
  EXPECT_TRUE(IsError(Store::OpenOrCreate(PathOf("new"), options).status(), StatusCode::kNotFound, {PathOf("new")}));
}

// ---- arguments

TEST_F(BadInputTest, KeyOrValueTooLarge) {
  testing::MemoryStore store(64 << 20);
  ASSERT_OK(store.Format());
  ASSERT_OK(store->Put("a", "b"));
  const std::string longest_key(kMaxKeyBytes, 'k');
  const std::string too_long = longest_key + "k";
  const std::string limit = std::to_string(kMaxKeyBytes);
  EXPECT_TRUE(
      IsError(store->Put(too_long, "v"), StatusCode::kInvalidArgument, {std::to_string(kMaxKeyBytes + 1), limit}));
  EXPECT_TRUE(IsError(store->PutIfAbsent(too_long, "v"), StatusCode::kInvalidArgument, {limit}));
  EXPECT_TRUE(IsError(store->Add(too_long, 1).status(), StatusCode::kInvalidArgument, {limit}));
  EXPECT_TRUE(absl::IsNotFound(store->Get(too_long).status()));
  EXPECT_TRUE(absl::IsNotFound(store->GetPinned(too_long).status()));
  EXPECT_TRUE(absl::IsNotFound(store->Delete(too_long)));
  EXPECT_TRUE(absl::IsNotFound(store->CompareAndSwap(too_long, 1, 2).status()));
  EXPECT_FALSE(store->Exists(too_long).value());

  const testing::Memory too_much(kMaxValueBytes + 1);  // never touched: its size alone decides
  const std::string_view value(reinterpret_cast<const char*>(too_much.data()), too_much.size());
  EXPECT_TRUE(IsError(store->Put("a", value), StatusCode::kInvalidArgument, {std::to_string(kMaxValueBytes)}));
  EXPECT_TRUE(IsError(store->Put("a", value.substr(1)), StatusCode::kResourceExhausted)) << "allowed, but not here";

  Model model = {{"a", "b"}};
  EXPECT_TRUE(testing::ScansAs(*store, model));
  ASSERT_OK(store->Put(longest_key, "v"));
  model[longest_key] = "v";
  EXPECT_TRUE(testing::ScansAs(*store, model));
  const std::unique_ptr<Iterator> iterator = store->NewIterator();
  iterator->Seek(too_long);
  EXPECT_FALSE(iterator->Valid());
  iterator->SeekForPrev(too_long);
  ASSERT_TRUE(iterator->Valid());
  EXPECT_EQ(iterator->key(), longest_key);
}

// ---- a full store

TEST_F(BadInputTest, AFullStoreLosesNothingAndCanBeEmptied) {
  for (const size_t value_bytes : {8, 40, 700, 3000, 20'000}) {
    testing::MemoryStore store(kCapacityBytes);
    ASSERT_OK(store.Format());
    Random random(testing::TestSeed());
    for (int round = 0; round < 3; ++round) {
      Model model;
      absl::Status status;
      while (status.ok()) {
        const std::string key = U64Key(random.Next());
        const std::string value = random.Bytes(value_bytes);
        status = store->Put(key, value);
        if (status.ok()) model[key] = value;
      }
      ASSERT_TRUE(IsError(status, StatusCode::kResourceExhausted, {"no space", "Delete something"}));
      ASSERT_GE(model.size() * value_bytes, kCapacityBytes / 8) << "full so soon? round " << round;
      EXPECT_TRUE(testing::ScansAs(*store, model));
      EXPECT_TRUE(testing::IsClean(store.memory().span()));
      EXPECT_TRUE(absl::IsResourceExhausted(store->Put(model.begin()->first, random.Bytes(kCapacityBytes))));
      EXPECT_TRUE(testing::GetsAs(*store, model));
      // What needs no space still goes: 8-byte values change in place.
      if (value_bytes == 8) {
        ASSERT_OK(store->Add(model.begin()->first, 1));
        ASSERT_OK(store->Put(model.begin()->first, model.begin()->second));
      }
      while (!model.empty()) {
        ASSERT_OK(store->Delete(model.begin()->first));
        model.erase(model.begin());
      }
      EXPECT_TRUE(testing::ScansAs(*store, model));
    }
    ASSERT_OK(store->WaitUntilSpaceIsKnown());
    const Stats stats = store->GetStats();
    EXPECT_EQ(stats.record_bytes_used, 0u);
    EXPECT_LE(stats.segments_records, 1u) << "only the one that is being appended to stays";
    EXPECT_EQ(stats.segments_large, 0u);
  }
}

}  // namespace
}  // namespace sealkv
