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
  // Of the carrier, or the SSID, or else of the interface.
  std::string name;
  // Address of the default gateway; its link-layer address where there is one, for half of the
  // world's routers are 192.168.1.1.
  std::string gateway;

  // Names the network on this phone's disk: over all three.
  NetworkId Id() const;
  // Names it to the server, which pools what devices learned: the same on every phone in it, whatever its
  // interfaces are called. Over the gateway's link-layer address, of 48 bits that nobody knows who was
  // not there. Nullopt: nothing about it is its own. Addresses such as 192.168.1.1 are everybody's, as are
  // the link-layer addresses that software makes up: of containers, hotspots, and routers that stand in for
  // each other (VRRP).
  std::optional<NetworkId> SharedId() const;
};

// "wifi", …
absl::string_view Name(NetworkKey::Kind kind);

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_KEY_H_
