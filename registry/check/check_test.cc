// A store that was really used is sound; whatever is changed in it by hand is reported, and said
// where it is.

#include "registry/check/check.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"
#include "registry/engine/records.h"
#include "registry/keys/keys.h"
#include "registry/mailbox/message_life.h"
#include "registry/server/kv_store.h"
#include "registry/testing/shared_engine.h"

namespace bellwire::registry {
namespace {

using storage::v1::Device;
using storage::v1::Feed;
using storage::v1::FeedBlock;
using storage::v1::MessageLife;
using storage::v1::Registration;

constexpr char kTeam[] = "teamaaaaaa";
const DeviceId kDevice(std::array<uint8_t, 16>{0xd1});

MessageId Id(uint8_t n) { return MessageId(std::array<uint8_t, 16>{n}); }

// A store with every kind of record in it.
class CheckTest : public testing::Test {
 protected:
  // Messages of mail_: 1 acknowledged by the app, 2 by the agent, 3 and 4 wait and were sent (4 has
  // a collapse key), 5 is scheduled, 6 is now or never, 7 was recalled. full_: 101 were sent, which
  // leaves a gap notice.
  void SetUp() override {
    store_ = std::make_unique<KvStore>(std::make_unique<SharedEngine>(&engine_),
                                       KvStore::Options{.clock = &clock_, .random = [this] {
                                                          return ++random_ * 0x9e3779b97f4a7c15;
                                                        }});
    admin::v1::Team team;
    team.set_team_id(kTeam);
    ASSERT_TRUE(store_->PutTeam(team).ok());
    for (const char* id : {"com.example.mail", "com.example.full", "com.example.gone"}) {
      admin::v1::App app;
      app.set_app_id(id);
      app.set_team_id(kTeam);
      app.set_overflow_policy(admin::v1::DROP_OLDEST);
      ASSERT_TRUE(store_->PutApp(app).ok());
    }
    admin::v1::Key key;
    key.set_key_id("keyaaaaaaa");
    key.set_team_id(kTeam);
    ASSERT_TRUE(store_->PutKey(key).ok());
    admin::v1::Enrolment enrolment;
    enrolment.set_enrolment_id("abcdefgh23");
    enrolment.set_devices(2);
    enrolment.mutable_expire_time()->set_seconds(WallNowMs(clock_) / 1000 + 3600);
    ASSERT_TRUE(store_->PutEnrolment(enrolment).ok());
    mail_ = store_->RegisterApp(kDevice, "com.example.mail")->registration_id;
    full_ = store_->RegisterApp(kDevice, "com.example.full")->registration_id;
    gone_ = store_->RegisterApp(kDevice, "com.example.gone")->registration_id;
    internal::v1::Subscription page;
    page.set_instance("page");
    page.set_owner("origin");
    page_ = store_->RegisterSubscription(kDevice, page)->registration_id;
    ASSERT_TRUE(store_->ChangeSubscription(kDevice, mail_, kTeam, "news", true).ok());
    internal::v1::PutTopicRequest channel;
    channel.mutable_topic()->set_team_id(kTeam);
    channel.mutable_topic()->set_name("channel");
    channel.set_change(internal::v1::PutTopicRequest::MAKE);
    ASSERT_TRUE(store_->PutTopic(channel).ok());
    PublishTo("news", 1);
    Route route;
    route.set_connector_address("127.0.0.1:7446");
    route.set_session_id(1);
    route.set_login_number(1);
    ASSERT_TRUE(store_->Bind(kDevice, route, {}, {}).ok());
    std::vector<uint64_t> seqs;
    for (uint8_t n = 1; n <= 4; ++n) seqs.push_back(Append(mail_, n, n == 4 ? "key" : ""));
    ASSERT_TRUE(store_
                    ->Acknowledge(kDevice, route,
                                  {{seqs[0], clock_.WallNow()}, {seqs[1], clock_.WallNow()}})
                    .ok());
    ASSERT_TRUE(
        store_->ReportSent(kDevice, {{seqs[2], clock_.WallNow()}, {seqs[3], clock_.WallNow()}})
            .ok());
    ASSERT_TRUE(store_->AppAcknowledge(kDevice, {{Id(1), mail_, push::v1::APP_ACKED}}).ok());
    waiting_seq_ = seqs[2];
    Append(mail_, 5, "", absl::Hours(2));
    now_or_never_seq_ = Append(mail_, 6, "", absl::ZeroDuration(), absl::ZeroDuration());
    Append(mail_, 7);
    ASSERT_TRUE(store_->Recall({kDevice, mail_, kTeam}, Id(7)).ok());
    for (uint8_t n = 1; n <= 101; ++n) Append(full_, n);
    ASSERT_TRUE(store_->RemoveApp(kDevice, "com.example.gone", gone_).ok());
    ASSERT_TRUE(store_->ReportNetwork(kDevice, {NetworkId(), absl::Minutes(4)}).ok());
    ASSERT_TRUE(store_->Commit().ok());
    ASSERT_TRUE(store_->RelayReceipts(1).ok());
    ASSERT_TRUE(store_->Commit().ok());
    // Two blocks, and an entry that waits in the outbox.
    ASSERT_TRUE(store_->RelayReceipts(100).ok());
    Append(full_, 102);
    ASSERT_TRUE(store_->Commit().ok());
  }

