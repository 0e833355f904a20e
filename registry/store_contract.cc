#include "registry/store_contract.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "google/protobuf/util/time_util.h"
#include "registry/message_life.h"

namespace bellwire::registry {

using google::protobuf::util::TimeUtil;

void StoreContractTest::SetUp() {
  under_test_ = GetParam()();
  for (const char* id : {kTeam, kOtherTeam}) {
    admin::v1::Team team;
    team.set_team_id(id);
    team.set_name("A team");
    ASSERT_TRUE(store().PutTeam(team).ok());
  }
  PutApp(kApp, admin::v1::DROP_OLDEST);
  PutApp(kApp2, admin::v1::DROP_OLDEST);
  Commit();
}

void StoreContractTest::TearDown() {
  EXPECT_EQ(under_test_->Problems(), std::vector<std::string>{});
}

void StoreContractTest::Sweep() {
  while (true) {
    const absl::StatusOr<SweepResult> swept = store().Sweep(7);
    ASSERT_TRUE(swept.ok()) << swept.status();
    ASSERT_LE(swept->handled, 7);
    Commit();
    if (!swept->more) return;
  }
}

DeviceId StoreContractTest::Device(uint8_t n) { return DeviceId(std::array<uint8_t, 16>{0xd0, n}); }

MessageId StoreContractTest::Id(uint32_t n) {
  std::array<uint8_t, 16> bytes{};
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(n >> (24 - 8 * i));
  return MessageId(bytes);
}

Route StoreContractTest::RouteOf(uint64_t login_number) {
  Route route;
  route.set_connector_address("127.0.0.1:7446");
  route.set_connector_incarnation(7);
  route.set_session_id(1000 + login_number);
  route.set_login_number(login_number);
  return route;
}

void StoreContractTest::PutApp(const std::string& app_id, admin::v1::OverflowPolicy policy) {
  admin::v1::App app;
  app.set_app_id(app_id);
  app.set_team_id(kTeam);
  app.set_overflow_policy(policy);
  ASSERT_TRUE(store().PutApp(app).ok());
}

TokenRef StoreContractTest::Register(const DeviceId& device, const std::string& app_id) {
  const absl::StatusOr<uint64_t> id = store().RegisterApp(device, app_id);
  EXPECT_TRUE(id.ok()) << id.status();
  Commit();
  return {device, id.value_or(0), kTeam};
}

Envelope StoreContractTest::Message(uint32_t id, absl::Duration ttl) {
  Envelope message;
  message.set_message_id(std::string(Id(id).bytes()));
  message.set_payload(absl::StrCat("payload ", id));
  message.set_accepted_at_ms(NowMs());
  message.set_expires_at_ms(NowMs() + absl::ToInt64Milliseconds(ttl));
  return message;
}

AppendResult StoreContractTest::Append(const TokenRef& token, const Envelope& message) {
  const absl::StatusOr<AppendResult> result = store().Append(token, message, {});
  EXPECT_TRUE(result.ok()) << result.status();
  Commit();
  return result.value_or(AppendResult());
}

void StoreContractTest::Fill(const TokenRef& token, uint32_t first, uint32_t last) {
  for (uint32_t id = first; id <= last; ++id) {
    ASSERT_TRUE(store().Append(token, Message(id), {}).ok());
  }
  Commit();
}

BindResult StoreContractTest::Bind(const DeviceId& device, uint64_t login_number) {
  const absl::StatusOr<BindResult> result = store().Bind(device, RouteOf(login_number), Wide());
  EXPECT_TRUE(result.ok()) << result.status();
  Commit();
  return result.value_or(BindResult());
}

std::vector<std::string> StoreContractTest::Mailbox(const DeviceId& device) {
  std::vector<std::string> mail;
  uint64_t after = 0;
  while (true) {
    const absl::StatusOr<Page> page = store().Pull(device, after, Wide());
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return {};
    Commit();
    for (const Envelope& message : page->messages) {
      EXPECT_GT(message.seq(), after);
      after = message.seq();
      if (message.gap_dropped() != 0) {
        mail.push_back(absl::StrCat("gap ", message.gap_dropped()));
      } else {
        mail.push_back(message.payload().substr(8));
      }
    }
    EXPECT_GE(page->complete_to_seq, after);
    after = page->complete_to_seq;
    if (!page->more) return mail;
  }
}

void StoreContractTest::Ack(const DeviceId& device, const std::vector<uint64_t>& seqs) {
  std::vector<AckItem> items;
  for (const uint64_t seq : seqs) items.push_back({seq, clock().WallNow()});
  const absl::Status status = store().Acknowledge(device, RouteOf(1), items);
  EXPECT_TRUE(status.ok() || ErrorReason(status) == "STALE_LOGIN") << status;
  Commit();
}

void StoreContractTest::AppAck(const TokenRef& token, uint32_t id, Step step) {
  EXPECT_TRUE(store().AppAcknowledge(token.device, {{Id(id), token.registration_id, step}}).ok());
  Commit();
}

std::string StoreContractTest::Steps(const TokenRef& token, uint32_t id) {
  const auto message = store().GetMessage(token, Id(id));
  if (!message.ok()) return ErrorReason(message.status());
  std::vector<std::string> steps;
  for (const push::v1::Receipt& receipt : message->receipts()) {
    steps.push_back(push::v1::Step_Name(receipt.step()));
  }
  EXPECT_EQ(push::v1::Step_Name(message->state()), steps.back());
  return absl::StrJoin(steps, " ");
}

namespace {

using Strings = std::vector<std::string>;

// --- Accepting.

TEST_P(StoreContractTest, AnAcceptedMessageIsInTheMailboxAndSurvivesARestart) {
  const TokenRef token = Register(Device(1));
  const AppendResult first = Append(token, Message(1));
  EXPECT_EQ(first.seq, 1);
  EXPECT_FALSE(first.duplicate);
  EXPECT_FALSE(first.route.has_value());
  EXPECT_EQ(first.state, push::v1::STORED);
  EXPECT_EQ(Append(token, Message(2)).seq, 2);
  Restart();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1", "2"}));
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  EXPECT_EQ(Append(token, Message(3)).seq, 3);
}

TEST_P(StoreContractTest, WhatWasNotCommittedIsGoneAfterARestart) {
  const TokenRef token = Register(Device(1));
  ASSERT_TRUE(store().Append(token, Message(1), {}).ok());
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  Restart();
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
  EXPECT_EQ(Steps(token, 1), "MESSAGE_NOT_FOUND");
  EXPECT_EQ(Append(token, Message(1)).seq, 1);
}

TEST_P(StoreContractTest, AMessageKeepsAllThatItCameWith) {
  const TokenRef token = Register(Device(1));
  Envelope message = Message(1);
  message.set_payload(std::string(kMaxPayloadBytes, '\0'));
  message.set_priority(push::v1::PRIORITY_HIGH);
  message.set_collapse_key("key");
  Append(token, message);
  const Page page = *store().Pull(Device(1), 0, Wide());
  ASSERT_EQ(page.messages.size(), 1);
  message.set_seq(1);
  message.set_registration_id(token.registration_id);
  message.set_stored_at_ms(WallNowMs(clock()));
  EXPECT_EQ(page.messages[0].SerializeAsString(), message.SerializeAsString());
}

TEST_P(StoreContractTest, MailboxesOfDevicesAreApart) {
  const TokenRef a = Register(Device(1));
  const TokenRef b = Register(Device(2));
  Append(a, Message(1));
  Append(b, Message(1));
  Append(b, Message(2));
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1"}));
  EXPECT_EQ(Mailbox(Device(2)), (Strings{"1", "2"}));
}

TEST_P(StoreContractTest, ARetryIsAnsweredAsTheFirstWas) {
  const TokenRef token = Register(Device(1));
  const Envelope message = Message(1);
  Append(token, message);
  clock().Advance(absl::Hours(23));
  Envelope retry = Message(1);
  const AppendResult again = Append(token, retry);
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.seq, 1);
  EXPECT_EQ(again.state, push::v1::STORED);
  EXPECT_EQ(Append(token, Message(2)).seq, 2);
}

TEST_P(StoreContractTest, ARetryIsKnownAfterTheMessageHasEnded) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  Ack(Device(1), {1});
  AppAck(token, 1);
  Restart();
  const AppendResult again = Append(token, Message(1));
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.state, push::v1::APP_ACKED);
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
}

