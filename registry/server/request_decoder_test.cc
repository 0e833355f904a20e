#include "registry/server/request_decoder.h"

#include <functional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

constexpr int64_t kNowMs = 1'767'225'600'000;

Envelope Good() {
  Envelope message;
  message.set_message_id(std::string(16, 'm'));
  message.set_payload(std::string(kMaxPayloadBytes, 'p'));
  message.set_collapse_key(std::string(kMaxCollapseKeyBytes, 'c'));
  message.set_priority(push::v1::PRIORITY_HIGH);
  message.set_accepted_at_ms(kNowMs);
  message.set_expires_at_ms(kNowMs + absl::ToInt64Milliseconds(kMaxTtl));
  return message;
}

TEST(RequestDecoderTest, AMessageAtItsLimitsIsGood) {
  EXPECT_TRUE(CheckMessage(Good()).ok());
  Envelope message = Good();
  message.set_expires_at_ms(message.accepted_at_ms());
  EXPECT_TRUE(CheckMessage(message).ok());
  message.set_deliver_at_ms(kNowMs + absl::ToInt64Milliseconds(kMaxDeliverAtAhead));
  message.set_expires_at_ms(message.deliver_at_ms() + absl::ToInt64Milliseconds(kMaxTtl));
  EXPECT_TRUE(CheckMessage(message).ok());
}

TEST(RequestDecoderTest, ABadMessageIsRefusedAndItsFieldNamed) {
  struct Case {
    std::string field;
    std::function<void(Envelope&)> spoil;
  };
  const Case cases[] = {
      {"message_id", [](Envelope& m) { m.set_message_id("short"); }},
      {"message_id", [](Envelope& m) { m.set_message_id(std::string(17, 'm')); }},
      {"message.seq", [](Envelope& m) { m.set_seq(1); }},
      {"message.payload", [](Envelope& m) { m.mutable_payload()->push_back('p'); }},
      {"message.collapse_key", [](Envelope& m) { m.mutable_collapse_key()->push_back('c'); }},
      {"message.priority", [](Envelope& m) { m.set_priority(static_cast<push::v1::Priority>(9)); }},
      {"message.accepted_at_ms", [](Envelope& m) { m.set_accepted_at_ms(0); }},
      {"message.accepted_at_ms", [](Envelope& m) { m.set_accepted_at_ms(INT64_MAX); }},
      {"message.expires_at_ms", [](Envelope& m) { m.set_expires_at_ms(kNowMs - 1); }},
      {"message.expires_at_ms", [](Envelope& m) { m.set_expires_at_ms(m.expires_at_ms() + 1); }},
      {"message.expires_at_ms", [](Envelope& m) { m.set_expires_at_ms(INT64_MIN); }},
      {"message.deliver_at_ms", [](Envelope& m) { m.set_deliver_at_ms(-1); }},
      {"message.deliver_at_ms", [](Envelope& m) { m.set_deliver_at_ms(INT64_MAX); }},
      {"message.gap_dropped", [](Envelope& m) { m.set_gap_dropped(1); }},
  };
  for (const Case& c : cases) {
    Envelope message = Good();
    c.spoil(message);
    const absl::Status status = CheckMessage(message);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.field;
    EXPECT_EQ(ErrorReason(status), "BAD_REQUEST");
    EXPECT_EQ(ErrorField(status), c.field);
  }
}

