#ifndef BELLWIRE_DEVICE_AGENT_NETWORK_RTNETLINK_H_
#define BELLWIRE_DEVICE_AGENT_NETWORK_RTNETLINK_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "device-agent/network/network_facts.h"

namespace bellwire::agent {

// What one message of rtnetlink(7) says.
struct NetworkNews {
  NetworkFact fact;
  // False: it is so no more.
  bool holds = true;

  friend bool operator==(const NetworkNews&, const NetworkNews&) = default;
};

struct NetworkDatagram {
  std::vector<NetworkNews> news;
  // NLMSG_DONE: the list that was asked for ends here.
  bool done = false;
  // The kernel refused, or says that the list is not consistent: ask again.
  bool failed = false;
};

// The links, addresses and default routes of one datagram; what else is in it is passed over. Bytes
// that are no sequence of netlink messages end it: what came before counts, and `failed` is set.
NetworkDatagram ParseNetworkDatagram(absl::string_view bytes);

// A request for the list of all links (RTM_GETLINK), addresses or routes.
std::string NetworkListRequest(int message_type);

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_NETWORK_RTNETLINK_H_
