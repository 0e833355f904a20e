#include "registry/server/subscription_policy.h"

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"

namespace bellwire::registry {

const std::map<std::string, SubscriptionPolicy>& SubscriptionPolicies() {
  static const auto* const policies =
      new std::map<std::string, SubscriptionPolicy>{{"vapid", SubscriptionPolicy::kVapid},
                                                    {"strict", SubscriptionPolicy::kStrict},
                                                    {"open", SubscriptionPolicy::kOpen},
                                                    {"off", SubscriptionPolicy::kOff}};
  return *policies;
}

void AddSubscriptionsFlag(CLI::App* app, std::string* name) {
  app->add_option(
         "--subscriptions", *name,
         "Which subscriptions of web pages and UnifiedPush apps are taken: those that have "
         "a VAPID key are bound to it (vapid), only those with one (strict), all, without "
         "looking at keys (open), none (off)")
      ->type_name("POLICY")
      ->check(CLI::IsMember(&SubscriptionPolicies()))
      ->capture_default_str();
}

}  // namespace bellwire::registry
