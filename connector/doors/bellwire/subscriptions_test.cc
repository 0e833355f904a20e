// Subscriptions on the wire: registrations without a developer, and what a push says of its
// payload.

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/error.h"
#include "connector/testing/connection_harness.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using device::v1::AppRegistered;
using S = ConnectionState;
using H = ConnectionHarness;

TEST(SubscriptionsTest, RegistersSubscriptions) {
  H h;
  h.SetPublicUrl("https://push.example.com");
  h.BringTo(S::kActive);
  h.host.frames.clear();
  h.ReceiveSubscribe(3, "page");
  ASSERT_EQ(h.host.registrations.size(), 1u);
  const internal::v1::RegisterAppRequest& request = h.host.registrations[0].second;
  EXPECT_EQ(request.app_id(), "");
  EXPECT_EQ(request.subscription().instance(), "page");
  EXPECT_EQ(request.subscription().owner(), "origin");
  EXPECT_EQ(request.subscription().vapid_key(), "key");
  EXPECT_TRUE(request.subscription().receipts());
  internal::v1::RegisterAppResponse response;
  response.set_registration_id(99);
  response.set_token("70");
  h.connection.OnAppRegistered(3, "", "page", response);
  ASSERT_EQ(h.host.frames.size(), 1u);
  const AppRegistered& registered = h.host.frames[0].app_registered();
  EXPECT_EQ(registered.outcome(), AppRegistered::OK);
  EXPECT_EQ(registered.instance(), "page");
  EXPECT_EQ(registered.app_id(), "");
  EXPECT_EQ(registered.endpoint(), "https://push.example.com/wpush/70");
  h.ReceiveUnsubscribe(4, "page");
  ASSERT_EQ(h.host.removals.size(), 1u);
  EXPECT_EQ(h.host.removals[0].second.instance(), "page");
  EXPECT_EQ(h.host.removals[0].second.app_id(), "");
}

TEST(SubscriptionsTest, SubscriptionsThatAreRefusedSayWhichAndWhy) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveSubscribe(1, "page");
  EXPECT_EQ(h.host.frames.back().app_registered().outcome(), AppRegistered::SUBSCRIPTIONS_OFF);
  EXPECT_EQ(h.host.frames.back().app_registered().instance(), "page");
  h.SetPublicUrl("https://push.example.com");
  h.ReceiveSubscribe(2, "");
  EXPECT_EQ(h.host.frames.back().app_registered().outcome(), AppRegistered::BAD_SUBSCRIPTION);
  EXPECT_TRUE(h.host.registrations.empty());
  const auto outcome_of = [&](absl::StatusCode code, absl::string_view reason) {
    h.ReceiveSubscribe(3, "page");
    h.connection.OnAppRegistered(3, "", "page", MakeError(code, reason, ""));
    return h.host.frames.back().app_registered().outcome();
  };
  EXPECT_EQ(outcome_of(absl::StatusCode::kFailedPrecondition, "VAPID_REQUIRED"),
            AppRegistered::VAPID_REQUIRED);
  EXPECT_EQ(outcome_of(absl::StatusCode::kFailedPrecondition, "SUBSCRIPTIONS_OFF"),
            AppRegistered::SUBSCRIPTIONS_OFF);
  EXPECT_EQ(outcome_of(absl::StatusCode::kInvalidArgument, "BAD_SUBSCRIPTION"),
            AppRegistered::BAD_SUBSCRIPTION);
}

TEST(SubscriptionsTest, APushSaysWhatItsPayloadIs) {
  H h;
  h.BringTo(S::kActive);
  internal::v1::Envelope message = H::Message(1);
  message.mutable_content()->set_door(internal::v1::Content::WEB_PUSH);
  message.mutable_content()->set_encoding("aesgcm");
  message.mutable_content()->set_encryption("salt=c2FsdA");
  message.mutable_content()->set_crypto_key("dh=a2V5");
  h.Deliver(message);
  const device::v1::Content& content = h.host.frames.back().push().content();
  EXPECT_EQ(content.door(), device::v1::Content::WEB_PUSH);
  EXPECT_EQ(content.encoding(), "aesgcm");
  EXPECT_EQ(content.encryption(), "salt=c2FsdA");
  EXPECT_EQ(content.crypto_key(), "dh=a2V5");
}

}  // namespace
}  // namespace bellwire::connector
