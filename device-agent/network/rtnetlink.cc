#include "device-agent/network/rtnetlink.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

namespace bellwire::agent {
namespace {

constexpr size_t kAlignment = 4;

size_t Aligned(size_t size) { return (size + kAlignment - 1) & ~(kAlignment - 1); }

// Takes a struct of the kernel's off the front; nullopt if there are not enough bytes. A copy,
// because nothing says that the bytes are aligned.
template <typename T>
std::optional<T> Take(absl::string_view* bytes) {
  T value;
  if (bytes->size() < sizeof(T)) return std::nullopt;
  memcpy(&value, bytes->data(), sizeof(T));
  bytes->remove_prefix(std::min(bytes->size(), Aligned(sizeof(T))));
  return value;
}

// The last attribute of this type; empty if there is none.
absl::string_view Attribute(absl::string_view attributes, uint16_t type) {
  absl::string_view found;
  rtattr header;
  while (attributes.size() >= sizeof(header)) {
    memcpy(&header, attributes.data(), sizeof(header));
    if (header.rta_len < sizeof(header) || header.rta_len > attributes.size()) break;
    if (header.rta_type == type) {
      found = attributes.substr(sizeof(header), header.rta_len - sizeof(header));
    }
    attributes.remove_prefix(std::min(attributes.size(), Aligned(header.rta_len)));
  }
  return found;
}

uint32_t Number(absl::string_view attribute, uint32_t otherwise) {
  uint32_t value = otherwise;
  if (attribute.size() == sizeof(value)) memcpy(&value, attribute.data(), sizeof(value));
  return value;
}

// Empty if it is no address of this family.
std::string AddressText(int family, absl::string_view attribute) {
  const size_t size = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
  char text[INET6_ADDRSTRLEN] = "";
  if (attribute.size() != size) return "";
  inet_ntop(family, attribute.data(), text, sizeof(text));
  return text;
}

bool IsInternet(int family) { return family == AF_INET || family == AF_INET6; }

void ParseLink(absl::string_view body, bool is_new, std::vector<NetworkNews>* news) {
  const auto link = Take<ifinfomsg>(&body);
  // A bridge tells of its ports, which says nothing about their link.
  if (!link.has_value() || link->ifi_family == AF_BRIDGE) return;
  constexpr unsigned kUsable = IFF_UP | IFF_RUNNING;
  news->push_back({{.kind = NetworkFact::Kind::kLink, .interface = link->ifi_index},
                   is_new && (link->ifi_flags & kUsable) == kUsable});
}

void ParseAddress(absl::string_view body, bool is_new, std::vector<NetworkNews>* news) {
  const auto address = Take<ifaddrmsg>(&body);
  if (!address.has_value() || !IsInternet(address->ifa_family)) return;
  // Link-local ones reach no server of ours.
  if (address->ifa_scope == RT_SCOPE_LINK) return;
  // On a point-to-point link IFA_ADDRESS is the other end's.
  absl::string_view bytes = Attribute(body, IFA_LOCAL);
  if (bytes.empty()) bytes = Attribute(body, IFA_ADDRESS);
  const std::string text = AddressText(address->ifa_family, bytes);
  if (text.empty()) return;
  const uint32_t flags = Number(Attribute(body, IFA_FLAGS), address->ifa_flags);
  const bool usable =
      (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0 || (flags & IFA_F_OPTIMISTIC);
  news->push_back({{.kind = NetworkFact::Kind::kAddress,
                    .interface = static_cast<int>(address->ifa_index),
                    .family = address->ifa_family,
                    .address = text},
                   is_new && usable});
}

void ParseRoute(absl::string_view body, bool is_new, std::vector<NetworkNews>* news) {
  const auto route = Take<rtmsg>(&body);
  if (!route.has_value() || !IsInternet(route->rtm_family) || route->rtm_dst_len != 0 ||
      route->rtm_type != RTN_UNICAST || (route->rtm_flags & RTM_F_CLONED) != 0) {
    return;
  }
  NetworkFact fact{.kind = NetworkFact::Kind::kRoute,
                   .interface = static_cast<int>(Number(Attribute(body, RTA_OIF), 0)),
                   .family = route->rtm_family,
                   .address = AddressText(route->rtm_family, Attribute(body, RTA_GATEWAY)),
                   .metric = Number(Attribute(body, RTA_PRIORITY), 0),
                   .table = Number(Attribute(body, RTA_TABLE), route->rtm_table)};
  // Without a carrier it leads nowhere.
  news->push_back(
      {std::move(fact), is_new && (route->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) == 0});
}

}  // namespace

NetworkDatagram ParseNetworkDatagram(absl::string_view bytes) {
  NetworkDatagram datagram;
  while (!bytes.empty()) {
    nlmsghdr header;
    if (bytes.size() < sizeof(header)) {
      datagram.failed = true;
      break;
    }
    memcpy(&header, bytes.data(), sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > bytes.size()) {
      datagram.failed = true;
      break;
    }
    const absl::string_view body = bytes.substr(sizeof(header), header.nlmsg_len - sizeof(header));
    bytes.remove_prefix(std::min(bytes.size(), Aligned(header.nlmsg_len)));
    if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) datagram.failed = true;
    switch (header.nlmsg_type) {
      case NLMSG_DONE:
        datagram.done = true;
        break;
      case NLMSG_ERROR:
      case NLMSG_OVERRUN:
        datagram.failed = true;
        break;
      case RTM_NEWLINK:
      case RTM_DELLINK:
        ParseLink(body, header.nlmsg_type == RTM_NEWLINK, &datagram.news);
        break;
      case RTM_NEWADDR:
      case RTM_DELADDR:
        ParseAddress(body, header.nlmsg_type == RTM_NEWADDR, &datagram.news);
        break;
      case RTM_NEWROUTE:
      case RTM_DELROUTE:
        ParseRoute(body, header.nlmsg_type == RTM_NEWROUTE, &datagram.news);
        break;
      default:
        break;
    }
  }
  return datagram;
}

std::string NetworkListRequest(int message_type) {
  struct {
    nlmsghdr header;
    rtgenmsg body;
  } request = {};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(rtgenmsg));
  request.header.nlmsg_type = static_cast<uint16_t>(message_type);
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.rtgen_family = AF_UNSPEC;
  return std::string(reinterpret_cast<const char*>(&request), request.header.nlmsg_len);
}

}  // namespace bellwire::agent
