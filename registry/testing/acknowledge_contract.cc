// What a Store promises of acknowledgements and the receipts that they leave. Part of
// StoreContractTest.

#include <string>
#include <vector>

#include "common/error.h"
#include "common/limits.h"
#include "google/protobuf/util/time_util.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

using google::protobuf::util::TimeUtil;

TEST_P(StoreContractTest, AcknowledgedMessagesLeaveTheMailbox) {
  const TokenRef token = Register(Device(1));
  Fill(token, 1, 5);
  Bind(Device(1), 1);
  Ack(Device(1), {1, 2, 4});
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"3", "5"}));
  EXPECT_EQ(Bind(Device(1), 2).settled_seq, 2);
  Ack(Device(1), {3});
  EXPECT_EQ(Bind(Device(1), 3).settled_seq, 4);
  Ack(Device(1), {5, 5, 77});
  Restart();
  const BindResult bound = Bind(Device(1), 4);
  EXPECT_EQ(bound.settled_seq, 5);
  EXPECT_EQ(bound.page.complete_to_seq, 5);
  EXPECT_TRUE(bound.page.messages.empty());
}

TEST_P(StoreContractTest, ReceiptsTellEveryStepWithItsTime) {
  const TokenRef token = Register(Device(1));
  const absl::Time accepted = clock().WallNow();
  Append(token, Message(1));
  clock().Advance(absl::Seconds(10));
  const absl::Time sent = clock().WallNow();
  clock().Advance(absl::Seconds(1));
  ASSERT_TRUE(store().ReportSent(Device(1), {{1, sent}}).ok());
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT");
  clock().Advance(absl::Seconds(1));
  ASSERT_TRUE(ErrorReason(store().Acknowledge(Device(1), RouteOf(1), {{1, sent}})) ==
              "STALE_LOGIN");
  clock().Advance(absl::Seconds(1));
  AppAck(token, 1);
  const auto message = *store().GetMessage(token, Id(1));
  EXPECT_EQ(message.message_id(), FormatUuid(Id(1)));
  EXPECT_EQ(message.app_id(), kApp);
  EXPECT_TRUE(message.terminal());
  EXPECT_EQ(message.state(), push::v1::APP_ACKED);
  EXPECT_FALSE(message.device_connected());
  EXPECT_EQ(TimeUtil::TimestampToMilliseconds(message.expires_at()),
            absl::ToUnixMillis(accepted + absl::Hours(1)));
  ASSERT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED APP_ACKED");
  const int64_t at = absl::ToUnixMillis(accepted);
  const int64_t expected[] = {at, at, at + 10'000, at + 12'000, at + 13'000};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(TimeUtil::TimestampToMilliseconds(message.receipts(i).time()), expected[i]) << i;
  }
}

TEST_P(StoreContractTest, AMessageSaysWhatItWaitsFor) {
  const TokenRef token = Register(Device(1));
  const auto waits_for = [&](uint32_t id) {
    return push::v1::GetMessageResponse::WaitsFor_Name(
        store().GetMessage(token, Id(id))->waits_for());
  };
  Envelope later = Message(1);
  later.set_deliver_at_ms(NowMs() + 60'000);
  later.set_expires_at_ms(later.deliver_at_ms() + 3'600'000);
  Append(token, later);
  EXPECT_EQ(waits_for(1), "DELIVER_AT");
  Envelope urgent = Message(2);
  urgent.set_priority(push::v1::PRIORITY_HIGH);
  Append(token, urgent);
  Envelope patient = Message(3);
  patient.set_priority(push::v1::PRIORITY_LOW);
  Append(token, patient);
  EXPECT_EQ(waits_for(2), "CONNECTION");
  EXPECT_EQ(waits_for(3), "CONNECTION");
  Bind(Device(1), 1);
  EXPECT_EQ(waits_for(2), "DEVICE");
  EXPECT_EQ(waits_for(3), "PRIORITY");
  ASSERT_TRUE(store().ReportSent(Device(1), {{2, clock().WallNow()}}).ok());
  EXPECT_EQ(waits_for(3), "DEVICE");
  Ack(Device(1), {1, 2});
  EXPECT_EQ(waits_for(3), "APP");
  AppAck(token, 3);
  EXPECT_EQ(waits_for(3), "WAITS_FOR_UNSPECIFIED");
}

// The app doesn't get it any more. It isn't EXPIRED either: the app may have had it, and the device
// tells when its radio is up.
TEST_P(StoreContractTest, WhatExpiredOnTheDeviceWaitsForTheDevicesWord) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1, absl::Minutes(1)));
  Bind(Device(1), 1);
  Ack(Device(1), {1});
  const auto asked = [&] { return *store().GetMessage(token, Id(1)); };
  clock().Advance(absl::Seconds(59));
  EXPECT_EQ(asked().waits_for(), push::v1::GetMessageResponse::APP);
  clock().Advance(absl::Seconds(1));
  EXPECT_EQ(asked().waits_for(), push::v1::GetMessageResponse::DEVICE);
  EXPECT_EQ(asked().state(), push::v1::AGENT_ACKED);
  EXPECT_FALSE(asked().terminal());
  ASSERT_TRUE(store().Unbind(Device(1), RouteOf(1)).ok());
  EXPECT_EQ(asked().waits_for(), push::v1::GetMessageResponse::CONNECTION);
  AppAck(token, 1);
  EXPECT_EQ(asked().state(), push::v1::APP_ACKED);
}

