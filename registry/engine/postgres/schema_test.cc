#include "registry/engine/postgres/schema.h"

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/testing/postgres_server.h"

namespace bellwire::registry {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

class SchemaTest : public testing::Test {
 protected:
  SchemaTest() : database_(Server().NewDatabase()), connection_(Connect()) {}

  std::unique_ptr<PgConnection> Connect() {
    auto connection = PgConnection::Connect(
        {.database = database_, .name = "test", .clock = RealClock()});
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }
  std::string Sql(const std::string& sql) {
    return Server().Sql(database_.substr(database_.rfind('=') + 1), sql);
  }

  const std::string database_;
  const std::unique_ptr<PgConnection> connection_;
};

TEST_F(SchemaTest, AnEmptyDatabaseHasNoStore) {
  const absl::Status missing = ReadStoreInfo(connection_.get()).status();
  EXPECT_EQ(ErrorReason(missing), "STORE_FORMAT");
  EXPECT_TRUE(absl::StrContains(missing.message(), "fleet init")) << missing;
}

TEST_F(SchemaTest, AStoreIsMadeOnce) {
  ASSERT_TRUE(MakeStore(connection_.get(), 16).ok());
  const auto info = ReadStoreInfo(connection_.get());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->version, kSchemaVersion);
  EXPECT_EQ(info->partitions, 16);
  EXPECT_EQ(info->key.size(), kPartitionKeyBytes);
  // One of them is of what is no device's, and 31 are of feeds.
  EXPECT_EQ(Sql("SELECT count(*) FROM bellwire.leases"), "48");
  // Again, by somebody who wants another number.
  ASSERT_TRUE(MakeStore(Connect().get(), 32).ok());
  const auto again = ReadStoreInfo(connection_.get());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->partitions, 16);
  EXPECT_EQ(again->key, info->key);
}

TEST_F(SchemaTest, ANewerStoreIsRefusedAndLeftAlone) {
  ASSERT_TRUE(MakeStore(connection_.get(), 1).ok());
  Sql(absl::StrCat("UPDATE bellwire.store SET version = ", kSchemaVersion + 1));
  EXPECT_EQ(ErrorReason(ReadStoreInfo(connection_.get()).status()), "STORE_FORMAT");
  EXPECT_EQ(ErrorReason(MakeStore(connection_.get(), 1)), "STORE_FORMAT");
  EXPECT_EQ(Sql("SELECT version FROM bellwire.store"), absl::StrCat(kSchemaVersion + 1));
}

TEST_F(SchemaTest, AMigrationThatFailsLeavesNothing) {
  Sql("CREATE SCHEMA bellwire");
  Sql("CREATE TABLE bellwire.records (of_somebody_else int)");
  EXPECT_EQ(ErrorReason(MakeStore(connection_.get(), 1)), "REGISTRY_UNAVAILABLE");
  EXPECT_EQ(Sql("SELECT to_regclass('bellwire.store') IS NULL"), "t");
  EXPECT_EQ(ErrorReason(ReadStoreInfo(connection_.get()).status()), "STORE_FORMAT");
}

TEST_F(SchemaTest, EachStartHasAGreaterNumber) {
  ASSERT_TRUE(MakeStore(connection_.get(), 1).ok());
  const absl::Time start = absl::FromUnixSeconds(1'700'000'000);
  const auto first = NumberStart(connection_.get(), start);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(*first, 1'700'000'000'000'000u);
  EXPECT_EQ(*NumberStart(connection_.get(), start - absl::Hours(9)), *first + 1)
      << "a clock that was set back";
}

// Each with the store that a user may not use.
TEST_F(SchemaTest, AUserWithoutRightsIsToldSo) {
  ASSERT_TRUE(MakeStore(connection_.get(), 1).ok());
  if (Sql("SELECT count(*) FROM pg_roles WHERE rolname = 'guest'") == "0") {
    Sql("CREATE ROLE guest LOGIN");
  }
  auto guest = PgConnection::Connect({.database = absl::StrCat(database_, " user=guest"),
                                      .name = "test",
                                      .clock = RealClock()});
  ASSERT_TRUE(guest.ok()) << guest.status();
  const absl::Status refused = ReadStoreInfo(guest->get()).status();
  EXPECT_EQ(ErrorReason(refused), "REGISTRY_UNAVAILABLE");
  EXPECT_TRUE(absl::StrContains(refused.message(), "own the schema")) << refused;
}

}  // namespace
}  // namespace bellwire::registry