  uint64_t Append(uint64_t registration, uint8_t n, const std::string& collapse_key = "",
                  absl::Duration later = absl::ZeroDuration(),
                  absl::Duration ttl = absl::Hours(1)) {
    Envelope message;
    message.set_message_id(std::string(Id(n).bytes()));
    message.set_payload("payload");
    message.set_collapse_key(collapse_key);
    const int64_t now_ms = WallNowMs(clock_);
    const int64_t later_ms = absl::ToInt64Milliseconds(later);
    message.set_accepted_at_ms(now_ms);
    if (later_ms != 0) message.set_deliver_at_ms(now_ms + later_ms);
    message.set_expires_at_ms(now_ms + later_ms + absl::ToInt64Milliseconds(ttl));
    const auto result =
        store_->Append({kDevice, registration, registration == page_ ? "" : kTeam}, message, {});
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->seq : 0;
  }

  void PublishTo(const std::string& topic, uint8_t id) {
    internal::v1::PublishTopicRequest request;
    request.set_team_id(kTeam);
    request.set_message_id(std::string(Id(id).bytes()));
    request.set_topic(topic);
    request.add_topics(topic);
    request.mutable_message()->set_accepted_at_ms(WallNowMs(clock_));
    request.mutable_message()->set_expires_at_ms(WallNowMs(clock_) + 1000);
    ASSERT_TRUE(store_->Publish(request).ok());
  }

  CheckReport Check() {
    CheckReport report;
    CheckRecords(
        engine_, [](uint64_t) {}, &report);
    return report;
  }
  uint64_t Count(RecordKind kind) { return Check().counts[static_cast<size_t>(kind)]; }

  void Put(Family family, const std::string& key, const std::string& value) {
    ASSERT_TRUE(engine_.Commit({{{family, key}, value}}).ok());
  }
  void Delete(Family family, const std::string& key) {
    ASSERT_TRUE(engine_.Get(family, key)->has_value()) << "there is nothing to delete";
    ASSERT_TRUE(engine_.Commit({{{family, key}, std::nullopt}}).ok());
  }
  // Changes one record.
  template <typename Record>
  void Change(Family family, const std::string& key, std::function<void(Record&)> change) {
    auto record = GetRecord<Record>(engine_, family, key);
    ASSERT_TRUE(record.ok() && record->has_value());
    change(**record);
    Put(family, key, (*record)->SerializeAsString());
  }
  void ChangeDevice(std::function<void(Device&)> change) {
    Change<Device>(Family::kDevices, DeviceRecordKey(kDevice), std::move(change));
  }
  void ChangeRegistration(uint64_t id, std::function<void(Registration&)> change) {
    Change<Registration>(Family::kDevices, RegistrationKey(kDevice, id), std::move(change));
  }
  void ChangeLife(uint8_t n, std::function<void(MessageLife&)> change) {
    Change<MessageLife>(Family::kLives, LifeKey(kDevice, {Id(n), mail_}), std::move(change));
  }
  std::string FirstKey(Family family, const std::string& from = "") {
    std::string first;
    EXPECT_TRUE(engine_
                    .Scan(family, from, std::string(64, '\xff'),
                          [&](auto key, auto) {
                            first = std::string(key);
                            return false;
                          })
                    .ok());
    return first;
  }

  // One of the problems says this.
  void ExpectProblem(const std::string& text) {
    const CheckReport report = Check();
    std::string all;
    bool found = false;
    for (const CheckProblem& problem : report.problems) {
      const std::string line = absl::StrCat(problem.where, ": ", problem.what);
      found |= absl::StrContains(line, text);
      absl::StrAppend(&all, line, "\n");
    }
    EXPECT_TRUE(found) << "no \"" << text << "\" in:\n" << all;
  }