TEST(RequestDecoderTest, TokensAreWellFormed) {
  const std::string device(16, 'd');
  internal::v1::SubscriptionSender sender;
  EXPECT_EQ(DecodeToken(device, 1, "", &sender)->vapid_key, "");
  EXPECT_EQ(ErrorField(DecodeToken(device, 1, "teamaaaaaa", &sender).status()), "team_id");
  sender.set_vapid_key("\x04" + std::string(64, 'k'));
  EXPECT_EQ(DecodeToken(device, 1, "", &sender)->vapid_key, sender.vapid_key());
  sender.set_vapid_key("\x03" + std::string(64, 'k'));
  EXPECT_EQ(ErrorField(DecodeToken(device, 1, "", &sender).status()), "subscription.vapid_key");
  EXPECT_TRUE(DecodeToken(device, 1, "teamaaaaaa").ok());
  EXPECT_EQ(ErrorField(DecodeToken(device.substr(1), 1, "team").status()), "device_id");
  EXPECT_EQ(ErrorField(DecodeToken(device, 0, "team").status()), "registration_id");
  EXPECT_EQ(ErrorField(DecodeToken(device, 1, "").status()), "team_id");
  EXPECT_EQ(ErrorField(DecodeToken(device, 1, std::string(300, 'a')).status()), "team_id");
}

TEST(RequestDecoderTest, RoutesAreWellFormed) {
  Route route;
  route.set_connector_address("host:1");
  route.set_login_number(1);
  EXPECT_TRUE(CheckRoute(route).ok());
  route.set_login_number(0);
  EXPECT_EQ(ErrorField(CheckRoute(route)), "route.login_number");
  route.set_login_number(1);
  route.set_connector_address(std::string(kMaxAddressBytes + 1, 'h'));
  EXPECT_EQ(ErrorField(CheckRoute(route)), "route.connector_address");
}

TEST(RequestDecoderTest, AcknowledgementsAreBounded) {
  internal::v1::AckRequest request;
  for (size_t i = 0; i < kMaxAckItems; ++i) request.add_items()->set_sent_at_ms(kNowMs);
  EXPECT_EQ(DecodeAckItems(request.items())->size(), kMaxAckItems);
  request.mutable_items(0)->set_sent_at_ms(-1);
  EXPECT_EQ(ErrorField(DecodeAckItems(request.items()).status()), "items.sent_at_ms");
  request.mutable_items(0)->set_sent_at_ms(kNowMs);
  request.add_items()->set_sent_at_ms(kNowMs);
  EXPECT_EQ(ErrorField(DecodeAckItems(request.items()).status()), "items");

  internal::v1::AppAckRequest app_request;
  for (size_t i = 0; i <= kMaxAckItems; ++i) {
    app_request.add_items()->set_message_id(std::string(16, 'm'));
    app_request.mutable_items(static_cast<int>(i))->set_step(push::v1::APP_ACKED);
  }
  EXPECT_EQ(ErrorField(DecodeAppAckItems(app_request.items()).status()), "items");
}

TEST(RequestDecoderTest, ADeviceMaySayWhatADeviceCanKnow) {
  for (int step = push::v1::Step_MIN; step <= push::v1::Step_MAX; ++step) {
    internal::v1::AppAckRequest request;
    request.add_items()->set_message_id(std::string(16, 'm'));
    request.mutable_items(0)->set_step(static_cast<push::v1::Step>(step));
    const bool allowed = step >= push::v1::APP_ACKED && step <= push::v1::UNREGISTERED;
    EXPECT_EQ(DecodeAppAckItems(request.items()).ok(), allowed) << step;
  }
}

TEST(RequestDecoderTest, TeamsAppsAndKeysAreWellFormed) {
  EXPECT_EQ(ErrorReason(CheckAppId("mail")), "BAD_APP_ID");
  EXPECT_EQ(ErrorReason(CheckTeamId(std::string(300, 'a'))), "TEAM_NOT_FOUND");
  EXPECT_EQ(ErrorReason(CheckKeyId("../x")), "KEY_NOT_FOUND");
  admin::v1::Team team;
  team.set_team_id("team");
  EXPECT_EQ(ErrorReason(CheckTeam(team)), "BAD_NAME");
  team.set_name(std::string(kMaxTeamNameBytes, 'n'));
  EXPECT_TRUE(CheckTeam(team).ok());
  team.mutable_name()->push_back('n');
  EXPECT_EQ(ErrorReason(CheckTeam(team)), "BAD_NAME");
  admin::v1::App app;
  app.set_team_id("team");
  app.set_app_id("com.example.mail");
  EXPECT_TRUE(CheckApp(app).ok());
  app.set_overflow_policy(static_cast<admin::v1::OverflowPolicy>(77));
  EXPECT_EQ(ErrorReason(CheckApp(app)), "BAD_OVERFLOW_POLICY");
  admin::v1::Key key;
  key.set_team_id("team");
  key.set_key_id("key");
  EXPECT_EQ(ErrorReason(CheckKey(key)), "BAD_PUBLIC_KEY");
  key.set_public_key_pem(std::string(kMaxPublicKeyPemBytes, 'p'));
  EXPECT_TRUE(CheckKey(key).ok());
}

