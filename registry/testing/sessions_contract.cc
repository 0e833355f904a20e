// What a Store promises of sessions and pages: whose login wins, and what a page holds. Part of
// StoreContractTest.

#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

TEST_P(StoreContractTest, BindAnswersTheMailboxAndAppendsAnswerTheRoute) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  const BindResult bound = Bind(Device(1), 1);
  EXPECT_FALSE(bound.mailbox_id.is_zero());
  EXPECT_EQ(bound.settled_seq, 0);
  ASSERT_EQ(bound.page.messages.size(), 1);
  EXPECT_EQ(bound.page.complete_to_seq, 1);
  EXPECT_FALSE(bound.page.more);
  EXPECT_FALSE(bound.evicted.has_value());
  const AppendResult appended = Append(token, Message(2));
  ASSERT_TRUE(appended.route.has_value());
  EXPECT_EQ(appended.route->SerializeAsString(), RouteOf(1).SerializeAsString());
  Restart();
  EXPECT_TRUE(Append(token, Message(3)).route.has_value());
  EXPECT_EQ(Bind(Device(1), 2).mailbox_id, bound.mailbox_id);
  EXPECT_NE(Bind(Device(2), 1).mailbox_id, bound.mailbox_id);
}

TEST_P(StoreContractTest, AnAppendAndABindOfOneCommitAreOrdered) {
  const TokenRef token = Register(Device(1));
  ASSERT_TRUE(store().Append(token, Message(1), {}).ok());
  const absl::StatusOr<BindResult> bound = store().Bind(Device(1), RouteOf(1), Wide(), {});
  const absl::StatusOr<AppendResult> later = store().Append(token, Message(2), {});
  Commit();
  ASSERT_TRUE(bound.ok() && later.ok());
  // The page holds the one before it, and the one after it has the route.
  ASSERT_EQ(bound->page.messages.size(), 1);
  EXPECT_EQ(bound->page.messages[0].message_id(), Id(1).bytes());
  ASSERT_TRUE(later->route.has_value());
  EXPECT_EQ(later->route->login_number(), 1);
}

TEST_P(StoreContractTest, TheNewestLoginWinsWhateverTheOrder) {
  Bind(Device(1), 5);
  const BindResult newer = Bind(Device(1), 6);
  ASSERT_TRUE(newer.evicted.has_value());
  EXPECT_EQ(newer.evicted->login_number(), 5);
  for (const uint64_t number : {uint64_t{5}, uint64_t{1}}) {
    const absl::Status stale = store().Bind(Device(1), RouteOf(number), Wide(), {}).status();
    EXPECT_EQ(stale.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ErrorReason(stale), "STALE_LOGIN");
    EXPECT_EQ(ErrorMetadata(stale, "winning_login_number"), "6");
  }
  // The same number from somewhere else is not the same login.
  Route other = RouteOf(6);
  other.set_session_id(1);
  EXPECT_EQ(ErrorReason(store().Bind(Device(1), other, Wide(), {}).status()), "STALE_LOGIN");
}

// The greatest number there is would lock the device out for good.
TEST_P(StoreContractTest, ALoginNumberFarAheadIsRefused) {
  Bind(Device(1), 5);
  for (const uint64_t number : {UINT64_MAX, UINT64_MAX / 2, kMaxLoginNumberStep + 6}) {
    const absl::Status refused = store().Bind(Device(1), RouteOf(number), Wide(), {}).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ErrorReason(refused), "LOGIN_NUMBER_TOO_GREAT");
    EXPECT_EQ(ErrorMetadata(refused, "winning_login_number"), "5");
    EXPECT_EQ(ErrorReason(store().Bind(Device(2), RouteOf(number), Wide(), {}).status()),
              "LOGIN_NUMBER_TOO_GREAT");
  }
  Bind(Device(1), 6);
  Bind(Device(1), kMaxLoginNumberStep + 6);
  Bind(Device(2), 1);
}

TEST_P(StoreContractTest, RepeatingABindIsHarmless) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 5);
  Append(token, Message(1));
  const BindResult again = Bind(Device(1), 5);
  EXPECT_FALSE(again.evicted.has_value());
  EXPECT_EQ(again.page.messages.size(), 1);
}

