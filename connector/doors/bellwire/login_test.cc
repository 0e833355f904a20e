#include "connector/doors/bellwire/login.h"

#include <memory>
#include <string>

#include "common/limits.h"
#include "crypto/device_key.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

class LoginTest : public testing::Test {
 protected:
  LoginTest() : key_(*DeviceKey::Generate()), exporter_(kTlsExporterBytes, 'e') {
    login_.set_public_key(key_->public_key_der());
    login_.set_login_number(7);
    login_.set_signature(*key_->SignLogin(exporter_, 7));
  }

  absl::StatusCode Check(absl::string_view ticket = "") {
    return CheckLogin(login_, exporter_, ticket).status().code();
  }

  const std::unique_ptr<DeviceKey> key_;
  const std::string exporter_;
  device::v1::Login login_;
};

TEST_F(LoginTest, SignatureProvesTheKey) {
  login_.set_activity(device::v1::IDLE);
  login_.set_heartbeat_interval_ms(30'000);
  const absl::StatusOr<CheckedLogin> checked = CheckLogin(login_, exporter_, "");
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->device_id, key_->device_id());
  EXPECT_EQ(checked->login_number, 7u);
  EXPECT_EQ(checked->heartbeat_interval, absl::Seconds(30));
  EXPECT_EQ(checked->activity, device::v1::IDLE);
}

TEST_F(LoginTest, NeitherAnotherConnectionNorAnotherNumberNorAnotherKey) {
  EXPECT_EQ(CheckLogin(login_, std::string(kTlsExporterBytes, 'f'), "").status().code(),
            absl::StatusCode::kUnauthenticated);
  login_.set_login_number(8);
  EXPECT_EQ(Check(), absl::StatusCode::kUnauthenticated);
  login_.set_login_number(7);
  EXPECT_EQ(Check(), absl::StatusCode::kOk);
  const auto other = *DeviceKey::Generate();
  login_.set_public_key(other->public_key_der());
  EXPECT_EQ(Check(), absl::StatusCode::kUnauthenticated);
  login_.set_public_key("short");
  EXPECT_EQ(Check(), absl::StatusCode::kUnauthenticated);
  login_.clear_public_key();
  EXPECT_EQ(Check(), absl::StatusCode::kUnauthenticated);
}

TEST_F(LoginTest, TicketOfThisDeviceStandsForTheSignature) {
  login_.clear_signature();
  EXPECT_EQ(Check(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Check(key_->device_id().bytes()), absl::StatusCode::kOk);
}

TEST_F(LoginTest, TicketOfAnotherDeviceIsWorthNothing) {
  const auto other = *DeviceKey::Generate();
  // With its own signature it is an ordinary login …
  EXPECT_EQ(Check(other->device_id().bytes()), absl::StatusCode::kOk);
  // … and without one it is refused.
  login_.clear_signature();
  EXPECT_EQ(Check(other->device_id().bytes()), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Check(key_->device_id().bytes().substr(0, 8)), absl::StatusCode::kUnauthenticated);
}

TEST_F(LoginTest, MalformedFieldsAreNamed) {
  login_.set_login_number(0);
  EXPECT_EQ(Check(), absl::StatusCode::kInvalidArgument);
  login_.set_login_number(7);
  login_.set_mailbox_id("fifteen bytes..");
  EXPECT_EQ(Check(), absl::StatusCode::kInvalidArgument);
  login_.set_mailbox_id("sixteen bytes...");
  EXPECT_EQ(Check(), absl::StatusCode::kOk);
  login_.set_agent_version(std::string(kMaxAgentVersionBytes + 1, 'v'));
  EXPECT_EQ(Check(), absl::StatusCode::kInvalidArgument);
  login_.set_agent_version(std::string(kMaxAgentVersionBytes, 'v'));
  EXPECT_EQ(Check(), absl::StatusCode::kOk);
}

TEST_F(LoginTest, AnEnrolmentTokenIsPassedOnAsItIs) {
  EXPECT_EQ(CheckLogin(login_, exporter_, "")->enrolment_token, "");
  login_.set_enrolment_token(std::string(kMaxEnrolmentTokenBytes, 'b'));
  EXPECT_EQ(CheckLogin(login_, exporter_, "")->enrolment_token,
            std::string(kMaxEnrolmentTokenBytes, 'b'));
  login_.set_enrolment_token(std::string(kMaxEnrolmentTokenBytes + 1, 'b'));
  EXPECT_EQ(Check(), absl::StatusCode::kInvalidArgument);
}

TEST_F(LoginTest, HeartbeatIntervalIsKeptWithinItsBounds) {
  EXPECT_EQ(EffectiveHeartbeatInterval(0), kMaxHeartbeatInterval);
  EXPECT_EQ(EffectiveHeartbeatInterval(1), kMinHeartbeatInterval);
  EXPECT_EQ(EffectiveHeartbeatInterval(280'000), absl::Seconds(280));
  EXPECT_EQ(EffectiveHeartbeatInterval(UINT32_MAX), kMaxHeartbeatInterval);

  const HeartbeatRange range{absl::Seconds(1), absl::Seconds(12)};
  EXPECT_EQ(EffectiveHeartbeatInterval(0, range), range.max);
  EXPECT_EQ(EffectiveHeartbeatInterval(1, range), range.min);
  EXPECT_EQ(EffectiveHeartbeatInterval(60'000, range), range.max);
  login_.set_heartbeat_interval_ms(60'000);
  EXPECT_EQ(CheckLogin(login_, exporter_, "", range)->heartbeat_interval, range.max);
}

TEST_F(LoginTest, UnknownActivityCountsAsActive) {
  login_.set_activity(static_cast<device::v1::Activity>(17));
  EXPECT_EQ(CheckLogin(login_, exporter_, "")->activity, device::v1::ACTIVE);
}

TEST_F(LoginTest, ANetworkIsNamedOrItIsNone) {
  EXPECT_FALSE(CheckLogin(login_, exporter_, "")->network.has_value());
  login_.mutable_network()->set_network_id("short");
  EXPECT_EQ(Check(), absl::StatusCode::kInvalidArgument);
  login_.mutable_network()->set_network_id(std::string(NetworkId::kSize, 'n'));
  login_.mutable_network()->set_interval_ms(279'000);
  absl::StatusOr<CheckedLogin> checked = CheckLogin(login_, exporter_, "");
  ASSERT_TRUE(checked.ok() && checked->network.has_value()) << checked.status();
  EXPECT_EQ(checked->network->network_id(), login_.network().network_id());
  EXPECT_EQ(checked->network->interval_ms(), 279'000u);
  // An interval that nobody can have is as good as none: it must not reach the pool.
  for (const uint32_t interval_ms : {1u, 9'999u, 3'600'001u, UINT32_MAX}) {
    login_.mutable_network()->set_interval_ms(interval_ms);
    EXPECT_EQ(CheckLogin(login_, exporter_, "")->network->interval_ms(), 0u);
  }
}

}  // namespace
}  // namespace bellwire::connector
