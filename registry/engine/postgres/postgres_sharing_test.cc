// Engines that share a store: what one gives or leaves is what another one finds. Over a real
// server.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/postgres/testing/engine_steps.h"
#include "registry/engine/postgres/testing/postgres_server.h"

namespace bellwire::registry {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

class PostgresSharingTest : public testing::Test {
 protected:
  PostgresSharingTest() : database_(Server().NewDatabase()) { MakeStoreIn(database_); }

  std::unique_ptr<PostgresEngine> Open(const std::string& address) {
    return OpenEngine({.database = database_,
                       .address = address,
                       .durability = DatabaseDurability::kSingle,
                       .clock = RealClock(),
                       .shares = true,
                       .commit_timeout = absl::Milliseconds(500)});
  }
  std::string Sql(const std::string& sql) {
    return Server().Sql(database_.substr(database_.rfind('=') + 1), sql);
  }
  std::vector<Lease> Leases() {
    auto connection =
        PgConnection::Connect({.database = database_, .name = "test", .clock = RealClock()});
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *ReadLeases(connection->get());
  }
  // What somebody owns now, without the partitions of other owners.
  std::vector<Lease> LeasesOf(int64_t owner) {
    std::vector<Lease> leases;
    for (const Lease& lease : Leases()) {
      if (lease.owner == owner) leases.push_back(lease);
    }
    return leases;
  }
  // All that are spread.
  void TakeFree(PostgresEngine* engine) {
    std::vector<Lease> free = LeasesOf(kNoOwner);
    free.erase(std::remove_if(free.begin(), free.end(),
                              [](const Lease& lease) { return lease.partition > kPartitions; }),
               free.end());
    ASSERT_TRUE(*engine->TakeOver(free));
  }
  void Give(PostgresEngine* from, PostgresEngine* to, int partition) {
    ASSERT_TRUE(from->Give({static_cast<int16_t>(partition)}, to->owner(), "there").ok());
    std::vector<Lease> given = LeasesOf(to->owner());
    given.erase(std::remove_if(given.begin(), given.end(),
                               [=](const Lease& lease) { return lease.partition != partition; }),
                given.end());
    ASSERT_EQ(given.size(), 1u);
    ASSERT_TRUE(*to->TakeOver(given));
  }

  static absl::Status Put(PostgresEngine* engine, const std::string& device,
                          const std::string& value) {
    return engine->Commit({{{Family::kDevices, device + "D"}, value}});
  }
  static std::string Get(const PostgresEngine& engine, const std::string& device) {
    const auto value = engine.Get(Family::kDevices, device + "D");
    return value.ok() ? value->value_or("-") : ErrorReason(value.status());
  }
  // Another device of this partition.
  static std::string DeviceIn(const PostgresEngine& engine, int partition, int number = 0) {
    for (int n = 0;; ++n) {
      const std::string device = absl::StrCat("device ", 100'000'000 + n);
      if (engine.partitions().OfDevice(device) == partition && number-- == 0) return device;
    }
  }

