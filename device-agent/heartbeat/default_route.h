#ifndef BELLWIRE_DEVICE_AGENT_HEARTBEAT_DEFAULT_ROUTE_H_
#define BELLWIRE_DEVICE_AGENT_HEARTBEAT_DEFAULT_ROUTE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "device-agent/heartbeat/network_key.h"

namespace bellwire::agent {

// The network that the default route leads to, as far as any process may know: interface and
// gateway. Without an SSID or a carrier: the router's link-layer address tells Wi-Fi networks
// apart, and carriers share one entry per modem. Without an IPv4 default route: a key of its own.
NetworkKey ReadDefaultRoute();

// Its pure part: the texts of /proc/net/route and /proc/net/arp. `kind` stays unknown.
NetworkKey ParseDefaultRoute(absl::string_view routes, absl::string_view neighbours);

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_HEARTBEAT_DEFAULT_ROUTE_H_
