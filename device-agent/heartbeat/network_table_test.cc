#include "device-agent/heartbeat/network_table.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "bellwire/agent/v1/heartbeat_state.pb.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using Phase = NetworkRecord::Phase;
using Stored = v1::HeartbeatState::Network;

NetworkId Id(int n) { return NetworkKey{.interface = absl::StrCat("network ", n)}.Id(); }

TEST(NetworkKeyTest, EachPartCounts) {
  const NetworkKey key = {NetworkKey::Kind::kWifi, "home", "", "10.0.0.1"};
  EXPECT_EQ(key.Id(), NetworkKey(key).Id());
  EXPECT_NE(key.Id(), (NetworkKey{NetworkKey::Kind::kCellular, "home", "", "10.0.0.1"}).Id());
  EXPECT_NE(key.Id(), (NetworkKey{NetworkKey::Kind::kWifi, "work", "", "10.0.0.1"}).Id());
  EXPECT_NE(key.Id(), (NetworkKey{NetworkKey::Kind::kWifi, "home", "", "10.0.0.2"}).Id());
  EXPECT_NE((NetworkKey{.interface = "ab", .gateway = "c"}).Id(),
            (NetworkKey{.interface = "a", .gateway = "bc"}).Id());
}

TEST(NetworkTableTest, ComesBackAsItWas) {
  NetworkTable table;
  NetworkRecord* settled = table.Use(Id(1));
  settled->phase = Phase::kSettled;
  settled->good = absl::Seconds(283);
  settled->bad = absl::Seconds(314);
  settled->next_probe = absl::FromUnixSeconds(1'800'000'000);
  settled->probe_wait = absl::Hours(24 * 14);
  NetworkRecord* refining = table.Use(Id(2));
  refining->phase = Phase::kRefining;
  refining->good = absl::Seconds(300);
  refining->bad = absl::Seconds(600);
  const NetworkRecord first = *table.Use(Id(1));
  const NetworkRecord second = *table.Use(Id(2));

  absl::StatusOr<NetworkTable> parsed = NetworkTable::Parse(table.Serialize());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->size(), 2u);
  EXPECT_EQ(parsed->Serialize(), table.Serialize());
  EXPECT_EQ(*parsed->Use(Id(1)), first);
  EXPECT_EQ(*parsed->Use(Id(2)), second);
}

TEST(NetworkTableTest, AProbeUnderWayIsKeptAsOneThatIsDue) {
  NetworkTable table;
  NetworkRecord* record = table.Use(Id(1));
  record->phase = Phase::kProbing;
  record->good = absl::Seconds(283);
  record->next_probe = absl::FromUnixSeconds(1'700'000'000);
  NetworkTable parsed = *NetworkTable::Parse(table.Serialize());
  EXPECT_EQ(parsed.Use(Id(1))->phase, Phase::kSettled);
  EXPECT_EQ(parsed.Use(Id(1))->next_probe, absl::FromUnixSeconds(1'700'000'000));
}

TEST(NetworkTableTest, TheOneNotUsedForLongestGivesWay) {
  NetworkTable table;
  for (int i = 0; i < static_cast<int>(kMaxKnownNetworks); ++i) {
    table.Use(Id(i))->good = absl::Seconds(100 + i);
  }
  table.Use(Id(0));
  table.Use(Id(1000));
  EXPECT_EQ(table.size(), kMaxKnownNetworks);
  EXPECT_EQ(table.Use(Id(0))->good, absl::Seconds(100));
  EXPECT_EQ(table.Use(Id(1))->good, absl::ZeroDuration()) << "was forgotten";
  EXPECT_LE(table.Serialize().size(), 2048u);
}

TEST(NetworkTableTest, WhatIsNoTableIsRefused) {
  EXPECT_TRUE(NetworkTable::Parse("").ok());
  EXPECT_EQ(NetworkTable::Parse("\xff\xff").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(NetworkTableTest, NonsenseCostsASearchAtWorst) {
  v1::HeartbeatState state;
  auto add = [&state](int id) {
    Stored* stored = state.add_networks();
    stored->set_id(std::string(Id(id).bytes()));
    return stored;
  };
  add(1)->set_id("short");
  Stored* nothing_settled = add(2);
  nothing_settled->set_phase(Stored::SETTLED);
  Stored* contradiction = add(3);
  contradiction->set_phase(Stored::REFINING);
  contradiction->set_good_ms(4'000'000'000);
  contradiction->set_bad_ms(5);
  Stored* far = add(4);
  far->set_phase(Stored::SETTLED);
  far->set_good_ms(1000);
  far->set_next_probe_ms(INT64_MAX);
  far->set_probe_wait_s(UINT32_MAX);
  add(4)->set_good_ms(77);
  for (int i = 0; i < 100; ++i) add(100 + i);

  absl::StatusOr<NetworkTable> table = NetworkTable::Parse(state.SerializeAsString());
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->size(), kMaxKnownNetworks);
  EXPECT_EQ(table->Use(Id(2))->phase, Phase::kClimbing);
  EXPECT_EQ(table->Use(Id(3))->phase, Phase::kClimbing);
  EXPECT_EQ(table->Use(Id(3))->good, kMaxHeartbeatInterval);
  EXPECT_EQ(table->Use(Id(4))->good, absl::Seconds(1)) << "the first of two";
  EXPECT_EQ(table->Use(Id(4))->probe_wait, kProbeWaitMax);
  EXPECT_TRUE(NetworkTable::Parse(table->Serialize()).ok());
}

}  // namespace
}  // namespace bellwire::agent