// It is not looked for before, and it is there afterwards like any other.
TEST_P(StoreContractTest, AMessageWhoseIdIsNewIsKnownFromThenOn) {
  const TokenRef token = Register(Device(1));
  const absl::StatusOr<AppendResult> appended =
      store().Append(token, Message(1), {.message_id_is_new = true});
  ASSERT_TRUE(appended.ok()) << appended.status();
  EXPECT_EQ(appended->seq, 1);
  Commit();
  Restart();
  EXPECT_TRUE(Append(token, Message(1)).duplicate);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1"}));
}

TEST_P(StoreContractTest, OtherContentUnderTheSameIdIsRefused) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  Envelope other = Message(1);
  other.set_payload("other");
  EXPECT_EQ(ErrorReason(store().Append(token, other, {}).status()), "MESSAGE_ID_REUSED");
  other = Message(1, absl::Hours(2));
  EXPECT_EQ(ErrorReason(store().Append(token, other, {}).status()), "MESSAGE_ID_REUSED");
}

TEST_P(StoreContractTest, MessageIdsAreUniquePerTokenOnly) {
  const TokenRef mail = Register(Device(1), kApp);
  const TokenRef chat = Register(Device(1), kApp2);
  EXPECT_FALSE(Append(mail, Message(1)).duplicate);
  EXPECT_FALSE(Append(chat, Message(1)).duplicate);
  Ack(Device(1), {1, 2});
  AppAck(chat, 1);
  EXPECT_EQ(Steps(mail, 1), "ACCEPTED STORED SENT AGENT_ACKED");
  EXPECT_EQ(Steps(chat, 1), "ACCEPTED STORED SENT AGENT_ACKED APP_ACKED");
}

