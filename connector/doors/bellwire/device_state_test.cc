// What a login and its Welcome say of the state on both sides: which of them is an older one that
// was put back.

#include <string>

#include "common/error.h"
#include "connector/testing/connection_harness.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using device::v1::GoAway;
using S = ConnectionState;
using H = ConnectionHarness;

TEST(DeviceStateTest, ALoginTellsWhatTheAgentKnowsOfItsMailbox) {
  H h;
  h.BringTo(S::kAwaitingLogin);
  device::v1::AgentFrame login = H::LoginFrame();
  login.mutable_login()->set_mailbox_id(std::string(MailboxId::kSize, 'm'));
  login.mutable_login()->set_seen_up_to_seq(77);
  login.mutable_login()->set_yields(true);
  h.Receive(login);
  ASSERT_EQ(h.host.binds.size(), 1u);
  EXPECT_EQ(h.host.binds[0].mailbox_id(), std::string(MailboxId::kSize, 'm'));
  EXPECT_EQ(h.host.binds[0].seen_up_to_seq(), 77u);
  EXPECT_TRUE(h.host.binds[0].yields());
}

TEST(DeviceStateTest, WelcomeTellsWhatTheRegistryKnowsOfTheDevice) {
  H h;
  h.BringTo(S::kBinding);
  internal::v1::BindResponse bound = H::Bound();
  bound.set_acked_up_to_seq(7);
  bound.set_registrations_tag(8);
  h.connection.OnBound(bound);
  EXPECT_EQ(h.host.frames[0].welcome().acked_up_to_seq(), 7u);
  EXPECT_EQ(h.host.frames[0].welcome().registrations_tag(), 8u);
}

// One whose number is behind comes back at once with a greater one; nobody else may take the
// mailbox back.
TEST(DeviceStateTest, WhoeverLosesTheMailboxIsToldWhenToAskAgain) {
  H behind;
  behind.BringTo(S::kBinding);
  behind.connection.OnBound(H::StaleLogin(42));
  EXPECT_EQ(behind.LastGoAway().retry_after_ms(), 0u);
  H evicted;
  evicted.BringTo(S::kActive);
  evicted.Evict(42);
  EXPECT_GE(evicted.LastGoAway().retry_after_ms(), 30'000u);
  EXPECT_LE(evicted.LastGoAway().retry_after_ms(), 60'000u);
  H yields;
  yields.BringTo(S::kAwaitingLogin);
  device::v1::AgentFrame login = H::LoginFrame();
  login.mutable_login()->set_yields(true);
  yields.Receive(login);
  yields.connection.OnBound(H::StaleLogin(4));
  EXPECT_EQ(yields.LastGoAway().reason(), GoAway::REPLACED);
  EXPECT_GE(yields.LastGoAway().retry_after_ms(), 30'000u);
}

// A registry from a backup may not know the session's registrations; what is under way may change
// them.
TEST(DeviceStateTest, AResumeTellsTheLatestTagOfTheRegistrations) {
  H h;
  h.BringTo(S::kBinding);
  internal::v1::BindResponse bound = H::Bound();
  bound.set_registrations_tag(8);
  h.connection.OnBound(bound);
  const auto tag = [&] {
    h.connection.OnRegistryLost();
    h.connection.Resume();
    h.connection.OnResumed(internal::v1::ResumeResponse());
    return h.host.resumes.back().registrations_tag();
  };
  EXPECT_EQ(tag(), 8u);
  h.ReceiveRegisterApp(1, "com.example.mail");
  EXPECT_EQ(tag(), 0u);
  internal::v1::RegisterAppResponse registered;
  registered.set_registration_id(1);
  registered.set_token("token");
  registered.set_registrations_tag(9);
  h.connection.OnAppRegistered(1, "com.example.mail", "", registered);
  EXPECT_EQ(h.host.frames.back().app_registered().registrations_tag(), 9u);
  EXPECT_EQ(tag(), 9u);
  h.ReceiveRemoveApp(2, "com.example.mail");
  internal::v1::RemoveAppResponse removed;
  removed.set_registrations_tag(10);
  h.connection.OnAppRemoved(2, removed);
  EXPECT_EQ(h.host.frames.back().app_removed().registrations_tag(), 10u);
  EXPECT_EQ(tag(), 10u);
  h.ReceiveRemoveApp(3, "com.example.mail");
  h.connection.OnAppRemoved(3, H::Unavailable());
  EXPECT_EQ(tag(), 0u) << "nobody knows whether it happened";
}

TEST(DeviceStateTest, ASessionThatTheRegistryForgotEnds) {
  H h;
  h.BringTo(S::kActive);
  h.connection.OnRegistryLost();
  h.connection.Resume();
  h.connection.OnResumed(MakeError(absl::StatusCode::kFailedPrecondition, "SESSION_FORGOTTEN", ""));
  ASSERT_TRUE(h.host.closed.has_value());
  EXPECT_EQ(Name(h.host.closed->reason), Name(CloseReason::kOverloaded));
  EXPECT_GT(h.LastGoAway().retry_after_ms(), 0u);
}

}  // namespace
}  // namespace bellwire::connector
