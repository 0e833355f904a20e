// What may happen to a message between Send and the app besides plain delivery, over real
// processes: its gateway dies, its time has not come, its sender takes it back.

#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

using ::testing::ElementsAre;

constexpr char kMail[] = "com.example.mail";

class LifecycleTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    auto fleet = Fleet::Start(GetParam());
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::move(*provider);
  }

  static push::v1::SendRequest Message(const std::string& token, const std::string& payload) {
    push::v1::SendRequest request;
    request.set_token(token);
    request.set_payload(payload);
    request.set_priority(push::v1::PRIORITY_HIGH);
    request.set_message_id(FormatUuid(NewMessageId()));
    return request;
  }
  bool WaitForState(const push::v1::SendRequest& sent, push::v1::Step state) {
    return WaitUntil([&] {
      const auto message = provider_.GetMessage(sent.token(), sent.message_id());
      return message.ok() && message->state() == state;
    });
  }

  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
};

// No message, but the admin API of a server that was started without --public_url.
TEST_P(LifecycleTest, AServiceAccountNeedsAPublicUrl) {
  grpc::ClientContext context;
  fleet_->Authorize(&context);
  admin::v1::CreateKeyRequest request;
  request.set_team_id(provider_.team_id());
  request.set_fcm(true);
  request.set_public_key_pem("of the client");
  admin::v1::CreateKeyResponse response;
  const absl::Status status =
      FromGrpcStatus(fleet_->Admin()->CreateKey(&context, request, &response));
  EXPECT_EQ(ErrorReason(status), "NO_PUBLIC_URL") << status;
}

// Nobody retries, nothing else is sent, and no heartbeat is near: whatever the dead gateway had
// appended still comes.
TEST_P(LifecycleTest, WhatADyingGatewayAppendedIsDelivered) {
  if (GetParam() == Deployment::kEmbedded) GTEST_SKIP() << "one process: the session dies with it";
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());

  constexpr int kSenders = 6;
  std::vector<std::vector<push::v1::SendRequest>> sent(kSenders);
  std::vector<std::thread> senders;
  for (std::vector<push::v1::SendRequest>& mine : sent) {
    senders.emplace_back([&] {
      do {
        mine.push_back(Message(token, "from a gateway that dies"));
      } while (provider_.Send(mine.back(), /*i=*/0).ok());
    });
  }
  EXPECT_TRUE(app.WaitForTaken(30));
  fleet_->gateway(0).Kill();
  for (std::thread& sender : senders) sender.join();

  ASSERT_TRUE(fleet_->StartAll().ok());
  size_t accepted = 0;
  for (const std::vector<push::v1::SendRequest>& mine : sent) {
    for (const push::v1::SendRequest& request : mine) {
      absl::StatusOr<push::v1::GetMessageResponse> message;
      ASSERT_TRUE(WaitUntil([&] {
        message = provider_.GetMessage(token, request.message_id());
        if (absl::IsNotFound(message.status())) return true;  // Died before it was appended.
        return message.ok() && message->state() == push::v1::APP_ACKED;
      })) << (message.ok() ? message->DebugString() : message.status().ToString());
      accepted += message.ok() ? 1 : 0;
    }
  }
  EXPECT_TRUE(app.WaitForTaken(accepted));
  EXPECT_EQ(app.taken().size(), accepted);
}

TEST_P(LifecycleTest, AMessageComesAtItsTimeAndNotBefore) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  push::v1::SendRequest request = Message(app.WaitForToken(), "now it is time");
  ASSERT_FALSE(request.token().empty());
  // It comes of itself: the session has nothing else to do.
  const absl::Time due = RealClock()->WallNow() + absl::Seconds(2);
  request.mutable_deliver_at()->set_seconds(absl::ToUnixSeconds(due));
  const auto sent = provider_.Send(request);
  ASSERT_TRUE(sent.ok()) << sent.status();
  ASSERT_TRUE(app.WaitForTaken(1));
  EXPECT_GE(RealClock()->WallNow(), absl::FromUnixSeconds(absl::ToUnixSeconds(due)));
  EXPECT_TRUE(WaitForState(request, push::v1::APP_ACKED));
}

