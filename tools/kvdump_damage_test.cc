// The program itself over damaged files: every command ends by itself, with one of its exit codes.
#include <sys/stat.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tools/testing/damage.h"
#include "tools/testing/run_tool.h"

namespace sealkv::testing {
namespace {

constexpr uint64_t kCasesPerSample = 25;

void ExpectOrdinaryEnd(const ToolResult& result, const std::string& what) {
  EXPECT_TRUE((result.exit_code >= 0 && result.exit_code <= 4) || result.exit_code == 64)
      << what << " ended with " << result.exit_code << "\n"
      << result.err;
  if (result.exit_code >= 3) {
    EXPECT_NE(result.err + result.out, "") << what;
  }
}

TEST(KvdumpDamageTest, EveryCommandEndsByItself) {
  const std::string folder = NewFolder();
  const std::string path = folder + "store";
  for (const Sample& sample : MakeSamples()) {
    for (uint64_t i = 0; i < Scaled(kCasesPerSample); ++i) {
      SCOPED_TRACE(sample.name + ", case " + std::to_string(i));
      std::vector<std::byte> bytes = sample.bytes;
      const size_t left = Damage(sample, Random(TestSeed() ^ 1).Next() + i).Apply(bytes);
      WriteFile(path, std::string(reinterpret_cast<const char*>(bytes.data()), left));
      const std::string key = sample.model.rbegin()->first;
      const std::vector<std::vector<std::string>> commands = {
          {"info", path, "--json"},
          {"stat", path, "--json"},
          {"check", path, "--json"},
          {"dump", path},
          {"scan", path, "--reverse"},
          {"page", path, "root", "--json"},
          {"page", path, std::to_string((i * 7919 * 256) % sample.bytes.size()), "--json"},
          {"records", path, std::to_string(1 + i % 20), "--json"}};
      for (const std::vector<std::string>& words : commands) {
        const ToolResult result = RunKvdump(words);
        ExpectOrdinaryEnd(result, words[0]);
        if (words.back() == "--json" && result.exit_code <= 2) {
          EXPECT_TRUE(nlohmann::json::accept(result.out)) << words[0] << result.out;
        }
      }
      ExpectOrdinaryEnd(RunKvdump({"salvage", path, folder + "new", "--tier=volatile", "--emulate-on-dram"}),
                        "salvage");
      std::remove((folder + "new").c_str());
      if (key.find('\0') == std::string::npos) ExpectOrdinaryEnd(RunKvdump({"get", path, "--", key}), "get");
      const ToolResult load =
          RunKvdump({"load", path, "-T", "--tier=volatile", "--emulate-on-dram"}, "new key\nvalue\n");
      ExpectOrdinaryEnd(load, "load");
    }
  }
}

}  // namespace
}  // namespace sealkv::testing
