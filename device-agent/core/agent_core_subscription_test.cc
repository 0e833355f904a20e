// Companions and their subscriptions, against the whole agent but for real sockets.

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "device-agent/apps/subscription.h"
#include "device-agent/testing/agent_core_fixture.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using device::v1::AppRegistered;
using Strings = std::vector<std::string>;

constexpr char kMail[] = "com.example.mail";

class AgentCoreSubscriptionTest : public AgentCoreFixture {
 protected:
  // A companion of this user that has subscribed to these.
  std::unique_ptr<FakeApp> Companion(const Strings& instances, bool acks = true,
                                     AppOwner who = kUser) {
    auto companion = App("", acks, std::move(who));
    companion->HelloAsCompanion();
    for (const std::string& instance : instances) companion->Subscribe(instance);
    Run(absl::Milliseconds(20));
    return companion;
  }
  // Of the n-th subscription that the server was asked for.
  std::string Asked(size_t n) { return server_.subscriptions.at(n).instance(); }
  uint64_t IdOfSubscription(size_t n) { return IdOf(FakeConnector::SubscriptionId(Asked(n))); }
  std::string Endpoint(const std::string& instance, size_t n) {
    return absl::StrCat(instance, "=", server_.EndpointOf(Asked(n)));
  }
  // "NAME: message FIRST" to "NAME: message LAST".
  static Strings MessagesOf(const std::string& name, uint64_t first, uint64_t last) {
    Strings result;
    for (const std::string& text : Messages(first, last)) {
      result.push_back(absl::StrCat(name, ": ", text));
    }
    return result;
  }
};

TEST_F(AgentCoreSubscriptionTest, MessagesReachTheirSubscriptionAndAreReported) {
  auto companion = Companion({"mail", "chat"});
  EXPECT_EQ(companion->endpoints, (Strings{Endpoint("mail", 0), Endpoint("chat", 1)}));
  EXPECT_EQ(companion->inbox_id, inbox_->inbox_id());
  server_.Push(1, IdOfSubscription(0));
  server_.Push(2, IdOfSubscription(1));
  server_.Push(3, IdOfSubscription(0));
  Run(kSoon);
  EXPECT_EQ(companion->got, (Strings{"mail: message 1", "chat: message 2", "mail: message 3"}));
  EXPECT_EQ(server_.app_acks, (Strings{"1:TAKEN", "2:TAKEN", "3:TAKEN"}));
  EXPECT_EQ(inbox_->waiting(), 0u);
  EXPECT_EQ(server_.connections, 1);
}

TEST_F(AgentCoreSubscriptionTest, WhatAPayloadIsIsDelivered) {
  auto companion = Companion({"page"});
  auto app = App(kMail);
  for (const uint64_t id : {IdOfSubscription(0), IdOf(kMail)}) {
    device::v1::Push push = TestPush(id, id, clock_);
    push.set_priority(device::v1::HIGH);
    push.mutable_content()->set_door(device::v1::Content::WEB_PUSH);
    push.mutable_content()->set_encoding("aesgcm");
    push.mutable_content()->set_encryption("salt=abc");
    push.mutable_content()->set_crypto_key("dh=def");
    server_.Push(push);
  }
  Run(kSoon);
  for (const FakeApp* receiver : {companion.get(), app.get()}) {
    ASSERT_EQ(receiver->deliveries.size(), 1u);
    const v1::Delivery& delivery = receiver->deliveries[0];
    EXPECT_EQ(delivery.priority(), v1::HIGH);
    EXPECT_EQ(delivery.content().door(), v1::Content::WEB_PUSH);
    EXPECT_EQ(delivery.content().encoding(), "aesgcm");
    EXPECT_EQ(delivery.content().encryption(), "salt=abc");
    EXPECT_EQ(delivery.content().crypto_key(), "dh=def");
  }
}

