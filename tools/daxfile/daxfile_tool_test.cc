// daxfile as a user meets it, on the filesystem of the test's directory and in memory; nothing is stood in for. What
// needs a kernel that seals is skipped where there is none.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "daxfile/dax_file.h"
#include "daxfile/sealing.h"
#include "daxfile/static_dax.h"
#include "daxfile/test_places.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/status.h"
#include "tools/testing/run_tool.h"

namespace sealkv::testing {
namespace {

using daxfile::testing::TestPath;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kTool[] = "tools/daxfile/daxfile";

ToolResult RunDaxfile(std::vector<std::string> words, std::string out_path = "") {
  words.insert(words.begin(), kTool);
  return RunProgram(words, "", std::move(out_path));
}

nlohmann::json StatusJson(const std::string& path) {
  const ToolResult result = RunDaxfile({"status", "--json", path});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return nlohmann::json::parse(result.out, nullptr, /*allow_exceptions=*/false);
}

std::string Obstacles(const nlohmann::json& status) { return status["obstacles"].dump(); }

class DaxfileTool : public ::testing::Test {
 protected:
  // A file of zeros that the kernel accepts, if it seals at all.
  void Create(const std::string& size = "64K") {
    const ToolResult result = RunDaxfile({"create", path_.str(), "--size=" + size, "--tier=volatile"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  bool CanSeal() { return daxfile::testing::TierOf(daxfile::testing::PlainDirectory()) == daxfile::Tier::kStaticDax; }

  TestPath path_{daxfile::testing::PlainDirectory()};
};

// ---- the command line

TEST_F(DaxfileTool, HelpNamesAllCommandsAndEachHasExamples) {
  const ToolResult general = RunDaxfile({"--help"});
  EXPECT_EQ(general.exit_code, 0);
  EXPECT_THAT(general.out, AllOf(HasSubstr("examples:"), HasSubstr("exit codes:")));
  for (const std::string command : {"create", "seal", "unseal", "status"}) {
    EXPECT_THAT(general.out, HasSubstr("\n  " + command + " "));
    const ToolResult help = RunDaxfile({command, "--help"});
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_THAT(help.out, AllOf(StartsWith("usage: daxfile " + command + " FILE"), HasSubstr("examples:\n  ")));
  }
}

TEST_F(DaxfileTool, UsageErrorsExitWith2AndChangeNothing) {
  const std::string path = path_.str();
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "which command?"},
      {{"frobnicate"}, "no such command: frobnicate"},
      {{"create"}, "an argument is missing"},
      {{"create", path}, "how large? Give --size=BYTES"},
      {{"create", path, "--size=lots"}, "--size=lots: not a number"},
      {{"create", path, "--size=-1"}, "--size=-1: not a number"},
      {{"create", path, "--size=0"}, "give the new file a size"},
      {{"create", path, "--size=9999999T"}, "no file can have"},
      {{"create", path, "--size"}, "--size needs a value"},
      {{"create", path, "--size=1M", "--tier=gold"}, "--tier=gold: no such tier"},
      {{"create", path, "b", "--size=1M"}, "one argument too many: b"},
      {{"seal", path, "--align=big"}, "--align=big: not a number"},
      {{"unseal", path, "--align=2M"}, "unknown option --align"},
      {{"status"}, "an argument is missing"},
      {{"status", path, "--sealed", "--json"}, "leave --json out"},
  };
  for (const auto& [words, text] : cases) {
    const ToolResult result = RunDaxfile(words);
    EXPECT_EQ(result.exit_code, 2) << text << "\n" << result.err;
    EXPECT_THAT(result.err, AllOf(StartsWith("daxfile: "), HasSubstr(text)));
    EXPECT_THAT(result.out, IsEmpty());
  }
  EXPECT_FALSE(path_.exists());
}

TEST_F(DaxfileTool, WhatCantBeUsedIsSaidByName) {
  for (const std::string command : {"seal", "unseal", "status"}) {
    for (const auto& [path, text] : std::vector<std::pair<std::string, std::string>>{
             {path_.str(), "No such file"}, {"/tmp", "is a directory"}, {"/dev/null", "not a DAX device"}}) {
      const ToolResult result = RunDaxfile({command, path});
      EXPECT_EQ(result.exit_code, 1) << command;
      EXPECT_THAT(result.err, AllOf(HasSubstr(path), HasSubstr(text))) << command;
      EXPECT_THAT(result.out, IsEmpty());
    }
  }
}

// ---- create

TEST_F(DaxfileTool, CreateWritesAllOfTheFile) {
  const ToolResult result = RunDaxfile({"create", path_.str(), "--size=5000K"});
  if (daxfile::testing::TierOf(daxfile::testing::PlainDirectory()) == daxfile::Tier::kVolatile) {
    EXPECT_EQ(result.exit_code, 1) << "msync is the weakest accepted";
    return;
  }
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(StartsWith(path_.str() + ": created, 4.88 MiB, tier "), HasSubstr(": ")));
  EXPECT_THAT(result.err, IsEmpty());
  const nlohmann::json status = StatusJson(path_.str());
  EXPECT_EQ(status["file_bytes"], 5000 << 10);
  EXPECT_THAT(Obstacles(status), AllOf(Not(HasSubstr("holes")), Not(HasSubstr("never written"))));
}

TEST_F(DaxfileTool, CreateLeavesNothingWhereTheTierIsntReached) {
  const TestPath in_memory(daxfile::testing::MemoryDirectory());
  const ToolResult result = RunDaxfile({"create", in_memory.str(), "--size=1M", "--tier=static-dax"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("'static-dax'"), HasSubstr("tmpfs"), HasSubstr("accept tier 'volatile'")));
  EXPECT_FALSE(in_memory.exists());
}

TEST_F(DaxfileTool, CreateTouchesNothingThatIsThere) {
  WriteFile(path_.str(), "precious");
  for (const std::string& path : {path_.str(), std::string("/dev/null")}) {
    const ToolResult result = RunDaxfile({"create", path, "--size=1M"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr(path), HasSubstr("is there already")));
  }
  EXPECT_EQ(ReadFile(path_.str()), "precious");
}

TEST_F(DaxfileTool, CreateSaysThatThereIsNoRoom) {
  const ToolResult result = RunDaxfile({"create", path_.str(), "--size=1024T"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr(path_.str()), HasSubstr("no room for")));
  EXPECT_FALSE(path_.exists());
}

// It may be finished before the signal: then the file is there, and whole.
TEST_F(DaxfileTool, InterruptedCreateLeavesNoFile) {
  constexpr uint64_t kBytes = 256 << 20;
  const pid_t child = fork();
  if (child == 0) Exec({kTool, "create", path_.str(), "--size=256M", "--tier=volatile"});
  struct stat info;
  while (stat(path_.str().c_str(), &info) != 0) sched_yield();  // it catches signals before it makes the file
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  if (ExitCodeOf(status) == 0) {
    EXPECT_EQ(stat(path_.str().c_str(), &info), 0);
    EXPECT_EQ(static_cast<uint64_t>(info.st_size), kBytes);
  } else {
    EXPECT_EQ(ExitCodeOf(status), 130);
    EXPECT_FALSE(path_.exists());
  }
}

// ---- status

TEST_F(DaxfileTool, StatusShowsWhatKeepsAFileFromBeingSealed) {
  struct Case {
    const char* name;
    void (*make)(int fd);
    const char* text;
  };
  const Case cases[] = {
      {"a hole at the end", [](int fd) { EXPECT_EQ(ftruncate(fd, 1 << 20), 0); },
       "holes: 1044480 bytes in 1 run, the first at offset 4096"},
      {"only allocated", [](int fd) { EXPECT_EQ(fallocate(fd, 0, 0, 1 << 20), 0); }, "never written: "},
  };
  for (const Case& test : cases) {
    const int fd = open(path_.str().c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    ASSERT_EQ(pwrite(fd, std::string(4096, 'x').data(), 4096, 0), 4096);
    test.make(fd);
    fsync(fd);
    close(fd);
    const std::string before = ReadFile(path_.str());
    const ToolResult result = RunDaxfile({"status", path_.str()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    if (result.out.find("FIEMAP") != std::string::npos) GTEST_SKIP() << "this filesystem doesn't tell its extents";
    EXPECT_THAT(result.out,
                AllOf(HasSubstr("no, and can't be now:"), HasSubstr(test.text), HasSubstr("cp --reflink=never")))
        << test.name;
    EXPECT_EQ(ReadFile(path_.str()), before);
  }
}

TEST_F(DaxfileTool, StatusSaysHowToSealWhereNothingSeals) {
  if (daxfile::FindSealer().ok()) GTEST_SKIP() << "this kernel seals";
  Create();
  const nlohmann::json status = StatusJson(path_.str());
  EXPECT_EQ(status["sealed"], false);
  EXPECT_EQ(status["sealable"], false);
  EXPECT_THAT(Obstacles(status), AllOf(HasSubstr("no daxctl(2)"), HasSubstr("modprobe daxctl_static")));
}

TEST_F(DaxfileTool, StatusWorksInMemoryAndSaysWhatItCantTell) {
  const TestPath in_memory(daxfile::testing::MemoryDirectory());
  WriteFile(in_memory.str(), "some bytes");
  const nlohmann::json status = StatusJson(in_memory.str());
  EXPECT_EQ(status["filesystem"], "tmpfs");
  EXPECT_EQ(status["tier"], "volatile");
  EXPECT_EQ(status["sealed"], false);
  EXPECT_TRUE(status["extents"].is_null());
  EXPECT_THAT(std::string(status["extents_error"]), HasSubstr("FIEMAP"));
  EXPECT_THAT(Obstacles(status), HasSubstr("not on DAX (tmpfs)"));
  EXPECT_THAT(RunDaxfile({"status", in_memory.str()}).out, HasSubstr("doesn't tell where its files lie"));
}

TEST_F(DaxfileTool, StatusGoesOnAfterAFileThatIsMissing) {
  Create();
  const std::string missing = path_.str() + ".missing";
  const ToolResult result = RunDaxfile({"status", missing, path_.str()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr(missing));
  EXPECT_THAT(result.out, AllOf(StartsWith(path_.str() + "\n"), HasSubstr("durability tier")));
}

TEST_F(DaxfileTool, StatusOfAnEmptyFileSaysSo) {
  WriteFile(path_.str(), "");
  const ToolResult result = RunDaxfile({"status", path_.str()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr(path_.str() + ": is empty"));
}

TEST_F(DaxfileTool, StatusSealedAnswersByItsExitCode) {
  WriteFile(path_.str(), "never sealed: not whole pages, not on DAX, or nobody did");
  const ToolResult no = RunDaxfile({"status", "--sealed", path_.str()});
  EXPECT_EQ(no.exit_code, 3) << no.err;
  EXPECT_EQ(no.out + no.err, "");
  EXPECT_EQ(RunDaxfile({"status", "--sealed", path_.str() + ".missing"}).exit_code, 1);
}

TEST_F(DaxfileTool, OutputThatCantBeWrittenIsAnError) {
  Create();
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"status", path_.str()}, {"--help"}, {"seal", "--help"}}) {
    const ToolResult result = RunDaxfile(words, "/dev/full");
    EXPECT_EQ(result.exit_code, 1);
  }
}

// ---- seal and unseal

TEST_F(DaxfileTool, SealAndUnsealSayWhatTheKernelLacks) {
  if (daxfile::FindSealer().ok()) GTEST_SKIP() << "this kernel seals";
  Create();
  for (const std::string command : {"seal", "unseal"}) {
    const ToolResult result = RunDaxfile({command, path_.str()});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr(path_.str() + ": this kernel has no daxctl(2)"), HasSubstr("/dev/daxctl"),
                                  HasSubstr("./dev module")));
  }
}

TEST_F(DaxfileTool, AnAlignmentThatCantBeIsAUsageError) {
  Create();
  for (const char* align : {"3K", "6K", "1"}) {
    const ToolResult result = RunDaxfile({"seal", path_.str(), std::string("--align=") + align});
    EXPECT_EQ(result.exit_code, 2) << align;
    EXPECT_THAT(result.err, AllOf(HasSubstr(path_.str()), HasSubstr("a power of two")));
  }
}

TEST_F(DaxfileTool, UnsealingWhatIsOpenNamesTheProcess) {
  Create();
  const auto file = daxfile::DaxFile::Open(path_.str(), {.weakest_tier = daxfile::Tier::kVolatile});
  ASSERT_OK(file);
  const ToolResult result = RunDaxfile({"unseal", path_.str()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr(path_.str()), HasSubstr("has it open"), HasSubstr("close it there first")));
}

TEST_F(DaxfileTool, AFileIsSealedAndUnsealed) {
  if (!CanSeal()) GTEST_SKIP() << "needs root, a DAX filesystem, and a kernel that seals";
  Create();
  EXPECT_EQ(RunDaxfile({"status", "--sealed", path_.str()}).exit_code, 0) << "create seals";
  const ToolResult again = RunDaxfile({"seal", path_.str()});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, StartsWith(path_.str() + ": sealed "));
  EXPECT_EQ(StatusJson(path_.str())["tier"], "static-dax");
  EXPECT_NE(unlink(path_.str().c_str()), 0) << "a sealed file stays";
  EXPECT_EQ(RunDaxfile({"unseal", path_.str()}).exit_code, 0);
  EXPECT_EQ(RunDaxfile({"status", "--sealed", path_.str()}).exit_code, 3);
  EXPECT_EQ(StatusJson(path_.str())["sealable"], true) << Obstacles(StatusJson(path_.str()));
  EXPECT_EQ(RunDaxfile({"unseal", path_.str()}).exit_code, 0) << "once more does nothing";
}

}  // namespace
}  // namespace sealkv::testing
