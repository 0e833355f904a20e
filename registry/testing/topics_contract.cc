// What a Store promises of topics: the part of StoreContractTest about them.

#include "registry/testing/topics_contract.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error.h"
#include "common/limits.h"
#include "registry/topics/fan_outs.h"
#include "registry/topics/topic_list.h"

namespace bellwire::registry {
namespace {

using internal::v1::AdvanceRequest;
using internal::v1::PublishTopicRequest;
using internal::v1::PutTopicRequest;

TEST_P(TopicsContractTest, ATokenIsSubscribedUntilItIsNot) {
  const TokenRef token = Register(Device(1));
  EXPECT_EQ(TopicsOf(token), "");
  const auto first = Change(token, "news");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->unchanged);
  EXPECT_EQ(first->created_at_ms, NowMs());
  const int64_t created_at_ms = NowMs();
  clock().Advance(absl::Minutes(1));
  const auto again = Change(token, "news");
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->unchanged);
  EXPECT_EQ(again->created_at_ms, created_at_ms);
  MustSubscribe(token, "a.b");
  EXPECT_EQ(TopicsOf(token), "a.b news");
  EXPECT_EQ(TeamTopics(), "a.b 1, news 1");
  Restart();
  EXPECT_EQ(TopicsOf(token), "a.b news");
  EXPECT_FALSE(Change(token, "news", false)->unchanged);
  EXPECT_TRUE(Change(token, "news", false)->unchanged);
  EXPECT_EQ(TopicsOf(token), "a.b");
  EXPECT_EQ(TeamTopics(), "a.b 1");
  EXPECT_TRUE(Subscribers({"news"}).empty());
}

TEST_P(TopicsContractTest, TheDeviceItselfMaySubscribeAndAnotherTeamMayNot) {
  TokenRef token = Register(Device(1));
  token.team_id.clear();
  MustSubscribe(token, "news");
  EXPECT_EQ(TopicsOf(token), "news");
  token.team_id = kOtherTeam;
  EXPECT_EQ(ErrorReason(Change(token, "other").status()), "TOKEN_NOT_FOR_TEAM");
  EXPECT_EQ(TopicsOf(token), "TOKEN_NOT_FOR_TEAM");
  token.registration_id ^= 1;
  EXPECT_EQ(ErrorReason(Change(token, "other").status()), "UNREGISTERED");
  token.team_id.clear();
  EXPECT_EQ(ErrorReason(Change(token, "other").status()), "UNREGISTERED");
  Subscription wanted;
  wanted.set_instance("i");
  TokenRef web = Subscribe(Device(1), wanted);
  EXPECT_EQ(ErrorReason(Change(web, "other").status()), "TOKEN_NOT_FOR_TEAM");
}

TEST_P(TopicsContractTest, SubscribersComeInPagesWithABitForEachTopic) {
  const TokenRef one = Register(Device(1));
  const TokenRef two = Register(Device(2));
  const TokenRef chat = Register(Device(2), kApp2);
  MustSubscribe(one, "news");
  MustSubscribe(two, "news");
  MustSubscribe(two, "sport");
  MustSubscribe(chat, "sport");
  const auto page = Subscribers({"news", "sport"});
  ASSERT_EQ(page.size(), 3u);
  EXPECT_EQ(page[0].entry, (SubscriberEntry{Device(1), one.registration_id}));
  EXPECT_EQ(page[0].topics, 1u);
  for (const size_t i : {1, 2}) {
    EXPECT_EQ(page[i].entry.device, Device(2));
    EXPECT_EQ(page[i].topics, page[i].entry.registration_id == chat.registration_id ? 2u : 3u);
  }
  const auto of_chat = store().PageSubscribers(kTeam, {"news", "sport"}, std::nullopt, 10, kApp2);
  ASSERT_TRUE(of_chat.ok());
  ASSERT_EQ(of_chat->subscribers.size(), 1u);
  EXPECT_EQ(of_chat->subscribers[0].entry.registration_id, chat.registration_id);
  const auto after = store().PageSubscribers(
      kTeam, {"news"}, SubscriberEntry{Device(1), one.registration_id}, 10, "");
  ASSERT_EQ(after->subscribers.size(), 1u);
  EXPECT_EQ(after->subscribers[0].entry.device, Device(2));
}

