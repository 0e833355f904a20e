// What a Store promises of quotas. Part of StoreContractTest.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "registry/mailbox/waiting_bytes.h"
#include "registry/quotas/limits.h"
#include "registry/quotas/quota_book.h"
#include "registry/testing/quotas_contract.h"

namespace bellwire::registry {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);

TEST_P(QuotasContractTest, ATeamHasItsMessagesASecond) {
  const TokenRef token = Register(Device(1));
  SetQuota(QuotaSubject::TEAM, kTeam, [](Quota& q) { q.set_messages_per_second(20); });
  EXPECT_EQ(Taken(token, 1, 40), 20);
  const absl::Status refused = store().Append(token, Message(100), {}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(refused), "QUOTA_EXCEEDED");
  EXPECT_EQ(ErrorMetadata(refused, "quota"), "messages_per_second");
  EXPECT_EQ(ErrorMetadata(refused, "quota_of"), "team");
  EXPECT_EQ(RetryAfter(refused), kMinQuotaRetryAfter);
  // Whoever comes again then is taken, and the rate is exact over time.
  uint32_t id = 1000;
  int taken = 0;
  for (int i = 0; i < 200; ++i) {
    clock().Advance(kMinQuotaRetryAfter);
    taken += Taken(token, id, 5);
    id += 5;
  }
  EXPECT_EQ(taken, 400) << "20 s at 20 a second";
  // Another team doesn't notice.
  EXPECT_EQ(ReportOf(kOtherTeam, QuotaSubject::TEAM, kOtherTeam).usage().refused(), 0);
  EXPECT_GT(ReportOf(kTeam, QuotaSubject::TEAM, kTeam).usage().refused(), 500);
}

TEST_P(QuotasContractTest, WhatIsNotTakenDoesNotCount) {
  const TokenRef token = Register(Device(1));
  SetQuota(QuotaSubject::TEAM, kTeam, [](Quota& q) {
    q.set_messages_per_second(2);
    q.set_messages_per_day(2);
  });
  Append(token, Message(1));
  // A retry, a question, and a message id that is another message's.
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(store().Append(token, Message(1), {})->duplicate);
  EXPECT_TRUE(store().Append(token, Message(2), {.validate_only = true}).ok());
  Envelope other = Message(1);
  other.set_payload("something else");
  EXPECT_EQ(ErrorReason(store().Append(token, other, {}).status()), "MESSAGE_ID_REUSED");
  Append(token, Message(2));
  EXPECT_EQ(WhyNot(token, 3), "QUOTA_EXCEEDED");
  EXPECT_EQ(ErrorReason(store().Append(token, Message(3), {.validate_only = true}).status()),
            "QUOTA_EXCEEDED");
  EXPECT_TRUE(store().Append(token, Message(2), {})->duplicate) << "a retry is no new message";
  EXPECT_EQ(Today(), 2);
}

TEST_P(QuotasContractTest, ADayIsCountedThroughARestartAndEndsAtMidnight) {
  const TokenRef token = Register(Device(1));
  clock().Advance(absl::Hours(20));
  SetQuota(QuotaSubject::TEAM, kTeam, [](Quota& q) { q.set_messages_per_day(10); });
  EXPECT_EQ(Taken(token, 1, 7), 7);
  Commit();
  Restart();
  EXPECT_EQ(Today(), 7);
  EXPECT_EQ(Taken(token, 11, 7), 3);
  const absl::Status refused = store().Append(token, Message(100), {}).status();
  EXPECT_EQ(ErrorMetadata(refused, "quota"), "messages_per_day");
  EXPECT_EQ(RetryAfter(refused), absl::Hours(4));
  Commit();
  Restart();
  EXPECT_EQ(WhyNot(token, 101), "QUOTA_EXCEEDED");
  clock().Advance(absl::Hours(4));
  EXPECT_EQ(Today(), 0);
  EXPECT_EQ(Taken(token, 200, 20), 10);
}