TEST_P(StoreContractTest, AStaleUnbindChangesNothing) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 5);
  Bind(Device(1), 6);
  ASSERT_TRUE(store().Unbind(Device(1), RouteOf(5)).ok());
  Route other = RouteOf(6);
  other.set_connector_incarnation(8);
  ASSERT_TRUE(store().Unbind(Device(1), other).ok());
  EXPECT_TRUE(Append(token, Message(1)).route.has_value());
  ASSERT_TRUE(store().Unbind(Device(1), RouteOf(6)).ok());
  Commit();
  Restart();
  EXPECT_FALSE(Append(token, Message(2)).route.has_value());
  // A login that comes late loses to one that has gone.
  EXPECT_EQ(ErrorReason(store().Bind(Device(1), RouteOf(5), Wide(), {}).status()), "STALE_LOGIN");
}

TEST_P(StoreContractTest, ALoginWithoutMessagesIsWrittenWithTheNextWrite) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  const BindResult newer = Bind(Device(1), 2);
  ASSERT_TRUE(newer.evicted.has_value()) << "it has its effect at once";
  EXPECT_EQ(newer.evicted->login_number(), 1);
  Register(Device(2));
  Restart();
  const AppendResult appended = Append(token, Message(1));
  ASSERT_TRUE(appended.route.has_value());
  EXPECT_EQ(appended.route->login_number(), 2);
}

TEST_P(StoreContractTest, ALoginWithoutMessagesIsWrittenByTheSweep) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Sweep();
  Restart();
  EXPECT_TRUE(Append(token, Message(1)).route.has_value());
}

TEST_P(StoreContractTest, WhatALoginIsHandedIsCommittedWithIt) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  EXPECT_EQ(Bind(Device(1), 1).page.messages.size(), 1);
  Restart();
  EXPECT_TRUE(Append(token, Message(2)).route.has_value());
  // A message that comes while the login waits is handed to it, too.
  Ack(Device(1), {1, 2});
  Bind(Device(1), 2);
  EXPECT_TRUE(Append(token, Message(3)).route.has_value());
  Restart();
  const AppendResult appended = Append(token, Message(4));
  ASSERT_TRUE(appended.route.has_value());
  EXPECT_EQ(appended.route->login_number(), 2);
}

TEST_P(StoreContractTest, ALoginThatHearsOfARecallIsWrittenAtOnce) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Append(token, Message(1));
  ASSERT_TRUE(store().Recall(token, Id(1)).ok());
  Commit();
  EXPECT_EQ(Bind(Device(1), 2).recalls.size(), 1);
  Restart();
  EXPECT_EQ(Append(token, Message(2)).route->login_number(), 2);
}

TEST_P(StoreContractTest, ALoginWhileAMessageIsNowOrNeverIsWrittenAtOnce) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1, absl::ZeroDuration()));
  Bind(Device(1), 1);
  Restart();
  EXPECT_TRUE(Append(token, Message(2)).route.has_value());
}

TEST_P(StoreContractTest, TheFirstLoginOfADeviceIsWrittenAtOnce) {
  const MailboxId mailbox = Bind(Device(1), 1).mailbox_id;
  Restart();
  EXPECT_EQ(Bind(Device(1), 2).mailbox_id, mailbox) << "the session was told of it";
}

TEST_P(StoreContractTest, ASessionThatWasForgottenIsBoundAgain) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Restart();
  ASSERT_FALSE(Append(token, Message(1)).route.has_value()) << "a crash may take a login back";
  ASSERT_TRUE(store().Resume(Device(1), RouteOf(1), std::nullopt, 0).ok());
  Commit();
  Restart();
  EXPECT_TRUE(Append(token, Message(2)).route.has_value());
}

TEST_P(StoreContractTest, OnlyTheNewestSessionIsBoundAgain) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 5);
  Bind(Device(1), 6);
  EXPECT_EQ(ErrorReason(store().Resume(Device(1), RouteOf(5), std::nullopt, 0).status()),
            "STALE_LOGIN");
  Commit();
  EXPECT_EQ(Append(token, Message(1)).route->login_number(), 6);
  ASSERT_TRUE(store().Unbind(Device(1), RouteOf(6)).ok());
  EXPECT_EQ(ErrorReason(store().Resume(Device(1), RouteOf(5), std::nullopt, 0).status()),
            "STALE_LOGIN");
  // A hand-over did not find it, and it lives.
  ASSERT_TRUE(store().Resume(Device(1), RouteOf(6), std::nullopt, 0).ok());
  Commit();
  EXPECT_TRUE(Append(token, Message(2)).route.has_value());
}

