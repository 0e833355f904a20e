#ifndef BELLWIRE_DEVICE_AGENT_APPS_APP_KEY_H_
#define BELLWIRE_DEVICE_AGENT_APPS_APP_KEY_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "device-agent/apps/app_owner.h"

namespace bellwire::agent {

// What a registration of an app is called inside the agent: "app:UID:SANDBOX:APP_ID". The same app
// id of another user, or of another sandbox, is another registration with a token of its own. So
// nobody can take an app id away from anybody else. A subscription has another kind of key
// (subscription.h).
inline std::string AppKey(const AppOwner& owner, absl::string_view app_id) {
  return absl::StrCat("app:", owner.uid, ":", owner.sandbox, ":", app_id);
}
// The app id of such a key: no app id has a colon, and a sandbox may.
inline std::string AppIdOf(absl::string_view key) {
  return std::string(key.substr(key.rfind(':') + 1));
}

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_APP_KEY_H_