TEST_P(LifecycleTest, AMessageThatWaitsForItsTimeSurvivesARestart) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  push::v1::SendRequest request = Message(app.WaitForToken(), "now it is time");
  ASSERT_FALSE(request.token().empty());
  const absl::Time due = RealClock()->WallNow() + absl::Seconds(5);
  request.mutable_deliver_at()->set_seconds(absl::ToUnixSeconds(due));
  const auto sent = provider_.Send(request);
  ASSERT_TRUE(sent.ok()) << sent.status();
  fleet_->KillAll();
  ASSERT_TRUE(fleet_->StartAll().ok());
  ASSERT_TRUE(app.WaitForTaken(1));
  EXPECT_GE(RealClock()->WallNow(), absl::FromUnixSeconds(absl::ToUnixSeconds(due)));
  EXPECT_THAT(app.taken(), ElementsAre("now it is time"));
}

TEST_P(LifecycleTest, APendingMessageIsTakenBack) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  phone.agent().Kill();
  const push::v1::SendRequest regretted = Message(token, "regretted");
  const auto sent = provider_.Send(regretted);
  ASSERT_TRUE(sent.ok()) << sent.status();
  ASSERT_TRUE(provider_.SendReliably(token, "kept").ok());

  const auto outcome = provider_.Recall(token, regretted.message_id());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  // REQUESTED: the server may not have heard yet that the phone is gone.
  EXPECT_NE(outcome->outcome(), push::v1::RecallResponse::TOO_LATE);
  ASSERT_TRUE(phone.Start().ok());
  ASSERT_TRUE(app.WaitForTaken(1));
  EXPECT_THAT(app.taken(), ElementsAre("kept"));
  const auto again = provider_.Recall(token, regretted.message_id());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_NE(again->outcome(), push::v1::RecallResponse::OUTCOME_UNSPECIFIED);
}

TEST_P(LifecycleTest, AMessageOnThePhoneIsTakenBackWhileTheAppIsAway) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  std::string token;
  {
    App app(phone.socket_path(), kMail);
    token = app.WaitForToken();
    ASSERT_FALSE(token.empty());
  }
  const push::v1::SendRequest regretted = Message(token, "regretted");
  const push::v1::SendRequest kept = Message(token, "kept");
  for (const push::v1::SendRequest* request : {&regretted, &kept}) {
    const auto sent = provider_.Send(*request);
    ASSERT_TRUE(sent.ok()) << sent.status();
    ASSERT_TRUE(WaitForState(*request, push::v1::AGENT_ACKED));
  }
  const auto outcome = provider_.Recall(token, regretted.message_id());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->outcome(), push::v1::RecallResponse::REQUESTED);
  EXPECT_TRUE(WaitForState(regretted, push::v1::RECALLED));

  App app(phone.socket_path(), kMail);
  ASSERT_TRUE(app.WaitForTaken(1));
  EXPECT_THAT(app.taken(), ElementsAre("kept"));
  ASSERT_TRUE(WaitForState(kept, push::v1::APP_ACKED));
  const auto late = provider_.Recall(token, kept.message_id());
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_EQ(late->outcome(), push::v1::RecallResponse::TOO_LATE);
}

TEST_P(LifecycleTest, AMessageOnAPhoneThatIsAwayIsTakenBackWhenItReturns) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  std::string token;
  {
    App app(phone.socket_path(), kMail);
    token = app.WaitForToken();
    ASSERT_FALSE(token.empty());
  }
  const push::v1::SendRequest regretted = Message(token, "regretted");
  const push::v1::SendRequest kept = Message(token, "kept");
  for (const push::v1::SendRequest* request : {&regretted, &kept}) {
    const auto sent = provider_.Send(*request);
    ASSERT_TRUE(sent.ok()) << sent.status();
    ASSERT_TRUE(WaitForState(*request, push::v1::AGENT_ACKED));
  }
  phone.agent().Kill();
  const auto outcome = provider_.Recall(token, regretted.message_id());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->outcome(), push::v1::RecallResponse::REQUESTED);
  // Nor does the server's restart forget it.
  fleet_->KillAll();
  ASSERT_TRUE(fleet_->StartAll().ok());
  ASSERT_TRUE(phone.Start().ok());
  EXPECT_TRUE(WaitForState(regretted, push::v1::RECALLED));

  App app(phone.socket_path(), kMail);
  ASSERT_TRUE(app.WaitForTaken(1));
  EXPECT_THAT(app.taken(), ElementsAre("kept"));
}

INSTANTIATE_TEST_SUITE_P(Deployments, LifecycleTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
