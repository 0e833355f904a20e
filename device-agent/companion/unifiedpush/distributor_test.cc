#include "device-agent/companion/unifiedpush/distributor.h"

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "device-agent/companion/testing/fake_hub.h"
#include "device-agent/companion/unifiedpush/testing/fake_connectors.h"
#include "gtest/gtest.h"

namespace bellwire::companion {
namespace {

using Method = ConnectorCall::Method;

constexpr char kService[] = "org.example.App";
constexpr char kApp[] = ":1.7";
constexpr char kToken[] = "token";

class DistributorTest : public ::testing::Test {
 protected:
  DistributorTest() {
    connectors_.owners[kService] = kApp;
    StartDistributor();
  }

  void StartDistributor() {
    distributor_.reset();
    connectors_.calls.clear();
    connectors_.watched.clear();
    distributor_ = std::make_unique<Distributor>(&hub_, &connectors_, &clock_, random_);
    distributor_->Start();
    Settle();
  }
  void Settle() {
    for (int i = 0; i < 4; ++i) {
      connectors_.RunSearches();
      hub_.Run();
    }
  }
  void Advance(absl::Duration time) {
    clock_.Advance(time);
    distributor_->RunDue();
    Settle();
  }

  static RegisterRequest Request(const std::string& token = kToken,
                                 Generation generation = Generation::k2) {
    RegisterRequest request;
    request.generation = generation;
    request.service = kService;
    request.token = token;
    return request;
  }
  // The reason, "OK", or "none" as long as there is no answer.
  std::string Register(const RegisterRequest& request, const std::string& sender = kApp) {
    const auto answer = std::make_shared<std::string>("none");
    distributor_->Register(request, sender, [answer](const RegisterAnswer& said) {
      EXPECT_EQ(*answer, "none") << "answered twice";
      *answer = said.reason.empty() ? "OK" : said.reason;
    });
    Settle();
    last_answer_ = answer;
    return *answer;
  }
  // Registers, and the app takes its endpoint.
  std::string RegisterFully(const RegisterRequest& request) {
    EXPECT_EQ(Register(request), "OK");
    EXPECT_EQ(EndCall(CallOutcome::kAnswered), Method::kNewEndpoint);
    return InstanceOf(request.token);
  }
  std::string InstanceOf(const std::string& token) {
    for (const Subscription& subscription : hub_.List("")) {
      if (DecodeNote(subscription.note)->token == token) return subscription.instance;
    }
    return "";
  }
  absl::Status Unregister(const std::string& token, const std::string& sender = kApp,
                          Generation generation = Generation::k2) {
    absl::Status status = absl::UnknownError("no answer");
    distributor_->Unregister(generation, token, sender,
                             [&status](const absl::Status& said) { status = said; });
    Settle();
    return status;
  }
  void Deliver(const std::string& instance, const std::string& payload) {
    Message message;
    message.instance = instance;
    message.message_id = "id of " + payload;
    message.payload = payload;
    hub_.Deliver(message);
    Settle();
  }
  // Ends the one call that is under way.
  std::optional<Method> EndCall(CallOutcome outcome) {
    if (connectors_.calls.empty()) return std::nullopt;
    const Method method = connectors_.calls.front().call.method;
    connectors_.EndCall(outcome);
    Settle();
    return method;
  }
  const ConnectorCall& call(size_t i = 0) { return connectors_.calls.at(i).call; }

  FakeHub hub_;
  FakeConnectors connectors_;
  SimulatedClock clock_;
  std::mt19937_64 random_{1};
  std::unique_ptr<Distributor> distributor_;
  std::shared_ptr<std::string> last_answer_;
};

TEST_F(DistributorTest, AnEndpointFollowsEveryRegister) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Register(Request()), "OK");
    ASSERT_EQ(connectors_.calls.size(), 1u);
    EXPECT_EQ(call().method, Method::kNewEndpoint);
    EXPECT_EQ(call().destination, kService);
    EXPECT_EQ(call().token, kToken);
    EXPECT_EQ(call().text, "https://push.example.com/wpush/1");
    EXPECT_EQ(EndCall(CallOutcome::kAnswered), Method::kNewEndpoint);
    EXPECT_TRUE(connectors_.calls.empty());
  }
  EXPECT_EQ(hub_.List("up:").size(), 1u);
  EXPECT_EQ(hub_.List("up:")[0].owner, kService);
}

TEST_F(DistributorTest, OnlyTheOwnerOfTheNameRegisters) {
  EXPECT_EQ(Register(Request(), ":1.8"), "UNAUTHORIZED");
  connectors_.owners.clear();
  EXPECT_EQ(Register(Request(), ""), "UNAUTHORIZED");
  EXPECT_TRUE(hub_.List("").empty());
}

