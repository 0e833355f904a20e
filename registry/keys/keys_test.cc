#include "registry/keys/keys.h"

#include <array>

#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

DeviceId Device(uint8_t n) { return DeviceId(std::array<uint8_t, 16>{n}); }
MessageId Message(uint8_t n) { return MessageId(std::array<uint8_t, 16>{n}); }

TEST(KeysTest, NumbersSortAsBytes) {
  EXPECT_LT(MailboxKey(Device(1), 255), MailboxKey(Device(1), 256));
  EXPECT_LT(MailboxKey(Device(1), UINT64_MAX), MailboxEnd(Device(1)));
  EXPECT_EQ(SeqOfMailboxKey(MailboxKey(Device(1), 0x0102030405060708)), 0x0102030405060708u);
  const std::string scheduled = ScheduledKey(Device(1), 77, {Message(255), UINT64_MAX});
  EXPECT_EQ(TimeOfScheduledKey(scheduled), 77);
  EXPECT_LT(ScheduledFrom(Device(1), 77), scheduled);
  EXPECT_LT(scheduled, ScheduledFrom(Device(1), 78));
}

TEST(KeysTest, LivesOfOneIdLieBesideEachOther) {
  for (const uint64_t registration : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
    const std::string key = LifeKey(Device(1), {Message(2), registration});
    EXPECT_LE(LifeFrom(Device(1), Message(2)), key);
    EXPECT_LT(key, LifeEnd(Device(1), Message(2)));
    EXPECT_EQ(MessageOfLifeKey(key), (MessageRef{Message(2), registration}));
    EXPECT_LT(LivesFrom(Device(1)), key);
    EXPECT_LT(key, LivesEnd(Device(1)));
    EXPECT_EQ(key.size(), kLifeKeySize);
  }
  EXPECT_LT(LifeEnd(Device(1), Message(2)), LifeFrom(Device(1), Message(3)));
  std::array<uint8_t, 16> last;
  last.fill(0xff);
  EXPECT_LT(LifeKey(Device(1), {MessageId(last), UINT64_MAX}), LivesEnd(Device(1)));
  EXPECT_LT(LivesEnd(Device(1)), LivesFrom(Device(2)));
}

TEST(KeysTest, ADevicesRecordsLieBetweenItsNeighbours) {
  std::array<uint8_t, 16> last;
  last.fill(0xff);
  for (const DeviceId& device : {Device(1), DeviceId(last)}) {
    for (const std::string& key :
         {DeviceRecordKey(device), AppKey(device, "a.b"), SubscriptionKey(device, "\xff\xff"),
          MailboxKey(device, UINT64_MAX), MailboxEnd(device)}) {
      EXPECT_LT(key, DeviceEnd(device));
    }
    EXPECT_LT(DeviceEnd(device), DevicesEnd());
  }
  EXPECT_LT(DeviceEnd(Device(1)), DeviceRecordKey(Device(2)));
}

TEST(KeysTest, EnrolmentsLieTogetherAmongTheNames) {
  EXPECT_LT(EnrolmentsFrom(), EnrolmentKey("abcdefgh23"));
  EXPECT_LT(EnrolmentKey("777777777777"), EnrolmentsEnd());
  EXPECT_LT(AppNameKey("z.z"), DeviceCountKey());
  EXPECT_LT(DeviceCountKey(), EnrolmentsFrom());
  EXPECT_LT(EnrolmentsEnd(), KeyNameKey(""));
}

TEST(KeysTest, ATeamsRecordsLieTogether) {
  // No team id is a prefix of another's keys.
  EXPECT_LT(TeamEnd("team"), TeamAppKey("team2", "a.b"));
  for (const std::string& key :
       {TeamAppKey("team", "a.b"), TeamKeyKey("team", "k"), TeamRecordKey("team")}) {
    EXPECT_LT(key, TeamEnd("team"));
  }
  EXPECT_LT(TeamAppKey("team", "\xff"), TeamAppsEnd("team"));
  EXPECT_LT(TeamAppsEnd("team"), TeamKeysFrom("team"));
}