TEST_P(StoreContractTest, IdsWithTheSameShortHashAreKeptApart) {
  const TokenRef token = Register(Device(1));
  const MessageId first(std::array<uint8_t, 16>{1, 2, 3, 4, 5, 6, 7, 8});
  const MessageId second(std::array<uint8_t, 16>{5, 6, 7, 8, 1, 2, 3, 4});
  ASSERT_EQ(ShortHash(first), ShortHash(second));
  Envelope message = Message(1);
  message.set_message_id(std::string(first.bytes()));
  EXPECT_FALSE(Append(token, message).duplicate);
  message.set_message_id(std::string(second.bytes()));
  EXPECT_FALSE(Append(token, message).duplicate);
  EXPECT_EQ(Append(token, message).seq, 2);
  ASSERT_TRUE(store().Recall(token, second).ok());
  EXPECT_EQ(store().GetMessage(token, second)->state(), push::v1::RECALLED);
  EXPECT_EQ(store().GetMessage(token, first)->state(), push::v1::STORED);
}

TEST_P(StoreContractTest, ValidateOnlyChecksAndStoresNothing) {
  const TokenRef token = Register(Device(1));
  EXPECT_TRUE(store().Append(token, Message(1), {.validate_only = true}).ok());
  Commit();
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
  EXPECT_EQ(Steps(token, 1), "MESSAGE_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store()
                            .Append({Device(1), token.registration_id, kOtherTeam}, Message(1),
                                    {.validate_only = true})
                            .status()),
            "TOKEN_NOT_FOR_TEAM");
}

// --- Tokens.

TEST_P(StoreContractTest, ATokenIsForItsTeam) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  const TokenRef stolen{token.device, token.registration_id, kOtherTeam};
  EXPECT_EQ(ErrorReason(store().Append(stolen, Message(2), {}).status()), "TOKEN_NOT_FOR_TEAM");
  EXPECT_EQ(ErrorReason(store().GetMessage(stolen, Id(1)).status()), "TOKEN_NOT_FOR_TEAM");
  EXPECT_EQ(ErrorReason(store().Recall(stolen, Id(1)).status()), "TOKEN_NOT_FOR_TEAM");
}