TEST_F(AgentCoreSubscriptionTest, AFullWindowHoldsUpItsSubscriptionAlone) {
  auto companion = Companion({"stuck", "works"}, /*acks=*/false);
  uint64_t seq = 0;
  for (size_t i = 0; i < kAppWindowMessages + 10; ++i) server_.Push(++seq, IdOfSubscription(0));
  Run(kSoon);
  EXPECT_EQ(companion->got, MessagesOf("stuck", 1, kAppWindowMessages));
  companion->got.clear();
  // The other one goes on, however much comes.
  for (size_t i = 0; i < 2 * kAppWindowMessages; ++i) {
    server_.Push(++seq, IdOfSubscription(1));
    Run(absl::Milliseconds(20));
    ASSERT_EQ(companion->got, Strings{absl::StrCat("works: message ", seq)});
    companion->got.clear();
    companion->Ack(companion->deliveries.back().delivery_id(), "works");
  }
  // An id counts for its subscription only.
  const uint64_t first = companion->deliveries[0].delivery_id();
  companion->Ack(first, "works");
  companion->Ack(first);
  Run(kSoon);
  EXPECT_EQ(companion->got, Strings{});
  companion->Ack(first, "stuck");
  Run(kSoon);
  EXPECT_EQ(companion->got, MessagesOf("stuck", kAppWindowMessages + 1, kAppWindowMessages + 1));
}

TEST_F(AgentCoreSubscriptionTest, MessagesWaitForTheirCompanionWithoutStartingAnything) {
  started_.emplace();
  KillAgent();
  StartAgent();
  RunUntilReady();
  Companion({"mail"})->Close();
  server_.Push(1, IdOfSubscription(0));
  Run(absl::Minutes(10));
  EXPECT_EQ(server_.unacked(), 0u) << "the agent has it";
  EXPECT_EQ(*started_, Strings{});
  auto companion = Companion({"mail"});
  EXPECT_EQ(companion->got, Strings{"mail: message 1"});
  EXPECT_FALSE(companion->deliveries[0].redelivered());
}

TEST_F(AgentCoreSubscriptionTest, OnlyWhatIsSubscribedOnThisConnectionIsDelivered) {
  Companion({"mail", "chat"})->Close();
  server_.Push(1, IdOfSubscription(0));
  server_.Push(2, IdOfSubscription(1));
  Run(kSoon);
  auto companion = Companion({"chat"});
  EXPECT_EQ(companion->got, Strings{"chat: message 2"});
  companion->Subscribe("mail");
  Run(kSoon);
  EXPECT_EQ(companion->got, (Strings{"chat: message 2", "mail: message 1"}));
}

TEST_F(AgentCoreSubscriptionTest, ASecondCompanionOfTheUserTakesOver) {
  auto first = Companion({"mail"}, /*acks=*/false);
  server_.Push(1, IdOfSubscription(0));
  Run(kSoon);
  auto other_user = Companion({}, true, kUser + 1);
  EXPECT_FALSE(first->closed());
  auto second = Companion({"mail"});
  EXPECT_EQ(first->errors, std::vector{v1::Error::SESSION_REPLACED});
  EXPECT_TRUE(first->closed());
  EXPECT_FALSE(other_user->closed());
  EXPECT_EQ(second->got, Strings{"mail: message 1"});
  EXPECT_TRUE(second->deliveries[0].redelivered());
}

TEST_F(AgentCoreSubscriptionTest, UsersDontSeeEachOthers) {
  auto mine = Companion({"mail"});
  auto theirs = Companion({"mail"}, true, kUser + 1);
  ASSERT_EQ(server_.subscriptions.size(), 2u);
  EXPECT_NE(Asked(0), Asked(1));
  EXPECT_NE(server_.subscriptions[0].owner(), server_.subscriptions[1].owner());
  EXPECT_EQ(Asked(0).size(), 32u);
  EXPECT_EQ(server_.subscriptions[0].owner().size(), 16u);
  server_.Push(1, IdOfSubscription(0));
  server_.Push(2, IdOfSubscription(1));
  Run(kSoon);
  EXPECT_EQ(mine->got, Strings{"mail: message 1"});
  EXPECT_EQ(theirs->got, Strings{"mail: message 2"});
  // Neither does one remove another's.
  theirs->Unsubscribe("mail");
  Run(kSoon);
  EXPECT_EQ(theirs->unsubscribed, Strings{"mail"});
  server_.Push(3, IdOfSubscription(0));
  Run(kSoon);
  EXPECT_EQ(mine->got, (Strings{"mail: message 1", "mail: message 3"}));
}

