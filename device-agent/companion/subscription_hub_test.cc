#include "device-agent/companion/subscription_hub.h"

#include <string>

#include "gtest/gtest.h"

namespace bellwire::companion {
namespace {

Subscription Sound() {
  Subscription subscription;
  subscription.instance = "up:1";
  subscription.owner = "org.example.App";
  return subscription;
}

TEST(CheckSubscriptionTest, TakesWhatKeepsTheBounds) {
  EXPECT_TRUE(CheckSubscription(Sound()).ok());
  Subscription large = Sound();
  large.instance = std::string(kMaxInstanceNameBytes, 'i');
  large.owner = std::string(kMaxOwnerBytes, 'o');
  large.note = std::string(kMaxNoteBytes, 'n');
  large.vapid_key = "\x04" + std::string(64, 'k');
  EXPECT_TRUE(CheckSubscription(large).ok());
}

TEST(CheckSubscriptionTest, NamesTheFieldThatBreaksThem) {
  const auto refused = [](absl::string_view field, void (*spoil)(Subscription*)) {
    Subscription subscription = Sound();
    spoil(&subscription);
    const absl::Status status = CheckSubscription(subscription);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_NE(status.message().find(field), absl::string_view::npos) << status;
  };
  refused("instance", [](Subscription* s) { s->instance.clear(); });
  refused("instance", [](Subscription* s) { s->instance.assign(kMaxInstanceNameBytes + 1, 'i'); });
  refused("owner", [](Subscription* s) { s->owner.clear(); });
  refused("owner", [](Subscription* s) { s->owner.assign(kMaxOwnerBytes + 1, 'o'); });
  refused("note", [](Subscription* s) { s->note.assign(kMaxNoteBytes + 1, 'n'); });
  refused("vapid_key", [](Subscription* s) { s->vapid_key.assign(64, '\x04'); });
  refused("vapid_key", [](Subscription* s) { s->vapid_key.assign(65, '\x03'); });
}

}  // namespace
}  // namespace bellwire::companion
