#ifndef BELLWIRE_NET_SOCKET_LISTEN_TCP_H_
#define BELLWIRE_NET_SOCKET_LISTEN_TCP_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/socket/address.h"

namespace bellwire::net {

struct ListeningSocket {
  int fd;
  uint16_t port;
};

// Whether an address may have a listener already.
enum class PortShare {
  // Nobody else listens there, now or later.
  kAlone,
  // Nobody else listens there, or it is CANNOT_LISTEN: two servers by mistake on one port would
  // each get half of its connections. Those who say kBeside may come later.
  kFirst,
  // Listens beside a kFirst of this user: the kernel spreads connections over them (SO_REUSEPORT).
  kBeside,
};

// Listens on one address; "::" is IPv4 too, whatever the machine's default is. Port 0 takes a free
// one: `bound` says which. The socket is as of ListenTcp. -1 with errno if it can't.
int ListenAt(const SocketAddress& address, PortShare share, SocketAddress* bound);

// Listens on "HOST:PORT", alone: HOST is an address or a name of this machine; empty, 0.0.0.0 and
// [::] are every address of either family. Port 0 takes a free one. The socket is non-blocking and
// the caller's; what it accepts has TCP_NODELAY. Blocks while a name is resolved: for the start of
// a process.
//   INVALID_ARGUMENT BAD_ADDRESS · UNAVAILABLE CANNOT_LISTEN
absl::StatusOr<ListeningSocket> ListenTcp(absl::string_view address);

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_LISTEN_TCP_H_