TEST_P(TopicsContractTest, ARegistrationHasItsBound) {
  const TokenRef token = Register(Device(1));
  for (size_t i = 0; i < kMaxTopicsPerRegistration; ++i) {
    ASSERT_TRUE(store()
                    .ChangeSubscription(token.device, token.registration_id, kTeam,
                                        absl::StrCat("t", i), true)
                    .ok());
  }
  Commit();
  EXPECT_EQ(ErrorReason(Change(token, "more").status()), "LIMIT_REACHED");
  EXPECT_TRUE(Change(token, "t7")->unchanged);
  EXPECT_FALSE(Change(token, "t7", false)->unchanged);
  MustSubscribe(token, "more");
  EXPECT_EQ(store().ListSubscriptions(token.device, token.registration_id, kTeam)->size(),
            kMaxTopicsPerRegistration);
}

TEST_P(TopicsContractTest, ARegistrationThatEndsLeavesItsTopics) {
  const TokenRef token = Register(Device(1));
  const TokenRef other = Register(Device(2));
  MustSubscribe(token, "news");
  MustSubscribe(token, "sport");
  MustSubscribe(other, "news");
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
  Commit();
  EXPECT_EQ(TeamTopics(), "news 1");
  ASSERT_EQ(Subscribers({"news", "sport"}).size(), 1u);
  EXPECT_EQ(TopicsOf(token), "UNREGISTERED");
  EXPECT_EQ(ErrorReason(Change(token, "news").status()), "UNREGISTERED");
  // A new life of the app begins without topics.
  EXPECT_EQ(TopicsOf(Register(Device(1))), "");
}

TEST_P(TopicsContractTest, ManyTopicsOfARegistrationGoInSteps) {
  const TokenRef token = Register(Device(1));
  for (size_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(store()
                    .ChangeSubscription(token.device, token.registration_id, kTeam,
                                        absl::StrCat("t", i), true)
                    .ok());
  }
  Commit();
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
  Commit();
  const auto left = store().ListTopics(kTeam, "", 1000, false);
  ASSERT_TRUE(left.ok());
  Commit();
  EXPECT_GE(left->topics_size(), 900) << "one transaction took it all";
  EXPECT_LT(left->topics_size(), 1000);
  Restart();
  Sweep();
  EXPECT_EQ(TeamTopics(), "");
}

TEST_P(TopicsContractTest, TopicsGoEvenIfTheirRegistrationIsForgottenFirst) {
  const TokenRef token = Register(Device(1));
  for (size_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(store()
                    .ChangeSubscription(token.device, token.registration_id, kTeam,
                                        absl::StrCat("t", i), true)
                    .ok());
  }
  Commit();
  // Dead ones are forgotten early where there are too many of them.
  for (size_t i = 0; i < kMaxDeadRegistrationsPerApp + 20; ++i) {
    ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
    ASSERT_TRUE(store().RegisterApp(Device(1), kApp).ok());
    clock().Advance(absl::Milliseconds(1));
  }
  Commit();
  Sweep();
  EXPECT_EQ(TeamTopics(), "");
}

