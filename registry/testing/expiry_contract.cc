// What a Store promises of messages whose time is over. Part of StoreContractTest.

#include <string>
#include <vector>

#include "common/limits.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

TEST_P(StoreContractTest, AnExpiredMessageIsNeverServed) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1, absl::Seconds(10)));
  Append(token, Message(2, absl::Hours(1)));
  Append(token, Message(3, absl::Seconds(10)));
  clock().Advance(absl::Seconds(10));
  // Even before anybody has swept.
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2"}));
  EXPECT_EQ(Bind(Device(1), 1).page.messages.size(), 1);
}

TEST_P(StoreContractTest, ExpiryIsWrittenByTheSweepAndSurvivesARestart) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1, absl::Seconds(10)));
  Append(token, Message(2, absl::Hours(1)));
  clock().Advance(absl::Seconds(9));
  Sweep();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  Restart();
  clock().Advance(absl::Seconds(1));
  Sweep();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED EXPIRED");
  EXPECT_TRUE(store().GetMessage(token, Id(1))->terminal());
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED");
  EXPECT_EQ(Bind(Device(1), 1).settled_seq, 1);
}

TEST_P(StoreContractTest, AnAcknowledgementUnderWayAtTheEndOfTheTtlCounts) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Append(token, Message(1, absl::Seconds(10)));
  Append(token, Message(2, absl::Seconds(10)));
  clock().Advance(absl::Seconds(11));
  Sweep();
  Ack(Device(1), {1});
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED");
  clock().Advance(kExpiryGrace);
  Sweep();
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED EXPIRED");
}

TEST_P(StoreContractTest, ASweepDoesABoundedNumberOfThings) {
  for (uint8_t device = 1; device <= 20; ++device) Append(Register(Device(device)), Message(1));
  clock().Advance(absl::Hours(2));
  size_t handled = 0;
  for (const bool more : {true, true, true, false}) {
    const SweepResult swept = *store().Sweep(6);
    handled += swept.handled;
    EXPECT_EQ(swept.more, more);
  }
  EXPECT_EQ(handled, 20);
  EXPECT_EQ(store().Sweep(6)->handled, 0);
}

TEST_P(StoreContractTest, ASweepThatHasEndedManyMessagesGoesOnLater) {
  std::vector<TokenRef> tokens;
  for (uint8_t device = 1; device <= 4; ++device) {
    tokens.push_back(Register(Device(device)));
    Fill(tokens.back(), 1, 5);
  }
  clock().Advance(absl::Hours(2));
  EXPECT_TRUE(store().Sweep(6)->more);
  EXPECT_EQ(Steps(tokens[1], 5), "ACCEPTED STORED EXPIRED");
  EXPECT_EQ(Steps(tokens[2], 1), "ACCEPTED STORED");
  EXPECT_FALSE(store().Sweep(6)->more);
  EXPECT_EQ(Steps(tokens[3], 5), "ACCEPTED STORED EXPIRED");
}

TEST_P(StoreContractTest, ExpiryFollowsAWallClockThatJumps) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1, absl::Hours(10)));
  clock().JumpWall(absl::Hours(5));
  Sweep();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1"}));
  clock().JumpWall(-absl::Hours(5));
  // Armed for a time that the sweep has passed already, by the clock of then.
  Append(token, Message(2, absl::Hours(1)));
  clock().Advance(absl::Hours(1));
  Sweep();
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED EXPIRED");
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1"}));
}

}  // namespace
}  // namespace bellwire::registry