TEST_P(StoreContractTest, ATokenThatNeverLivedIsUnregistered) {
  const TokenRef token{Device(1), 77, kTeam};
  const absl::Status status = store().Append(token, Message(1), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(status), "UNREGISTERED");
  EXPECT_FALSE(ErrorMetadata(status, "unregistered_at").has_value());
}

TEST_P(StoreContractTest, RegisteringAgainGivesTheSameRegistration) {
  const TokenRef token = Register(Device(1));
  Restart();
  EXPECT_EQ(Register(Device(1)).registration_id, token.registration_id);
  EXPECT_NE(Register(Device(2)).registration_id, token.registration_id);
  EXPECT_EQ(ErrorReason(store().RegisterApp(Device(1), "com.example.unknown").status()),
            "UNKNOWN_APP");
}

TEST_P(StoreContractTest, ARemovedAppsTokenIsDeadAndItsMessagesEnd) {
  const TokenRef token = Register(Device(1));
  const TokenRef other = Register(Device(1), kApp2);
  Append(token, Message(1));
  Append(other, Message(2));
  Envelope scheduled = Message(3);
  scheduled.set_deliver_at_ms(NowMs() + 5000);
  Append(token, scheduled);
  Append(token, Message(4));
  Ack(Device(1), {3});
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
  Commit();
  Restart();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2"}));
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED UNREGISTERED");
  EXPECT_EQ(Steps(token, 3), "ACCEPTED STORED UNREGISTERED");
  // The device has this one, and may still say what became of it.
  EXPECT_EQ(Steps(token, 4), "ACCEPTED STORED SENT AGENT_ACKED");
  AppAck(token, 4, push::v1::UNREGISTERED);
  EXPECT_EQ(Steps(token, 4), "ACCEPTED STORED SENT AGENT_ACKED UNREGISTERED");

  const absl::Status status = store().Append(token, Message(5), {}).status();
  EXPECT_EQ(ErrorReason(status), "UNREGISTERED");
  EXPECT_EQ(ErrorMetadata(status, "unregistered_at"), "2026-01-01T00:00:00+00:00");
  // Installed again: another life, another token.
  EXPECT_NE(Register(Device(1)).registration_id, token.registration_id);
  EXPECT_EQ(ErrorReason(store().Append(token, Message(5), {}).status()), "UNREGISTERED");
  EXPECT_TRUE(store().RemoveApp(Device(1), "com.example.unknown", 0).ok());
}

// The simulation found it: a removal that was held up between connector and registry came after the app
// had been removed and registered again through another session.
TEST_P(StoreContractTest, ALateRemovalDoesNotEndALaterRegistration) {
  const TokenRef first = Register(Device(1));
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, first.registration_id).ok());
  const TokenRef second = Register(Device(1));
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, first.registration_id).ok());
  Append(second, Message(1));
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, second.registration_id).ok());
  EXPECT_EQ(ErrorReason(store().Append(second, Message(2), {}).status()), "UNREGISTERED");
}

TEST_P(StoreContractTest, ADeadTokenIsRememberedForItsTimeAndThenForgotten) {
  const TokenRef token = Register(Device(1));
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
  Commit();
  clock().Advance(kDeadTokenRetention - absl::Seconds(1));
  Sweep();
  EXPECT_TRUE(
      ErrorMetadata(store().Append(token, Message(1), {}).status(), "unregistered_at").has_value());
  clock().Advance(absl::Seconds(2));
  Sweep();
  const absl::Status status = store().Append(token, Message(1), {}).status();
  EXPECT_EQ(ErrorReason(status), "UNREGISTERED");
  EXPECT_FALSE(ErrorMetadata(status, "unregistered_at").has_value());
}

TEST_P(StoreContractTest, AppsOfOneDeviceAreLimited) {
  for (size_t i = 0; i <= kMaxAppsPerDevice; ++i) {
    PutApp(absl::StrCat("com.example.app", i), admin::v1::DROP_OLDEST);
    const absl::StatusOr<uint64_t> id =
        store().RegisterApp(Device(1), absl::StrCat("com.example.app", i));
    EXPECT_EQ(id.ok(), i < kMaxAppsPerDevice);
    EXPECT_EQ(ErrorReason(id.status()), i < kMaxAppsPerDevice ? "" : "LIMIT_REACHED");
  }
  ASSERT_TRUE(store().RemoveApp(Device(1), "com.example.app0", 0).ok());
  EXPECT_TRUE(
      store().RegisterApp(Device(1), absl::StrCat("com.example.app", kMaxAppsPerDevice)).ok());
}

