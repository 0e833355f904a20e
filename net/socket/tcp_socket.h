#ifndef BELLWIRE_NET_SOCKET_TCP_SOCKET_H_
#define BELLWIRE_NET_SOCKET_TCP_SOCKET_H_

#include <optional>
#include <string>

#include "absl/time/time.h"

// What is asked of the kernel about one TCP socket, and told to it. Thread-safe.
namespace bellwire::net {

// Small writes leave at once (TCP_NODELAY), and the connection fails with ETIMEDOUT when what was
// written is not acknowledged within `user_timeout` (TCP_USER_TIMEOUT), instead of after the
// kernel's quarter of an hour. Does what the kernel allows.
void TuneTcpClient(int fd, absl::Duration user_timeout);

// Whether the peer's kernel has acknowledged every byte that ours was given (TCP_INFO). nullopt:
// this is no TCP socket.
std::optional<bool> PeerReceivedAll(int fd);

// The address of our end, "192.0.2.1" or "2001:db8::1", without a port. Empty: not an IP socket.
std::string LocalHost(int fd);

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_TCP_SOCKET_H_
