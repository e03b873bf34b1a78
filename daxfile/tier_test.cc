#include "daxfile/tier.h"

#include "gtest/gtest.h"

namespace daxfile {
namespace {

TEST(Tier, NamesAreThereAndBackAgain) {
  for (const Tier tier : {Tier::kVolatile, Tier::kMsync, Tier::kMapSync, Tier::kDeviceDax, Tier::kStaticDax}) {
    EXPECT_EQ(TierFromName(TierName(tier)), tier) << TierName(tier);
  }
  EXPECT_EQ(TierName(Tier::kStaticDax), "static-dax");
  for (const char* name : {"", "Volatile", "volatile ", "dax", "unknown"}) {
    EXPECT_EQ(TierFromName(name), std::nullopt) << name;
  }
}

TEST(Tier, AreOrderedByWhatTheyPromise) {
  EXPECT_LT(Tier::kVolatile, Tier::kMsync);
  EXPECT_LT(Tier::kMsync, Tier::kMapSync);
  EXPECT_LT(Tier::kMapSync, Tier::kDeviceDax);
  EXPECT_LT(Tier::kDeviceDax, Tier::kStaticDax);
  EXPECT_FALSE(IsPowerSafe(Tier::kVolatile));
  EXPECT_TRUE(IsPowerSafe(Tier::kMsync));
}

}  // namespace
}  // namespace daxfile
