#include "registry/engine/postgres/partitions.h"

#include <array>

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

TEST(PartitionsTest, WhatBelongsToNoDeviceIsShared) {
  const Partitions partitions(4, "secret");
  EXPECT_EQ(partitions.Of(Family::kTeams, TeamRecordKey("team")), partitions.shared());
  EXPECT_EQ(partitions.Of(Family::kFeeds, FeedBlockKey("team", 3)), partitions.shared());
  EXPECT_EQ(partitions.Of(Family::kTimeline, TimelineKey({.time_ms = 5,
                                                          .kind = TimelineEntry::Kind::kFeed,
                                                          .team_id = "team"})),
            partitions.shared());
  EXPECT_EQ(partitions.Of(Family::kDevices, "short"), partitions.shared());
  EXPECT_EQ(partitions.OfRange(Family::kTopics, "", "\xff"), partitions.shared());
}

TEST(PartitionsTest, AFeedHasItsOwn) {
  const Partitions partitions(4, "secret", /*own_feed=*/2);
  const std::string name = FeedName("team", 3);
  EXPECT_EQ(partitions.own(), partitions.OfFeed(2));
  EXPECT_EQ(partitions.OfFeed(3), partitions.shared() + 3);
  EXPECT_EQ(partitions.Of(Family::kTeams, FeedKey(name)), partitions.OfFeed(3));
  EXPECT_EQ(partitions.Of(Family::kFeeds, FeedBlockKey(name, 3)), partitions.OfFeed(3));
  EXPECT_EQ(partitions.OfRange(Family::kFeeds, FeedBlockKey(name, 1), FeedBlocksEnd(name)),
            partitions.OfFeed(3));
  EXPECT_EQ(partitions.Of(Family::kTopics, TopicCountKey(name, "topic")), partitions.OfFeed(3));
  EXPECT_EQ(partitions.Of(Family::kTopics, TopicStepsKey(name, MessageId())), partitions.OfFeed(3));
  EXPECT_EQ(partitions.Of(Family::kTimeline, TimelineKey({.time_ms = 5,
                                                          .kind = TimelineEntry::Kind::kFeed,
                                                          .team_id = name})),
            partitions.OfFeed(3));
  EXPECT_EQ(partitions.Of(Family::kNames, NetworkSlotKey(NetworkId())), partitions.own());
  EXPECT_EQ(partitions.Of(Family::kNames, AppNameKey("com.example")), partitions.shared());
}

TEST(PartitionsTest, ASubscriberIsItsDevices) {
  const Partitions partitions(256, "secret");
  for (uint8_t n = 0; n < 50; ++n) {
    EXPECT_EQ(partitions.Of(Family::kTopics, SubscriberKey("team", "topic", Device(n), 1)),
              partitions.OfDevice(Device(n).bytes()));
  }
  EXPECT_EQ(partitions.OfRange(Family::kTopics, SubscribersFrom("team", "topic"),
                               SubscribersEnd("team", "topic")),
            std::nullopt);
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
