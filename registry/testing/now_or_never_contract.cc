// What a Store promises of messages with a ttl of zero. Part of StoreContractTest.

#include <string>
#include <vector>

#include "common/error.h"
#include "common/limits.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

TEST_P(StoreContractTest, NowOrNeverIsNeverInAPage) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  const AppendResult direct = Append(token, Message(2, absl::ZeroDuration()));
  EXPECT_EQ(direct.seq, 2);
  Append(token, Message(3));
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1", "3"}));
  EXPECT_EQ(*store().Resolve(Device(1), 2), push::v1::NOT_CONNECTED);
  EXPECT_EQ(*store().Resolve(Device(1), 2), push::v1::NOT_CONNECTED);
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED NOT_CONNECTED");
  EXPECT_EQ(ErrorReason(store().Resolve(Device(1), 1).status()), "MESSAGE_NOT_FOUND");
}

// The simulation found it: a retry hands the message to the device's next session. If that
// session's Welcome called its number settled, the device would take it for a repetition:
// acknowledged, never shown.
TEST_P(StoreContractTest, ANowOrNeverUnderWayIsNotSettled) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  Ack(Device(1), {1});
  Append(token, Message(2, absl::ZeroDuration()));
  EXPECT_EQ(Bind(Device(1), 1).settled_seq, 1);
  Append(token, Message(3));
  Ack(Device(1), {3});
  EXPECT_EQ(Bind(Device(1), 2).settled_seq, 1);
  EXPECT_EQ(*store().Resolve(Device(1), 2), push::v1::NOT_CONNECTED);
  EXPECT_EQ(Bind(Device(1), 3).settled_seq, 1) << "its number can be resolved again";
  clock().Advance(kNowOrNeverWait + kResolveGrace);
  ASSERT_TRUE(store().Sweep(10).ok());
  EXPECT_EQ(Bind(Device(1), 4).settled_seq, 3);
}

TEST_P(StoreContractTest, AnAcknowledgedNowOrNeverIsNotResolvedAway) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1, absl::ZeroDuration()));
  Ack(Device(1), {1});
  EXPECT_EQ(*store().Resolve(Device(1), 1), push::v1::AGENT_ACKED);
  AppAck(token, 1);
  EXPECT_EQ(*store().Resolve(Device(1), 1), push::v1::APP_ACKED);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED APP_ACKED");
}

TEST_P(StoreContractTest, AResolvedNowOrNeverStaysResolved) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1, absl::ZeroDuration()));
  EXPECT_EQ(*store().Resolve(Device(1), 1), push::v1::NOT_CONNECTED);
  Ack(Device(1), {1});
  AppAck(token, 1);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED NOT_CONNECTED");
}

TEST_P(StoreContractTest, ANowOrNeverWhoseGatewayDiedEnds) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1, absl::ZeroDuration()));
  clock().Advance(kNowOrNeverWait);
  Sweep();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  clock().Advance(kResolveGrace);
  Sweep();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED") << "the device may have it";
  clock().Advance(kIdempotencyWindow);
  Sweep();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED NOT_CONNECTED");
  EXPECT_EQ(ErrorReason(store().Resolve(Device(1), 1).status()), "MESSAGE_NOT_FOUND");
  clock().Advance(kReceiptRetention);
  Sweep();
  EXPECT_EQ(Steps(token, 1), "MESSAGE_NOT_FOUND");
}

// The simulation found it: the device had acknowledged, the gateway had answered DELIVERED, and the
// connector died before it could say so here.
TEST_P(StoreContractTest, TheDevicesWordEndsANowOrNeverThatNobodyResolved) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1, absl::ZeroDuration()));
  clock().Advance(kNowOrNeverWait + kResolveGrace + absl::Hours(2));
  Sweep();
  AppAck(token, 1);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED AGENT_ACKED APP_ACKED");
  clock().Advance(kIdempotencyWindow);
  Sweep();
  EXPECT_EQ(Bind(Device(1), 1).settled_seq, 1);
}

TEST_P(StoreContractTest, NowOrNeverTakesNoPlaceAndReplacesNothing) {
  const TokenRef token = Register(Device(1));
  Envelope first = Message(1);
  first.set_collapse_key("a");
  Append(token, first);
  Fill(token, 2, 100);
  Envelope direct = Message(101, absl::ZeroDuration());
  direct.set_collapse_key("a");
  Append(token, direct);
  EXPECT_EQ(Mailbox(Device(1)).size(), 100);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
}

}  // namespace
}  // namespace bellwire::registry