TEST_F(AgentCoreSubscriptionTest, ASandboxDoesNotSpeakForItsUser) {
  auto companion = Companion({"mail"}, true, AppOwner(kUser, "flatpak:org.example.Evil"));
  EXPECT_EQ(companion->errors, std::vector{v1::Error::PERMISSION_DENIED});
  EXPECT_TRUE(companion->closed());
  EXPECT_TRUE(server_.subscriptions.empty());
}

TEST_F(AgentCoreSubscriptionTest, StatusShowsThemToTheirUserAndToRoot) {
  Companion({"mail", "chat"})->Close();
  auto other = Companion({"mail"}, true, kUser + 1);
  server_.Push(1, IdOfSubscription(0));
  Run(kSoon);
  const auto status_for = [this](AppOwner who) {
    auto app = App("", true, std::move(who));
    app->AskForStatus();
    Run(absl::Milliseconds(20));
    return app->statuses.at(0);
  };
  EXPECT_EQ(status_for(0).subscriptions_size(), 3);
  EXPECT_EQ(status_for(kAgentUid).subscriptions_size(), 3);
  EXPECT_EQ(status_for(kUser + 7).subscriptions_size(), 0);
  EXPECT_EQ(status_for(AppOwner(kUser, "snap:evil")).subscriptions_size(), 0);
  const v1::Status status = status_for(kUser);
  ASSERT_EQ(status.subscriptions_size(), 2);
  EXPECT_EQ(status.apps_size(), 0);
  EXPECT_EQ(status.left_out(), 0u);
  EXPECT_EQ(status.subscriptions(1).uid(), kUser);
  EXPECT_EQ(status.subscriptions(1).instance(), "mail");
  EXPECT_EQ(status.subscriptions(1).owner(), "org.example.App");
  EXPECT_EQ(status.subscriptions(1).waiting_messages(), 1u);
  EXPECT_FALSE(status.subscriptions(1).connected());
  EXPECT_TRUE(status.subscriptions(1).registered());
  EXPECT_TRUE(status_for(kUser + 1).subscriptions(0).connected());
}

TEST_F(AgentCoreSubscriptionTest, StatusCountsWhatItHasNoRoomFor) {
  auto companion = Companion({});
  constexpr int kAll = 60;
  for (int i = 0; i < kAll; ++i) {
    companion->Subscribe(std::string(250, 'x') + std::to_string(i), std::string(250, 'o'));
  }
  Run(kSoon);
  companion->AskForStatus();
  Run(kSoon);
  ASSERT_EQ(companion->statuses.size(), 1u);
  EXPECT_GT(companion->statuses[0].subscriptions_size(), 20);
  EXPECT_EQ(companion->statuses[0].subscriptions_size() +
                static_cast<int>(companion->statuses[0].left_out()),
            kAll);
}

// --- Registrations. ---

TEST_F(AgentCoreSubscriptionTest, WithoutAServerTheEndpointOfASubscriptionIsThere) {
  Companion({"mail"})->Close();
  const Strings endpoint{Endpoint("mail", 0)};
  network_.StopListening(kServer);
  server_.Drop();
  KillAgent();
  StartAgent();
  auto companion = Companion({"mail", "chat"});
  EXPECT_EQ(companion->endpoints, endpoint);
  network_.Listen(kServer,
                  [this](std::unique_ptr<net::Stream> s) { server_.Accept(std::move(s)); });
  RunUntilReady();
  Run(kSoon);
  EXPECT_EQ(companion->endpoints, (Strings{endpoint[0], Endpoint("chat", 1)}));
}

TEST_F(AgentCoreSubscriptionTest, ANewServerGivesNewEndpointsByItself) {
  auto companion = Companion({"mail"});
  const std::string first = Endpoint("mail", 0);
  server_.Replace();
  RunUntilReady();
  EXPECT_EQ(companion->endpoints, (Strings{first, Endpoint("mail", 0)}));
  EXPECT_EQ(Asked(1), Asked(0)) << "the same name on every server";
  server_.Push(1, IdOfSubscription(0));
  Run(kSoon);
  EXPECT_EQ(companion->got, Strings{"mail: message 1"});
}