TEST_P(StoreContractTest, ASessionThatResumesHearsWhetherAnythingWaitsForIt) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  const auto behind = [&](uint64_t after_seq) {
    const auto resumed = store().Resume(Device(1), RouteOf(1), std::nullopt, after_seq);
    EXPECT_TRUE(resumed.ok()) << resumed.status();
    return resumed.ok() && *resumed;
  };
  EXPECT_FALSE(behind(0));
  const uint64_t first = Append(token, Message(1)).seq;
  EXPECT_TRUE(behind(first - 1));
  EXPECT_FALSE(behind(first));
  EXPECT_FALSE(behind(UINT64_MAX));
  Append(token, Message(2));
  EXPECT_TRUE(behind(first));
  Ack(Device(1), {first + 1});
  EXPECT_FALSE(behind(first));
  EXPECT_TRUE(behind(first - 1));
  clock().Advance(absl::Hours(2));
  EXPECT_FALSE(behind(first - 1)) << "it has expired";
}

// No crash takes a device or a registration away: the store comes from a backup, and the session
// must not go on as if nothing had happened.
TEST_P(StoreContractTest, ASessionThatAnOlderStoreCantKnowIsToldSo) {
  EXPECT_EQ(ErrorReason(store().Resume(Device(9), RouteOf(1), std::nullopt, 0).status()),
            "SESSION_FORGOTTEN");
  Register(Device(1));
  const uint64_t registrations = Bind(Device(1), 1).registrations_xor;
  EXPECT_TRUE(store().Resume(Device(1), RouteOf(1), registrations, 0).ok());
  EXPECT_EQ(ErrorReason(store().Resume(Device(1), RouteOf(2), registrations + 1, 0).status()),
            "SESSION_FORGOTTEN");
  EXPECT_EQ(Append(Register(Device(1)), Message(1)).route->login_number(), 1) << "it had no effect";
}

TEST_P(StoreContractTest, BindTellsWhetherTheRegistrationsAreOthers) {
  const uint64_t none = Bind(Device(1), 1).registrations_xor;
  const TokenRef first = Register(Device(1));
  const uint64_t one = Bind(Device(1), 2).registrations_xor;
  EXPECT_NE(one, none);
  EXPECT_EQ(store().RegisterApp(Device(1), kApp)->registrations_xor, one) << "it is registered";
  PutApp(kApp2, admin::v1::DROP_OLDEST);
  const uint64_t two = store().RegisterApp(Device(1), kApp2)->registrations_xor;
  EXPECT_NE(two, one);
  EXPECT_EQ(store().RemoveApp(Device(1), kApp2, 0)->registrations_xor, one);
  EXPECT_EQ(store().RemoveApp(Device(1), kApp, first.registration_id)->registrations_xor, none);
  Register(Device(1));
  EXPECT_NE(Bind(Device(1), 3).registrations_xor, one) << "another life of the app";
}

TEST_P(StoreContractTest, BindTellsTheGreatestSeqThatTheDeviceEverAcknowledged) {
  const TokenRef token = Register(Device(1));
  EXPECT_EQ(Bind(Device(1), 1).acked_up_to_seq, 0);
  Fill(token, 1, 3);
  Ack(Device(1), {3});
  Ack(Device(1), {1, 7});
  EXPECT_EQ(Bind(Device(1), 2).acked_up_to_seq, 3) << "nothing ever had the number 7";
  Envelope now_or_never = Message(4, absl::ZeroDuration());
  const uint64_t seq = Append(token, now_or_never).seq;
  Ack(Device(1), {seq});
  Restart();
  EXPECT_EQ(Bind(Device(1), 3).acked_up_to_seq, seq);
  const AppendResult last = Append(token, Message(5));
  ASSERT_TRUE(store().Unbind(Device(1), RouteOf(3)).ok());
  AppAck(token, 5);
  EXPECT_EQ(Bind(Device(1), 4).acked_up_to_seq, last.seq) << "an app's word says it too";
}

