#ifndef BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_NAMES_H_
#define BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_NAMES_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "device-agent/heartbeat/network_key.h"

namespace bellwire::agent {

// What the system told about the networks that interfaces lead to: the SSID or the carrier, which
// an agent can't find out. Names are kept as digests only. Holds the last kMaxNamedInterfaces
// interfaces that something was said of. Pure; thread-compatible.
class NetworkNames {
 public:
  // What was said of the interface before is forgotten. INVALID_ARGUMENT: the interface or the name
  // is empty or too long (IFNAMSIZ, kMaxNetworkNameBytes), or the kind is unknown.
  absl::Status Set(absl::string_view interface, NetworkKey::Kind kind, absl::string_view name);
  void Forget(absl::string_view interface);

  // Adds kind and name to what the kernel told, if its interface has one.
  NetworkKey Complete(NetworkKey key) const;

 private:
  struct Told {
    NetworkKey::Kind kind;
    std::string name;
  };
  // By interface; the one told of last comes last.
  std::vector<std::pair<std::string, Told>> told_;
};

// Does what the system asks. `default_interface`: of the default route, empty if there is none.
// INVALID_ARGUMENT: the request makes no sense.
absl::Status TakeNetworkName(const v1::SetNetwork& request, absl::string_view default_interface,
                             NetworkNames* names);

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_NAMES_H_