TEST_F(AgentCoreSubscriptionTest, ASubscriptionThatTheServerForgotGetsANewEndpointByItself) {
  server_.registrations_tag = 1;
  auto companion = Companion({"mail"});
  server_.ForgetRegistration(FakeConnector::SubscriptionId(Asked(0)));
  server_.registrations_tag = 2;
  server_.Drop();
  RunUntilReady();
  Run(kSoon);
  ASSERT_EQ(companion->endpoints.size(), 2u);
  EXPECT_EQ(companion->endpoints[1], Endpoint("mail", 0));
  EXPECT_NE(companion->endpoints[1], companion->endpoints[0]);
}

TEST_F(AgentCoreSubscriptionTest, AnUnsubscribeWithoutAServerIsToldAfterARestart) {
  auto companion = Companion({"mail"});
  server_.Push(1, IdOfSubscription(0));
  companion->Close();
  Run(kSoon);
  network_.StopListening(kServer);
  server_.Drop();
  Run(kSoon);
  companion = Companion({});
  companion->Unsubscribe("mail");
  companion->Unsubscribe("mail");
  Run(kSoon);
  EXPECT_EQ(companion->unsubscribed, (Strings{"mail", "mail"}));
  KillAgent();
  network_.Listen(kServer,
                  [this](std::unique_ptr<net::Stream> s) { server_.Accept(std::move(s)); });
  StartAgent();
  RunUntilReady();
  Run(kSoon);
  EXPECT_EQ(server_.app_requests.back(),
            absl::StrCat("remove ", FakeConnector::SubscriptionId(Asked(0))));
  EXPECT_EQ(server_.app_acks.size(), 1u);
}

TEST_F(AgentCoreSubscriptionTest, ANewLifeHasNothingOfTheFormerOne) {
  auto companion = Companion({"mail"}, /*acks=*/false);
  server_.Push(1, IdOfSubscription(0));
  Run(kSoon);
  companion->Unsubscribe("mail");
  companion->Subscribe("mail", "org.example.App", std::string(65, '\4'));
  Run(kSoon);
  EXPECT_EQ(companion->unsubscribed, Strings{"mail"});
  ASSERT_EQ(companion->endpoints.size(), 2u);
  EXPECT_EQ(server_.app_acks, Strings{"1:UNREGISTERED"});
  server_.Push(2, IdOfSubscription(1));
  Run(kSoon);
  EXPECT_EQ(companion->got, (Strings{"mail: message 1", "mail: message 2"}));
}

TEST_F(AgentCoreSubscriptionTest, TheServerHearsTheKeyAndWhetherThereAreReceipts) {
  auto companion = Companion({});
  const std::string key(65, '\4');
  companion->Subscribe("page", "firefox https://mail.example", key, /*receipts=*/false);
  companion->Subscribe("page", "firefox https://mail.example", key, /*receipts=*/true);
  Run(kSoon);
  ASSERT_EQ(server_.subscriptions.size(), 2u);
  EXPECT_EQ(server_.subscriptions[1].vapid_key(), key);
  EXPECT_FALSE(server_.subscriptions[0].receipts());
  EXPECT_TRUE(server_.subscriptions[1].receipts());
  EXPECT_TRUE(companion->errors.empty());
  companion->Subscribe("page", "firefox https://mail.example", std::string(65, '\5'));
  Run(kSoon);
  EXPECT_EQ(companion->errors, std::vector{v1::Error::BAD_SUBSCRIPTION});
  EXPECT_EQ(companion->error_instances, Strings{"page"});
}

TEST_F(AgentCoreSubscriptionTest, ARefusalNamesItsSubscription) {
  auto companion = Companion({"works"});
  for (const auto& [outcome, code] :
       {std::pair(AppRegistered::VAPID_REQUIRED, v1::Error::VAPID_REQUIRED),
        std::pair(AppRegistered::SUBSCRIPTIONS_OFF, v1::Error::SUBSCRIPTIONS_OFF),
        std::pair(AppRegistered::BAD_SUBSCRIPTION, v1::Error::BAD_SUBSCRIPTION),
        std::pair(AppRegistered::LIMIT_REACHED, v1::Error::LIMIT_REACHED)}) {
    server_.register_outcome = outcome;
    companion->Subscribe("refused");
    Run(kSoon);
    ASSERT_FALSE(companion->errors.empty());
    EXPECT_EQ(companion->errors.back(), code);
    EXPECT_EQ(companion->error_instances.back(), "refused");
  }
  EXPECT_FALSE(companion->closed());
  server_.Push(1, IdOfSubscription(0));
  Run(kSoon);
  EXPECT_EQ(companion->got, Strings{"works: message 1"});
}

