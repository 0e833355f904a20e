// What a Store promises of the feeds of receipts: the part of StoreContractTest about them.

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

// Relays as the writer does, in steps smaller than what waits.
void Relay(Store& store) {
  while (true) {
    const absl::StatusOr<RelayResult> relayed = store.RelayReceipts(2);
    ASSERT_TRUE(relayed.ok()) << relayed.status();
    ASSERT_LE(relayed->moved, 2);
    ASSERT_TRUE(store.Commit().ok());
    if (!relayed->more) return;
  }
}

// Everything after `after`, read in pages of `page`; checks that positions have no holes.
std::vector<FeedReceipt> Read(Store& store, absl::string_view team, uint64_t after,
                              size_t page = 3) {
  std::vector<FeedReceipt> all;
  while (true) {
    const absl::StatusOr<FeedPage> read = store.ReadReceipts(team, after, page);
    EXPECT_TRUE(read.ok()) << read.status();
    if (!read.ok() || read->receipts.empty()) return all;
    EXPECT_LE(read->receipts.size(), page);
    for (const FeedReceipt& receipt : read->receipts) {
      EXPECT_EQ(receipt.position, ++after);
      all.push_back(receipt);
    }
    EXPECT_EQ(read->next_position, after);
  }
}

// "7 STORED": a step of message 7; "token UNREGISTERED".
std::vector<std::string> Names(const std::vector<FeedReceipt>& receipts) {
  std::vector<std::string> names;
  for (const FeedReceipt& receipt : receipts) {
    std::string id = "token";
    if (receipt.message_id.has_value()) {
      uint32_t number = 0;
      for (const char c : receipt.message_id->bytes().substr(0, 4)) {
        number = number << 8 | static_cast<uint8_t>(c);
      }
      id = absl::StrCat(number);
    }
    names.push_back(absl::StrCat(id, " ", push::v1::Step_Name(receipt.step)));
  }
  return names;
}

TEST_P(StoreContractTest, TheFeedHasEveryStepOfEveryMessageInOrder) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  Append(token, Message(2, absl::ZeroDuration()));
  Ack(Device(1), {1});
  ASSERT_TRUE(store().Resolve(Device(1), 2).ok());
  AppAck(token, 1);
  Relay(store());
  const std::vector<FeedReceipt> receipts = Read(store(), kTeam, 0);
  EXPECT_EQ(Names(receipts), (Strings{"1 ACCEPTED", "1 STORED", "2 ACCEPTED", "2 STORED", "1 SENT",
                                      "1 AGENT_ACKED", "2 NOT_CONNECTED", "1 APP_ACKED"}));
  EXPECT_EQ(receipts[0].device, Device(1));
  EXPECT_EQ(receipts[0].registration_id, token.registration_id);
  EXPECT_EQ(receipts[0].app_id, kApp);
  EXPECT_EQ(receipts[0].time, clock().WallNow());
  EXPECT_TRUE(Read(store(), kOtherTeam, 0).empty());
}

TEST_P(StoreContractTest, ADeadTokenIsInTheFeed) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
  Commit();
  Relay(store());
  const std::vector<FeedReceipt> receipts = Read(store(), kTeam, 2);
  EXPECT_EQ(Names(receipts), (Strings{"1 UNREGISTERED", "token UNREGISTERED"}));
  EXPECT_EQ(receipts[1].registration_id, token.registration_id);
  EXPECT_EQ(receipts[1].app_id, kApp);
}

TEST_P(StoreContractTest, AFeedIsReadFromNowOnAndOnFromAnyPlace) {
  const TokenRef token = Register(Device(1));
  EXPECT_EQ(store().ReadReceipts(kTeam, std::nullopt, 9)->next_position, 0);
  Append(token, Message(1));
  Relay(store());
  const FeedPage now = *store().ReadReceipts(kTeam, std::nullopt, 9);
  EXPECT_TRUE(now.receipts.empty());
  EXPECT_EQ(now.next_position, 2);
  Append(token, Message(2));
  Relay(store());
  EXPECT_EQ(Names(Read(store(), kTeam, now.next_position)), (Strings{"2 ACCEPTED", "2 STORED"}));
  EXPECT_EQ(Names(Read(store(), kTeam, 1)), (Strings{"1 STORED", "2 ACCEPTED", "2 STORED"}));
  EXPECT_EQ(ErrorReason(store().ReadReceipts(kTeam, 5, 9).status()), "BAD_CURSOR");
}

