// A message's way from a gRPC call to an app on a phone, over real processes, in both deployments.

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

using ::testing::ElementsAreArray;

constexpr char kMail[] = "com.example.mail";

class DeliveryTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    auto fleet = Fleet::Start(GetParam());
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    auto provider = Provider::Create(*fleet_, {kMail, "com.example.chat", "org.example.news"});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::move(*provider);
  }

  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
};

std::vector<std::string> Numbered(int first, int last) {
  std::vector<std::string> payloads;
  for (int i = first; i <= last; ++i) payloads.push_back(absl::StrCat("message ", i));
  return payloads;
}

TEST_P(DeliveryTest, ASendReachesTheAppAndItsReceiptsSaySo) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  push::v1::SendRequest request;
  request.set_token(app.WaitForToken());
  ASSERT_FALSE(request.token().empty());
  const std::string binary("hello\0\xff, bell", 14);
  request.set_payload(binary);
  request.set_priority(push::v1::PRIORITY_HIGH);
  const auto sent = provider_.Send(request);
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_EQ(sent->outcome(), push::v1::SendResponse::ACCEPTED);
  ASSERT_TRUE(app.WaitForTaken(1));
  EXPECT_EQ(app.taken()[0], binary);

  push::v1::GetMessageResponse message;
  EXPECT_TRUE(WaitUntil([&] {
    const auto answer = provider_.GetMessage(request.token(), sent->message_id());
    if (answer.ok()) message = *answer;
    return message.state() == push::v1::APP_ACKED;
  })) << message.DebugString();
  std::vector<push::v1::Step> steps;
  for (const auto& receipt : message.receipts()) steps.push_back(receipt.step());
  EXPECT_THAT(steps, testing::ElementsAre(push::v1::ACCEPTED, push::v1::STORED, push::v1::SENT,
                                          push::v1::AGENT_ACKED, push::v1::APP_ACKED));
  EXPECT_TRUE(message.terminal());
  EXPECT_TRUE(message.device_connected());
  EXPECT_EQ(message.app_id(), kMail);
}

TEST_P(DeliveryTest, ThreeAppsOfOneDeviceShareOneConnection) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App mail(phone.socket_path(), kMail);
  App chat(phone.socket_path(), "com.example.chat");
  App news(phone.socket_path(), "org.example.news");
  for (App* app : {&mail, &chat, &news}) {
    const std::string token = app->WaitForToken();
    ASSERT_FALSE(token.empty());
    ASSERT_TRUE(provider_.SendReliably(token, "for you").ok());
    ASSERT_TRUE(app->WaitForTaken(1));
  }
  EXPECT_NE(mail.WaitForToken(), chat.WaitForToken());
  EXPECT_NE(mail.WaitForToken().substr(0, 40), chat.WaitForToken().substr(0, 40));
  EXPECT_THAT(TcpConnections(phone.agent().pid()), testing::SizeIs(1));
}

TEST_P(DeliveryTest, WhatIsSentWhileTheDeviceIsAwaySurvivesARestartOfEverything) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  phone.agent().Kill();
  for (const std::string& payload : Numbered(1, 50)) {
    ASSERT_TRUE(provider_.SendReliably(token, payload).ok());
  }
  fleet_->KillAll();
  ASSERT_TRUE(fleet_->StartAll().ok());
  ASSERT_TRUE(phone.Start().ok());
  ASSERT_TRUE(app.WaitForTaken(50));
  // What comes next comes after them, and nothing came twice.
  ASSERT_TRUE(provider_.SendReliably(token, "message 51").ok());
  ASSERT_TRUE(app.WaitForTaken(51));
  EXPECT_THAT(app.taken(), ElementsAreArray(Numbered(1, 51)));
}

TEST_P(DeliveryTest, ADeviceThatMovesBetweenConnectorsGetsEverythingOnceInOrder) {
  Phone phone(*fleet_, "phone", {0});
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  constexpr size_t kMessages = 300;
  // Fewer than a mailbox holds, however long the device takes to move.
  constexpr size_t kMostWaiting = 80;
  std::thread sender([&] {
    size_t sent = 0;
    for (const std::string& payload : Numbered(1, kMessages)) {
      EXPECT_TRUE(sent < kMostWaiting || app.WaitForTaken(sent - kMostWaiting + 1));
      const absl::Status status = provider_.SendReliably(token, payload);
      EXPECT_TRUE(status.ok()) << status;
      ++sent;
    }
  });
  for (int move = 1; move <= 6; ++move) {
    EXPECT_TRUE(app.WaitForTaken(static_cast<size_t>(move * 25)));
    phone.agent().Kill();
    phone.SetConnectors({move % 2});
    EXPECT_TRUE(phone.Start().ok());
  }
  sender.join();
  ASSERT_TRUE(app.WaitForTaken(kMessages))
      << app.taken().size() << " taken, " << app.dropped() << " dropped";
  EXPECT_THAT(app.taken(), ElementsAreArray(Numbered(1, kMessages)));
}