  // Of MakeStoreIn.
  static constexpr int kPartitions = 8;
  const std::string database_;
};

TEST_F(PostgresSharingTest, EachHasAPartitionOfItsOwnAndWhatItTakes) {
  const auto a = Open("a"), b = Open("b");
  EXPECT_EQ(a->feed(), 1u);
  EXPECT_EQ(b->feed(), 2u);
  EXPECT_EQ(a->owned(), (std::set<int16_t>{kPartitions + 1}));
  TakeFree(a.get());
  EXPECT_EQ(a->owned().size(), 1u + kPartitions + 1);
  EXPECT_TRUE(a->Commit({}).ok());
  EXPECT_TRUE(b->Commit({}).ok());
  // What was read before has changed: nothing is taken.
  EXPECT_FALSE(*b->TakeOver([&] {
    std::vector<Lease> leases = LeasesOf(a->owner());
    for (Lease& lease : leases) lease.owner = kNoOwner;
    return leases;
  }()));
  EXPECT_EQ(b->owned().size(), 1u);
}

TEST_F(PostgresSharingTest, WhatBelongsToNoDeviceIsReadByAll) {
  const auto a = Open("a"), b = Open("b");
  TakeFree(a.get());
  ASSERT_TRUE(a->Commit({{{Family::kTeams, "\4team"}, "1"}}).ok());
  EXPECT_EQ(*b->Get(Family::kTeams, "\4team"), "1");
  ASSERT_TRUE(a->Commit({{{Family::kTeams, "\4team"}, "2"}}).ok());
  EXPECT_EQ(*b->Get(Family::kTeams, "\4team"), "2");
}

TEST_F(PostgresSharingTest, WhatIsGivenIsFoundAndNobodyElseWritesThere) {
  const auto a = Open("a"), b = Open("b");
  TakeFree(a.get());
  const std::string goes = DeviceIn(*a, 3), stays = DeviceIn(*a, 4);
  ASSERT_TRUE(Put(a.get(), goes, "of a").ok());
  ASSERT_TRUE(Put(a.get(), stays, "of a").ok());
  EXPECT_EQ(Sql("SELECT count(*) FROM bellwire.records"), "0") << "it is in the log";
  Give(a.get(), b.get(), 3);
  EXPECT_EQ(Get(*b, goes), "of a");
  EXPECT_FALSE(a->Owns(3));
  EXPECT_TRUE(b->Owns(3));
  ASSERT_TRUE(Put(b.get(), goes, "of b").ok());
  EXPECT_FALSE(Put(a.get(), goes, "late").ok());
  EXPECT_EQ(Get(*b, goes), "of b");
  EXPECT_TRUE(Put(a.get(), stays, "of a again").ok()) << "the others are still its own";
  EXPECT_EQ(Get(*a, stays), "of a again");
}

TEST_F(PostgresSharingTest, WhatADeadOneLeavesIsTakenWithItsLog) {
  auto a = Open("a");
  const auto b = Open("b");
  TakeFree(a.get());
  std::vector<std::string> devices;
  for (int p = 0; p < kPartitions; ++p) {
    for (int n = 0; n < 3; ++n) devices.push_back(DeviceIn(*a, p, n));
  }
  for (const std::string& device : devices) ASSERT_TRUE(Put(a.get(), device, "first").ok());
  for (const std::string& device : devices) ASSERT_TRUE(Put(a.get(), device, "last").ok());
  const int64_t dead = a->owner();
  a->Die();
  a.reset();
  ASSERT_TRUE(*b->TakeOver(LeasesOf(dead)));
  for (const std::string& device : devices) EXPECT_EQ(Get(*b, device), "last");
  EXPECT_EQ(Sql("SELECT owner FROM bellwire.leases WHERE partition = 9"), "0")
      << "its own partition waits for the next one";
  EXPECT_EQ(Open("c")->feed(), 1u);
  // And from then on the log of the heir has it.
  ASSERT_TRUE(Put(b.get(), devices[0], "of b").ok());
  const auto c = Open("c");
  const int64_t heir = b->owner();
  b->Die();
  ASSERT_TRUE(*c->TakeOver(LeasesOf(heir)));
  EXPECT_EQ(Get(*c, devices[0]), "of b");
  EXPECT_EQ(Get(*c, devices[1]), "last");
}

// The log of an owner has what it wrote before it gave the partition away, and got it back.
TEST_F(PostgresSharingTest, AnOldEntryOfTheLogDoesNotUndoWhatAnotherOneWrote) {
  const auto a = Open("a"), b = Open("b");
  TakeFree(a.get());
  const std::string device = DeviceIn(*a, 3);
  ASSERT_TRUE(Put(a.get(), device, "old").ok());
  ASSERT_TRUE(Put(a.get(), DeviceIn(*a, 4), "so that the log stays").ok());
  Give(a.get(), b.get(), 3);
  ASSERT_TRUE(Put(b.get(), device, "new").ok());
  Give(b.get(), a.get(), 3);
  EXPECT_EQ(Get(*a, device), "new");
  const int64_t dead = a->owner();
  a->Die();
  const auto c = Open("c");
  ASSERT_TRUE(*c->TakeOver(LeasesOf(dead)));
  EXPECT_EQ(Get(*c, device), "new");
  EXPECT_EQ(Get(*c, DeviceIn(*c, 4)), "so that the log stays");
}

// So that sessions tell the owners of their devices apart.
TEST_F(PostgresSharingTest, EachOwnershipHasAGreaterNumberThanThoseBefore) {
  const auto a = Open("a"), b = Open("b");
  TakeFree(a.get());
  uint64_t before = a->OwnedSince(3);
  EXPECT_GT(before, 0u);
  for (int moves = 0; moves < 3; ++moves) {
    Give(a.get(), b.get(), 3);
    EXPECT_GT(b->OwnedSince(3), before);
    before = b->OwnedSince(3);
    Give(b.get(), a.get(), 3);
    EXPECT_GT(a->OwnedSince(3), before);
    before = a->OwnedSince(3);
  }
  Sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
      " WHERE application_name LIKE 'bellwire-registry%' AND datname = current_database()");
  CommitAtLast(a.get(), {{{Family::kDevices, DeviceIn(*a, 3) + "D"}, "1"}});
  EXPECT_EQ(a->OwnedSince(3), before) << "it has owned it all along";
}

