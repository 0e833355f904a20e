#include "registry/engine/postgres/partitions.h"

#include <array>
#include <set>

#include "gtest/gtest.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

DeviceId Device(uint8_t n) { return DeviceId(std::array<uint8_t, 16>{1, 2, n}); }

TEST(PartitionsTest, AllRecordsOfADeviceAreInOne) {
  const Partitions partitions(256, "secret");
  for (uint8_t n = 0; n < 50; ++n) {
    const DeviceId device = Device(n);
    const int partition = partitions.Of(Family::kDevices, DeviceRecordKey(device));
    EXPECT_LT(partition, 256);
    EXPECT_EQ(partitions.Of(Family::kDevices, MailboxKey(device, 7)), partition);
    EXPECT_EQ(partitions.Of(Family::kLives, LifeKey(device, {})), partition);
    EXPECT_EQ(partitions.Of(Family::kOutbox, OutboxKey(9, device)), partition);
    EXPECT_EQ(partitions.Of(Family::kTimeline,
                            TimelineKey({.time_ms = 5,
                                         .device = device,
                                         .kind = TimelineEntry::Kind::kScheduled})),
              partition);
    EXPECT_EQ(partitions.OfRange(Family::kDevices, MailboxKey(device, 0), MailboxEnd(device)),
              partition);
    EXPECT_EQ(partitions.OfRange(Family::kLives, LivesFrom(device), LivesEnd(device)), partition);
  }
}

TEST(PartitionsTest, DevicesSpreadAndNobodyKnowsHowWithoutTheKey) {
  const Partitions partitions(256, "secret"), others(256, "another");
  std::set<int> seen;
  int same = 0;
  for (int n = 0; n < 256; ++n) {
    const std::string key = DeviceRecordKey(Device(static_cast<uint8_t>(n)));
    seen.insert(partitions.Of(Family::kDevices, key));
    same += partitions.Of(Family::kDevices, key) == others.Of(Family::kDevices, key) ? 1 : 0;
  }
  EXPECT_GT(seen.size(), 120u) << "162 are to be expected";
  EXPECT_LT(same, 10);
}

TEST(PartitionsTest, WhatBelongsToNoDeviceIsShared) {
  const Partitions partitions(4, "secret");
  EXPECT_EQ(partitions.Of(Family::kTeams, TeamRecordKey("team")), partitions.shared());
  EXPECT_EQ(partitions.Of(Family::kFeeds, FeedBlockKey("team", 3)), partitions.shared());
  EXPECT_EQ(partitions.Of(Family::kTopics, SubscriberKey("team", "topic", Device(1), 1)),
            partitions.shared());
  EXPECT_EQ(partitions.Of(Family::kTimeline, TimelineKey({.time_ms = 5,
                                                          .kind = TimelineEntry::Kind::kFeed,
                                                          .team_id = "team"})),
            partitions.shared());
  EXPECT_EQ(partitions.Of(Family::kDevices, "short"), partitions.shared());
  EXPECT_EQ(partitions.OfRange(Family::kTopics, "", "\xff"), partitions.shared());
}

TEST(PartitionsTest, ARangeOverDevicesIsInSeveral) {
  const Partitions partitions(4, "secret");
  EXPECT_EQ(partitions.OfRange(Family::kDevices, "", "\xff"), std::nullopt);
  EXPECT_EQ(partitions.OfRange(Family::kDevices, DeviceRecordKey(Device(1)),
                               DeviceRecordKey(Device(2))),
            std::nullopt);
  EXPECT_EQ(partitions.OfRange(Family::kTimeline, TimelineFrom(0), TimelineFrom(9)), std::nullopt);
}

}  // namespace
}  // namespace bellwire::registry