TEST(KeysTest, TimelineKeysParseBack) {
  for (const TimelineEntry::Kind kind :
       {TimelineEntry::Kind::kLife, TimelineEntry::Kind::kExpiry, TimelineEntry::Kind::kNowOrNever,
        TimelineEntry::Kind::kRegistration, TimelineEntry::Kind::kScheduled,
        TimelineEntry::Kind::kTopics, TimelineEntry::Kind::kTopicMessage}) {
    TimelineEntry entry;
    entry.time_ms = 1'767'225'600'123;
    entry.device = Device(9);
    entry.kind = kind;
    if (kind == TimelineEntry::Kind::kLife) entry.message = {Message(4), 5};
    if (kind == TimelineEntry::Kind::kExpiry) entry.message.registration_id = 8;
    if (kind == TimelineEntry::Kind::kRegistration) entry.message.registration_id = 6;
    if (kind == TimelineEntry::Kind::kNowOrNever) entry.seq = 7;
    if (kind == TimelineEntry::Kind::kTopics) entry.message.registration_id = 10;
    if (kind == TimelineEntry::Kind::kTopicMessage) entry.message.message_id = Message(11);
    const bool of_team = kind >= TimelineEntry::Kind::kTopics ||
                         kind == TimelineEntry::Kind::kTopicMessage;
    if (of_team) entry.team_id = "team";
    const std::string key = TimelineKey(entry);
    EXPECT_LT(TimelineFrom(entry.time_ms), key);
    EXPECT_LT(key, TimelineFrom(entry.time_ms + 1));
    const auto parsed = ParseTimelineKey(key);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->time_ms, entry.time_ms);
    EXPECT_EQ(parsed->device, entry.device);
    EXPECT_EQ(parsed->kind, entry.kind);
    EXPECT_EQ(parsed->message, entry.message);
    EXPECT_EQ(parsed->seq, entry.seq);
    EXPECT_EQ(parsed->team_id, entry.team_id);
    // A team's id may have any length but none.
    EXPECT_FALSE(ParseTimelineKey(of_team ? key.substr(0, key.size() - 4) : key + "x").has_value());
    EXPECT_FALSE(ParseTimelineKey(key.substr(0, 24)).has_value());
  }
}

TEST(KeysTest, SubscribersOfATopicLieInTheOrderOfDevicesAndApartFromOtherTopics) {
  const std::string key = SubscriberKey("team", "news", Device(255), UINT64_MAX);
  EXPECT_EQ(SubscriberOfKey(key), (SubscriberEntry{Device(255), UINT64_MAX}));
  EXPECT_LT(SubscribersFrom("team", "news"), SubscriberKey("team", "news", Device(0), 1));
  EXPECT_LT(SubscriberKey("team", "news", Device(0), UINT64_MAX),
            SubscriberKey("team", "news", Device(1), 1));
  EXPECT_LT(key, SubscribersEnd("team", "news"));
  // A name that begins with another one.
  EXPECT_LT(SubscribersEnd("team", "news"), SubscribersFrom("team", "news-2"));
  EXPECT_LT(SubscribersEnd("team", "news"), SubscribersFrom("team", "news%"));
  EXPECT_LT(TopicCountKey("team", "~~~"), TopicCountsEnd("team"));
  EXPECT_LT(KeptTopicKey("team", "~~~"), KeptTopicsEnd("team"));
  EXPECT_EQ(TopicOfKey(TopicCountKey("team", "news")), "news");
  const std::string own = DeviceTopicKey(Device(1), 7, "news");
  EXPECT_EQ(TopicOfDeviceTopicKey(own), "news");
  EXPECT_LT(DeviceTopicsFrom(Device(1), 7), own);
  EXPECT_LT(own, DeviceTopicsEnd(Device(1), 7));
  EXPECT_LT(DeviceTopicsEnd(Device(1), 7), DeviceTopicsFrom(Device(1), 8));
}

TEST(KeysTest, OpenFanOutsLieBeforeEveryTeamInTheOrderOfTime) {
  const OpenFanOut fan_out{1'767'225'600'123, Message(3), "team"};
  const std::string key = OpenFanOutKey(fan_out);
  EXPECT_EQ(ParseOpenFanOutKey(key), fan_out);
  EXPECT_LT(key, OpenFanOutKey({fan_out.created_at_ms + 1, Message(2), "a"}));
  EXPECT_LT(key, OpenFanOutsEnd());
  EXPECT_LE(OpenFanOutsEnd(), TopicStepsKey("a", Message(0)));
  EXPECT_EQ(ParseOpenFanOutKey(TopicStepsKey("team", Message(0))), std::nullopt);
  EXPECT_EQ(ParseOpenFanOutKey(key.substr(0, key.size() - 4)), std::nullopt);
}

TEST(KeysTest, TheNumbersOfAStartGrowWhateverTheClockDoes) {
  const absl::Time start = absl::FromUnixSeconds(1'767'225'600);
  EXPECT_EQ(NumbersOfStart(start, 0), 1'767'225'600'000'000u);
  EXPECT_GT(NumbersOfStart(start + absl::Microseconds(1), 0), NumbersOfStart(start, 0));
  EXPECT_EQ(NumbersOfStart(start - absl::Hours(1), 1'767'225'600'000'000u), 1'767'225'600'000'001u);
  EXPECT_EQ(NumbersOfStart(absl::UnixEpoch() - absl::Hours(1), 0), 1u);
}

TEST(KeysTest, TimesBeforeTheEpochAreTheEpoch) {
  EXPECT_EQ(ToStoredMs(absl::FromUnixMillis(-5)), 0);
  EXPECT_EQ(ToStoredMs(absl::FromUnixMillis(5)), 5);
}

}  // namespace
}  // namespace bellwire::registry
