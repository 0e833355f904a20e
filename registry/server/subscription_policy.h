#ifndef BELLWIRE_REGISTRY_SERVER_SUBSCRIPTION_POLICY_H_
#define BELLWIRE_REGISTRY_SERVER_SUBSCRIPTION_POLICY_H_

#include <cstdint>
#include <map>
#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace bellwire::registry {

// Which subscriptions a server takes: the flag --subscriptions.
enum class SubscriptionPolicy : uint8_t {
  // A VAPID key binds the subscription that was made with it. One without a key takes messages from
  // everybody who knows its endpoint.
  kVapid,
  // None is made without a key.
  kStrict,
  // Keys bind nothing: whoever knows an endpoint may send.
  kOpen,
  // None is made, and those that exist take nothing until the policy is another one.
  kOff,
};

// By their names on the command line: "vapid", "strict", "open", "off".
const std::map<std::string, SubscriptionPolicy>& SubscriptionPolicies();

// Adds --subscriptions, which takes these names. `name` outlives the parse.
void AddSubscriptionsFlag(CLI::App* app, std::string* name);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_SUBSCRIPTION_POLICY_H_
