// kvdump changes, and backup --update: what was changed, in lines that scripts can read; and copies that catch up.
#include <memory>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/status.h"
#include "tools/testing/run_tool.h"

namespace sealkv::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class KvdumpChangesTest : public ::testing::Test {
 protected:
  static Options InMemory(uint64_t change_log_bytes) {
    Options options;
    options.capacity_bytes = 1 << 20;
    options.change_log_bytes = change_log_bytes;
    options.weakest_tier = daxfile::Tier::kVolatile;
    options.emulate_on_dram = true;
    return options;
  }
  void Make(uint64_t change_log_bytes) {
    auto store = Store::Create(path_, InMemory(change_log_bytes));
    ASSERT_OK(store);
    store_ = *std::move(store);
  }
  // kvdump COMMAND on a copy, which is written to.
  ToolResult Update() {
    return RunKvdump({"backup", "--update", path_, copy_, "--tier=volatile", "--emulate-on-dram"});
  }

  const std::string folder_ = NewFolder();
  const std::string path_ = folder_ + "store";
  const std::string copy_ = folder_ + "copy";
  std::unique_ptr<Store> store_;
};

TEST_F(KvdumpChangesTest, ALineForEachKeyBesideAWriter) {
  Make(1 << 20);
  ASSERT_OK(store_->Put("a", "1"));
  WriteBatch batch;
  batch.Put("tab\t", "line\n");
  batch.Delete("a");
  ASSERT_OK(store_->Write(batch));
  const ToolResult all = RunKvdump({"changes", path_});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_EQ(all.out, "1\tput\ta\t1\n2\tdelete\ta\n2\tput\ttab\\t\tline\\n\n");
  EXPECT_EQ(RunKvdump({"changes", path_, "--since=1", "--hex", "--keys-only"}).out,
            "2\tdelete\t61\n2\tput\t74616209\n");
  EXPECT_EQ(RunKvdump({"changes", path_, "--json", "--limit=1"}).out,
            "{\"number\":1,\"operations\":[{\"operation\":\"put\",\"key\":\"a\",\"value\":\"1\"}]}\n");
  EXPECT_THAT(RunKvdump({"changes", path_, "--since=now"}).out, IsEmpty());
}

TEST_F(KvdumpChangesTest, SaysWhatItCantShow) {
  Make(1000);
  for (int i = 0; i < 100; ++i) ASSERT_OK(store_->Put("key", "value"));
  const ToolResult gone = RunKvdump({"changes", path_, "--since=3"});
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_THAT(gone.err, HasSubstr("the oldest that is kept"));
  EXPECT_THAT(gone.out, IsEmpty());
  EXPECT_EQ(RunKvdump({"changes", path_, "--since=101"}).exit_code, 64);
  EXPECT_EQ(RunKvdump({"changes", path_}).exit_code, 0);
  store_.reset();
  ASSERT_OK(Store::Remove(path_));
  Make(0);
  const ToolResult none = RunKvdump({"changes", path_});
  EXPECT_EQ(none.exit_code, 3);
  EXPECT_THAT(none.err, HasSubstr("--change-log"));
}

TEST_F(KvdumpChangesTest, FollowsUntilItHasSeenEnough) {
  Make(1 << 20);
  ASSERT_OK(store_->Put("before", "1"));
  // Whether it begins before or after these are written: it ends with the third.
  ToolResult result;
  std::thread follower([&] { result = RunKvdump({"changes", path_, "--since=0", "--follow", "--limit=3"}); });
  ASSERT_OK(store_->Put("a", "2"));
  ASSERT_OK(store_->Put("b", "3"));
  ASSERT_OK(store_->Put("c", "4"));
  follower.join();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "1\tput\tbefore\t1\n2\tput\ta\t2\n3\tput\tb\t3\n");
}

TEST_F(KvdumpChangesTest, ACopyIsUpdatedWhileTheStoreIsWritten) {
  Make(1 << 20);
  ASSERT_OK(store_->Put("a", "1"));
  ASSERT_OK(store_->Checkpoint(copy_, InMemory(0)));
  ASSERT_OK(store_->Put("b", "2"));
  ASSERT_OK(store_->Delete("a"));
  const ToolResult updated = Update();
  EXPECT_EQ(updated.exit_code, 0) << updated.err;
  EXPECT_THAT(updated.err, HasSubstr("2 changes made"));
  EXPECT_EQ(RunKvdump({"scan", copy_}).out, "b\t2\n");
  EXPECT_EQ(RunKvdump({"changes", copy_}).out, "2\tput\tb\t2\n3\tdelete\ta\n");
  EXPECT_THAT(Update().err, HasSubstr("0 changes made"));
  EXPECT_EQ(RunKvdump({"check", copy_}).exit_code, 0);
}

TEST_F(KvdumpChangesTest, ACopyThatComesTooLateStaysAsItIs) {
  Make(500);
  ASSERT_OK(store_->Put("a", "1"));
  ASSERT_OK(store_->Checkpoint(copy_, InMemory(0)));
  for (int i = 0; i < 100; ++i) ASSERT_OK(store_->Put("b", "2"));
  const ToolResult updated = Update();
  EXPECT_EQ(updated.exit_code, 1);
  EXPECT_THAT(updated.err, HasSubstr("Make a new copy"));
  EXPECT_EQ(RunKvdump({"scan", copy_}).out, "a\t1\n");
}

}  // namespace
}  // namespace sealkv::testing