  MemoryEngine engine_;
  SimulatedClock clock_;
  uint64_t random_ = 0;
  std::unique_ptr<KvStore> store_;
  uint64_t mail_ = 0, full_ = 0, gone_ = 0, page_ = 0;
  uint64_t waiting_seq_ = 0, now_or_never_seq_ = 0;
};

TEST_F(CheckTest, AStoreThatWasUsedIsSound) {
  const CheckReport report = Check();
  EXPECT_TRUE(report.sound()) << report.problems[0].where << ": " << report.problems[0].what;
  for (const RecordKind kind :
       {RecordKind::kDevice, RecordKind::kInstalledApp, RecordKind::kSubscription,
        RecordKind::kRegistration, RecordKind::kMessage, RecordKind::kGapNotice,
        RecordKind::kScheduled, RecordKind::kNowOrNever, RecordKind::kRecallNotice,
        RecordKind::kLife, RecordKind::kTimeline, RecordKind::kOutbox, RecordKind::kFeed,
        RecordKind::kFeedBlock, RecordKind::kTeam, RecordKind::kApp, RecordKind::kKey,
        RecordKind::kName, RecordKind::kNetworkSlot, RecordKind::kEnrolment,
        RecordKind::kDeviceCount, RecordKind::kQuota, RecordKind::kTopicSubscription,
        RecordKind::kSubscriber, RecordKind::kTopic, RecordKind::kTopicMessage}) {
    EXPECT_GT(report.counts[static_cast<size_t>(kind)], 0) << RecordKindName(kind);
  }
  EXPECT_EQ(report.counts[static_cast<size_t>(RecordKind::kMessage)], 102);
  EXPECT_EQ(report.counts[static_cast<size_t>(RecordKind::kUnknown)], 0);
}

TEST_F(CheckTest, ADeadTokenTakesItsTimelineEntryAlong) {
  // What would expire after its token is forgotten.
  const uint64_t again = store_->RegisterApp(kDevice, "com.example.gone")->registration_id;
  Append(again, 200, "", kMaxDeliverAtAhead, kMaxTtl);
  ASSERT_TRUE(store_->RemoveApp(kDevice, "com.example.gone", again).ok());
  ASSERT_TRUE(store_->Commit().ok());
  const uint64_t before = Count(RecordKind::kRegistration);
  clock_.Advance(kDeadTokenRetention + absl::Hours(1));
  while (store_->Sweep(1000)->more) {
  }
  ASSERT_TRUE(store_->Commit().ok());
  EXPECT_LT(Count(RecordKind::kRegistration), before);
  const CheckReport report = Check();
  EXPECT_TRUE(report.sound()) << report.problems[0].where << ": " << report.problems[0].what;
}

TEST_F(CheckTest, SubscriptionsAndTheirEntriesFitToEachOther) {
  Append(page_, 210);
  ASSERT_TRUE(store_->Commit().ok());
  EXPECT_TRUE(Check().sound());
  const auto change = [&](const std::string& key, const std::string& value,
                          const std::string& problem) {
    const std::string before = **engine_.Get(Family::kDevices, key);
    Put(Family::kDevices, key, value);
    ExpectProblem(problem);
    Put(Family::kDevices, key, before);
  };
  const std::string name = SubscriptionKey(kDevice, "page");
  std::string value;
  AppendBigEndian64(page_, &value);
  change(name, value + "else", "says another owner");
  value.clear();
  AppendBigEndian64(mail_, &value);
  change(name, value, "is of another one, or dead");
  change(name, value, "does not lead to it");
  const std::string record = RegistrationKey(kDevice, page_);
  Registration registration;
  ASSERT_TRUE(registration.ParseFromString(**engine_.Get(Family::kDevices, record)));
  registration.set_team_id(kTeam);
  change(record, registration.SerializeAsString(), "a subscription's and an app's");
  Device device;
  ASSERT_TRUE(device.ParseFromString(**engine_.Get(Family::kDevices, DeviceRecordKey(kDevice))));
  device.set_subscription_messages(0);
  change(DeviceRecordKey(kDevice), device.SerializeAsString(), "messages for subscriptions");
  device.set_live_subscriptions(0);
  change(DeviceRecordKey(kDevice), device.SerializeAsString(), "living subscriptions");
  EXPECT_TRUE(Check().sound());
}

TEST_F(CheckTest, TopicsOfDevicesAndOfTeamsFitToEachOther) {
  const auto without = [&](Family family, const std::string& key, const std::string& problem) {
    const std::string before = **engine_.Get(family, key);
    Delete(family, key);
    ExpectProblem(problem);
    Put(family, key, before);
  };
  const std::string own = DeviceTopicKey(kDevice, mail_, "news");
  const std::string listed = SubscriberKey(kTeam, "news", kDevice, mail_);
  without(Family::kDevices, own, "which has no record of that");
  without(Family::kDevices, own, "counts 1 topics and has 0");
  without(Family::kTopics, listed, "no fan-out would find it");
  without(Family::kTopics, listed, "counts 1 subscribers and has none");
  without(Family::kTopics, TopicCountKey(kTeam, "news"), "counts 0 subscribers and has 1");
  Put(Family::kTopics, listed, "com.example.full");
  ExpectProblem("as a subscriber of another app");
  Put(Family::kTopics, listed, "com.example.mail");
  without(Family::kTopics, TeamTopicsKey(kTeam), "counts 0 topics that stay and has 1");
  without(Family::kTopics, KeptTopicKey(kTeam, "channel"), "counts 1 topics that stay and has 0");
  EXPECT_TRUE(Check().sound());
}

TEST_F(CheckTest, ARegistrationThatEndedKeepsNoTopics) {
  const uint64_t again = store_->RegisterApp(kDevice, "com.example.gone")->registration_id;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(
        store_->ChangeSubscription(kDevice, again, kTeam, absl::StrCat("t", i), true).ok());
  }
  ASSERT_TRUE(store_->RemoveApp(kDevice, "com.example.gone", again).ok());
  ASSERT_TRUE(store_->Commit().ok());
  EXPECT_TRUE(Check().sound()) << "the rest goes soon";
  const TimelineEntry entry{.time_ms = WallNowMs(clock_),
                            .device = kDevice,
                            .kind = TimelineEntry::Kind::kTopics,
                            .message = {.registration_id = again},
                            .team_id = kTeam};
  Delete(Family::kTimeline, TimelineKey(entry));
  ExpectProblem("has ended and keeps its topics");
}

TEST_F(CheckTest, ATopicMessageHasAllItsRecords) {
  const auto without = [&](Family family, const std::string& key, const std::string& problem) {
    const std::string before = **engine_.Get(family, key);
    Delete(family, key);
    ExpectProblem(problem);
    Put(family, key, before);
  };
  Envelope message;
  message.set_message_id(std::string(Id(220).bytes()));
  message.set_topic_message_id(std::string(Id(1).bytes()));
  message.set_accepted_at_ms(WallNowMs(clock_));
  message.set_expires_at_ms(WallNowMs(clock_) + 1000);
  ASSERT_TRUE(store_->Append({kDevice, mail_, kTeam}, message, {}).ok());
  ASSERT_TRUE(store_->RelayReceipts(100).ok());
  ASSERT_TRUE(store_->Commit().ok());
  EXPECT_TRUE(Check().sound());
  const std::string fan_out = FanOutKey(kTeam, Id(1));
  without(Family::kTopics, TopicMessageKey(kTeam, Id(1)), "has a fan-out and no message");
  without(Family::kTopics, fan_out, "has no fan-out");
  without(Family::kTopics, fan_out, "has counts and no fan-out");
  without(Family::kTopics, fan_out, "is listed as one that is being sent, and is not");
  without(Family::kTopics, OpenFanOutKey({WallNowMs(clock_), Id(1), kTeam}),
          "nobody would send it");
  const int64_t wake_ms =
      (*GetRecord<storage::v1::FanOut>(engine_, Family::kTopics, fan_out))->wake_at_ms();
  const std::string timeline = TimelineKey({.time_ms = wake_ms,
                                            .kind = TimelineEntry::Kind::kTopicMessage,
                                            .message = {.message_id = Id(1)},
                                            .team_id = kTeam});
  without(Family::kTimeline, timeline, "nothing in the timeline will forget it");
  Change<storage::v1::FanOut>(Family::kTopics, fan_out,
                              [](storage::v1::FanOut& f) { f.set_wake_at_ms(7); });
  ExpectProblem("nothing is due then for team teamaaaaaa");
}

TEST_F(CheckTest, AnEmptyStoreIsSound) {
  MemoryEngine empty;
  CheckReport report;
  CheckRecords(
      empty, [](uint64_t) {}, &report);
  EXPECT_TRUE(report.sound());
  EXPECT_EQ(report.records(), 0);
}

TEST_F(CheckTest, ARecordOfANewerVersionIsNoProblem) {
  Put(Family::kDevices, std::string(kDevice.bytes()) + "Znew", "?");
  EXPECT_TRUE(Check().sound());
  EXPECT_EQ(Count(RecordKind::kUnknown), 1);
}

TEST_F(CheckTest, EveryRecordParses) {
  const std::string broken("\xff\xff\xff", 3);
  const std::map<std::string, std::pair<Family, std::string>> records = {
      {"its own record can't be parsed", {Family::kDevices, DeviceRecordKey(kDevice)}},
      {"no registration's number", {Family::kDevices, AppKey(kDevice, "com.example.mail")}},
      {"does not begin with a", {Family::kDevices, SubscriptionKey(kDevice, "page")}},
      {"its record can't be parsed", {Family::kDevices, RegistrationKey(kDevice, mail_)}},
      {"mailbox number", {Family::kDevices, MailboxKey(kDevice, waiting_seq_)}},
      {"now-or-never", {Family::kDevices, NowOrNeverKey(kDevice, now_or_never_seq_)}},
      {"of its life can't be parsed", {Family::kLives, LifeKey(kDevice, {Id(1), mail_})}},
      {"outbox entry", {Family::kOutbox, FirstKey(Family::kOutbox)}},
      {"the block up to position", {Family::kFeeds, FirstKey(Family::kFeeds)}},
      {"feed of team teamaaaaaa: its own record", {Family::kTeams, FeedKey(kTeam)}},
      {"team teamaaaaaa: its record", {Family::kTeams, TeamRecordKey(kTeam)}},
      {"app com.example.mail of", {Family::kTeams, TeamAppKey(kTeam, "com.example.mail")}},
      {"key keyaaaaaaa of", {Family::kTeams, TeamKeyKey(kTeam, "keyaaaaaaa")}},
      {"a subscription to a topic can't",
       {Family::kDevices, DeviceTopicKey(kDevice, mail_, "news")}},
      {"the number of its subscribers", {Family::kTopics, TopicCountKey(kTeam, "news")}},
      {"topic channel of", {Family::kTopics, KeptTopicKey(kTeam, "channel")}},
      {"what it has of topics", {Family::kTopics, TeamTopicsKey(kTeam)}},
      {"a topic message can't be parsed", {Family::kTopics, TopicMessageKey(kTeam, Id(1))}},
      {"a fan-out can't be parsed", {Family::kTopics, FanOutKey(kTeam, Id(1))}},
      {"name Acom.example.mail", {Family::kNames, AppNameKey("com.example.mail")}},
  };
  for (const auto& [problem, key] : records) {
    const std::string before = **engine_.Get(key.first, key.second);
    Put(key.first, key.second, broken);
    ExpectProblem(problem);
    Put(key.first, key.second, before);
  }
  EXPECT_TRUE(Check().sound());
}

TEST_F(CheckTest, KeysThatNobodyMakes) {
  Put(Family::kDevices, "short", "");
  ExpectProblem("it is no device's");
  Put(Family::kTimeline, "short", "");
  ExpectProblem("timeline entry 73686f7274: it can't be parsed");
  Put(Family::kTeams, "\x09short", "");
  ExpectProblem("of the teams: it is no team's");
  Put(Family::kFeeds, "\x09short", "");
  ExpectProblem("of the feeds: it is no team's");
  Put(Family::kTopics, "\x09short", "");
  ExpectProblem("of the topics: it is no team's");
  Put(Family::kTopics, std::string("\0short", 6), "");
  ExpectProblem("of the topics: it is no fan-out's");
}

TEST_F(CheckTest, CountsOfTheDevice) {
  ChangeDevice([](Device& d) { d.set_mailbox_records(d.mailbox_records() - 1); });
  ExpectProblem("records in its mailbox");
  ChangeDevice([](Device& d) { d.set_now_or_never_records(0); });
  ExpectProblem("now-or-never numbers");
  ChangeDevice([](Device& d) { d.set_registrations(7); });
  ExpectProblem("counts 7 registrations and has 4");
  ChangeDevice([](Device& d) { d.set_live_registrations(7); });
  ExpectProblem("counts 7 living registrations and has 3");
}

TEST_F(CheckTest, NumbersOfTheMailbox) {
  ChangeDevice([this](Device& d) { d.set_settled_seq(waiting_seq_); });
  ExpectProblem("no page would hold it");
  ChangeDevice([](Device& d) { d.set_sent_up_to_seq(9000); });
  ExpectProblem("number 9000 was sent when only");
  ChangeDevice([](Device& d) { d.set_last_seq(10); });
  ExpectProblem("was never given; the last one is 10");
  ChangeDevice([](Device& d) { d.set_settled_seq(11); });
  ExpectProblem("settled number 11 when only 10 were given");
}

TEST_F(CheckTest, ADeviceWithoutRecord) {
  Delete(Family::kDevices, DeviceRecordKey(kDevice));
  ExpectProblem("has records but none of its own");
}

TEST_F(CheckTest, MailboxIdAndRoute) {
  ChangeDevice([](Device& d) { d.set_mailbox_id("short"); });
  ExpectProblem("has no mailbox id");
  ChangeDevice([](Device& d) { d.set_last_login_number(5); });
  ExpectProblem("its route is of login 1 and its last login was 5");
}

TEST_F(CheckTest, AMessageThatIsLost) {
  Delete(Family::kDevices, MailboxKey(kDevice, waiting_seq_));
  ExpectProblem(absl::StrCat("lists number ", waiting_seq_, ", which is not there"));
  ExpectProblem("does not hold it");
}

TEST_F(CheckTest, AMessageThatWasChanged) {
  Change<Envelope>(Family::kDevices, MailboxKey(kDevice, waiting_seq_),
                   [](Envelope& e) { e.set_payload("peyload"); });
  ExpectProblem("its content is not what was accepted");
}

TEST_F(CheckTest, AMessageUnderAnotherNumber) {
  Change<Envelope>(Family::kDevices, MailboxKey(kDevice, waiting_seq_),
                   [](Envelope& e) { e.set_seq(1); });
  ExpectProblem("the message there has the number 1");
  ExpectProblem("its life says that it is elsewhere");
}

TEST_F(CheckTest, AMessageThatNoRegistrationLists) {
  ChangeRegistration(mail_, [](Registration& r) { r.mutable_pending()->DeleteSubrange(0, 1); });
  ExpectProblem("registrations list it 0 times");
}

TEST_F(CheckTest, AMessageThatIsListedTwice) {
  ChangeRegistration(mail_, [](Registration& r) { *r.add_pending() = r.pending(0); });
  ExpectProblem("registrations list it 2 times");
}

TEST_F(CheckTest, WhatARegistrationSaysOfItsMessages) {
  ChangeRegistration(mail_, [](Registration& r) { r.mutable_pending(0)->set_expires_at_ms(1); });
  ExpectProblem("another expiry or collapse key than it has");
  ChangeRegistration(mail_, [](Registration& r) {
    r.mutable_pending(0)->set_collapse_key(r.pending(1).collapse_key());
  });
  ExpectProblem("two messages wait with the collapse key \"key\"");
  ChangeRegistration(full_, [](Registration& r) { *r.add_pending() = r.pending(0); });
  ExpectProblem("101 messages hold a place; at most 100 may");
}

TEST_F(CheckTest, Scheduled) {
  const std::string key = FirstKey(Family::kDevices, ScheduledFrom(kDevice, 0));
  const std::string value = **engine_.Get(Family::kDevices, key);
  Delete(Family::kDevices, key);
  ExpectProblem("lists scheduled message 05000000-0000-0000-0000-000000000000, which is not there");
  Envelope changed;
  ASSERT_TRUE(changed.ParseFromString(value));
  changed.set_deliver_at_ms(changed.deliver_at_ms() + 1);
  Put(Family::kDevices, key, changed.SerializeAsString());
  ExpectProblem("not the one that its key names");
  Put(Family::kDevices, key, value);
  ASSERT_TRUE(Check().sound());
  ChangeDevice([](Device& d) { d.clear_next_due_at_ms(); });
  ExpectProblem("due before it would look for one");
  Delete(Family::kTimeline, TimelineKey({.time_ms = TimeOfScheduledKey(key),
                                         .device = kDevice,
                                         .kind = TimelineEntry::Kind::kScheduled}));
  ExpectProblem("nothing in the timeline brings its first scheduled message");
  ChangeRegistration(mail_, [](Registration& r) { r.clear_pending(); });
  ExpectProblem("it is scheduled, and registrations list it 0 times");
}

TEST_F(CheckTest, NowOrNever) {
  Delete(Family::kDevices, NowOrNeverKey(kDevice, now_or_never_seq_));
  ExpectProblem("nothing will end it");
  ExpectProblem("nothing is due then for device d1");
}

TEST_F(CheckTest, ANowOrNeverNumberWithoutLife) {
  Delete(Family::kLives, LifeKey(kDevice, {Id(6), mail_}));
  ExpectProblem(absl::StrCat("now-or-never ", now_or_never_seq_, ": no life of"));
}

TEST_F(CheckTest, RecallNotices) {
  const std::string key = RecallKey(kDevice, {Id(7), mail_});
  Put(Family::kDevices, RecallKey(kDevice, {Id(3), mail_}), **engine_.Get(Family::kDevices, key));
  ExpectProblem("counts 1 recall notices and has 2");
  ExpectProblem("a recall notice that its life does not know");
  Put(Family::kDevices, key, "\xff");
  ExpectProblem("its recall notice can't be parsed");
  Delete(Family::kDevices, key);
  ExpectProblem("the notice for the agent is missing");
  ChangeLife(1, [](MessageLife& life) { life.set_recall_noticed(true); });
  ExpectProblem("still counts as being recalled");
}

TEST_F(CheckTest, ALostLife) {
  Delete(Family::kLives, LifeKey(kDevice, {Id(3), mail_}));
  ExpectProblem("its life is missing");
  Delete(Family::kLives, LifeKey(kDevice, {Id(1), mail_}));
  ExpectProblem("nothing is due then for device d1");
}

TEST_F(CheckTest, LivesOfNoDevice) {
  const DeviceId stranger(std::array<uint8_t, 16>{0xd2});
  const std::string life = **engine_.Get(Family::kLives, LifeKey(kDevice, {Id(1), mail_}));
  Put(Family::kLives, LifeKey(stranger, {Id(1), mail_}), life);
  ExpectProblem(absl::StrCat("device ", ToHex(stranger), ": has lives of messages but no record"));
  Put(Family::kLives, "short", life);
  ExpectProblem("of the lives: it is no device's");
  Put(Family::kLives, std::string(kDevice.bytes()) + "short", life);
  ExpectProblem("a message's life has a key of a wrong length");
}

TEST_F(CheckTest, ALifeTooMany) {
  Envelope mail;
  mail.set_stored_at_ms(WallNowMs(clock_));
  mail.set_expires_at_ms(1);
  Put(Family::kLives, LifeKey(kDevice, {Id(102), full_}), NewLife(mail).SerializeAsString());
  ExpectProblem("it has a life that its registration does not know of");
  Put(Family::kLives, LifeKey(kDevice, {Id(200), full_}), NewLife(mail).SerializeAsString());
  ExpectProblem("it is not among the scheduled");
}

TEST_F(CheckTest, WhatAMessageSaysWhileNothingHasHappenedToIt) {
  const std::string key = MailboxKey(kDevice, waiting_seq_);
  Change<Envelope>(Family::kDevices, key, [](Envelope& e) { e.clear_stored_at_ms(); });
  ExpectProblem("it does not say when it was stored");
  ChangeRegistration(mail_, [](Registration& r) {
    r.mutable_pending(0)->set_message_id_hash(r.pending(0).message_id_hash() + 1);
  });
  ExpectProblem(absl::StrCat("would not find number ", waiting_seq_, " by its id"));
}

TEST_F(CheckTest, WhatWaitsExpires) {
  int64_t before = 0;
  ChangeRegistration(full_, [&](Registration& r) {
    before = r.wake_at_ms();
    r.set_wake_at_ms(before + 60'000);
  });
  ExpectProblem("its entry in the timeline comes too late for what waits for it");
  ExpectProblem("its entry in the timeline is missing");
  ExpectProblem("nothing is due then for device d1");
  ChangeRegistration(full_, [](Registration& r) { r.clear_wake_at_ms(); });
  ExpectProblem("nothing will end what waits for it");
  ChangeRegistration(full_, [&](Registration& r) { r.set_wake_at_ms(before); });
  EXPECT_TRUE(Check().sound());
}

TEST_F(CheckTest, ReceiptsThatCantFollow) {
  const auto add = [](push::v1::Step step) {
    return [step](MessageLife& life) { life.add_receipts()->set_step(step); };
  };
  ChangeLife(1, add(push::v1::APP_ACKED));
  ExpectProblem("ACCEPTED STORED SENT AGENT_ACKED APP_ACKED APP_ACKED");
  ChangeLife(2, add(push::v1::SENT));
  ExpectProblem("ACCEPTED STORED SENT AGENT_ACKED SENT");
  ChangeLife(3, add(push::v1::APP_ACKED));
  ExpectProblem("can't follow on each other: ACCEPTED STORED SENT APP_ACKED");
  ChangeLife(4, add(push::v1::EXPIRED));
  ExpectProblem("its place MAILBOX does not fit to its last receipt EXPIRED");
  ChangeLife(6, [](MessageLife& life) { life.mutable_receipts()->DeleteSubrange(0, 1); });
  ExpectProblem("can't follow on each other: STORED");
  ChangeLife(6, [](MessageLife& life) { life.clear_receipts(); });
  ExpectProblem("its life has no receipts");
  ChangeLife(7, [](MessageLife& life) {
    while (life.receipts_size() <= static_cast<int>(kMaxReceiptsPerMessage)) {
      life.add_receipts()->set_step(push::v1::SENT);
    }
  });
  ExpectProblem("33 receipts; at most 32 are kept");
}

TEST_F(CheckTest, LivesAndTheTimeline) {
  MessageLife before;
  ChangeLife(2, [&](MessageLife& life) {
    before = life;
    life.set_wake_at_ms(life.wake_at_ms() + 60'000);
  });
  ExpectProblem("its entry in the timeline comes too late");
  ExpectProblem("its entry in the timeline is missing");
  ExpectProblem("nothing is due then for device d1");
  ChangeLife(2, [](MessageLife& life) { life.clear_wake_at_ms(); });
  ExpectProblem("nothing in the timeline will end or forget it");
}

TEST_F(CheckTest, TheRestOfALife) {
  ChangeLife(3, [](MessageLife& life) { life.set_seq(5000); });
  ExpectProblem("its number 5000 was never given");
  ChangeLife(2, [](MessageLife& life) { life.clear_content_hash(); });
  ExpectProblem("its life has no content hash");
  ChangeLife(4, [](MessageLife& life) { life.set_expires_at_ms(life.expires_at_ms() + 1); });
  ExpectProblem("its life says another expiry");
}

TEST_F(CheckTest, Registrations) {
  Delete(Family::kDevices, RegistrationKey(kDevice, mail_));
  ExpectProblem("app com.example.mail: registration");
  ExpectProblem("is missing");
  Delete(Family::kDevices, AppKey(kDevice, "com.example.full"));
  ExpectProblem("com.example.full does not lead to it");
  ChangeRegistration(full_, [](Registration& r) { r.set_overflow_policy(admin::v1::DROP_ALL); });
  ExpectProblem("its overflow policy is not that of its app");
  ChangeRegistration(full_, [](Registration& r) { r.set_gap_seq(0); });
  ExpectProblem("no registration knows of this gap notice");
  ChangeRegistration(full_, [](Registration& r) { r.set_gap_seq(1); });
  ExpectProblem("its gap notice 1 is not in the mailbox");
  Delete(Family::kTeams, TeamAppKey(kTeam, "com.example.full"));
  ExpectProblem("its app com.example.full of team teamaaaaaa is not known");
}

TEST_F(CheckTest, AnAppOfSeveralOwners) {
  const uint64_t owned = store_->RegisterApp(kDevice, "com.example.mail", "owner")->registration_id;
  ASSERT_NE(owned, mail_);
  EXPECT_TRUE(Check().sound());
  const std::string entry = AppKey(kDevice, "com.example.mail", "owner");
  Put(Family::kDevices, entry,
      **engine_.Get(Family::kDevices, AppKey(kDevice, "com.example.mail")));
  ExpectProblem("app com.example.mail\\000owner: registration");
}

TEST_F(CheckTest, DeadTokens) {
  ChangeRegistration(gone_, [](Registration& r) { r.set_forget_at_ms(r.forget_at_ms() + 1); });
  ExpectProblem("its token is dead and nothing in the timeline will forget it");
  ChangeRegistration(gone_, [](Registration& r) { r.add_pending()->set_seq(1); });
  ExpectProblem("its token is dead and messages wait for it");
  Put(Family::kDevices, AppKey(kDevice, "com.example.gone"),
      **engine_.Get(Family::kDevices, AppKey(kDevice, "com.example.mail")));
  ExpectProblem("is of another app, or dead");
}

TEST_F(CheckTest, Feeds) {
  ASSERT_EQ(Count(RecordKind::kFeedBlock), 2);
  const std::string block = FirstKey(Family::kFeeds);
  const std::string value = **engine_.Get(Family::kFeeds, block);
  Delete(Family::kFeeds, block);
  ExpectProblem("feed of team teamaaaaaa: it should hold positions 1 to");
  Put(Family::kFeeds, block, value);
  Change<FeedBlock>(Family::kFeeds, FirstKey(Family::kFeeds, block + '\0'), [](FeedBlock& b) {
    b.mutable_receipts()->RemoveLast();
    b.mutable_receipts(0)->set_device_id("short");
  });
  ExpectProblem("receipts are missing, or twice there");
  ExpectProblem("has a broken id");
  Change<Feed>(Family::kTeams, FeedKey(kTeam), [](Feed& f) { f.clear_wake_at_ms(); });
  ExpectProblem("nothing in the timeline will forget its receipts");
  ExpectProblem("nothing is due then for team teamaaaaaa");
}

TEST_F(CheckTest, TeamsAndNames) {
  Delete(Family::kNames, AppNameKey("com.example.mail"));
  ExpectProblem("nobody can find it");
  Delete(Family::kTeams, TeamRecordKey(kTeam));
  ExpectProblem("key keyaaaaaaa of team teamaaaaaa: the team's own record is missing");
  ExpectProblem("name Kkeyaaaaaaa: it belongs to team teamaaaaaa, which is not known");
  ExpectProblem("feed of team teamaaaaaa: the team is not known");
  ExpectProblem("a team that is not known");
}

TEST_F(CheckTest, NetworkSlots) {
  const NetworkId network = *NetworkId::FromBytes(std::string(NetworkId::kSize, 'n'));
  const std::string key = NetworkSlotKey(network);
  storage::v1::NetworkSlot slot;
  slot.add_networks()->set_network_id(std::string(network.bytes()));
  Put(Family::kNames, key, slot.SerializeAsString());
  EXPECT_TRUE(Check().sound());
  EXPECT_EQ(Count(RecordKind::kNetworkSlot), 2);
  Put(Family::kNames, key, "\xff");
  ExpectProblem("network slot 000e6e6e: its record can't be parsed");
  slot.mutable_networks(0)->set_network_id(std::string(NetworkId::kSize, 'm'));
  Put(Family::kNames, key, slot.SerializeAsString());
  ExpectProblem("network slot 000e6e6e: it holds a network that is another slot's");
}

TEST_F(CheckTest, ADeletedDeviceLeavesASoundStoreAfterEachStepAndNothingInTheEnd) {
  Append(page_, 8);
  int steps = 0;
  for (bool done = false; !done; ++steps) {
    ASSERT_LT(steps, 100);
    const auto step = store_->EndDevice(kDevice, {.forget = true});
    ASSERT_TRUE(step.ok()) << step.status();
    ASSERT_TRUE(store_->Commit().ok());
    const CheckReport report = Check();
    ASSERT_TRUE(report.sound()) << report.problems[0].where << ": " << report.problems[0].what
                                << " after step " << steps;
    EXPECT_EQ(Count(RecordKind::kDevice), step->done ? 0 : 1);
    done = step->done;
  }
  EXPECT_GT(steps, 2) << "it takes several";
  for (const RecordKind kind :
       {RecordKind::kInstalledApp, RecordKind::kSubscription, RecordKind::kRegistration,
        RecordKind::kMessage, RecordKind::kGapNotice, RecordKind::kScheduled,
        RecordKind::kNowOrNever, RecordKind::kRecallNotice, RecordKind::kLife,
        RecordKind::kTopicSubscription, RecordKind::kSubscriber, RecordKind::kOutbox}) {
    EXPECT_EQ(Count(kind), 0) << RecordKindName(kind);
  }
  // What is left in the timeline finds nothing, when its time has come.
  clock_.Advance(absl::Hours(24 * 40));
  for (bool more = true; more;) {
    const auto swept = store_->Sweep(1000);
    ASSERT_TRUE(swept.ok());
    more = swept->more;
    ASSERT_TRUE(store_->Commit().ok());
  }
  EXPECT_TRUE(Check().sound());
  EXPECT_EQ(Count(RecordKind::kTimeline), 0);
}

TEST_F(CheckTest, Enrolments) {
  const std::string key = EnrolmentKey("abcdefgh23");
  Change<admin::v1::Enrolment>(Family::kNames, key,
                               [](admin::v1::Enrolment& enrolment) { enrolment.set_used(3); });
  ExpectProblem("enrolment abcdefgh23: its record");
  Put(Family::kNames, EnrolmentKey("other"), engine_.Get(Family::kNames, key)->value_or(""));
  ExpectProblem("enrolment other: its record");
}

TEST_F(CheckTest, TheNumberOfDevices) {
  Change<storage::v1::DeviceCount>(
      Family::kNames, DeviceCountKey(),
      [](storage::v1::DeviceCount& count) { count.set_devices(count.devices() + 1); });
  ExpectProblem("the number of devices: the store counts ");
  Put(Family::kNames, DeviceCountKey(), "\xff");
  ExpectProblem("the number of devices: it can't be parsed");
}

TEST_F(CheckTest, TheListOfProblemsIsBounded) {
  for (size_t i = 0; i <= kMaxCheckProblems; ++i) {
    Put(Family::kTimeline, absl::StrCat("bad ", i), "");
  }
  const CheckReport report = Check();
  EXPECT_EQ(report.problem_count, kMaxCheckProblems + 1);
  EXPECT_EQ(report.problems.size(), kMaxCheckProblems);
}

TEST_F(CheckTest, WhatCantBeReadIsAProblem) {
  engine_.set_fault(MemoryEngine::Fault::kBeforeSync);
  EXPECT_FALSE(engine_.Commit({{{Family::kTeams, "x"}, "y"}}).ok());
  ExpectProblem("column family devices: it can't be read to its end");
}

}  // namespace
}  // namespace bellwire::registry
