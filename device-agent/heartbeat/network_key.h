#ifndef BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_KEY_H_
#define BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_KEY_H_

#include <string>

#include "common/ids.h"

namespace bellwire::agent {

// Names a network on disk and towards the server without telling which one it is.
using NetworkId = Id16<struct NetworkIdTag>;

// What tells networks apart whose NATs may differ.
struct NetworkKey {
  enum class Kind { kUnknown, kEthernet, kWifi, kCellular };
  Kind kind = Kind::kUnknown;
  // Of the carrier, or the SSID, or else of the interface.
  std::string name;
  // Address of the default gateway; its link-layer address where there is one, for half of the
  // world's routers are 192.168.1.1.
  std::string gateway;

  // The first 16 bytes of a SHA-256 over all three.
  NetworkId Id() const;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_KEY_H_