TEST_P(TopicsContractTest, AFanOutTakesAwayTheTopicsOfADeletedApp) {
  const TokenRef token = Register(Device(1));
  MustSubscribe(token, "news");
  ASSERT_TRUE(store().DeleteApp(kApp).ok());
  Commit();
  EXPECT_EQ(ErrorReason(Change(token, "sport").status()), "UNREGISTERED");
  EXPECT_EQ(Subscribers({"news"}).size(), 1u) << "no device was touched";
  Envelope message = Message(2);
  EXPECT_EQ(ErrorReason(store().Append(token, message, {}).status()), "UNREGISTERED");
  Commit();
  EXPECT_EQ(Subscribers({"news"}).size(), 1u);
  message.set_topic_message_id(std::string(Id(1).bytes()));
  EXPECT_EQ(ErrorReason(store().Append(token, message, {}).status()), "UNREGISTERED");
  Commit();
  EXPECT_TRUE(Subscribers({"news"}).empty());
  EXPECT_EQ(TeamTopics(), "");
}

TEST_P(TopicsContractTest, CountsAreExactAfterACrashAtAnyMoment) {
  const TokenRef one = Register(Device(1));
  const TokenRef two = Register(Device(2));
  MustSubscribe(one, "news");
  Restart();  // It is in the outbox.
  MustSubscribe(two, "news");
  ASSERT_TRUE(store().RelayReceipts(100).ok());
  Restart();  // The relay's step was not committed.
  EXPECT_EQ(TeamTopics(), "news 2");
  Restart();
  EXPECT_EQ(TeamTopics(), "news 2");
  ASSERT_TRUE(
      store().ChangeSubscription(one.device, one.registration_id, kTeam, "news", false).ok());
  Restart();  // Not committed.
  EXPECT_EQ(TeamTopics(), "news 2");
  EXPECT_EQ(TopicsOf(one), "news");
}

TEST_P(TopicsContractTest, TopicsOfATeamAreListedInPages) {
  const TokenRef token = Register(Device(1));
  for (const char* topic : {"b", "d", "a", "c"}) MustSubscribe(token, topic);
  std::string after;
  std::string all;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = store().ListTopics(kTeam, after, 3, false);
    ASSERT_TRUE(page.ok());
    Commit();
    for (const auto& topic : page->topics()) after = topic.name(), all += after;
    if (!page->more()) break;
  }
  EXPECT_EQ(all, "abcd");
  EXPECT_EQ(store().ListTopics(kOtherTeam, "", 10, false)->topics_size(), 0);
}

TEST_P(TopicsContractTest, AKeptTopicExistsWithoutSubscribers) {
  PutTopicRequest request;
  request.mutable_topic()->set_team_id(kTeam);
  request.mutable_topic()->set_name("channel");
  EXPECT_EQ(ErrorReason(store().PutTopic(request).status()), "TOPIC_NOT_FOUND");
  request.mutable_topic()->set_app_id(kApp);
  request.mutable_topic()->set_note("storage-policy 1");
  request.set_change(PutTopicRequest::MAKE);
  const auto made = store().PutTopic(request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->created_at_ms(), NowMs());
  Commit();
  const TokenRef token = Register(Device(1));
  MustSubscribe(token, "channel");
  MustSubscribe(token, "news");
  clock().Advance(absl::Seconds(1));
  EXPECT_EQ(store().PutTopic(request)->created_at_ms(), made->created_at_ms()) << "a retry";
  Restart();
  request.set_change(PutTopicRequest::CHANGE_UNSPECIFIED);
  EXPECT_EQ(store().PutTopic(request)->note(), "storage-policy 1");
  EXPECT_EQ(TeamTopics(), "channel 1, news 1");
  EXPECT_EQ(TeamTopics(/*kept_only=*/true), "channel 1");
  ASSERT_TRUE(Change(token, "channel", false).ok());
  EXPECT_EQ(TeamTopics(), "channel 0, news 1");
  request.set_change(PutTopicRequest::REMOVE);
  EXPECT_EQ(store().PutTopic(request)->note(), "storage-policy 1");
  Commit();
  EXPECT_EQ(ErrorReason(store().PutTopic(request).status()), "TOPIC_NOT_FOUND");
  EXPECT_EQ(TeamTopics(), "news 1");
  request.mutable_topic()->set_team_id("teamcccccc");
  EXPECT_EQ(ErrorReason(store().PutTopic(request).status()), "TEAM_NOT_FOUND");
}