TEST_F(DistributorTest, AppsWithTheSameTokenAreKeptApart) {
  connectors_.owners["org.example.Other"] = ":1.8";
  RegisterRequest other = Request();
  other.service = "org.example.Other";
  EXPECT_EQ(Register(Request()), "OK");
  EXPECT_EQ(Register(other, ":1.8"), "OK");
  EXPECT_EQ(hub_.List("").size(), 2u);
  EXPECT_TRUE(Unregister(kToken, ":1.8").ok());
  ASSERT_EQ(hub_.List("").size(), 1u);
  EXPECT_EQ(hub_.List("")[0].owner, kService);
}

TEST_F(DistributorTest, SaysWhyTheServerRefuses) {
  const std::vector<std::pair<agent::v1::Error::Code, std::string>> reasons = {
      {agent::v1::Error::VAPID_REQUIRED, "VAPID_REQUIRED"},
      {agent::v1::Error::SUBSCRIPTIONS_OFF, "ACTION_REQUIRED"},
      {agent::v1::Error::LIMIT_REACHED, "ACTION_REQUIRED"},
      {agent::v1::Error::INTERNAL, "INTERNAL_ERROR"}};
  for (const auto& [code, reason] : reasons) {
    hub_.RefuseWith(code);
    EXPECT_EQ(Register(Request()), reason);
  }
  hub_.FailNextSubscribe(absl::ResourceExhaustedError("disk"));
  EXPECT_EQ(Register(Request()), "INTERNAL_ERROR");
  EXPECT_EQ(distributor_->registrations(), 0u);
  EXPECT_TRUE(connectors_.watched.empty());
  hub_.RefuseWith(agent::v1::Error::CODE_UNSPECIFIED);
  EXPECT_EQ(Register(Request()), "OK");
}

TEST_F(DistributorTest, WithoutNetworkItSaysSoAndTheEndpointComesLater) {
  hub_.SetAnswers(false);
  EXPECT_EQ(Register(Request()), "none");
  ASSERT_TRUE(distributor_->next_due().has_value());
  Advance(kRegisterPatience - absl::Seconds(1));
  EXPECT_EQ(*last_answer_, "none");
  Advance(absl::Seconds(1));
  EXPECT_EQ(*last_answer_, "NETWORK");
  EXPECT_FALSE(distributor_->next_due().has_value());
  hub_.GiveEndpoint(InstanceOf(kToken), "https://push.example.com/wpush/late");
  Settle();
  ASSERT_EQ(connectors_.calls.size(), 1u);
  EXPECT_EQ(call().text, "https://push.example.com/wpush/late");
}

TEST_F(DistributorTest, AnotherKeyIsAnotherEndpoint) {
  const std::string first = RegisterFully(Request());
  RegisterRequest with_key = Request();
  with_key.vapid_key = "\x04" + std::string(64, 'k');
  EXPECT_EQ(Register(with_key), "OK");
  EXPECT_EQ(hub_.Find(first), nullptr);
  ASSERT_EQ(hub_.List("").size(), 1u);
  EXPECT_EQ(hub_.List("")[0].vapid_key, with_key.vapid_key);
  EXPECT_EQ(call().text, "https://push.example.com/wpush/2");
  EXPECT_EQ(connectors_.watched.count(kService), 1u);
}

TEST_F(DistributorTest, TheAppsAnswerAcknowledgesAndTheNextComesAfterIt) {
  const std::string instance = RegisterFully(Request());
  Deliver(instance, "one");
  Deliver(instance, "two");
  ASSERT_EQ(connectors_.calls.size(), 1u);
  EXPECT_EQ(call().method, Method::kMessage);
  EXPECT_EQ(call().payload, "one");
  EXPECT_EQ(call().text, "id of one");
  EXPECT_TRUE(hub_.acks().empty());
  EndCall(CallOutcome::kAnswered);
  ASSERT_EQ(hub_.acks().size(), 1u);
  EXPECT_EQ(hub_.acks()[0].second, 1u);
  EXPECT_EQ(call().payload, "two");
  EndCall(CallOutcome::kAnswered);
  EXPECT_EQ(hub_.acks().size(), 2u);
}

TEST_F(DistributorTest, AFailedCallIsMadeAgainAfterARest) {
  const std::string instance = RegisterFully(Request());
  Deliver(instance, "one");
  Deliver(instance, "two");
  for (int i = 0; i < 20; ++i) {
    for (const CallOutcome outcome : {CallOutcome::kFailed, CallOutcome::kUnanswered}) {
      ASSERT_EQ(connectors_.calls.size(), 1u);
      EXPECT_EQ(call().payload, "one");
      EndCall(outcome);
      ASSERT_TRUE(connectors_.calls.empty());
      ASSERT_TRUE(distributor_->next_due().has_value());
      const absl::Duration rest = *distributor_->next_due() - clock_.Monotonic();
      EXPECT_LE(rest, kLongestRest);
      Advance(rest);
    }
  }
  EXPECT_TRUE(hub_.acks().empty());
  EndCall(CallOutcome::kAnswered);
  EXPECT_EQ(call().payload, "two");
}

