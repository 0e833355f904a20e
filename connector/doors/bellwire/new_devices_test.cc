// What a connection says to a device that the registry does not take in, or not any more.

#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "connector/doors/bellwire/login.h"
#include "connector/testing/connection_harness.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using device::v1::GoAway;
using S = ConnectionState;
using H = ConnectionHarness;

absl::Status Refused(absl::StatusCode code, absl::string_view reason) {
  return MakeError(code, reason, "the registry says why");
}
absl::Status RevokedError() {
  return Refused(absl::StatusCode::kPermissionDenied, "DEVICE_REVOKED");
}

void ExpectClosed(const H& h, CloseReason reason, GoAway::Reason away) {
  h.ExpectClosed(reason);
  EXPECT_EQ(h.LastGoAway().reason(), away);
  EXPECT_FALSE(h.LastGoAway().detail().empty()) << "for the person who looks why";
}

TEST(NewDevicesTest, TheEnrolmentTokenGoesToTheRegistry) {
  H h;
  h.BringTo(S::kAwaitingLogin);
  device::v1::AgentFrame login = H::LoginFrame();
  login.mutable_login()->set_enrolment_token("bwe_token");
  h.Receive(login);
  ASSERT_EQ(h.host.binds.size(), 1u);
  EXPECT_EQ(h.host.binds[0].enrolment_token(), "bwe_token");
}

TEST(NewDevicesTest, ATokenThatIsTooLongIsAProtocolError) {
  H h;
  h.BringTo(S::kAwaitingLogin);
  device::v1::AgentFrame login = H::LoginFrame();
  login.mutable_login()->set_enrolment_token(std::string(kMaxEnrolmentTokenBytes + 1, 'b'));
  h.Receive(login);
  EXPECT_TRUE(h.host.binds.empty());
  ExpectClosed(h, CloseReason::kProtocolError, GoAway::PROTOCOL_ERROR);
}

TEST(NewDevicesTest, WhoIsNotEnrolledIsTold) {
  for (const char* reason : {"ENROLMENT_REQUIRED", "BAD_ENROLMENT"}) {
    H h;
    h.BringTo(S::kBinding);
    h.connection.OnBound(Refused(absl::StatusCode::kUnauthenticated, reason));
    ExpectClosed(h, CloseReason::kNotEnrolled, GoAway::NOT_ENROLLED);
    EXPECT_EQ(h.LastGoAway().detail(), "the registry says why");
    EXPECT_TRUE(h.host.unbinds.empty());
  }
}

TEST(NewDevicesTest, WhoIsTooManyComesBackWhenTheRegistrySays) {
  for (const char* reason : {"TOO_MANY_DEVICES", "TOO_MANY_NEW_DEVICES"}) {
    H h;
    h.BringTo(S::kBinding);
    h.connection.OnBound(
        WithRetryAfter(Refused(absl::StatusCode::kResourceExhausted, reason), absl::Minutes(7)));
    ExpectClosed(h, CloseReason::kNoNewDevices, GoAway::NO_NEW_DEVICES);
    EXPECT_GE(h.LastGoAway().retry_after_ms(), 7u * 60'000);
    EXPECT_LE(h.LastGoAway().retry_after_ms(), 14u * 60'000);
  }
}

TEST(NewDevicesTest, AFullQueueOfTheRegistryIsNoneOfThat) {
  H h;
  h.BringTo(S::kBinding);
  h.connection.OnBound(Refused(absl::StatusCode::kResourceExhausted, "OVERLOADED"));
  ASSERT_TRUE(h.host.closed.has_value());
  EXPECT_EQ(h.LastGoAway().reason(), GoAway::OVERLOADED);
}

TEST(NewDevicesTest, ARevokedDeviceHearsItAtItsLogin) {
  H h;
  h.BringTo(S::kBinding);
  h.connection.OnBound(RevokedError());
  ExpectClosed(h, CloseReason::kRevoked, GoAway::REVOKED);
}

TEST(NewDevicesTest, AnEvictionSaysThatTheDeviceWasRevoked) {
  for (const S state : {S::kBinding, S::kActive, S::kDraining}) {
    H h;
    h.BringTo(state);
    internal::v1::ConnectorRequest eviction = h.ForSession();
    eviction.mutable_evict()->set_revoked(true);
    EXPECT_TRUE(h.connection.HandOver(eviction));
    ExpectClosed(h, CloseReason::kRevoked, GoAway::REVOKED);
    EXPECT_TRUE(h.host.unbinds.empty()) << "the registry knows";
  }
}

TEST(NewDevicesTest, AnEvictionThatGotLostIsLearnedFromTheNextAnswer) {
  {
    H h;
    h.BringTo(S::kActive);
    h.connection.OnAckTaken(RevokedError());
    ExpectClosed(h, CloseReason::kRevoked, GoAway::REVOKED);
  }
  {
    H h;
    h.BringTo(S::kActive);
    h.Miss();
    h.connection.OnPulled(RevokedError());
    ExpectClosed(h, CloseReason::kRevoked, GoAway::REVOKED);
  }
  {
    H h;
    h.BringTo(S::kActive);
    h.ReceiveRegisterApp(1, "com.example.mail");
    h.connection.OnAppRegistered(1, "com.example.mail", "", RevokedError());
    ExpectClosed(h, CloseReason::kRevoked, GoAway::REVOKED);
  }
}

TEST(NewDevicesTest, ADeviceThatWasDeletedLogsInAnew) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveRegisterApp(1, "com.example.mail");
  h.connection.OnAppRegistered(1, "com.example.mail", "",
                               Refused(absl::StatusCode::kFailedPrecondition, "SESSION_FORGOTTEN"));
  ASSERT_TRUE(h.host.closed.has_value());
  EXPECT_EQ(h.LastGoAway().reason(), GoAway::OVERLOADED);
}

}  // namespace
}  // namespace bellwire::connector
