#ifndef BELLWIRE_DEVICE_AGENT_APPS_PEER_IDENTITY_H_
#define BELLWIRE_DEVICE_AGENT_APPS_PEER_IDENTITY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "device-agent/apps/app_owner.h"
#include "net/socket/unix_stream.h"

namespace bellwire::agent {

// What is known of a process that connected.
struct PeerIdentity {
  AppOwner owner;
  // The file that it runs, as /proc/PID/exe says. Empty: the agent may not look, which takes
  // CAP_SYS_PTRACE for another user's process. No part of who an app is: for the policy only.
  std::string executable;
};

// Who an app is (docs/reference/agent_protocol.md, "Who may speak for an app"): SO_PEERCRED's user,
// and the sandbox from /proc: .flatpak-info in its root if that may be read, or else the name of
// its cgroup.
//
// FAILED_PRECONDITION: the process is gone already, so what /proc says may be about another one
// that got its number. An app whose /proc can't be read, or of another pid namespace, has no
// sandbox.
absl::StatusOr<PeerIdentity> IdentifyPeer(const net::PeerCredentials& peer);

// Their pure parts. The text of /proc/PID/cgroup; empty: its cgroup names no sandbox.
std::string SandboxOfCgroup(absl::string_view cgroups);
// The text of /.flatpak-info; empty: it names no application.
std::string SandboxOfFlatpakInfo(absl::string_view info);

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_PEER_IDENTITY_H_
