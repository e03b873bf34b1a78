#include "bench/report/command.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "bench/report/test_data.h"
#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

class ReportCommandTest : public ::testing::Test {
 protected:
  ReportCommandTest() {
    mkdir(folder_.c_str(), 0777);
    Write("good.json", TestFile().dump());
  }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const { std::ofstream(Path(name)) << text; }
  std::string Read(const std::string& name) const {
    std::ifstream file(Path(name));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    DIR* folder = opendir(folder_.c_str());
    while (const dirent* entry = readdir(folder)) {
      if (entry->d_name[0] != '.') names.push_back(entry->d_name);
    }
    closedir(folder);
    return names;
  }
  int Run(std::vector<std::string> words) {
    words.insert(words.begin(), {"kvbench", "report"});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = ReportMain(static_cast<int>(argv.size()), argv.data());
    out_ = testing::internal::GetCapturedStdout();
    error_ = testing::internal::GetCapturedStderr();
    return code;
  }

  const std::string folder_ = ::testing::TempDir() + "report_command_test." + std::to_string(getpid()) + "." +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::string out_, error_;
};

TEST_F(ReportCommandTest, WritesAPage) {
  EXPECT_EQ(Run({"--output=" + Path("page.html"), Path("good.json")}), 0) << error_;
  EXPECT_EQ(Read("page.html").find("<!DOCTYPE html>"), 0u);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(error_, Path("page.html") + ": 4 measurements of 2 engines\n");
  EXPECT_EQ(Names().size(), 2u);
}

TEST_F(ReportCommandTest, StandardOutputIsWhereItGoesIfItIsNoTerminal) {
  EXPECT_EQ(Run({Path("good.json")}), 0) << error_;
  EXPECT_EQ(out_.find("<!DOCTYPE html>"), 0u);
  EXPECT_EQ(error_, "");
}

TEST_F(ReportCommandTest, BadFilesAreNamedAndWhatIsThereStays) {
  Write("text.json", "hello");
  Write("empty.json", R"({"context": {}, "benchmarks": []})");
  Write("page.html", "as it was");
  for (const char* name : {"text.json", "empty.json", "missing.json", "."}) {
    EXPECT_EQ(Run({"--output=" + Path("page.html"), Path("good.json"), Path(name)}), 1);
    EXPECT_NE(error_.find("kvbench: " + Path(name) + ": "), std::string::npos) << error_;
  }
  EXPECT_EQ(Read("page.html"), "as it was");
  EXPECT_EQ(Names().size(), 4u);
}

TEST_F(ReportCommandTest, APageThatCantBeWrittenIsAnError) {
  EXPECT_EQ(Run({"--output=" + Path("nowhere/page.html"), Path("good.json")}), 1);
  EXPECT_NE(error_.find("nowhere/page.html"), std::string::npos) << error_;
}

TEST_F(ReportCommandTest, WrongUsageIsTwo) {
  EXPECT_EQ(Run({}), 2);
  EXPECT_NE(error_.find("kvbench report --help"), std::string::npos) << error_;
  EXPECT_EQ(Run({"--colour", Path("good.json")}), 2);
  EXPECT_EQ(Run({Path("good.json"), "--output"}), 2);
}

TEST_F(ReportCommandTest, HelpHasExamples) {
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_NE(out_.find("examples:"), std::string::npos) << out_;
  EXPECT_NE(out_.find("--output=FILE"), std::string::npos) << out_;
}

}  // namespace
}  // namespace sealkv::bench
