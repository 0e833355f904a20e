// What a Store promises of subscriptions: registrations of a device without a team. Part of
// StoreContractTest.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "registry/mailbox/append.h"
#include "registry/mailbox/registration.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

const std::string kKey = "\x04" + std::string(64, 'k');
const std::string kOtherKey = "\x04" + std::string(64, 'o');

Subscription Page(const std::string& instance, const std::string& owner = "origin",
                  const std::string& vapid_key = kKey) {
  Subscription subscription;
  subscription.set_instance(instance);
  subscription.set_owner(owner);
  subscription.set_vapid_key(vapid_key);
  return subscription;
}

TEST_P(StoreContractTest, ASubscriptionsMessagesGoToTheDeviceAndReceiptsToNoFeed) {
  Subscription wanted = Page("page");
  wanted.set_receipts(true);
  const TokenRef token = Subscribe(Device(1), wanted);
  Envelope message = Message(1);
  message.mutable_content()->set_door(internal::v1::Content::WEB_PUSH);
  message.mutable_content()->set_encoding("aes128gcm");
  Append(token, message);
  Restart();
  const BindResult bound = Bind(Device(1), 1);
  ASSERT_EQ(bound.page.messages.size(), 1);
  EXPECT_EQ(bound.page.messages[0].content().encoding(), "aes128gcm");
  EXPECT_EQ(bound.page.messages[0].registration_id(), token.registration_id);
  Ack(Device(1), {1});
  AppAck(token, 1);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED APP_ACKED");
  ASSERT_TRUE(store().RemoveSubscription(Device(1), "page", 0).ok());
  Commit();
  const absl::StatusOr<RelayResult> relayed = store().RelayReceipts(1000);
  ASSERT_TRUE(relayed.ok());
  EXPECT_TRUE(relayed->teams.empty());
  Commit();
}

TEST_P(StoreContractTest, OnlySubscriptionsTellNobodyUnlessTheyAreToldTo) {
  const TokenRef token = Subscribe(Device(1), Page("page"));
  Append(token, Message(1));
  EXPECT_EQ(ErrorReason(store().GetMessage(token, Id(1)).status()), "RECEIPTS_OFF");
  Subscription open = Page("page");
  open.set_receipts(true);
  EXPECT_EQ(Subscribe(Device(1), open).registration_id, token.registration_id);
  Restart();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
}

TEST_P(StoreContractTest, AVapidKeyThatWasGivenBinds) {
  const TokenRef token = Subscribe(Device(1), Page("page"));
  TokenRef stranger = token;
  stranger.vapid_key = kOtherKey;
  EXPECT_EQ(WhyNot(stranger, 1), "VAPID_KEY_MISMATCH");
  stranger.vapid_key = "";
  EXPECT_EQ(WhyNot(stranger, 1), "VAPID_KEY_MISMATCH");
  stranger.vapid_key = std::nullopt;
  EXPECT_EQ(WhyNot(stranger, 1), "");
  EXPECT_EQ(WhyNot(token, 2), "");
  TokenRef open = Subscribe(Device(1), Page("app", "origin", ""));
  EXPECT_EQ(WhyNot(open, 1), "");
  open.vapid_key = kOtherKey;
  EXPECT_EQ(WhyNot(open, 2), "");
}

TEST_P(StoreContractTest, TeamsAndSubscriptionsDoNotReachEachOther) {
  const TokenRef app = Register(Device(1));
  const TokenRef page = Subscribe(Device(1), Page("page"));
  EXPECT_EQ(WhyNot({app.device, app.registration_id, "", kKey}, 1), "TOKEN_NOT_FOR_TEAM");
  EXPECT_EQ(WhyNot({page.device, page.registration_id, kTeam}, 1), "TOKEN_NOT_FOR_TEAM");
  EXPECT_EQ(ErrorReason(store().Recall({page.device, page.registration_id, kTeam}, Id(1)).status()),
            "TOKEN_NOT_FOR_TEAM");
}

