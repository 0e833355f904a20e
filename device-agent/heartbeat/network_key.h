#ifndef BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_KEY_H_
#define BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_KEY_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/ids.h"

namespace bellwire::agent {

// What tells networks apart whose NATs may differ.
struct NetworkKey {
  enum class Kind { kUnknown, kEthernet, kWifi, kCellular };
  Kind kind = Kind::kUnknown;
  // What leads there. Counts only where there is no name.
  std::string interface;
  // DigestOfName() of the carrier or the SSID. Empty: nobody told it (network_names.h).
  std::string name;
  // Address of the default gateway; its link-layer address where there is one, for half of the
  // world's routers are 192.168.1.1.
  std::string gateway;

  // Names the network on this phone's disk: over the kind, the name or else the interface, and the
  // gateway. Not over the gateway of a carrier with a name: it may be another one each time.
  NetworkId Id() const;
  // Names it to the server, which pools what devices learned: the same on every phone in it,
  // whatever its interfaces are called.
  //   - Over the gateway's link-layer address, of 48 bits that nobody knows who was not there, and
  //     whether the network has a name or not.
  //   - Where that address was made up by software (containers, hotspots, routers that stand in for
  //     each other (VRRP)): over address and SSID.
  //   - Cellular: over the carrier's name.
  // Nullopt: nothing about it is its own. Addresses such as 192.168.1.1 are everybody's, and so are
  // many SSIDs.
  std::optional<NetworkId> SharedId() const;
};

// 16 bytes in hex: what is kept of a carrier's name or an SSID.
std::string DigestOfName(NetworkKey::Kind kind, absl::string_view name);

// "wifi", …
absl::string_view Name(NetworkKey::Kind kind);

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_KEY_H_