TEST_F(DistributorTest, AnAppThatAppearsIsTriedAtOnce) {
  const std::string instance = RegisterFully(Request());
  Deliver(instance, "one");
  for (int i = 0; i < 10; ++i) {
    EndCall(CallOutcome::kFailed);
    if (i < 9) Advance(kLongestRest);
  }
  EXPECT_TRUE(connectors_.calls.empty());
  distributor_->OnServiceAppeared("org.example.Other");
  EXPECT_TRUE(connectors_.calls.empty());
  distributor_->OnServiceAppeared(kService);
  ASSERT_EQ(connectors_.calls.size(), 1u);
  EXPECT_EQ(call().payload, "one");
}

TEST_F(DistributorTest, AnAppThatFailsHoldsUpItselfAlone) {
  connectors_.owners["org.example.Other"] = ":1.8";
  const std::string stuck = RegisterFully(Request());
  RegisterRequest request = Request();
  request.service = "org.example.Other";
  request.token = "other";
  EXPECT_EQ(Register(request, ":1.8"), "OK");
  EndCall(CallOutcome::kAnswered);
  Deliver(stuck, "never answered");
  for (int i = 0; i < 100; ++i) Deliver(InstanceOf("other"), absl::StrCat("message ", i));
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(connectors_.calls.size(), 2u);
    EXPECT_EQ(call(1).payload, absl::StrCat("message ", i));
    // The stuck app's call stays the oldest.
    FakeConnectors::Pending oldest = connectors_.calls.front();
    connectors_.calls.pop_front();
    EndCall(CallOutcome::kAnswered);
    connectors_.calls.push_front(oldest);
  }
  EXPECT_EQ(hub_.acks().size(), 100u);
}

TEST_F(DistributorTest, AnAppOfTheFirstGenerationNeedNotAnswer) {
  const std::string instance = RegisterFully(Request(kToken, Generation::k1));
  Deliver(instance, "one");
  EXPECT_EQ(call().generation, Generation::k1);
  EndCall(CallOutcome::kUnanswered);
  EXPECT_EQ(hub_.acks().size(), 1u);
  // But it must be there.
  Deliver(instance, "two");
  connectors_.owners.clear();
  EndCall(CallOutcome::kUnanswered);
  EXPECT_EQ(hub_.acks().size(), 1u);
  Advance(kLongestRest);
  EXPECT_EQ(call().payload, "two");
  EndCall(CallOutcome::kFailed);
  EXPECT_EQ(hub_.acks().size(), 1u);
}

TEST_F(DistributorTest, WhatTheAgentGivesAgainIsQueuedOnce) {
  const std::string instance = RegisterFully(Request());
  Message message;
  message.instance = instance;
  message.delivery_id = 5;
  message.message_id = "five";
  distributor_->OnMessage(message);
  message.redelivered = true;
  distributor_->OnMessage(message);
  EndCall(CallOutcome::kAnswered);
  EXPECT_TRUE(connectors_.calls.empty());
  EXPECT_EQ(hub_.acks().size(), 1u);
}

TEST_F(DistributorTest, RestartsWithItsRegistrations) {
  const std::string instance = RegisterFully(Request(kToken, Generation::k1));
  StartDistributor();
  EXPECT_EQ(distributor_->registrations(), 1u);
  EXPECT_EQ(connectors_.watched.count(kService), 1u);
  // It was told its endpoint before.
  EXPECT_TRUE(connectors_.calls.empty());
  Deliver(instance, "one");
  ASSERT_EQ(connectors_.calls.size(), 1u);
  EXPECT_EQ(call().generation, Generation::k1);
  EXPECT_EQ(call().destination, kService);
  EXPECT_EQ(call().token, kToken);
}

TEST_F(DistributorTest, AnEndpointThatTheAppWasNotToldIsToldAfterARestart) {
  EXPECT_EQ(Register(Request()), "OK");
  ASSERT_EQ(connectors_.calls.size(), 1u);  // And the companion ends here.
  StartDistributor();
  ASSERT_EQ(connectors_.calls.size(), 1u);
  EXPECT_EQ(call().method, Method::kNewEndpoint);
}

