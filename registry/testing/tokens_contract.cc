// What a Store promises of tokens: for whom they are, and how they die. Part of StoreContractTest.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

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

// Two users of one phone use the same app: each has a life of their own.
TEST_P(StoreContractTest, EachOwnerOfAnAppOnADeviceHasARegistrationOfTheirOwn) {
  const TokenRef nobodys = Register(Device(1));
  const uint64_t alices = store().RegisterApp(Device(1), kApp, "alice")->registration_id;
  const uint64_t bobs = store().RegisterApp(Device(1), kApp, "bob")->registration_id;
  EXPECT_NE(alices, bobs);
  EXPECT_NE(alices, nobodys.registration_id);
  EXPECT_NE(bobs, nobodys.registration_id);
  Commit();
  Restart();
  EXPECT_EQ(store().RegisterApp(Device(1), kApp, "alice")->registration_id, alices);
  Append({Device(1), alices, kTeam}, Message(1));
  Append({Device(1), bobs, kTeam}, Message(2));
  Append(nobodys, Message(3));

  // Bob's removal is none of Alice's business, whichever registration it names.
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, "bob", alices).ok());
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, "carol", alices).ok());
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1", "2", "3"}));
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, "bob", 0).ok());
  Commit();
  Restart();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1", "3"}));
  EXPECT_EQ(store().RegisterApp(Device(1), kApp, "alice")->registration_id, alices);
  EXPECT_EQ(Register(Device(1)).registration_id, nobodys.registration_id);
  EXPECT_NE(store().RegisterApp(Device(1), kApp, "bob")->registration_id, bobs);
}

// The simulation found it: a removal that was held up between connector and registry came after the
// app had been removed and registered again through another session.
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
    const absl::StatusOr<RegistrationResult> result =
        store().RegisterApp(Device(1), absl::StrCat("com.example.app", i));
    EXPECT_EQ(result.ok(), i < kMaxAppsPerDevice);
    EXPECT_EQ(ErrorReason(result.status()), i < kMaxAppsPerDevice ? "" : "LIMIT_REACHED");
  }
  ASSERT_TRUE(store().RemoveApp(Device(1), "com.example.app0", 0).ok());
  EXPECT_TRUE(
      store().RegisterApp(Device(1), absl::StrCat("com.example.app", kMaxAppsPerDevice)).ok());
}

// An app that registers and removes in a loop locks nobody out, not even itself: its own dead
// tokens go, the oldest first, and are dead still.
TEST_P(StoreContractTest, OneAppsLoopCostsNoOtherAppItsPlaceOrItsDeadTokens) {
  const TokenRef other = Register(Device(1), kApp2);
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp2, 0).ok());
  std::vector<TokenRef> tokens;
  for (size_t i = 0; i < kMaxRegistrationsPerDevice + 10; ++i) {
    clock().Advance(absl::Milliseconds(1));
    tokens.push_back(Register(Device(1)));
    ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
    Commit();
  }
  const auto died_at = [&](const TokenRef& token) {
    const absl::Status status = store().Append(token, Message(1), {}).status();
    EXPECT_EQ(ErrorReason(status), "UNREGISTERED");
    return ErrorMetadata(status, "unregistered_at");
  };
  EXPECT_TRUE(died_at(other).has_value());
  EXPECT_TRUE(died_at(tokens.back()).has_value());
  EXPECT_TRUE(died_at(tokens[tokens.size() - kMaxDeadRegistrationsPerApp / 2]).has_value());
  EXPECT_FALSE(died_at(tokens.front()).has_value());
  EXPECT_FALSE(died_at(tokens[tokens.size() - 2 * kMaxDeadRegistrationsPerApp]).has_value());
  EXPECT_TRUE(store().RegisterApp(Device(1), kApp2).ok());
}

TEST_P(StoreContractTest, WhatTheDeviceHasOfARegistrationThatIsForgottenEnds) {
  const TokenRef token = Register(Device(1));
  Fill(token, 1, 2);
  Append(token, Message(3, absl::ZeroDuration()));
  Bind(Device(1), 1);
  Ack(Device(1), {1, 2});
  ASSERT_EQ(store().Recall(token, Id(2))->outcome, push::v1::RecallResponse::REQUESTED);
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
  for (size_t i = 0; i < 2 * kMaxDeadRegistrationsPerApp; ++i) {
    clock().Advance(absl::Milliseconds(1));
    Register(Device(1));
    ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
    Commit();
  }
  EXPECT_TRUE(Bind(Device(1), 2).recalls.empty());
  // Nothing comes later that would miss the registration.
  AppAck(token, 1);
  clock().Advance(kDeadTokenRetention + kIdempotencyWindow);
  Sweep();
  EXPECT_EQ(Bind(Device(1), 3).settled_seq, 3);
}

TEST_P(StoreContractTest, DeadTokensOfOneDeviceAreLimited) {
  constexpr size_t kApps = 2 * kMaxRegistrationsPerDevice / kMaxDeadRegistrationsPerApp;
  std::vector<TokenRef> tokens;
  for (size_t app = 0; app < kApps; ++app) {
    const std::string app_id = absl::StrCat("com.example.app", app);
    PutApp(app_id, admin::v1::DROP_OLDEST);
    for (size_t i = 0; i < kMaxDeadRegistrationsPerApp; ++i) {
      clock().Advance(absl::Milliseconds(1));
      tokens.push_back(Register(Device(1), app_id));
      ASSERT_TRUE(store().RemoveApp(Device(1), app_id, 0).ok());
      Commit();
    }
  }
  const auto is_known = [&](const TokenRef& token) {
    return ErrorMetadata(store().Append(token, Message(1), {}).status(), "unregistered_at")
        .has_value();
  };
  EXPECT_TRUE(is_known(tokens.back()));
  EXPECT_TRUE(is_known(tokens[tokens.size() - kMaxRegistrationsPerDevice / 2]));
  EXPECT_FALSE(is_known(tokens[tokens.size() - kMaxRegistrationsPerDevice - 1]));
}

}  // namespace
}  // namespace bellwire::registry