// design.md, failure table: "connector, kill -9".
TEST_P(DeliveryTest, ADeviceOfAKilledConnectorComesBackElsewhere) {
  Phone phone(*fleet_, "phone", {0, 1});
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  ASSERT_TRUE(provider_.SendReliably(token, "message 1").ok());
  ASSERT_TRUE(app.WaitForTaken(1));
  fleet_->connector(0).Kill();
  if (GetParam() == Deployment::kEmbedded) {
    ASSERT_TRUE(fleet_->StartAll().ok());
  }
  ASSERT_TRUE(provider_.SendReliably(token, "message 2").ok());
  ASSERT_TRUE(app.WaitForTaken(2));
  EXPECT_THAT(app.taken(), ElementsAreArray(Numbered(1, 2)));
}

// design.md, failure table: "registry, kill -9": connectors keep their sessions.
TEST_P(DeliveryTest, SessionsOutliveARegistryThatDies) {
  if (GetParam() == Deployment::kEmbedded) GTEST_SKIP() << "one process: the session dies with it";
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  ASSERT_TRUE(provider_.SendReliably(token, "message 1").ok());
  ASSERT_TRUE(app.WaitForTaken(1));
  fleet_->registry().Kill();
  push::v1::SendRequest request;
  request.set_token(token);
  const auto refused = provider_.Send(request);
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
  ASSERT_TRUE(fleet_->StartAll().ok());
  ASSERT_TRUE(provider_.SendReliably(token, "message 2").ok());
  ASSERT_TRUE(app.WaitForTaken(2));
  EXPECT_THAT(app.taken(), ElementsAreArray(Numbered(1, 2)));
}

// The reconnect race: messages are appended while the device binds, again and again.
TEST_P(DeliveryTest, NothingIsLostWhenAppendsMeetBinds) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  size_t sent = 0;
  for (int round = 0; round < 15; ++round) {
    phone.agent().Kill();
    std::thread restart([&] { EXPECT_TRUE(phone.Start().ok()); });
    // Sends go on until the device is back and has all of them.
    do {
      ASSERT_TRUE(provider_.SendReliably(token, absl::StrCat("message ", ++sent)).ok());
    } while (sent % 10 != 0);
    restart.join();
    ASSERT_TRUE(app.WaitForTaken(sent)) << "round " << round;
  }
  EXPECT_THAT(app.taken(), ElementsAreArray(Numbered(1, static_cast<int>(sent))));
}

TEST_P(DeliveryTest, NowOrNeverReachesAnAppThatIsThere) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  push::v1::SendRequest request;
  request.set_token(app.WaitForToken());
  request.set_payload("now");
  request.mutable_ttl();
  const auto delivered = provider_.Send(request);
  ASSERT_TRUE(delivered.ok()) << delivered.status();
  EXPECT_EQ(delivered->outcome(), push::v1::SendResponse::DELIVERED);
  ASSERT_TRUE(app.WaitForTaken(1));
  phone.agent().Kill();
  EXPECT_TRUE(WaitUntil([&] {
    const auto answer = provider_.Send(request);
    return answer.ok() && answer->outcome() == push::v1::SendResponse::NOT_CONNECTED;
  }));
  ASSERT_TRUE(phone.Start().ok());
  ASSERT_TRUE(provider_.SendReliably(request.token(), "later").ok());
  ASSERT_TRUE(app.WaitForTaken(2));
  EXPECT_THAT(app.taken(), testing::ElementsAre("now", "later"));
}

TEST_P(DeliveryTest, ServersDrainAndExitCleanly) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  ASSERT_FALSE(app.WaitForToken().empty());
  if (GetParam() == Deployment::kSeparate) {
    absl::Status status = fleet_->connector(0).Terminate();
    EXPECT_TRUE(status.ok()) << status;
    status = fleet_->connector(1).Terminate();
    EXPECT_TRUE(status.ok()) << status;
    status = fleet_->gateway(0).Terminate();
    EXPECT_TRUE(status.ok()) << status;
  }
  absl::Status status = fleet_->registry().Terminate();
  EXPECT_TRUE(status.ok()) << status;
  status = phone.agent().Terminate();
  EXPECT_TRUE(status.ok()) << status;
}

INSTANTIATE_TEST_SUITE_P(Deployments, DeliveryTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