TEST_P(StoreContractTest, DeadTokensOfOneDeviceAreLimited) {
  for (size_t i = 0; i < kMaxRegistrationsPerDevice; ++i) {
    ASSERT_TRUE(store().RegisterApp(Device(1), kApp).ok());
    ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
  }
  EXPECT_EQ(ErrorReason(store().RegisterApp(Device(1), kApp).status()), "LIMIT_REACHED");
  clock().Advance(kDeadTokenRetention + absl::Seconds(1));
  Sweep();
  EXPECT_TRUE(store().RegisterApp(Device(1), kApp).ok());
}

// --- Sessions.

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
  const absl::StatusOr<BindResult> bound = store().Bind(Device(1), RouteOf(1), Wide());
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
    const absl::Status stale = store().Bind(Device(1), RouteOf(number), Wide()).status();
    EXPECT_EQ(stale.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ErrorReason(stale), "STALE_LOGIN");
    EXPECT_EQ(ErrorMetadata(stale, "winning_login_number"), "6");
  }
  // The same number from somewhere else is not the same login.
  Route other = RouteOf(6);
  other.set_session_id(1);
  EXPECT_EQ(ErrorReason(store().Bind(Device(1), other, Wide()).status()), "STALE_LOGIN");
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
  EXPECT_EQ(ErrorReason(store().Bind(Device(1), RouteOf(5), Wide()).status()), "STALE_LOGIN");
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

// --- Acknowledgements.

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

TEST_P(StoreContractTest, AnAppsAcknowledgementMayOvertakeTheAgents) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  AppAck(token, 1);
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED AGENT_ACKED APP_ACKED");
  Ack(Device(1), {1});
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED AGENT_ACKED APP_ACKED");
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

// --- Expiry.

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

// --- A full mailbox.

TEST_P(StoreContractTest, DropOldestKeepsTheNewestAndTellsTheApp) {
  const TokenRef token = Register(Device(1));
  Fill(token, 1, 101);
  Strings mail = Mailbox(Device(1));
  EXPECT_EQ(mail.size(), kMaxMailboxMessagesPerApp + 1);
  EXPECT_EQ(mail.front(), "2");
  EXPECT_EQ(mail[99], "gap 1");
  EXPECT_EQ(mail[100], "101");
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED OVERFLOWED");
  Fill(token, 102, 103);
  mail = Mailbox(Device(1));
  EXPECT_EQ(mail.size(), kMaxMailboxMessagesPerApp + 1) << "one notice, however many were dropped";
  EXPECT_EQ(mail[99], "gap 3");
  EXPECT_EQ(mail[100], "103");
}

TEST_P(StoreContractTest, TheLimitIsPerApp) {
  Fill(Register(Device(1), kApp), 1, 100);
  Fill(Register(Device(1), kApp2), 1, 100);
  EXPECT_EQ(Mailbox(Device(1)).size(), 200);
}

TEST_P(StoreContractTest, AnAcknowledgedGapNoticeIsGone) {
  const TokenRef token = Register(Device(1));
  Fill(token, 1, 101);
  Ack(Device(1), {101});
  EXPECT_EQ(Mailbox(Device(1)).size(), 100);
  Fill(token, 102, 102);
  const Strings mail = Mailbox(Device(1));
  EXPECT_EQ(mail[99], "gap 1") << "the next one counts from the start";
}