TEST_P(StoreContractTest, ADeviceThatHasSeenMoreThanWasEverGivenGetsANewMailbox) {
  const TokenRef token = Register(Device(1));
  const BindResult before = Bind(Device(1), 1);
  Fill(token, 1, 2);
  Ack(Device(1), {1});
  const auto bind = [&](uint64_t login, const MailboxId& mailbox, uint64_t seen) {
    auto bound = store().Bind(Device(1), RouteOf(login), Wide(),
                              {.mailbox_id = mailbox, .seen_up_to_seq = seen});
    EXPECT_TRUE(bound.ok()) << bound.status();
    Commit();
    return *bound;
  };
  EXPECT_EQ(bind(2, before.mailbox_id, 2).mailbox_id, before.mailbox_id);
  EXPECT_EQ(bind(3, MailboxId(), 3).mailbox_id, before.mailbox_id) << "numbers of another mailbox";
  const BindResult behind = bind(4, before.mailbox_id, 3);
  EXPECT_NE(behind.mailbox_id, before.mailbox_id);
  EXPECT_EQ(behind.acked_up_to_seq, 0) << "of this mailbox";
  EXPECT_EQ(behind.page.messages.size(), 1) << "what waits is sent under the new id";
  Restart();
  EXPECT_EQ(Bind(Device(1), 5).mailbox_id, behind.mailbox_id);
}

TEST_P(StoreContractTest, ALoginThatYieldsBindsOnlyAFreeMailbox) {
  Register(Device(1));
  const auto yield = [&](uint64_t login) {
    return store().Bind(Device(1), RouteOf(login), Wide(), {.yields = true}).status();
  };
  Bind(Device(1), 1);
  const absl::Status refused = yield(2);
  EXPECT_EQ(ErrorReason(refused), "STALE_LOGIN");
  EXPECT_EQ(Bind(Device(1), 3).evicted->login_number(), 1) << "the refused one changed nothing";
  ASSERT_TRUE(store().Unbind(Device(1), RouteOf(3)).ok());
  EXPECT_EQ(ErrorReason(yield(3)), "STALE_LOGIN") << "its number is used";
  EXPECT_TRUE(yield(4).ok());
  EXPECT_TRUE(yield(4).ok()) << "a Bind that is repeated";
}

TEST_P(StoreContractTest, PagesKeepToTheirBounds) {
  const TokenRef token = Register(Device(1));
  for (uint32_t id = 1; id <= 10; ++id) {
    Envelope message = Message(id);
    message.set_payload(std::string(100, 'x'));
    Append(token, message);
  }
  Page page = *store().Pull(Device(1), 0, {.max_bytes = 1000, .max_messages = 3});
  EXPECT_EQ(page.messages.size(), 3);
  EXPECT_EQ(page.complete_to_seq, 3);
  EXPECT_TRUE(page.more);
  page = *store().Pull(Device(1), 3, {.max_bytes = 499, .max_messages = 100});
  EXPECT_EQ(page.messages.size(), 4);
  EXPECT_EQ(page.complete_to_seq, 7);
  EXPECT_TRUE(page.more);
  page = *store().Pull(Device(1), 7, {.max_bytes = 1, .max_messages = 0});
  EXPECT_EQ(page.messages.size(), 1) << "one message comes in any case";
  page = *store().Pull(Device(1), 8, {.max_bytes = 200, .max_messages = 2});
  EXPECT_EQ(page.messages.size(), 2);
  EXPECT_FALSE(page.more);
  EXPECT_EQ(store().Pull(Device(1), 10, Wide())->messages.size(), 0);
  EXPECT_EQ(store().Pull(Device(1), 99, Wide())->complete_to_seq, 10);
  EXPECT_EQ(store().Pull(Device(9), 0, Wide())->complete_to_seq, 0);
}

TEST_P(StoreContractTest, OnePageIsBoundedWhateverIsAskedFor) {
  for (int app = 0; app < 4; ++app) {
    const std::string app_id = absl::StrCat("com.example.app", app);
    PutApp(app_id, admin::v1::DROP_OLDEST);
    Fill(Register(Device(1), app_id), 1, 100);
  }
  EXPECT_EQ(store()
                .Pull(Device(1), 0, {.max_bytes = SIZE_MAX, .max_messages = SIZE_MAX})
                ->messages.size(),
            kMaxPageMessages);
  EXPECT_EQ(Mailbox(Device(1)).size(), 400);
  for (int app = 0; app < 4; ++app) {
    const TokenRef token = Register(Device(2), absl::StrCat("com.example.app", app));
    for (uint32_t id = 1; id <= 25; ++id) {
      Envelope message = Message(id);
      message.set_payload(std::string(kMaxPayloadBytes, 'x'));
      Append(token, message);
    }
  }
  EXPECT_EQ(store()
                .Pull(Device(2), 0, {.max_bytes = SIZE_MAX, .max_messages = SIZE_MAX})
                ->messages.size(),
            kMaxPageBytes / kMaxPayloadBytes);
}

}  // namespace
}  // namespace bellwire::registry
