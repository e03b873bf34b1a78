#include "bench/ycsb.h"

#include <unistd.h>

#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

class PropertyFileTest : public ::testing::Test {
 protected:
  ~PropertyFileTest() override { unlink(path_.c_str()); }
  absl::Status Read(const std::string& text, PropertyMap* properties) {
    std::ofstream(path_) << text;
    return ReadPropertyFile(path_, properties);
  }
  const std::string path_ = ::testing::TempDir() + "ycsb_test." + std::to_string(getpid());
};

TEST_F(PropertyFileTest, IsReadAsYcsbWritesThem) {
  PropertyMap properties;
  ASSERT_TRUE(Read("# the mix of a session store\n! also a comment\n\n"
                   "recordcount=1000\noperationcount = 5000\nworkload=site.ycsb.workloads.CoreWorkload\n"
                   "readallfields=true\nreadproportion=0.5\nupdateproportion:0.25\ninsertproportion=0\n"
                   "scanproportion=0.05\nreadmodifywriteproportion=0.2\r\nrequestdistribution=zipfian\n"
                   "maxscanlength=50\nfieldcount=4\nfieldlength=25\nzipfianconstant=0.8\nfuel=coal\n",
                   &properties)
                  .ok());
  const auto ycsb = Interpret(properties);
  ASSERT_TRUE(ycsb.ok()) << ycsb.status();
  EXPECT_EQ(ycsb->records, 1000u);
  EXPECT_EQ(ycsb->operations, 5000u);
  EXPECT_EQ(ycsb->value_bytes, 100u);
  EXPECT_DOUBLE_EQ(ycsb->mix.reads, 0.5);
  EXPECT_DOUBLE_EQ(ycsb->mix.updates, 0.25);
  EXPECT_DOUBLE_EQ(ycsb->mix.scans, 0.05);
  EXPECT_DOUBLE_EQ(ycsb->mix.read_modify_writes, 0.2);
  EXPECT_EQ(ycsb->mix.distribution, Distribution::kZipfian);
  EXPECT_EQ(ycsb->mix.most_scanned, 50u);
  EXPECT_DOUBLE_EQ(ycsb->mix.zipfian_constant, 0.8);
  ASSERT_EQ(ycsb->warnings.size(), 1u);
  EXPECT_NE(ycsb->warnings[0].find("fuel=coal"), std::string::npos);
}

TEST_F(PropertyFileTest, ALineThatIsNoneIsNamed) {
  PropertyMap properties;
  const absl::Status status = Read("recordcount=1\nreadproportion\n", &properties);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(status.message().find("line 2"), absl::string_view::npos) << status;
  EXPECT_TRUE(absl::IsInvalidArgument(ReadPropertyFile("/nowhere/workload", &properties)));
}

TEST_F(PropertyFileTest, AFolderIsNoEmptyFile) {
  PropertyMap properties;
  const absl::Status status = ReadPropertyFile(::testing::TempDir(), &properties);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_NE(status.message().find("is a folder"), absl::string_view::npos) << status;
}

TEST(Properties, WithoutAnyItIsAsYcsbsDefaults) {
  const auto ycsb = Interpret({});
  ASSERT_TRUE(ycsb.ok());
  EXPECT_EQ(ycsb->value_bytes, 1000u);
  EXPECT_DOUBLE_EQ(ycsb->mix.reads, 0.95);
  EXPECT_EQ(ycsb->mix.distribution, Distribution::kUniform);
}

TEST(Properties, BadValuesAreErrors) {
  for (const auto& [name, value] : PropertyMap{{"readproportion", "1.5"},
                                               {"updateproportion", "half"},
                                               {"requestdistribution", "hotspot"},
                                               {"recordcount", "0"},
                                               {"operationcount", "many"},
                                               {"maxscanlength", "-1"},
                                               {"zipfianconstant", "1"}}) {
    const auto ycsb = Interpret({{name, value}});
    EXPECT_TRUE(absl::IsInvalidArgument(ycsb.status())) << name;
    EXPECT_NE(ycsb.status().message().find(name), absl::string_view::npos) << ycsb.status();
  }
  EXPECT_FALSE(Interpret({{"readproportion", "0"}, {"updateproportion", "0"}}).ok());
}

TEST(CoreMixes, EachIsAWhole) {
  for (const char* name : {"ycsba", "ycsbb", "ycsbc", "ycsbd", "ycsbe", "ycsbf"}) {
    const auto mix = CoreMix(name);
    ASSERT_TRUE(mix.has_value()) << name;
    EXPECT_DOUBLE_EQ(mix->reads + mix->updates + mix->inserts + mix->scans + mix->read_modify_writes, 1) << name;
    EXPECT_EQ(mix->writes(), std::string(name) != "ycsbc");
  }
  EXPECT_FALSE(CoreMix("ycsbload").has_value());
}

}  // namespace
}  // namespace sealkv::bench
