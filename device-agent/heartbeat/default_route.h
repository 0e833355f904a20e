#ifndef BELLWIRE_DEVICE_AGENT_HEARTBEAT_DEFAULT_ROUTE_H_
#define BELLWIRE_DEVICE_AGENT_HEARTBEAT_DEFAULT_ROUTE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "device-agent/heartbeat/network_key.h"

namespace bellwire::agent {

// The network that the default route leads to, as far as any process may know: interface and
// gateway. Without an SSID or a carrier (network_names.h): the router's link-layer address tells
// Wi-Fi networks apart, and carriers share one entry per modem. IPv4's if there is one, or else
// IPv6's, whose router has an address only. Without a default route: a key of its own.
NetworkKey ReadDefaultRoute();

// Its pure part: the texts of /proc/net/route, /proc/net/arp and /proc/net/ipv6_route. `kind` stays
// unknown.
NetworkKey ParseDefaultRoute(absl::string_view routes, absl::string_view neighbours,
                             absl::string_view ipv6_routes);

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_HEARTBEAT_DEFAULT_ROUTE_H_
