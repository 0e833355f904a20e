#ifndef BELLWIRE_DEVICE_AGENT_CORE_SUBSCRIPTION_NAMES_H_
#define BELLWIRE_DEVICE_AGENT_CORE_SUBSCRIPTION_NAMES_H_

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace bellwire::agent {

// What the server is told instead of a subscription's names, which say what people read and use,
// and instead of an app's owner: HMAC-SHA256 of them, keyed with a secret of this phone. The server
// can't come back to a name, nor see that two phones have the same one. Immutable and thread-safe.
class SubscriptionNames {
 public:
  // `secret`: 32 bytes that stay the same as long as the device is the same
  // (DeviceKey::DeriveSecret).
  explicit SubscriptionNames(std::string secret) : secret_(std::move(secret)) {}

  // Subscription.instance of bellwire.device.v1, 32 bytes, for the key of a subscription.
  std::string InstanceOf(absl::string_view subscription_key) const;
  // Subscription.owner, 16 bytes. One name is another owner for each user.
  std::string OwnerOf(uid_t uid, absl::string_view owner) const;
  // RegisterApp.owner, 16 bytes, for the key of an app (app_key.h). It differs from app to app, so
  // that the server doesn't learn which apps are one user's.
  std::string AppOwnerOf(absl::string_view app_key) const;

 private:
  std::string Digest(absl::string_view text) const;

  const std::string secret_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_SUBSCRIPTION_NAMES_H_