TEST_P(StoreContractTest, SubscribingAgainGivesTheSameUnlessTheKeyIsAnother) {
  const TokenRef first = Subscribe(Device(1), Page("page"));
  Restart();
  EXPECT_EQ(Subscribe(Device(1), Page("page", "another origin")).registration_id,
            first.registration_id);
  EXPECT_NE(Subscribe(Device(1), Page("page 2")).registration_id, first.registration_id);
  EXPECT_NE(Subscribe(Device(2), Page("page")).registration_id, first.registration_id);
  Append(first, Message(1));
  const TokenRef second = Subscribe(Device(1), Page("page", "origin", kOtherKey));
  EXPECT_NE(second.registration_id, first.registration_id);
  EXPECT_EQ(WhyNot(first, 2), "UNREGISTERED");
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
  // Late: that one has ended.
  ASSERT_TRUE(store().RemoveSubscription(Device(1), "page", first.registration_id).ok());
  EXPECT_EQ(WhyNot(second, 1), "");
  ASSERT_TRUE(store().RemoveSubscription(Device(1), "page", second.registration_id).ok());
  const absl::Status dead = store().Append(second, Message(2), {}).status();
  EXPECT_EQ(ErrorReason(dead), "UNREGISTERED");
  EXPECT_TRUE(ErrorMetadata(dead, "unregistered_at").has_value());
  EXPECT_TRUE(store().RemoveSubscription(Device(1), "never was", 0).ok());
}

TEST_P(StoreContractTest, ASubscriptionIsPartOfWhatASessionKnows) {
  const uint64_t before = Bind(Device(1), 1).registrations_xor;
  const absl::StatusOr<RegistrationResult> made =
      store().RegisterSubscription(Device(1), Page("page"));
  ASSERT_TRUE(made.ok());
  EXPECT_NE(made->registrations_xor, before);
  const absl::StatusOr<RegistrationResult> removed =
      store().RemoveSubscription(Device(1), "page", 0);
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(removed->registrations_xor, before);
}

TEST_P(StoreContractTest, AFullSubscriptionRefusesAndSaysNothingToTheDevice) {
  const TokenRef token = Subscribe(Device(1), Page("page"));
  Fill(token, 1, kMaxMailboxMessagesPerApp);
  const absl::Status full = store().Append(token, Message(200), {}).status();
  EXPECT_EQ(ErrorReason(full), "MAILBOX_FULL");
  EXPECT_TRUE(RetryAfter(full).has_value());
  EXPECT_EQ(Mailbox(Device(1)).size(), kMaxMailboxMessagesPerApp);
  // A topic's newer message takes its place.
  Ack(Device(1), {1});
  Envelope news = Message(201);
  news.set_collapse_key("news");
  Append(token, news);
  news = Message(202);
  news.set_collapse_key("news");
  Append(token, news);
  EXPECT_EQ(WhyNot(token, 203), "MAILBOX_FULL");
}

TEST_P(StoreContractTest, SubscriptionsOfADeviceShareAQuotaThatAppsDoNot) {
  const TokenRef app = Register(Device(1));
  std::vector<TokenRef> tokens;
  uint32_t left = kMaxSubscriptionMessagesPerDevice;
  for (uint32_t id = 1; left > 0; --left, ++id) {
    if (id % kMaxMailboxMessagesPerApp == 1) {
      tokens.push_back(Subscribe(Device(1), Page(absl::StrCat("page ", id))));
    }
    Append(tokens.back(), Message(id));
  }
  const TokenRef one_more = Subscribe(Device(1), Page("one more"));
  EXPECT_EQ(WhyNot(one_more, 1), "QUOTA_EXCEEDED");
  EXPECT_EQ(WhyNot(app, 1), "");
  EXPECT_EQ(WhyNot(Subscribe(Device(2), Page("page")), 1), "");
  Restart();
  ASSERT_TRUE(store().RemoveSubscription(Device(1), "page 1", 0).ok());
  EXPECT_EQ(WhyNot(one_more, 1), "");
  EXPECT_EQ(WhyNot(one_more, 1), "") << "a retry needs no place";
  clock().Advance(absl::Hours(2));
  Sweep();
  Fill(one_more, 2, kMaxMailboxMessagesPerApp);
}

