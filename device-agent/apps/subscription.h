#ifndef BELLWIRE_DEVICE_AGENT_APPS_SUBSCRIPTION_H_
#define BELLWIRE_DEVICE_AGENT_APPS_SUBSCRIPTION_H_

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace bellwire::agent {

// Subscriptions on one phone, shared by its users (fair_share.h), and those of one owner: a web
// page needs one, an app of UnifiedPush one for each account.
inline constexpr size_t kMaxSubscriptions = 512;
inline constexpr size_t kMaxSubscriptionsPerOwner = 64;
// An instance, and an owner: room for a browser, the origin of a page and a UUID.
inline constexpr size_t kMaxSubscriptionNameBytes = 256;
// The URL that a server names: a host name of 253 characters and a token fit well.
inline constexpr size_t kMaxEndpointBytes = 1024;
// An uncompressed P-256 point.
inline constexpr size_t kVapidKeyBytes = 65;

// What a companion says of a subscription, beside its instance (Subscribe in agent.proto).
struct Subscription {
  // Whose it is among the user's software.
  std::string owner;
  // kVapidKeyBytes, or empty.
  std::string vapid_key;
  bool receipts = false;

  friend bool operator==(const Subscription&, const Subscription&) = default;
};

// Wherever an app has its key (app_key.h), a subscription has this: "sub:UID:INSTANCE". A
// companion's connection has the key of the empty instance, which no subscription has.
inline std::string SubscriptionKey(uid_t uid, absl::string_view instance) {
  return absl::StrCat("sub:", uid, ":", instance);
}
inline bool IsSubscriptionKey(absl::string_view key) { return absl::StartsWith(key, "sub:"); }
// REQUIRES for both: IsSubscriptionKey(key).
inline std::string CompanionKeyOf(absl::string_view key) {
  return std::string(key.substr(0, key.find(':', 4) + 1));
}
inline std::string InstanceOf(absl::string_view key) {
  return std::string(key.substr(key.find(':', 4) + 1));
}

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_SUBSCRIPTION_H_