TEST_P(StoreContractTest, RefuseNewestAnswersTheSenderAndTellsTheAppOnce) {
  PutApp("com.example.refuse", admin::v1::REFUSE_NEWEST);
  const TokenRef token = Register(Device(1), "com.example.refuse");
  Fill(token, 1, 100);
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = store().Append(token, Message(101), {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ErrorReason(status), "MAILBOX_FULL");
    EXPECT_TRUE(RetryAfter(status).has_value());
    Commit();
  }
  EXPECT_EQ(Steps(token, 101), "MESSAGE_NOT_FOUND");
  Restart();
  const Strings mail = Mailbox(Device(1));
  EXPECT_EQ(mail.size(), 101);
  EXPECT_EQ(mail.front(), "1");
  EXPECT_EQ(mail.back(), "gap 1");
  EXPECT_EQ(ErrorReason(store().Append(token, Message(101), {.validate_only = true}).status()),
            "MAILBOX_FULL");
  Ack(Device(1), {1});
  EXPECT_EQ(Append(token, Message(101)).seq, 102);
}

TEST_P(StoreContractTest, DropAllEmptiesTheMailboxAndTellsTheApp) {
  PutApp("com.example.all", admin::v1::DROP_ALL);
  const TokenRef token = Register(Device(1), "com.example.all");
  Fill(token, 1, 101);
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"gap 100", "101"}));
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED OVERFLOWED");
  EXPECT_EQ(Steps(token, 100), "ACCEPTED STORED OVERFLOWED");
  EXPECT_EQ(Bind(Device(1), 1).settled_seq, 100);
}

TEST_P(StoreContractTest, AFullMailboxLosesExpiredMessagesFirst) {
  PutApp("com.example.refuse", admin::v1::REFUSE_NEWEST);
  const TokenRef token = Register(Device(1), "com.example.refuse");
  for (uint32_t id = 1; id <= 100; ++id) {
    Append(token, Message(id, id % 2 == 0 ? absl::Hours(1) : absl::Seconds(10)));
  }
  clock().Advance(absl::Seconds(20));
  Append(token, Message(101));
  EXPECT_EQ(Mailbox(Device(1)).size(), 51);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED EXPIRED");
}

TEST_P(StoreContractTest, RemovingAnAppTakesItsGapNoticeToo) {
  const TokenRef token = Register(Device(1));
  Fill(token, 1, 101);
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
  EXPECT_EQ(Bind(Device(1), 1).settled_seq, 102);
}

// --- Collapse.

TEST_P(StoreContractTest, ANewerMessageReplacesThePendingOneOfItsCollapseKey) {
  const TokenRef token = Register(Device(1));
  const TokenRef other = Register(Device(1), kApp2);
  for (uint32_t id = 1; id <= 4; ++id) {
    Envelope message = Message(id);
    if (id != 2) message.set_collapse_key(id == 3 ? "b" : "a");
    Append(id == 4 ? other : token, message);
  }
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1", "2", "3", "4"}));
  Envelope newer = Message(5);
  newer.set_collapse_key("a");
  EXPECT_EQ(Append(token, newer).seq, 5);
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2", "3", "4", "5"}));
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED COLLAPSED");
  // One that the device has is not replaced here.
  Ack(Device(1), {5});
  Envelope newest = Message(6);
  newest.set_collapse_key("a");
  Append(token, newest);
  EXPECT_EQ(Steps(token, 5), "ACCEPTED STORED SENT AGENT_ACKED");
}

TEST_P(StoreContractTest, CollapsingMakesRoom) {
  const TokenRef token = Register(Device(1));
  Envelope first = Message(1);
  first.set_collapse_key("a");
  Append(token, first);
  Fill(token, 2, 100);
  Envelope newer = Message(101);
  newer.set_collapse_key("a");
  Append(token, newer);
  EXPECT_EQ(Mailbox(Device(1)).size(), 100);
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED");
}

// --- Now or never.

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

// The simulation found it: a retry hands the message to the device's next session. If that session's
// Welcome called its number settled, the device would take it for a repetition: acknowledged, never shown.
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

// --- deliver_at.

Envelope ScheduledAt(Envelope message, int64_t deliver_at_ms) {
  message.set_deliver_at_ms(deliver_at_ms);
  message.set_expires_at_ms(deliver_at_ms + 3'600'000);
  return message;
}

