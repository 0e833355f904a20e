#ifndef BELLWIRE_DEVICE_AGENT_NETWORK_NETWORK_FACTS_H_
#define BELLWIRE_DEVICE_AGENT_NETWORK_NETWORK_FACTS_H_

#include <compare>
#include <cstdint>
#include <set>
#include <string>

namespace bellwire::agent {

// One thing that the kernel says about the network, as far as a connection may depend on it.
struct NetworkFact {
  enum class Kind {
    kLink,     // The interface is up and has a carrier.
    kAddress,  // It has this address, ready for use, of a scope that reaches other machines.
    kRoute,    // This default route leads over it.
  };
  Kind kind = Kind::kLink;
  int interface = 0;
  // Of kAddress and kRoute: AF_INET or AF_INET6.
  int family = 0;
  // kAddress: numeric, "192.0.2.1". kRoute: the gateway's, empty if there is none.
  std::string address;
  // kRoute.
  uint32_t metric = 0;
  uint32_t table = 0;

  friend auto operator<=>(const NetworkFact&, const NetworkFact&) = default;
};

using NetworkFacts = std::set<NetworkFact>;

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_NETWORK_NETWORK_FACTS_H_
