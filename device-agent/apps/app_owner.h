#ifndef BELLWIRE_DEVICE_AGENT_APPS_APP_OWNER_H_
#define BELLWIRE_DEVICE_AGENT_APPS_APP_OWNER_H_

#include <sys/types.h>

#include <string>
#include <utility>

namespace bellwire::agent {

// Whose a registration is, as the kernel says: the user and, where apps of one user are kept apart,
// the sandbox. Only who is both the same speaks for it; others may use its app id, and have their
// own.
struct AppOwner {
  // NOLINTNEXTLINE: most apps have no sandbox, and a user is enough.
  AppOwner(uid_t uid = 0, std::string sandbox = "") : uid(uid), sandbox(std::move(sandbox)) {}

  uid_t uid;
  // "flatpak:org.example.Mail", "snap:mail" or "unit:bellwire-app@com.example.mail"; empty: none.
  std::string sandbox;

  friend bool operator==(const AppOwner&, const AppOwner&) = default;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_APP_OWNER_H_