TEST(RequestDecoderTest, KeysOfEachKindHaveWhatTheyNeed) {
  admin::v1::Key token;
  token.set_team_id("team");
  token.set_key_id("key");
  token.set_kind(admin::v1::Key::SEND_ONLY);
  EXPECT_EQ(ErrorField(CheckKey(token)), "token_sha256");
  token.set_token_sha256(std::string(32, 'h'));
  EXPECT_TRUE(CheckKey(token).ok());
  token.set_kind(admin::v1::Key::FCM);
  EXPECT_EQ(ErrorReason(CheckKey(token)), "BAD_PUBLIC_KEY");
  token.set_public_key_pem("a key");
  EXPECT_TRUE(CheckKey(token).ok());
  token.set_kind(static_cast<admin::v1::Key::Kind>(77));
  EXPECT_EQ(ErrorField(CheckKey(token)), "kind");

  admin::v1::Key alias;
  alias.set_team_id("team");
  alias.set_kind(admin::v1::Key::ALIAS);
  alias.set_device_token("00ff");
  for (const char* id : {"", "phone", "team/", "/phone", "team/Phone", "team/a/b"}) {
    alias.set_key_id(id);
    EXPECT_EQ(ErrorReason(CheckKey(alias)), "BAD_ALIAS") << id;
  }
  alias.set_key_id("other/phone");
  EXPECT_EQ(ErrorField(CheckKey(alias)), "key_id");
  alias.set_key_id("team/phone");
  EXPECT_TRUE(CheckKey(alias).ok());
  EXPECT_TRUE(CheckKeyId("team/phone").ok());
  EXPECT_EQ(ErrorReason(CheckKeyId("team/a b")), "KEY_NOT_FOUND");
  alias.clear_device_token();
  EXPECT_EQ(ErrorField(CheckKey(alias)), "device_token");
}

TEST(RequestDecoderTest, Subscriptions) {
  // SEC 2, 2.4.2: a point of P-256 that everybody knows.
  const std::string generator = absl::HexStringToBytes(
      "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
      "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
  Subscription subscription;
  EXPECT_EQ(ErrorReason(CheckSubscription(subscription)), "BAD_SUBSCRIPTION");
  subscription.set_instance(std::string(64, 'i'));
  subscription.set_owner(std::string(16, 'o'));
  EXPECT_TRUE(CheckSubscription(subscription).ok());
  subscription.set_vapid_key(generator);
  EXPECT_TRUE(CheckSubscription(subscription).ok());
  // Not on the curve.
  subscription.set_vapid_key("\x04" + std::string(64, '\0'));
  EXPECT_EQ(ErrorField(CheckSubscription(subscription)), "subscription.vapid_key");
  subscription.set_vapid_key(generator.substr(0, 64));
  EXPECT_EQ(ErrorField(CheckSubscription(subscription)), "subscription.vapid_key");
  subscription.clear_vapid_key();
  subscription.set_owner(std::string(17, 'o'));
  EXPECT_EQ(ErrorField(CheckSubscription(subscription)), "subscription.owner");
  subscription.clear_owner();
  subscription.set_instance(std::string(65, 'i'));
  EXPECT_EQ(ErrorField(CheckSubscription(subscription)), "instance");
}

}  // namespace
}  // namespace bellwire::registry
