// The README's embedding example compiles, runs, and is the one that the README shows.
#include "tests/readme_example.h"

#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin) + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

TEST(ReadmeExample, IsWhatTheReadmeShows) {
  const std::string shown = Between(ReadFile("README.md"), "```cpp\n", "```");
  const std::string compiled = Between(ReadFile("tests/readme_example.h"), "// README begins\n", "// README ends");
  EXPECT_EQ(shown, compiled);
}

TEST(ReadmeExample, PrintsWhatItPut) {
  const std::string path = ::testing::TempDir() + "/readme_example.store";
  ::testing::internal::CaptureStdout();
  const absl::Status status = Example(path);
  const std::string printed = ::testing::internal::GetCapturedStdout();
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kFailedPrecondition) << status;
  if (status.ok()) {
    EXPECT_EQ(printed, "ada = countess\n");
  }
}

}  // namespace