TEST_F(DistributorTest, AChangedEndpointIsToldBeforeTheNextMessage) {
  const std::string instance = RegisterFully(Request());
  hub_.GiveEndpoint(instance, "https://other.example/wpush/9");
  Settle();
  Deliver(instance, "one");
  ASSERT_EQ(connectors_.calls.size(), 1u);
  EXPECT_EQ(call().text, "https://other.example/wpush/9");
  EndCall(CallOutcome::kAnswered);
  EXPECT_EQ(call().payload, "one");
}

TEST_F(DistributorTest, UnregisterIsConfirmedToWhoAsked) {
  for (const Generation generation : {Generation::k1, Generation::k2}) {
    const std::string instance = RegisterFully(Request(kToken, generation));
    EXPECT_TRUE(Unregister(kToken, kApp, generation).ok());
    EXPECT_EQ(hub_.Find(instance), nullptr);
    ASSERT_EQ(connectors_.calls.size(), 1u);
    EXPECT_EQ(call().method, Method::kUnregistered);
    EXPECT_EQ(call().generation, generation);
    EXPECT_EQ(call().destination, kApp);
    EXPECT_EQ(call().token, generation == Generation::k1 ? "" : kToken);
    EndCall(CallOutcome::kAnswered);
  }
  EXPECT_TRUE(connectors_.watched.empty());
  // There is none any more: that is what the app wants to hear.
  EXPECT_TRUE(Unregister(kToken).ok());
  EXPECT_EQ(call().method, Method::kUnregistered);
}

TEST_F(DistributorTest, NobodyUnregistersAnothersToken) {
  const std::string instance = RegisterFully(Request());
  EXPECT_TRUE(absl::IsPermissionDenied(Unregister(kToken, ":1.8")));
  EXPECT_NE(hub_.Find(instance), nullptr);
  EXPECT_TRUE(connectors_.calls.empty());
}

TEST_F(DistributorTest, UnregisterAnswersTheRegisterThatWaits) {
  hub_.SetAnswers(false);
  EXPECT_EQ(Register(Request()), "none");
  EXPECT_TRUE(Unregister(kToken).ok());
  EXPECT_EQ(*last_answer_, "INTERNAL_ERROR");
  EXPECT_FALSE(distributor_->next_due().has_value());
}

TEST_F(DistributorTest, LateAnswersOfADeadRegistrationDoNothing) {
  const std::string instance = RegisterFully(Request());
  Deliver(instance, "one");
  EXPECT_TRUE(Unregister(kToken).ok());
  EndCall(CallOutcome::kAnswered);  // Of "one".
  EXPECT_TRUE(hub_.acks().empty());
  ASSERT_EQ(connectors_.calls.size(), 1u);
  EXPECT_EQ(call().method, Method::kUnregistered);
}

TEST_F(DistributorTest, RegistrationsAreBoundedPerApp) {
  for (size_t i = 0; i < kMaxRegistrationsPerApp; ++i) {
    EXPECT_EQ(Register(Request(absl::StrCat("token ", i))), "OK");
  }
  EXPECT_EQ(Register(Request("one more")), "ACTION_REQUIRED");
  EXPECT_EQ(Register(Request("token 0")), "OK");
  connectors_.owners["org.example.Other"] = ":1.8";
  RegisterRequest other = Request();
  other.service = "org.example.Other";
  EXPECT_EQ(Register(other, ":1.8"), "OK");
}

TEST_F(DistributorTest, RegistrationsAreBoundedForTheUser) {
  for (size_t i = 0; i < kMaxRegistrations; ++i) {
    RegisterRequest request = Request();
    request.service = absl::StrCat("org.example.App", i / kMaxRegistrationsPerApp);
    request.token = absl::StrCat("token ", i);
    connectors_.owners[request.service] = kApp;
    ASSERT_EQ(Register(request), "OK");
  }
  EXPECT_EQ(Register(Request("one more")), "ACTION_REQUIRED");
}

TEST_F(DistributorTest, RegistersThatWaitAreBounded) {
  hub_.SetAnswers(false);
  for (size_t i = 0; i < kMaxWaitingRegisters; ++i) ASSERT_EQ(Register(Request()), "none");
  EXPECT_EQ(Register(Request()), "INTERNAL_ERROR");
  hub_.GiveEndpoint(InstanceOf(kToken), "https://push.example.com/wpush/1");
  Settle();
  EXPECT_EQ(Register(Request()), "OK");
}

TEST_F(DistributorTest, AGapIsAcknowledged) {
  const std::string instance = RegisterFully(Request());
  const uint64_t id = hub_.DeliverGap(instance, 7);
  Settle();
  ASSERT_EQ(hub_.acks().size(), 1u);
  EXPECT_EQ(hub_.acks()[0].second, id);
  EXPECT_TRUE(connectors_.calls.empty());
}

}  // namespace
}  // namespace bellwire::companion
