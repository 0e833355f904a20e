// Sessions as the wire sees them: a device spoken by hand (docs/reference/wire_protocol.md), over
// real processes, in both deployments.

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "common/error.h"
#include "gtest/gtest.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

using device::v1::ConnectorFrame;
using device::v1::GoAway;

constexpr char kMail[] = "com.example.mail";

class SessionTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    auto fleet = Fleet::Start(GetParam());
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::move(*provider);
    auto key = DeviceKey::Generate();
    ASSERT_TRUE(key.ok()) << key.status();
    key_ = std::move(*key);
  }

  absl::StatusOr<std::unique_ptr<RawDevice>> Login(uint64_t login_number, int connector) {
    return RawDevice::Login(fleet_->device_address(connector), fleet_->ca_file(), *key_,
                            login_number);
  }

  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
  std::unique_ptr<DeviceKey> key_;
};

void Acknowledge(RawDevice* device, uint64_t seq) {
  device::v1::AgentFrame frame;
  frame.mutable_ack()->set_up_to_seq(seq);
  device->Send(frame);
}

TEST_P(SessionTest, TheNewerSessionEvictsTheOlder) {
  auto older = Login(1, /*connector=*/0);
  ASSERT_TRUE(older.ok()) << older.status();
  const auto token = (*older)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();
  auto newer = Login(2, /*connector=*/1);
  ASSERT_TRUE(newer.ok()) << newer.status();

  const auto frame = (*older)->Next();
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->go_away().reason(), GoAway::REPLACED);
  EXPECT_EQ(frame->go_away().winning_login_number(), 2);
  EXPECT_TRUE((*older)->connection().ClosedByPeer());

  ASSERT_TRUE(provider_.SendReliably(*token, "for the newer").ok());
  const auto push = (*newer)->Next();
  ASSERT_TRUE(push.ok()) << push.status();
  EXPECT_EQ(push->push().payload(), "for the newer");
}

TEST_P(SessionTest, AStaleDisconnectNeverRemovesTheNewerRoute) {
  auto older = Login(1, /*connector=*/0);
  ASSERT_TRUE(older.ok()) << older.status();
  const auto token = (*older)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();
  auto newer = Login(2, /*connector=*/1);
  ASSERT_TRUE(newer.ok()) << newer.status();
  older->reset();  // Its connector sees the end and unbinds what it thinks is the session.
  uint64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(provider_.SendReliably(*token, "still here").ok());
    const auto push = (*newer)->Next();
    ASSERT_TRUE(push.ok()) << push.status();
    ASSERT_GT(push->push().seq(), last);
    last = push->push().seq();
    Acknowledge(newer->get(), last);
  }
}

TEST_P(SessionTest, ALoginThatComesLateIsRefused) {
  auto newer = Login(7, /*connector=*/0);
  ASSERT_TRUE(newer.ok()) << newer.status();
  const auto token = (*newer)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();
  const auto late = Login(6, /*connector=*/1);
  ASSERT_FALSE(late.ok());
  EXPECT_TRUE(absl::IsPermissionDenied(late.status())) << late.status();
  ASSERT_TRUE(provider_.SendReliably(*token, "undisturbed").ok());
  const auto push = (*newer)->Next();
  ASSERT_TRUE(push.ok()) << push.status();
  EXPECT_EQ(push->push().payload(), "undisturbed");
}

// A login without messages is written a little later (docs/decisions/unwritten_logins.md). Here it
// never was.
TEST_P(SessionTest, ASessionThatTheRegistryForgotIsBoundAgain) {
  if (GetParam() == Deployment::kEmbedded) GTEST_SKIP() << "one process: the session dies with it";
  auto older = Login(1, /*connector=*/0);
  ASSERT_TRUE(older.ok()) << older.status();
  const auto token = (*older)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();

  const std::string store = fleet_->data_dir() + "/registry";
  const std::string before = fleet_->path("store-before-the-login");
  fleet_->registry().Kill();
  std::filesystem::copy(store, before, std::filesystem::copy_options::recursive);
  ASSERT_TRUE(fleet_->StartAll().ok());
  absl::StatusOr<std::unique_ptr<RawDevice>> newer;
  ASSERT_TRUE(WaitUntil([&] {  // The connector has to find the registry first.
    newer = Login(2, /*connector=*/1);
    return newer.ok();
  })) << newer.status();
  const auto evicted = (*older)->Next();
  ASSERT_TRUE(evicted.ok()) << evicted.status();
  ASSERT_EQ(evicted->go_away().reason(), GoAway::REPLACED);
  fleet_->registry().Kill();
  std::filesystem::remove_all(store);
  std::filesystem::rename(before, store);
  ASSERT_TRUE(fleet_->StartAll().ok());

  ASSERT_TRUE(provider_.SendReliably(*token, "for the newer").ok());
  const auto push = (*newer)->Next();
  ASSERT_TRUE(push.ok()) << push.status();
  EXPECT_EQ(push->push().payload(), "for the newer");
}