TEST_P(StoreContractTest, AScheduledMessageTakesItsPlaceWhenItIsDue) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  const AppendResult scheduled = Append(token, ScheduledAt(Message(1), NowMs() + 60'000));
  EXPECT_EQ(scheduled.seq, 0);
  EXPECT_EQ(scheduled.state, push::v1::STORED);
  EXPECT_EQ(Append(token, Message(2)).seq, 1);
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2"}));
  clock().Advance(absl::Seconds(59));
  Sweep();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2"}));
  EXPECT_TRUE(under_test_->due.empty());
  Restart();
  clock().Advance(absl::Seconds(1));
  Sweep();
  ASSERT_EQ(under_test_->due.size(), 1);
  EXPECT_EQ(under_test_->due[0].device, Device(1));
  EXPECT_EQ(under_test_->due[0].route.login_number(), 1);
  EXPECT_EQ(under_test_->due[0].message.seq(), 2);
  EXPECT_EQ(under_test_->due[0].message.payload(), "payload 1");
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2", "1"}));
  EXPECT_EQ(store().GetMessage(token, Id(1))->state(), push::v1::STORED);
  Ack(Device(1), {2});
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED");
}

TEST_P(StoreContractTest, WhatIsDueComesIntoPagesEvenIfNobodySweeps) {
  const TokenRef token = Register(Device(1));
  for (uint32_t id = 1; id <= 3; ++id) {
    Append(token, ScheduledAt(Message(id), NowMs() + 40'000 - 10'000 * id));
  }
  clock().Advance(absl::Seconds(20));
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"3", "2"})) << "in the order of deliver_at";
  EXPECT_TRUE(under_test_->due.empty()) << "no session to hand it to";
  clock().Advance(absl::Seconds(20));
  EXPECT_EQ(Append(token, Message(4)).seq, 4) << "what is due goes first";
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"3", "2", "1", "4"}));
  Sweep();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"3", "2", "1", "4"}));
}

TEST_P(StoreContractTest, ManyMessagesThatAreDueAtOnceAllCome) {
  const TokenRef token = Register(Device(1));
  for (uint32_t id = 1; id <= 100; ++id) Append(token, ScheduledAt(Message(id), NowMs() + 1000));
  clock().Advance(absl::Seconds(1));
  Sweep();
  EXPECT_EQ(store().Pull(Device(1), 0, Wide())->messages.size(), 100);
}

