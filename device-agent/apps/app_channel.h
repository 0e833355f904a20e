#ifndef BELLWIRE_DEVICE_AGENT_APPS_APP_CHANNEL_H_
#define BELLWIRE_DEVICE_AGENT_APPS_APP_CHANNEL_H_

#include <optional>
#include <string>

#include "bellwire/agent/v1/agent.pb.h"

namespace bellwire::agent {

// What one app is told on its connection; on a companion's connection, what one of its
// subscriptions is. What it is given is in its AppWindow (device-agent/inbox/app_window.h).
//
//   kIdle ──Register, Subscribe──▶ kRegistering ──(the token is there)──▶ kRegistered
//     ▲                                │                                    │
//     └────────── a refusal, Unregister, Unsubscribe ◀──────────────────────┘
struct AppChannel {
  enum class State { kIdle, kRegistering, kRegistered };

  // The app id, or the subscription's key.
  std::string key;
  State state = State::kIdle;
  // What it is to be told before it is given anything more: its token, or a refusal.
  std::optional<v1::AgentFrame> news;
  // There is news, or there may be something to give: it is in AppConnection::due.
  bool due = false;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_APP_CHANNEL_H_
