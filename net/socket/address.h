#ifndef BELLWIRE_NET_SOCKET_ADDRESS_H_
#define BELLWIRE_NET_SOCKET_ADDRESS_H_

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/host_port.h"

namespace bellwire::net {

using ::bellwire::HostPort;
using ::bellwire::ParseHostPort;

// An IPv4 or IPv6 socket address.
struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};
// From a numeric host; nullopt if it is a name.
std::optional<SocketAddress> NumericAddress(const std::string& host, uint16_t port);
// "1.2.3.4:5" or "[::1]:5". An IPv4 address that is mapped into IPv6 is written as IPv4.
std::string FormatAddress(const SocketAddress& address);

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_ADDRESS_H_