TEST_P(TopicsContractTest, KeptTopicsHaveTheirBoundAndGoWithTheirApp) {
  PutTopicRequest request;
  request.mutable_topic()->set_team_id(kTeam);
  request.set_change(PutTopicRequest::MAKE);
  for (size_t i = 0; i < kMaxKeptTopicsPerTeam; ++i) {
    request.mutable_topic()->set_name(absl::StrCat("c", i));
    request.mutable_topic()->set_app_id(i % 2 == 0 ? kApp : kApp2);
    ASSERT_TRUE(store().PutTopic(request).ok());
  }
  Commit();
  request.mutable_topic()->set_name("more");
  EXPECT_EQ(ErrorReason(store().PutTopic(request).status()), "LIMIT_REACHED");
  ASSERT_TRUE(store().DeleteApp(kApp).ok());
  Commit();
  ASSERT_TRUE(store().PutTopic(request).ok());
  Commit();
  EXPECT_EQ(store().ListTopics(kTeam, "c", 1, true)->topics(0).name(), "c1");
  ASSERT_TRUE(store().DeleteTeam(kTeam).ok());
  Commit();
  EXPECT_EQ(store().ListTopics(kTeam, "", 10, true)->topics_size(), 0);
}

TEST_P(TopicsContractTest, AFanOutGoesFromWaitingToDone) {
  MustSubscribe(Register(Device(1)), "news");
  MustSubscribe(Register(Device(2)), "news");
  EXPECT_FALSE(Claim().has_value());
  MustPublish(ToTopic(1));
  EXPECT_EQ(State(1), "WAITING 0+0");
  EXPECT_EQ(store().GetTopicMessage(kTeam, Id(1))->subscribers(), 2);
  EXPECT_EQ(State(2), "MESSAGE_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store().GetTopicMessage(kOtherTeam, Id(1)).status()), "MESSAGE_NOT_FOUND");
  const auto claim = Claim();
  ASSERT_TRUE(claim.has_value());
  EXPECT_EQ(claim->message().SerializeAsString(), ToTopic(1).SerializeAsString());
  EXPECT_FALSE(claim->has_after());
  EXPECT_FALSE(claim->recall());
  EXPECT_FALSE(claim->repeats());
  EXPECT_EQ(State(1), "RUNNING 0+0");
  EXPECT_FALSE(Claim(kOtherGateway).has_value());
  AdvanceRequest advance = Advance(1, 1, 1);
  advance.set_passed_over(3);
  EXPECT_EQ(Send(advance), "ok");
  EXPECT_EQ(State(1), "RUNNING 1+3");
  EXPECT_EQ(Send(advance), "ok") << "an Advance may be repeated";
  EXPECT_EQ(State(1), "RUNNING 1+3");
  AdvanceRequest last = Advance(1, 2, 1);
  last.set_done(true);
  EXPECT_EQ(Send(last), "ok");
  EXPECT_EQ(State(1), "DONE 2+3");
  EXPECT_TRUE(store().GetTopicMessage(kTeam, Id(1))->has_end_time());
  EXPECT_EQ(Send(last), "CLAIM_LOST") << "it has ended";
  EXPECT_FALSE(Claim().has_value());
}

TEST_P(TopicsContractTest, AClaimEndsWithItsLeaseAndItsSuccessorGoesOnFromTheCursor) {
  MustPublish(ToTopic(1));
  ASSERT_TRUE(Claim().has_value());
  EXPECT_EQ(Send(Advance(1, 1, 10)), "ok");
  clock().Advance(kLease - absl::Seconds(1));
  EXPECT_FALSE(Claim(kOtherGateway).has_value());
  EXPECT_EQ(Send(Advance(1, 2, 10)), "ok") << "which prolongs it";
  clock().Advance(kLease - absl::Seconds(1));
  EXPECT_FALSE(Claim(kOtherGateway).has_value());
  clock().Advance(absl::Seconds(1));
  EXPECT_EQ(State(1), "WAITING 20+0");
  const auto claim = Claim(kOtherGateway);
  ASSERT_TRUE(claim.has_value());
  EXPECT_EQ(claim->after().SerializeAsString(), At(2).SerializeAsString());
  EXPECT_TRUE(claim->repeats()) << "a page may have been sent and not noted";
  EXPECT_EQ(Send(Advance(1, 3, 10)), "CLAIM_LOST");
  EXPECT_EQ(State(1), "RUNNING 20+0");
}

TEST_P(TopicsContractTest, AClaimThatRanOutAndNobodyTookIsStillGood) {
  MustPublish(ToTopic(1));
  ASSERT_TRUE(Claim().has_value());
  clock().Advance(kLease + absl::Seconds(1));
  EXPECT_EQ(Send(Advance(1, 1, 10)), "ok");
  EXPECT_FALSE(Claim(kOtherGateway).has_value());
}

TEST_P(TopicsContractTest, AClaimIsGivenBackWithoutRepetition) {
  MustPublish(ToTopic(1));
  ASSERT_TRUE(Claim().has_value());
  AdvanceRequest back = Advance(1, 1, 10);
  back.set_release(true);
  EXPECT_EQ(Send(back), "ok");
  EXPECT_EQ(Send(Advance(1, 2, 10)), "CLAIM_LOST");
  const auto claim = Claim(kOtherGateway);
  ASSERT_TRUE(claim.has_value());
  EXPECT_FALSE(claim->repeats());
  EXPECT_EQ(claim->after().SerializeAsString(), At(1).SerializeAsString());
}

TEST_P(TopicsContractTest, ARestartKeepsClaimsForOneMoreLease) {
  MustPublish(ToTopic(1));
  ASSERT_TRUE(Claim().has_value());
  EXPECT_EQ(Send(Advance(1, 1, 10)), "ok");
  clock().Advance(kLease - absl::Seconds(1));
  Restart();
  EXPECT_FALSE(Claim(kOtherGateway).has_value());
  EXPECT_EQ(Send(Advance(1, 2, 10)), "ok");
  EXPECT_EQ(State(1), "RUNNING 20+0");
  Restart();
  EXPECT_EQ(State(1), "RUNNING 20+0");
  clock().Advance(kLease);
  const auto claim = Claim(kOtherGateway);
  ASSERT_TRUE(claim.has_value());
  EXPECT_TRUE(claim->repeats());
  EXPECT_EQ(claim->after().SerializeAsString(), At(2).SerializeAsString());
}

TEST_P(TopicsContractTest, AnAdvanceThatWasNotCommittedIsNotThere) {
  MustPublish(ToTopic(1));
  ASSERT_TRUE(Claim().has_value());
  EXPECT_EQ(Send(Advance(1, 1, 10)), "ok");
  ASSERT_TRUE(store().Advance(Advance(1, 2, 10)).ok());
  Restart();
  EXPECT_EQ(State(1), "RUNNING 10+0");
  EXPECT_EQ(Send(Advance(1, 2, 10)), "ok");
  EXPECT_EQ(State(1), "RUNNING 20+0");
}

TEST_P(TopicsContractTest, TheSameTopicMessageAgainIsADuplicateAndAnotherIsRefused) {
  MustPublish(ToTopic(1));
  EXPECT_TRUE(*store().Publish(ToTopic(1)));
  PublishTopicRequest other = ToTopic(1);
  other.mutable_message()->set_payload("another");
  EXPECT_EQ(ErrorReason(store().Publish(other).status()), "MESSAGE_ID_REUSED");
  other = ToTopic(1);
  other.set_topic("sport");
  other.set_topics(0, "sport");
  EXPECT_EQ(ErrorReason(store().Publish(other).status()), "MESSAGE_ID_REUSED");
  other = ToTopic(1);
  other.set_app_id(kApp);
  EXPECT_EQ(ErrorReason(store().Publish(other).status()), "MESSAGE_ID_REUSED");
  // Of another team it is another message.
  MustPublish(ToTopic(1, kOtherTeam));
  ASSERT_TRUE(Claim().has_value());
  EXPECT_EQ(Send(Done(1)), "ok");
  clock().Advance(kIdempotencyWindow - absl::Seconds(1));
  PublishTopicRequest late = ToTopic(1);
  EXPECT_TRUE(*store().Publish(late)) << "a retry has its own times, with the same ttl";
  Restart();
  EXPECT_TRUE(*store().Publish(late));
  EXPECT_EQ(ErrorReason(store().Publish(ToTopic(9, "teamcccccc")).status()), "TEAM_NOT_FOUND");
}

TEST_P(TopicsContractTest, ATeamHasSoManyFanOutsAtATime) {
  for (uint32_t i = 0; i < kMaxOpenFanOutsPerTeam; ++i) MustPublish(ToTopic(i));
  EXPECT_EQ(ErrorReason(store().Publish(ToTopic(1000)).status()), "LIMIT_REACHED");
  MustPublish(ToTopic(1000, kOtherTeam));
  Restart();
  EXPECT_EQ(ErrorReason(store().Publish(ToTopic(1000)).status()), "LIMIT_REACHED");
  const auto claim = Claim();
  ASSERT_TRUE(claim.has_value());
  AdvanceRequest done = Done(0);
  done.set_team_id(claim->message().team_id());
  done.set_message_id(claim->message().message_id());
  EXPECT_EQ(Send(done), "ok");
  const auto freed = store().Publish(ToTopic(2000, claim->message().team_id()));
  EXPECT_TRUE(freed.ok()) << freed.status();
}

TEST_P(TopicsContractTest, TeamsTakeTurns) {
  for (uint32_t i = 1; i <= 5; ++i) MustPublish(ToTopic(i));
  clock().Advance(absl::Seconds(1));
  MustPublish(ToTopic(7, kOtherTeam));
  EXPECT_EQ(Claim()->message().team_id(), kTeam);
  EXPECT_EQ(Claim()->message().team_id(), kOtherTeam);
  EXPECT_EQ(Claim()->message().message_id(), Id(2).bytes());
}

TEST_P(TopicsContractTest, ARecallBeforeAnythingWasSentIsDoneAtOnce) {
  MustPublish(ToTopic(1));
  const auto recalled = store().RecallTopicMessage(kTeam, Id(1));
  ASSERT_TRUE(recalled.ok()) << recalled.status();
  EXPECT_EQ(recalled->state(), push::v1::TopicMessage::RECALLED);
  Commit();
  EXPECT_EQ(State(1), "RECALLED 0+0");
  EXPECT_FALSE(Claim().has_value());
  EXPECT_EQ(ErrorReason(store().RecallTopicMessage(kTeam, Id(2)).status()), "MESSAGE_NOT_FOUND");
}

TEST_P(TopicsContractTest, ARecallWhileAGatewaySendsGoesToWhereItCame) {
  MustPublish(ToTopic(1));
  ASSERT_TRUE(Claim().has_value());
  EXPECT_EQ(Send(Advance(1, 3, 30)), "ok");
  ASSERT_TRUE(store().RecallTopicMessage(kTeam, Id(1)).ok());
  Commit();
  EXPECT_EQ(State(1), "RECALLING 30+0");
  EXPECT_FALSE(Claim(kOtherGateway).has_value()) << "somebody sends";
  EXPECT_EQ(Send(Advance(1, 4, 20)), "recall");
  EXPECT_EQ(State(1), "RECALLING 50+0");
  EXPECT_FALSE(Claim(kOtherGateway).has_value()) << "it has messages under way";
  AdvanceRequest back = Advance(1, 5, 5);
  back.set_release(true);
  EXPECT_EQ(Send(back), "recall");
  EXPECT_EQ(Send(Advance(1, 6, 20)), "CLAIM_LOST");
  const auto claim = Claim(kOtherGateway);
  ASSERT_TRUE(claim.has_value());
  EXPECT_TRUE(claim->recall());
  EXPECT_FALSE(claim->has_after());
  EXPECT_EQ(claim->up_to().SerializeAsString(), At(5).SerializeAsString());
  AdvanceRequest half = Advance(1, 2, 7);
  half.set_gateway(kOtherGateway);
  EXPECT_EQ(Send(half), "ok");
  Restart();
  EXPECT_EQ(State(1), "RECALLING 55+0");
  clock().Advance(kLease);
  const auto next = Claim();
  ASSERT_TRUE(next.has_value());
  EXPECT_TRUE(next->recall());
  EXPECT_EQ(next->after().SerializeAsString(), At(2).SerializeAsString());
  EXPECT_EQ(Send(Done(1)), "ok");
  EXPECT_EQ(State(1), "RECALLED 55+0");
}

TEST_P(TopicsContractTest, ARecallAfterItsGatewayDiedGoesToTheEnd) {
  MustPublish(ToTopic(1));
  ASSERT_TRUE(Claim().has_value());
  EXPECT_EQ(Send(Advance(1, 3, 30)), "ok");
  ASSERT_TRUE(store().RecallTopicMessage(kTeam, Id(1)).ok());
  Commit();
  clock().Advance(kLease);
  const auto claim = Claim(kOtherGateway);
  ASSERT_TRUE(claim.has_value());
  EXPECT_TRUE(claim->recall());
  EXPECT_EQ(claim->up_to().device_id(), std::string(16, '\xff')) << "how far it came nobody knows";
  // The first one comes back, late.
  EXPECT_EQ(Send(Advance(1, 4, 10)), "CLAIM_LOST");
}

TEST_P(TopicsContractTest, AFanOutThatIsDoneCanBeRecalled) {
  MustPublish(ToTopic(1));
  ASSERT_TRUE(Claim().has_value());
  EXPECT_EQ(Send(Advance(1, 3, 30)), "ok");
  EXPECT_EQ(Send(Done(1)), "ok");
  ASSERT_TRUE(store().RecallTopicMessage(kTeam, Id(1)).ok());
  Commit();
  Restart();
  EXPECT_EQ(State(1), "RECALLING 30+0");
  const auto claim = Claim();
  ASSERT_TRUE(claim.has_value());
  EXPECT_TRUE(claim->recall());
  EXPECT_EQ(Send(Done(1)), "ok");
  EXPECT_EQ(State(1), "RECALLED 30+0");
  EXPECT_EQ(store().RecallTopicMessage(kTeam, Id(1))->state(), push::v1::TopicMessage::RECALLED);
}

TEST_P(TopicsContractTest, ATopicMessageIsForgottenAfterSevenDays) {
  MustPublish(ToTopic(1));
  ASSERT_TRUE(Claim().has_value());
  EXPECT_EQ(Send(Done(1)), "ok");
  clock().Advance(kReceiptRetention - absl::Seconds(1));
  Sweep();
  EXPECT_EQ(State(1), "DONE 0+0");
  clock().Advance(absl::Seconds(1));
  Sweep();
  EXPECT_EQ(State(1), "MESSAGE_NOT_FOUND");
}

TEST_P(TopicsContractTest, AFanOutThatCanStillReachSomebodyIsNotForgotten) {
  PublishTopicRequest request = ToTopic(1);
  request.mutable_message()->set_expires_at_ms(NowMs() +
                                               absl::ToInt64Milliseconds(absl::Hours(8 * 24)));
  MustPublish(request);
  MustPublish(ToTopic(2));
  clock().Advance(kReceiptRetention);
  Sweep();
  EXPECT_EQ(State(1), "WAITING 0+0");
  EXPECT_EQ(State(2), "MESSAGE_NOT_FOUND") << "nobody sent it, and nobody would get it any more";
  clock().Advance(absl::Hours(24));
  Sweep();
  EXPECT_EQ(State(1), "MESSAGE_NOT_FOUND");
  EXPECT_FALSE(Claim().has_value());
}

TEST_P(TopicsContractTest, FanOutsEndWithTheirTeam) {
  MustPublish(ToTopic(1));
  MustPublish(ToTopic(2, kOtherTeam));
  ASSERT_TRUE(Claim().has_value());
  ASSERT_TRUE(store().DeleteTeam(kTeam).ok());
  Commit();
  EXPECT_EQ(Send(Advance(1, 1, 1)), "CLAIM_LOST");
  EXPECT_EQ(Claim()->message().team_id(), kOtherTeam);
  Restart();
  EXPECT_FALSE(Claim().has_value());
  clock().Advance(kLease);
  EXPECT_EQ(Claim()->message().team_id(), kOtherTeam);
  EXPECT_FALSE(Claim().has_value());
}

TEST_P(TopicsContractTest, ATopicMessageCountsEachStepOfEachMessageOnce) {
  MustPublish(ToTopic(1));
  const TokenRef one = Register(Device(1));
  const TokenRef two = Register(Device(2));
  const uint64_t seq = AppendOf(1, one, 100).seq;
  AppendOf(1, two, 100);
  Append(one, Message(101));  // Of nobody's topic.
  EXPECT_EQ(TopicSteps(1), "ACCEPTED 2, STORED 2");
  // It is sent three times before the device has it.
  for (int i = 0; i < 3; ++i) {
    clock().Advance(absl::Seconds(1));
    ASSERT_TRUE(store().ReportSent(Device(1), {{seq, clock().WallNow()}}).ok());
    Commit();
  }
  EXPECT_EQ(TopicSteps(1), "ACCEPTED 2, STORED 2, SENT 1");
  Ack(Device(1), {seq});
  AppAck(one, 100);
  EXPECT_EQ(TopicSteps(1), "ACCEPTED 2, STORED 2, SENT 1, AGENT_ACKED 1, APP_ACKED 1");
  ASSERT_TRUE(store().RemoveApp(Device(2), kApp, 0).ok());
  Commit();
  EXPECT_EQ(TopicSteps(1),
            "ACCEPTED 2, STORED 2, SENT 1, AGENT_ACKED 1, APP_ACKED 1, UNREGISTERED 1");
  AppendOf(77, one, 102);
  EXPECT_EQ(TopicSteps(77), "MESSAGE_NOT_FOUND") << "what is forgotten counts nothing";
}

TEST_P(TopicsContractTest, StepsAreCountedOnceWhateverCrashes) {
  MustPublish(ToTopic(1));
  const TokenRef one = Register(Device(1));
  const uint64_t seq = AppendOf(1, one, 100).seq;
  Restart();  // In the outbox.
  ASSERT_TRUE(store().RelayReceipts(100).ok());
  Restart();  // Counted, and not committed.
  ASSERT_TRUE(store().RelayReceipts(100).ok());
  Commit();
  Restart();
  EXPECT_EQ(TopicSteps(1), "ACCEPTED 1, STORED 1");
  ASSERT_TRUE(store().Acknowledge(Device(1), RouteOf(1), {{seq, clock().WallNow()}}).code() !=
              absl::StatusCode::kUnavailable);
  Restart();  // Not committed: the device says it again.
  Ack(Device(1), {seq});
  ASSERT_TRUE(store().RelayReceipts(100).ok());
  Restart();
  EXPECT_EQ(TopicSteps(1), "ACCEPTED 1, STORED 1, SENT 1, AGENT_ACKED 1");
}

}  // namespace
}  // namespace bellwire::registry