TEST_F(AgentCoreSubscriptionTest, AServerThatTakesSubscriptionsAgainIsHeardOf) {
  auto companion = Companion({"mail"});
  server_.register_outcome = AppRegistered::SUBSCRIPTIONS_OFF;
  server_.Replace();
  RunUntilReady();
  EXPECT_EQ(companion->errors, std::vector{v1::Error::SUBSCRIPTIONS_OFF});
  server_.register_outcome = AppRegistered::OK;
  server_.Drop();
  RunUntilReady();
  ASSERT_EQ(companion->endpoints.size(), 2u);
  EXPECT_EQ(companion->endpoints[1], Endpoint("mail", 0));
}

TEST_F(AgentCoreSubscriptionTest, OneOwnersLoopLocksOutNobody) {
  auto companion = Companion({});
  for (size_t i = 0; i < kMaxSubscriptionsPerOwner + 5; ++i) {
    companion->Subscribe(absl::StrCat("loop ", i), "firefox https://loop.example");
  }
  Run(kSoon);
  EXPECT_EQ(companion->endpoints.size(), kMaxSubscriptionsPerOwner);
  EXPECT_EQ(companion->errors, std::vector(5, v1::Error::LIMIT_REACHED));
  companion->Subscribe("mail", "firefox https://mail.example");
  Run(kSoon);
  EXPECT_EQ(companion->endpoints.size(), kMaxSubscriptionsPerOwner + 1);
}

// --- Frames that make no sense. ---

TEST_F(AgentCoreSubscriptionTest, MalformedFrames) {
  const auto errors_after = [this](const std::function<void(FakeApp*)>& say) {
    auto companion = Companion({});
    say(companion.get());
    Run(absl::Milliseconds(20));
    EXPECT_EQ(companion->errors.size(), 1u);
    return std::pair(companion->errors.empty() ? v1::Error::CODE_UNSPECIFIED : companion->errors[0],
                     companion->closed());
  };
  const auto ends = std::pair(v1::Error::PROTOCOL_ERROR, true);
  EXPECT_EQ(errors_after([](FakeApp* c) { c->Subscribe(""); }), ends);
  EXPECT_EQ(errors_after([](FakeApp* c) { c->Subscribe(std::string(257, 'x')); }), ends);
  EXPECT_EQ(errors_after([](FakeApp* c) { c->Unsubscribe(""); }), ends);
  EXPECT_EQ(errors_after([](FakeApp* c) { c->Register(); }), ends);
  EXPECT_EQ(errors_after([](FakeApp* c) { c->Unregister(); }), ends);
  EXPECT_EQ(errors_after([](FakeApp* c) { c->HelloAsCompanion(); }), ends);
  EXPECT_EQ(errors_after([](FakeApp* c) { c->SendBytes("\x04\x0a\x02\xc3\x28"); }), ends);
  const auto stays = std::pair(v1::Error::BAD_SUBSCRIPTION, false);
  EXPECT_EQ(errors_after([](FakeApp* c) { c->Subscribe("a", ""); }), stays);
  EXPECT_EQ(errors_after([](FakeApp* c) { c->Subscribe("a", std::string(257, 'x')); }), stays);
  EXPECT_EQ(errors_after([](FakeApp* c) { c->Subscribe("a", "o", std::string(64, 'x')); }), stays);
  EXPECT_TRUE(server_.subscriptions.empty());

  auto app = App(kMail);
  app->Subscribe("mail");
  Run(kSoon);
  EXPECT_EQ(app->errors, std::vector{v1::Error::PROTOCOL_ERROR});
  EXPECT_TRUE(app->closed());
  auto both = App("");
  v1::AppFrame hello;
  hello.mutable_hello()->set_companion(true);
  hello.mutable_hello()->set_app_id(kMail);
  both->Send(hello);
  Run(kSoon);
  EXPECT_EQ(both->errors, std::vector{v1::Error::PROTOCOL_ERROR});
}