TEST_P(StoreContractTest, AnEncryptedRetryIsKnownByItsId) {
  const TokenRef token = Subscribe(Device(1), Page("page"));
  Envelope message = Message(1);
  message.mutable_content()->set_encoding("aes128gcm");
  Append(token, message);
  message.set_payload("the same text under another salt");
  const absl::StatusOr<AppendResult> again = store().Append(token, message, {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
  message.mutable_content()->clear_encoding();
  EXPECT_EQ(ErrorReason(store().Append(token, message, {}).status()), "MESSAGE_ID_REUSED");
}

TEST_P(StoreContractTest, OneOwnersLoopOfSubscriptionsLocksNobodyOut) {
  std::vector<TokenRef> tokens;
  for (size_t i = 0; i < kMaxSubscriptionsPerOwner; ++i) {
    tokens.push_back(Subscribe(Device(1), Page(absl::StrCat("page ", i), "greedy")));
  }
  EXPECT_EQ(
      ErrorReason(store().RegisterSubscription(Device(1), Page("one more", "greedy")).status()),
      "LIMIT_REACHED");
  // One that is there, and one that takes another's place, need no room.
  EXPECT_TRUE(store().RegisterSubscription(Device(1), Page("page 0", "greedy")).ok());
  EXPECT_TRUE(store().RegisterSubscription(Device(1), Page("page 0", "greedy", kOtherKey)).ok());
  for (size_t i = kMaxSubscriptionsPerOwner; i < kMaxSubscriptionsPerDevice; ++i) {
    Subscribe(Device(1), Page(absl::StrCat("page ", i), absl::StrCat("origin ", i)));
  }
  EXPECT_EQ(
      ErrorReason(store().RegisterSubscription(Device(1), Page("one more", "modest")).status()),
      "LIMIT_REACHED");
  EXPECT_NE(Register(Device(1)).registration_id, 0) << "apps have places of their own";
  Commit();
}

TEST_P(StoreContractTest, TheOldestDeadSubscriptionsOfAnOwnerGoFirstAndAreDeadStill) {
  const TokenRef other = Subscribe(Device(1), Page("other", "modest"));
  ASSERT_TRUE(store().RemoveSubscription(Device(1), "other", 0).ok());
  std::vector<TokenRef> tokens;
  for (size_t i = 0; i < 4 * kMaxDeadRegistrationsPerApp; ++i) {
    clock().Advance(absl::Milliseconds(1));
    tokens.push_back(Subscribe(Device(1), Page(absl::StrCat("page ", i), "greedy")));
    ASSERT_TRUE(store().RemoveSubscription(Device(1), absl::StrCat("page ", i), 0).ok());
    Commit();
  }
  const auto died_at = [&](const TokenRef& token) {
    const absl::Status status = store().Append(token, Message(1), {}).status();
    EXPECT_EQ(ErrorReason(status), "UNREGISTERED");
    return ErrorMetadata(status, "unregistered_at");
  };
  EXPECT_TRUE(died_at(other).has_value());
  EXPECT_TRUE(died_at(tokens.back()).has_value());
  EXPECT_FALSE(died_at(tokens.front()).has_value());
}

TEST_P(StoreContractTest, ARecallOfASubscriptionsMessageNeedsNoKey) {
  const TokenRef token = Subscribe(Device(1), Page("page"));
  Append(token, Message(1));
  const absl::StatusOr<RecallResult> recalled =
      store().Recall({token.device, token.registration_id, ""}, Id(1));
  ASSERT_TRUE(recalled.ok()) << recalled.status();
  EXPECT_EQ(recalled->outcome, push::v1::RecallResponse::RECALLED);
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
}

}  // namespace
}  // namespace bellwire::registry
