#ifndef BELLWIRE_DEVICE_AGENT_APPS_NAMES_IN_LOGS_H_
#define BELLWIRE_DEVICE_AGENT_APPS_NAMES_IN_LOGS_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "device-agent/apps/app_key.h"
#include "device-agent/apps/subscription.h"

namespace bellwire::agent {

// What logs say of an instance: enough to tell profiles of browsers and accounts of apps apart. All
// of it is for the companion and its software alone: who knows a browser's id and channel may speak
// for its pages.
inline absl::string_view InstanceInLogs(absl::string_view instance) {
  // "push:" and eight digits of the browser's id.
  return instance.substr(0, 13);
}
// What logs say of an app, which is its id, or of a subscription.
inline std::string NameInLogs(absl::string_view app_id) {
  if (!IsSubscriptionKey(app_id)) return AppIdOf(app_id);
  return absl::StrCat(CompanionKeyOf(app_id), InstanceInLogs(InstanceOf(app_id)));
}

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_NAMES_IN_LOGS_H_