TEST_F(AgentCoreSubscriptionTest, APushThatSaysTooMuchOfItsPayloadEndsTheSession) {
  auto companion = Companion({"mail"});
  device::v1::Push push = TestPush(1, IdOfSubscription(0), clock_);
  push.mutable_content()->set_encryption(std::string(8000, 'x'));
  const int connections = server_.connections;
  server_.Push(push);
  ASSERT_TRUE(loop_.RunUntil([&] { return server_.connections > connections; }, absl::Minutes(5)));
  EXPECT_TRUE(companion->got.empty());
}

// --- The life of a message is an app's. ---

TEST_F(AgentCoreSubscriptionTest, CollapsesRecallsAndTellsGaps) {
  Companion({"mail"})->Close();
  const uint64_t id = IdOfSubscription(0);
  for (uint64_t seq = 1; seq <= 2; ++seq) {
    device::v1::Push push = TestPush(seq, id, clock_);
    push.set_collapse_key("topic");
    server_.Push(push);
  }
  server_.Push(3, id);
  Run(kSoon);
  device::v1::ConnectorFrame frame;
  frame.mutable_recall()->set_message_id(TestMessageId(3));
  frame.mutable_recall()->set_registration_id(id);
  frame.mutable_recall()->set_seq(3);
  server_.Send(frame);
  frame.mutable_gap()->set_registration_id(id);
  frame.mutable_gap()->set_dropped(5);
  frame.mutable_gap()->set_seq(4);
  server_.Send(frame);
  device::v1::Push brief = TestPush(5, id, clock_);
  brief.set_expires_at_ms(brief.accepted_at_ms() + 5'000);
  server_.Push(brief);
  Run(absl::Seconds(10));
  EXPECT_EQ(server_.app_acks, (Strings{"1:COLLAPSED", "3:RECALLED", "5:EXPIRED"}));
  auto companion = Companion({"mail"});
  EXPECT_EQ(companion->got, (Strings{"mail: message 2", "mail: gap 5"}));
  Run(kSoon);
  EXPECT_EQ(inbox_->waiting(), 0u);
}

TEST_F(AgentCoreSubscriptionTest, CompanionsComeBackForTheNewInboxId) {
  auto companion = Companion({"mail"});
  server_.Push(1, IdOfSubscription(0));
  Run(kSoon);
  server_.acked_up_to_seq = 9;
  server_.Drop();
  RunUntilReady();
  EXPECT_TRUE(companion->closed());
  auto again = Companion({"mail"});
  EXPECT_NE(again->inbox_id, companion->inbox_id);
  EXPECT_EQ(again->got, Strings{"mail: gap 1"});
}

TEST_F(AgentCoreSubscriptionTest, KilledAgainAndAgainItLosesNothing) {
  auto companion = Companion({"a", "b"});
  Strings got[2];
  Strings expected[2];
  const auto collect = [&got](const FakeApp& from) {
    for (const v1::Delivery& delivery : from.deliveries) {
      Strings& of_instance = got[delivery.instance() == "b" ? 1 : 0];
      // What was not acknowledged on the agent's disk comes again.
      if (absl::c_linear_search(of_instance, delivery.payload())) continue;
      of_instance.push_back(delivery.payload());
    }
  };
  uint64_t seq = 0;
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 4; ++i) {
      ++seq;
      server_.Push(seq, IdOfSubscription(seq % 2));
      expected[seq % 2].push_back(absl::StrCat("message ", seq));
    }
    Run(absl::Milliseconds(round % 7));
    KillAgent();
    Run(kSoon);
    collect(*companion);
    StartAgent();
    companion = Companion({"a", "b"});
    RunUntilReady();
  }
  Run(absl::Minutes(1));
  collect(*companion);
  EXPECT_EQ(got[0], expected[0]);
  EXPECT_EQ(got[1], expected[1]);
  EXPECT_EQ(server_.unacked(), 0u);
  EXPECT_EQ(inbox_->waiting(), 0u);
}

}  // namespace
}  // namespace bellwire::agent