TEST_P(QuotasContractTest, BytesThatWaitAreCountedUntilTheyDoNot) {
  const TokenRef token = Register(Device(1));
  const TokenRef other = Register(Device(2));
  EXPECT_EQ(Waiting(), 0);
  const int64_t one = WaitingBytes(Message(1));
  Bind(Device(1), 1);
  const uint64_t seq = Append(token, Message(1)).seq;
  Append(other, Message(1));
  Envelope news = Message(2, absl::Minutes(1));
  news.set_collapse_key("news");
  Append(other, news);
  EXPECT_EQ(Waiting(), 3 * one);
  // A newer one takes its place.
  news = Message(3, absl::Minutes(1));
  news.set_collapse_key("news");
  Append(other, news);
  EXPECT_EQ(Waiting(), 3 * one);
  // Its device has it.
  Ack(Device(1), {seq});
  EXPECT_EQ(Waiting(), 2 * one);
  Commit();
  Restart();
  EXPECT_EQ(Waiting(), 2 * one);
  // It expires.
  clock().Advance(absl::Minutes(2));
  Sweep();
  EXPECT_EQ(Waiting(), one);
  // Ttl zero waits for nobody; what is scheduled waits.
  Append(token, Message(4, absl::ZeroDuration()));
  EXPECT_EQ(Waiting(), one);
  Envelope later = Message(5);
  later.set_deliver_at_ms(NowMs() + 60'000);
  Append(token, later);
  EXPECT_EQ(Waiting(), 2 * one);
  // The app goes.
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
  ASSERT_TRUE(store().RemoveApp(Device(2), kApp, 0).ok());
  Commit();
  EXPECT_EQ(Waiting(), 0);
  Restart();
  EXPECT_EQ(Waiting(), 0);
}

TEST_P(QuotasContractTest, BytesThatWaitAreBounded) {
  const TokenRef token = Register(Device(1));
  const int64_t one = WaitingBytes(Message(1));
  SetQuota(QuotaSubject::TEAM, kTeam, [&](Quota& q) { q.set_bytes_waiting(3 * one); });
  EXPECT_EQ(Taken(token, 1, 5), 3);
  const absl::Status refused = store().Append(token, Message(9), {}).status();
  EXPECT_EQ(ErrorMetadata(refused, "quota"), "bytes_waiting");
  EXPECT_TRUE(RetryAfter(refused).has_value());
  // Ttl zero takes no room.
  EXPECT_TRUE(store().Append(token, Message(10, absl::ZeroDuration()), {}).ok());
  Bind(Device(1), 1);
  Ack(Device(1), {1});
  EXPECT_EQ(WhyNot(token, 11), "");
  EXPECT_EQ(WhyNot(token, 12), "QUOTA_EXCEEDED");
}

TEST_P(QuotasContractTest, AnAppAndATokenHaveQuotasOfTheirOwn) {
  const TokenRef mail = Register(Device(1), kApp);
  const TokenRef chat = Register(Device(1), kApp2);
  const TokenRef mail2 = Register(Device(2), kApp);
  SetQuota(QuotaSubject::APP, kApp, [](Quota& q) { q.set_messages_per_day(5); });
  SetQuota(QuotaSubject::TOKEN, kTeam, [](Quota& q) { q.set_messages_per_day(3); });
  EXPECT_EQ(Taken(mail, 1, 10), 3);
  EXPECT_EQ(ErrorMetadata(store().Append(mail, Message(50), {}).status(), "quota_of"), "token");
  EXPECT_EQ(Taken(mail2, 1, 10), 2);
  EXPECT_EQ(ErrorMetadata(store().Append(mail2, Message(50), {}).status(), "quota_of"), "app");
  EXPECT_EQ(Taken(chat, 1, 10), 3);
  // What is set for the tokens of an app counts instead of what is set for the team's.
  SetQuota(QuotaSubject::TOKEN, kApp2, [](Quota& q) { q.set_messages_per_day(4); });
  EXPECT_EQ(Taken(chat, 11, 10), 1);
  Commit();
  Restart();
  EXPECT_EQ(Taken(chat, 21, 10), 0);
  EXPECT_EQ(ReportOf(kTeam, QuotaSubject::APP, kApp).usage().messages_today(), 5);
  clock().Advance(kDay);
  SetQuota(QuotaSubject::TOKEN, kApp2, [](Quota& q) { q.set_messages_per_second(2); });
  EXPECT_EQ(Taken(chat, 31, 10), 2);
  SetQuota(QuotaSubject::TOKEN, kTeam, [](Quota& q) {
    q.set_messages_per_day(kNoLimit);
    q.set_bytes_waiting(1);
  });
  EXPECT_EQ(ErrorMetadata(store().Append(mail2, Message(60), {}).status(), "quota"),
            "bytes_waiting");
}

TEST_P(QuotasContractTest, SubscriptionsHaveTheirs) {
  Subscription page;
  page.set_instance("page");
  const TokenRef token = Subscribe(Device(1), page);
  const TokenRef other = Subscribe(Device(2), page);
  SetQuota(QuotaSubject::SUBSCRIPTION, "", [](Quota& q) {
    q.set_messages_per_second(3);
    q.set_messages_per_day(5);
  });
  EXPECT_EQ(Taken(token, 1, 10), 3);
  EXPECT_EQ(ErrorMetadata(store().Append(token, Message(50), {}).status(), "quota_of"),
            "subscription");
  EXPECT_EQ(Taken(other, 1, 10), 3);
  clock().Advance(absl::Seconds(1));
  EXPECT_EQ(Taken(token, 11, 10), 2);
  const int64_t one = WaitingBytes(Message(1));
  const auto all = [&] { return ReportOf("", QuotaSubject::ALL_SUBSCRIPTIONS, ""); };
  EXPECT_EQ(all().usage().bytes_waiting(), 8 * one);
  SetQuota(QuotaSubject::ALL_SUBSCRIPTIONS, "",
           [&](Quota& q) { q.set_bytes_waiting(9 * one); });
  EXPECT_EQ(Taken(other, 11, 10), 1);
  EXPECT_EQ(ErrorMetadata(store().Append(other, Message(50), {}).status(), "quota_of"),
            "subscriptions");
  Commit();
  Restart();
  EXPECT_EQ(all().usage().bytes_waiting(), 9 * one);
  EXPECT_EQ(all().usage().messages_today(), 9);
}

TEST_P(QuotasContractTest, AChangeHoldsAtOnceAndCanBeTakenBack) {
  const TokenRef token = Register(Device(1));
  QuotaReport report = SetQuota(QuotaSubject::TEAM, kTeam,
                                [](Quota& q) { q.set_messages_per_day(2); });
  EXPECT_EQ(report.holds().messages_per_day(), 2);
  EXPECT_EQ(report.holds().topics(), kDefaultTeamTopics);
  EXPECT_FALSE(report.set().has_topics());
  EXPECT_EQ(Taken(token, 1, 5), 2);
  SetQuota(QuotaSubject::TEAM, kTeam, [](Quota& q) { q.set_messages_per_day(4); });
  EXPECT_EQ(Taken(token, 11, 5), 2);
  // Of the server: it holds for teams that have none of their own.
  SetQuota(QuotaSubject::TEAM, "", [](Quota& q) { q.set_messages_per_day(9); });
  EXPECT_EQ(Taken(token, 21, 5), 0);
  SetQuotaRequest clear;
  clear.mutable_subject()->set_kind(QuotaSubject::TEAM);
  clear.mutable_subject()->set_id(kTeam);
  clear.add_clear("messages_per_day");
  ASSERT_TRUE(store().SetQuota(clear).ok());
  Commit();
  Restart();
  EXPECT_EQ(ReportOf(kTeam, QuotaSubject::TEAM, kTeam).holds().messages_per_day(), 9);
  EXPECT_EQ(Taken(token, 31, 10), 5);
}

TEST_P(QuotasContractTest, QuotasAreOfWhatThereIs) {
  const auto why_not = [&](QuotaSubject::Kind kind, const std::string& id) {
    SetQuotaRequest request;
    request.mutable_subject()->set_kind(kind);
    request.mutable_subject()->set_id(id);
    return ErrorReason(store().SetQuota(request).status());
  };
  EXPECT_EQ(why_not(QuotaSubject::TEAM, "nobody"), "TEAM_NOT_FOUND");
  EXPECT_EQ(why_not(QuotaSubject::TOKEN, "nobody"), "TEAM_NOT_FOUND");
  EXPECT_EQ(why_not(QuotaSubject::APP, "com.example.none"), "UNKNOWN_APP");
  EXPECT_EQ(why_not(QuotaSubject::TOKEN, "com.example.none"), "UNKNOWN_APP");
  EXPECT_EQ(why_not(QuotaSubject::TEAM, kApp), "BAD_QUOTA");
  EXPECT_EQ(why_not(QuotaSubject::APP, kTeam), "BAD_QUOTA");
  EXPECT_EQ(ErrorReason(store().GetQuota("nobody").status()), "TEAM_NOT_FOUND");
}

TEST_P(QuotasContractTest, AnAppThatIsMadeAgainHasNoQuotaOfTheOldOne) {
  SetQuota(QuotaSubject::APP, kApp, [](Quota& q) { q.set_messages_per_day(0); });
  SetQuota(QuotaSubject::TOKEN, kApp, [](Quota& q) { q.set_messages_per_day(0); });
  const TokenRef before = Register(Device(1));
  EXPECT_EQ(WhyNot(before, 1), "QUOTA_EXCEEDED");
  ASSERT_TRUE(store().DeleteApp(kApp).ok());
  Commit();
  clock().Advance(absl::Seconds(1));
  PutApp(kApp, admin::v1::DROP_OLDEST);
  EXPECT_EQ(WhyNot(Register(Device(2)), 1), "");
}

TEST_P(QuotasContractTest, TopicsOfATeamAreBounded) {
  const TokenRef token = Register(Device(1));
  const TokenRef other = Register(Device(2));
  SetQuota(QuotaSubject::TEAM, kTeam, [](Quota& q) { q.set_topics(2); });
  MustSubscribe(token, "a");
  MustSubscribe(token, "b");
  const absl::Status refused = Change(token, "c").status();
  EXPECT_EQ(ErrorReason(refused), "QUOTA_EXCEEDED");
  EXPECT_EQ(ErrorMetadata(refused, "quota"), "topics");
  // One more subscriber is no new topic.
  MustSubscribe(other, "a");
  EXPECT_EQ(TopicsOf(token), "a b");
  Commit();
  Restart();
  EXPECT_EQ(ErrorReason(Change(other, "c").status()), "QUOTA_EXCEEDED");
  EXPECT_EQ(ReportOf(kTeam, QuotaSubject::TEAM, kTeam).usage().topics(), 2);
  ASSERT_TRUE(Change(token, "b", false).ok());
  MustSubscribe(other, "c");
  EXPECT_EQ(ErrorReason(Change(other, "b").status()), "QUOTA_EXCEEDED");
}

TEST_P(QuotasContractTest, StreamsOfReceiptsAreCountedOverAllGateways) {
  SetQuota(QuotaSubject::TEAM, kTeam, [](Quota& q) { q.set_receipt_streams(2); });
  EXPECT_TRUE(store().NoteReceiptStream(kTeam, 1, false).ok());
  EXPECT_TRUE(store().NoteReceiptStream(kTeam, 2, false).ok());
  EXPECT_TRUE(store().NoteReceiptStream(kTeam, 1, false).ok());
  const absl::Status refused = store().NoteReceiptStream(kTeam, 3, false);
  EXPECT_EQ(ErrorReason(refused), "QUOTA_EXCEEDED");
  EXPECT_TRUE(RetryAfter(refused).has_value());
  EXPECT_TRUE(store().NoteReceiptStream(kOtherTeam, 3, false).ok());
  // One ends, and another one's gateway is gone.
  EXPECT_TRUE(store().NoteReceiptStream(kTeam, 1, true).ok());
  EXPECT_TRUE(store().NoteReceiptStream(kTeam, 3, false).ok());
  EXPECT_EQ(ErrorReason(store().NoteReceiptStream(kTeam, 4, false)), "QUOTA_EXCEEDED");
  clock().Advance(kReceiptStreamLease);
  EXPECT_TRUE(store().NoteReceiptStream(kTeam, 4, false).ok());
  EXPECT_EQ(ReportOf(kTeam, QuotaSubject::TEAM, kTeam).usage().receipt_streams(), 1);
}

// The copies of a topic message have the pace of its fan-out, and count towards the day.
TEST_P(QuotasContractTest, CopiesOfATopicMessageCountTowardsTheDayOnly) {
  const TokenRef token = Register(Device(1));
  SetQuota(QuotaSubject::TEAM, kTeam, [](Quota& q) {
    q.set_messages_per_second(1);
    q.set_messages_per_day(6);
  });
  MustSubscribe(token, "news");
  MustPublish(ToTopic(1));
  EXPECT_EQ(ErrorReason(store().Publish(ToTopic(2)).status()), "QUOTA_EXCEEDED");
  for (uint32_t id = 11; id <= 14; ++id) AppendOf(1, token, id);
  EXPECT_EQ(Today(), 5);
  EXPECT_EQ(WhyNot(token, 20), "QUOTA_EXCEEDED") << "the topic message was this second's";
  clock().Advance(absl::Seconds(1));
  EXPECT_EQ(WhyNot(token, 20), "");
  Envelope copy = Message(15);
  copy.set_topic_message_id(std::string(Id(1).bytes()));
  EXPECT_EQ(ErrorReason(store().Append(token, copy, {}).status()), "QUOTA_EXCEEDED");
  EXPECT_EQ(Today(), 6);
}

}  // namespace
}  // namespace bellwire::registry