TEST_F(PostgresSharingTest, AfterALostConnectionEachHasWhatItHad) {
  const auto a = Open("a"), b = Open("b");
  TakeFree(a.get());
  const std::string of_a = DeviceIn(*a, 4), of_b = DeviceIn(*a, 3);
  ASSERT_TRUE(Put(a.get(), of_a, "1").ok());
  Give(a.get(), b.get(), 3);
  ASSERT_TRUE(Put(b.get(), of_b, "1").ok());
  Sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
      " WHERE application_name LIKE 'bellwire-registry%' AND datname = current_database()");
  CommitAtLast(a.get(), {{{Family::kDevices, of_a + "M"}, "2"}});
  CommitAtLast(b.get(), {{{Family::kDevices, of_b + "M"}, "2"}});
  EXPECT_EQ(Get(*a, of_a), "1");
  EXPECT_EQ(Get(*b, of_b), "1");
  EXPECT_EQ(a->owned().size(), 1u + kPartitions);
  EXPECT_EQ(b->owned().size(), 2u);
}

TEST_F(PostgresSharingTest, WhoWasTakenOverIsFencedForGood) {
  const auto a = Open("a"), b = Open("b");
  TakeFree(a.get());
  const std::string device = DeviceIn(*a, 3);
  ASSERT_TRUE(Put(a.get(), device, "1").ok());
  ASSERT_TRUE(*b->TakeOver(LeasesOf(a->owner())));
  EXPECT_EQ(ErrorReason(Put(a.get(), device, "2")), "NOT_OWNER");
  EXPECT_EQ(ErrorReason(a->Commit({})), "NOT_OWNER");
  EXPECT_EQ(Get(*b, device), "1");
}

TEST_F(PostgresSharingTest, WhoLeavesPutsItsLogIntoTheTable) {
  auto a = Open("a");
  TakeFree(a.get());
  const std::string device = DeviceIn(*a, 3);
  ASSERT_TRUE(Put(a.get(), device, "1").ok());
  a.reset();
  EXPECT_EQ(Sql("SELECT count(*) FROM bellwire.records"), "1");
  EXPECT_EQ(Sql("SELECT count(*) FROM bellwire.leases WHERE owner <> 0 OR log_partition <> -1"),
            "0");
  const auto b = Open("b");
  TakeFree(b.get());
  EXPECT_EQ(Get(*b, device), "1");
}

}  // namespace
}  // namespace bellwire::registry
