#include "registry/engine/postgres/durability.h"

#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

bool Durable(absl::string_view names) {
  return CheckStandbyNames(DatabaseDurability::kStandby, names).ok();
}

TEST(DurabilityTest, HasAName) {
  EXPECT_EQ(ParseDatabaseDurability("standby"), DatabaseDurability::kStandby);
  EXPECT_EQ(ParseDatabaseDurability("storage"), DatabaseDurability::kStorage);
  EXPECT_EQ(ParseDatabaseDurability("single"), DatabaseDurability::kSingle);
  EXPECT_EQ(ParseDatabaseDurability(""), std::nullopt);
}

TEST(DurabilityTest, OneCopyIsNotEnough) {
  EXPECT_FALSE(Durable(""));
  EXPECT_FALSE(Durable("  \n"));
  EXPECT_TRUE(Durable("s1"));
  EXPECT_TRUE(Durable("*"));
  EXPECT_TRUE(Durable("FIRST 1 (s1, s2)"));
  EXPECT_TRUE(Durable("2 (s1, s2)"));
}

TEST(DurabilityTest, AQuorumIsRefused) {
  EXPECT_FALSE(Durable("ANY 1 (s1, s2)"));
  EXPECT_FALSE(Durable("  any\t2(a,b,c)"));
  EXPECT_TRUE(Durable("any, other")) << "a standby of this name";
  EXPECT_TRUE(Durable("any1"));
  EXPECT_TRUE(Durable("\"ANY 1\""));
}

TEST(DurabilityTest, TheOperatorMaySayThatItIs) {
  for (const auto durability : {DatabaseDurability::kStorage, DatabaseDurability::kSingle}) {
    EXPECT_TRUE(CheckStandbyNames(durability, "").ok());
    EXPECT_TRUE(CheckStandbyNames(durability, "ANY 1 (a, b)").ok());
  }
}

}  // namespace
}  // namespace bellwire::registry