TEST_P(SessionTest, WhatWasNotAcknowledgedComesAgainInOrder) {
  auto first = Login(1, /*connector=*/0);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto token = (*first)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();
  std::vector<uint64_t> seqs;
  for (int i = 1; i <= 10; ++i) {
    ASSERT_TRUE(provider_.SendReliably(*token, std::to_string(i)).ok());
    const auto push = (*first)->Next();
    ASSERT_TRUE(push.ok()) << push.status();
    seqs.push_back(push->push().seq());
  }
  Acknowledge(first->get(), seqs[3]);
  (*first)->SendHeartbeat();
  // The answer to the heartbeat says that the connector has read the Ack before it.
  ASSERT_TRUE(WaitUntil([&] {
    (*first)->Next(absl::Milliseconds(10)).status().IgnoreError();
    return (*first)->heartbeats_received() == 1;
  }));
  auto second = Login(2, /*connector=*/1);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->welcome().mailbox_id(), (*first)->welcome().mailbox_id());
  // 1 to 4 may come again (the Ack may still have been on its way to the registry), 5 to 10 must.
  size_t last = 0;
  while (last < 10) {
    const auto push = (*second)->Next();
    ASSERT_TRUE(push.ok()) << push.status();
    const size_t number = std::stoul(push->push().payload());
    if (last != 0) {
      ASSERT_EQ(number, last + 1);
    } else {
      ASSERT_LE(number, 5u);
    }
    EXPECT_EQ(push->push().seq(), seqs[number - 1]);
    last = number;
  }
}

TEST_P(SessionTest, TtlZeroIsNowOrNever) {
  auto device = Login(1, /*connector=*/0);
  ASSERT_TRUE(device.ok()) << device.status();
  const auto token = (*device)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();
  push::v1::SendRequest request;
  request.set_token(*token);
  request.mutable_ttl();
  request.set_payload("now");
  std::thread acknowledger([&] {
    const auto push = (*device)->Next();
    ASSERT_TRUE(push.ok()) << push.status();
    EXPECT_EQ(push->push().payload(), "now");
    device::v1::AgentFrame frame;
    device::v1::SeqRange& range = *frame.mutable_ack()->add_ranges();
    range.set_first(push->push().seq());
    range.set_last(push->push().seq());
    (*device)->Send(frame);
  });
  auto answer = provider_.Send(request);
  acknowledger.join();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->outcome(), push::v1::SendResponse::DELIVERED);

  device->reset();
  EXPECT_TRUE(WaitUntil([&] {
    answer = provider_.Send(request);
    return answer.ok() && answer->outcome() == push::v1::SendResponse::NOT_CONNECTED;
  }));
  auto again = Login(2, /*connector=*/0);
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_TRUE(provider_.SendReliably(*token, "later").ok());
  const auto push = (*again)->Next();
  ASSERT_TRUE(push.ok()) << push.status();
  EXPECT_EQ(push->push().payload(), "later");
}

TEST_P(SessionTest, ARemovedAppsTokenIsDeadAndSaysSince) {
  auto device = Login(1, /*connector=*/0);
  ASSERT_TRUE(device.ok()) << device.status();
  const auto token = (*device)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();
  device::v1::AgentFrame frame;
  frame.mutable_remove_app()->set_request_id(2);
  frame.mutable_remove_app()->set_app_id(kMail);
  (*device)->Send(frame);
  const auto removed = (*device)->Next();
  ASSERT_TRUE(removed.ok()) << removed.status();
  ASSERT_TRUE(removed->app_removed().ok());
  const absl::Status dead = provider_.SendReliably(*token, "anyone?");
  EXPECT_EQ(ErrorReason(dead), "UNREGISTERED") << dead;
  EXPECT_TRUE(ErrorMetadata(dead, "unregistered_at").has_value());
  const auto reborn = (*device)->RegisterApp(kMail);
  ASSERT_TRUE(reborn.ok()) << reborn.status();
  EXPECT_NE(*reborn, *token);
  EXPECT_EQ(ErrorReason(provider_.SendReliably(*token, "anyone?")), "UNREGISTERED");
  EXPECT_TRUE(provider_.SendReliably(*reborn, "hello").ok());
}

TEST_P(SessionTest, ANewcomerIsHintedWhatOthersLearnedOnItsNetwork) {
  // Each with a key of its own, on either connector: three who know, and one who doesn't.
  const auto hint_for = [this](uint32_t interval_ms, int connector) -> absl::StatusOr<uint32_t> {
    device::v1::Login extra;
    extra.mutable_network()->set_network_id(std::string(16, 'n'));
    extra.mutable_network()->set_interval_ms(interval_ms);
    auto key = DeviceKey::Generate();
    if (!key.ok()) return key.status();
    auto device =
        RawDevice::Login(fleet_->device_address(connector), fleet_->ca_file(), **key, 1, extra);
    if (!device.ok()) return device.status();
    return (*device)->welcome().heartbeat_bounds().hint_interval_ms();
  };
  for (const uint32_t learned_ms : {275'000u, 279'000u}) {
    const auto hint = hint_for(learned_ms, /*connector=*/0);
    ASSERT_TRUE(hint.ok()) << hint.status();
    EXPECT_EQ(*hint, 0u);
  }
  // The third learns it in its session.
  auto third = Login(1, /*connector=*/1);
  ASSERT_TRUE(third.ok()) << third.status();
  device::v1::AgentFrame frame;
  frame.mutable_network_report()->set_network_id(std::string(16, 'n'));
  frame.mutable_network_report()->set_interval_ms(283'000);
  (*third)->Send(frame);
  EXPECT_TRUE(WaitUntil([&] {
    const auto hint = hint_for(0, /*connector=*/0);
    return hint.ok() && *hint == 279'000u;
  }));
}

INSTANTIATE_TEST_SUITE_P(Deployments, SessionTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