TEST_P(StoreContractTest, ANowOrNeverMessageOnTheDeviceWaitsForTheApp) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Ack(Device(1), {Append(token, Message(1, absl::ZeroDuration())).seq});
  clock().Advance(absl::Seconds(1));
  EXPECT_EQ(store().GetMessage(token, Id(1))->waits_for(), push::v1::GetMessageResponse::APP);
}

TEST_P(StoreContractTest, AStaleSessionsAcknowledgementsCount) {
  const TokenRef token = Register(Device(1));
  Fill(token, 1, 2);
  Bind(Device(1), 1);
  Bind(Device(1), 2);
  EXPECT_EQ(ErrorReason(store().Acknowledge(Device(1), RouteOf(1), {{1, clock().WallNow()}})),
            "STALE_LOGIN");
  EXPECT_TRUE(store().Acknowledge(Device(1), RouteOf(2), {{2, clock().WallNow()}}).ok());
  Commit();
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
  EXPECT_TRUE(Append(token, Message(3)).route.has_value());
}

TEST_P(StoreContractTest, AMessageEndsOnce) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  Ack(Device(1), {1});
  AppAck(token, 1, push::v1::COLLAPSED);
  AppAck(token, 1, push::v1::APP_ACKED);
  AppAck(token, 1, push::v1::EXPIRED);
  Ack(Device(1), {1});
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED COLLAPSED");
}

// An earlier session may have sent the message, and the acknowledgement been lost with it.
TEST_P(StoreContractTest, AnAppsWordSpeaksForAnAcknowledgementThatWasLost) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Fill(token, 1, 2);
  Bind(Device(1), 2);
  AppAck(token, 1);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED AGENT_ACKED APP_ACKED");
  Ack(Device(1), {1});
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED AGENT_ACKED APP_ACKED");
  ASSERT_TRUE(store().Unbind(Device(1), RouteOf(2)).ok());
  AppAck(token, 2);
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED AGENT_ACKED APP_ACKED");
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
}

// It may be one that waits for its turn: it must not end before the device has it.
TEST_P(StoreContractTest, AnAppsWordOnAMessageThatNoEarlierSessionWasHandedIsNoAcknowledgement) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  Bind(Device(1), 1);
  Append(token, Message(2));
  AppAck(token, 1);
  AppAck(token, 2, push::v1::EXPIRED);
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1", "2"}));
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED");
  Ack(Device(1), {1});
  AppAck(token, 1);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED APP_ACKED");
}

TEST_P(StoreContractTest, AnAppsAcknowledgementWithoutRegistrationMeansWhatTheDeviceHas) {
  const TokenRef mail = Register(Device(1), kApp);
  const TokenRef chat = Register(Device(1), kApp2);
  Append(mail, Message(1));
  Append(chat, Message(1));
  Ack(Device(1), {1});
  ASSERT_TRUE(store().AppAcknowledge(Device(1), {{Id(1), 0, push::v1::APP_ACKED}}).ok());
  EXPECT_EQ(Steps(mail, 1), "ACCEPTED STORED SENT AGENT_ACKED APP_ACKED");
  EXPECT_EQ(Steps(chat, 1), "ACCEPTED STORED");
}

TEST_P(StoreContractTest, ReceiptsOfARedeliveredMessageAreBounded) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  for (int i = 0; i < 100; ++i) {
    clock().Advance(absl::Seconds(1));
    ASSERT_TRUE(
        store().ReportSent(Device(1), {{1, clock().WallNow()}, {99, clock().WallNow()}}).ok());
  }
  Ack(Device(1), {1});
  AppAck(token, 1);
  EXPECT_LE(store().GetMessage(token, Id(1))->receipts_size(), kMaxReceiptsPerMessage);
}

TEST_P(StoreContractTest, ReceiptsAreKeptForTheirTimeAndThenForgotten) {
  const TokenRef token = Register(Device(1));
  Fill(token, 1, 20);
  Ack(Device(1), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  for (uint32_t id = 1; id <= 10; ++id) AppAck(token, id);
  clock().Advance(kReceiptRetention - absl::Seconds(1));
  Sweep();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED APP_ACKED");
  EXPECT_EQ(Steps(token, 20), "ACCEPTED STORED EXPIRED");
  clock().Advance(kReceiptRetentionSlack + absl::Seconds(2));
  Sweep();
  EXPECT_EQ(Steps(token, 1), "MESSAGE_NOT_FOUND");
  EXPECT_EQ(Steps(token, 20), "ACCEPTED STORED EXPIRED");
  clock().Advance(kReceiptRetention);
  Sweep();
  EXPECT_EQ(Steps(token, 20), "MESSAGE_NOT_FOUND");
  // The id is free again.
  EXPECT_FALSE(Append(token, Message(1)).duplicate);
}

TEST_P(StoreContractTest, AMessageThatTheDeviceKeepsSilentAboutEnds) {
  const TokenRef token = Register(Device(1));
  const TokenRef removed = Register(Device(1), kApp2);
  Append(token, Message(1));
  Append(removed, Message(2));
  Ack(Device(1), {1, 2});
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp2, 0).ok());
  clock().Advance(absl::Hours(1) + kDeviceReportGrace - absl::Seconds(1));
  Sweep();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED");
  clock().Advance(absl::Seconds(2));
  Sweep();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED EXPIRED");
  EXPECT_EQ(Steps(removed, 2), "ACCEPTED STORED SENT AGENT_ACKED UNREGISTERED");
}

}  // namespace
}  // namespace bellwire::registry