TEST_P(StoreContractTest, WhatWasNotRelayedBeforeACrashIsRelayedAfterItInOrder) {
  const TokenRef token = Register(Device(1));
  const TokenRef other = Register(Device(2));
  Append(token, Message(1));
  Append(other, Message(2));
  Restart();
  Ack(Device(1), {1});
  Relay(store());
  Restart();
  Ack(Device(2), {1});
  Relay(store());
  EXPECT_EQ(Names(Read(store(), kTeam, 0)),
            (Strings{"1 ACCEPTED", "1 STORED", "2 ACCEPTED", "2 STORED", "1 SENT", "1 AGENT_ACKED",
                     "2 SENT", "2 AGENT_ACKED"}));
}

TEST_P(StoreContractTest, AfterARestartNewReceiptsComeBehindThoseThatWereLeft) {
  const TokenRef token = Register(Device(1));
  for (uint32_t i = 1; i <= 5; ++i) Append(token, Message(i));
  Restart();
  // The first thing that happens is that the outbox is emptied.
  Relay(store());
  EXPECT_EQ(Read(store(), kTeam, 0).size(), 10);
  Append(token, Message(6));
  Relay(store());
  EXPECT_EQ(Names(Read(store(), kTeam, 10)), (Strings{"6 ACCEPTED", "6 STORED"}));
}

TEST_P(StoreContractTest, ARelayThatWasNotCommittedIsRepeated) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  ASSERT_TRUE(store().RelayReceipts(9).ok());
  Restart();
  EXPECT_TRUE(Read(store(), kTeam, 0).empty());
  Relay(store());
  EXPECT_EQ(Read(store(), kTeam, 0).size(), 2);
}

TEST_P(StoreContractTest, WhatIsRefusedOrOnlyValidatedLeavesNoReceipt) {
  const TokenRef token = Register(Device(1));
  ASSERT_TRUE(store().Append(token, Message(1), {.validate_only = true}).ok());
  EXPECT_FALSE(store().Append({token.device, 77, kTeam}, Message(2), {}).ok());
  Commit();
  Relay(store());
  EXPECT_TRUE(Read(store(), kTeam, 0).empty());
}

TEST_P(StoreContractTest, AFeedIsTrimmedBitByBitAndSaysSo) {
  const TokenRef token = Register(Device(1));
  // More records than one step removes.
  const uint32_t count = kMaxFeedTrimBlocks + 10;
  for (uint32_t i = 1; i <= count; ++i) {
    Append(token, Message(i, absl::ZeroDuration()));
    Relay(store());
  }
  clock().Advance(kReceiptRetention - absl::Seconds(1));
  Append(token, Message(count + 1));
  Relay(store());
  Sweep();
  EXPECT_TRUE(store().ReadReceipts(kTeam, 0, 1).ok());
  clock().Advance(absl::Seconds(2));
  Sweep();
  EXPECT_EQ(ErrorReason(store().ReadReceipts(kTeam, 0, 1).status()), "CURSOR_TOO_OLD");
  EXPECT_EQ(store().ReadReceipts(kTeam, 0, 1).status().code(), absl::StatusCode::kOutOfRange);
  Restart();
  // Relayed in time: the sweep has ended the messages of no consequence, and nothing newer is gone.
  Relay(store());
  const std::vector<std::string> kept = Names(Read(store(), kTeam, 2 * count));
  ASSERT_GE(kept.size(), 2u);
  EXPECT_EQ(kept[0], absl::StrCat(count + 1, " ACCEPTED"));
}

TEST_P(StoreContractTest, AFeedOfAWholeMailboxIsSplitIntoRecordsAndReadWhole) {
  const TokenRef token = Register(Device(1));
  for (uint32_t i = 1; i <= 2 * kMaxFeedBlockReceipts; ++i) {
    Append(token, Message(i, absl::ZeroDuration()));
  }
  while (store().RelayReceipts(kMaxRelayEntries)->moved > 0) Commit();
  EXPECT_EQ(Read(store(), kTeam, 0, 100).size(), 4 * kMaxFeedBlockReceipts);
}

}  // namespace
}  // namespace bellwire::registry