TEST_P(StoreContractTest, AScheduledMessageExpiresCountingFromItsTime) {
  const TokenRef token = Register(Device(1));
  Append(token, ScheduledAt(Message(1), NowMs() + 60'000));
  clock().Advance(absl::Seconds(60) + absl::Hours(1) - absl::Seconds(1));
  Sweep();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1"}));
  clock().Advance(absl::Seconds(1));
  Sweep();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED EXPIRED");
}

TEST_P(StoreContractTest, ScheduledMessagesHoldTheirPlacesAndGoLast) {
  const TokenRef token = Register(Device(1));
  Append(token, ScheduledAt(Message(1), NowMs() + 60'000));
  Fill(token, 2, 101);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED OVERFLOWED");
  clock().Advance(absl::Seconds(60));
  EXPECT_EQ(Mailbox(Device(1)).back(), "1");
}

TEST_P(StoreContractTest, ACollapseKeyReplacesAScheduledMessageToo) {
  const TokenRef token = Register(Device(1));
  Envelope reminder = ScheduledAt(Message(1), NowMs() + 60'000);
  reminder.set_collapse_key("meeting");
  Append(token, reminder);
  Envelope moved = ScheduledAt(Message(2), NowMs() + 90'000);
  moved.set_collapse_key("meeting");
  Append(token, moved);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED COLLAPSED");
  clock().Advance(absl::Seconds(120));
  Sweep();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2"}));
}

// --- Teams.

admin::v1::Key MakeKey(const std::string& key_id, const std::string& team_id) {
  admin::v1::Key key;
  key.set_key_id(key_id);
  key.set_team_id(team_id);
  key.set_public_key_pem("pem");
  return key;
}

TEST_P(StoreContractTest, TeamsAppsAndKeysSurviveARestart) {
  ASSERT_TRUE(store().PutKey(MakeKey("key1", kTeam)).ok());
  ASSERT_TRUE(store().PutKey(MakeKey("key2", kTeam)).ok());
  Commit();
  Restart();
  const auto teams = *store().ListTeams();
  ASSERT_EQ(teams.size(), 2);
  EXPECT_EQ(teams[0].team_id(), kTeam);
  EXPECT_EQ(teams[1].team_id(), kOtherTeam);
  const auto apps = *store().ListApps(kTeam);
  ASSERT_EQ(apps.size(), 2);
  EXPECT_EQ(apps[0].app_id(), kApp2);
  EXPECT_EQ(apps[1].app_id(), kApp);
  EXPECT_TRUE(store().ListApps(kOtherTeam)->empty());
  EXPECT_EQ(store().ListKeys(kTeam)->size(), 2);
  EXPECT_EQ(store().GetKey("key1")->team_id(), kTeam);
  EXPECT_EQ(ErrorReason(store().GetKey("key3").status()), "KEY_NOT_FOUND");
}

TEST_P(StoreContractTest, AnUnknownTeamHasNothing) {
  EXPECT_EQ(ErrorReason(store().ListApps("nobody").status()), "TEAM_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store().ListKeys("nobody").status()), "TEAM_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store().PutKey(MakeKey("key1", "nobody")).status()), "TEAM_NOT_FOUND");
  admin::v1::App app;
  app.set_app_id("com.example.new");
  app.set_team_id("nobody");
  EXPECT_EQ(ErrorReason(store().PutApp(app).status()), "TEAM_NOT_FOUND");
}

TEST_P(StoreContractTest, NamesAreUniqueOnTheServerAndRetriesAreHarmless) {
  admin::v1::App app;
  app.set_app_id("com.example.new");
  app.set_team_id(kTeam);
  app.mutable_create_time()->set_seconds(1);
  ASSERT_TRUE(store().PutApp(app).ok());
  EXPECT_TRUE(store().PutApp(app).ok());
  app.mutable_create_time()->set_seconds(2);
  EXPECT_EQ(ErrorReason(store().PutApp(app).status()), "APP_EXISTS");
  app.set_team_id(kOtherTeam);
  EXPECT_EQ(ErrorReason(store().PutApp(app).status()), "APP_EXISTS");
  ASSERT_TRUE(store().PutKey(MakeKey("key1", kTeam)).ok());
  EXPECT_TRUE(store().PutKey(MakeKey("key1", kTeam)).ok());
  EXPECT_EQ(ErrorReason(store().PutKey(MakeKey("key1", kOtherTeam)).status()), "KEY_EXISTS");
  admin::v1::Team team;
  team.set_team_id(kTeam);
  team.set_name("Another team");
  EXPECT_EQ(ErrorReason(store().PutTeam(team).status()), "TEAM_EXISTS");
}

TEST_P(StoreContractTest, AKeyIsRevokedOnce) {
  ASSERT_TRUE(store().PutKey(MakeKey("key1", kTeam)).ok());
  const admin::v1::Key revoked = *store().RevokeKey("key1");
  EXPECT_EQ(TimeUtil::TimestampToMilliseconds(revoked.revoke_time()), NowMs());
  clock().Advance(absl::Hours(1));
  EXPECT_EQ(store().RevokeKey("key1")->SerializeAsString(), revoked.SerializeAsString());
  EXPECT_EQ(store().GetKey("key1")->SerializeAsString(), revoked.SerializeAsString());
  EXPECT_EQ(ErrorReason(store().RevokeKey("key2").status()), "KEY_NOT_FOUND");
}

TEST_P(StoreContractTest, KeysAndAppsOfATeamAreLimited) {
  for (size_t i = 0; i < kMaxKeysPerTeam; ++i) {
    ASSERT_TRUE(store().PutKey(MakeKey(absl::StrCat("key", i), kTeam)).ok());
  }
  EXPECT_EQ(ErrorReason(store().PutKey(MakeKey("onemore", kTeam)).status()), "LIMIT_REACHED");
  EXPECT_TRUE(store().PutKey(MakeKey("onemore", kOtherTeam)).ok());
}

}  // namespace
}  // namespace bellwire::registry
