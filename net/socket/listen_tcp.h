#ifndef BELLWIRE_NET_SOCKET_LISTEN_TCP_H_
#define BELLWIRE_NET_SOCKET_LISTEN_TCP_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bellwire::net {

struct ListeningSocket {
  int fd;
  uint16_t port;
};

// Listens on "HOST:PORT", alone: HOST is an address or a name of this machine; empty, 0.0.0.0 and [::]
// are every address of either family. Port 0 takes a free one. The socket is non-blocking and the
// caller's; what it accepts has TCP_NODELAY. Blocks while a name is resolved: for the start of a
// process.
//   INVALID_ARGUMENT BAD_ADDRESS · UNAVAILABLE CANNOT_LISTEN
absl::StatusOr<ListeningSocket> ListenTcp(absl::string_view address);

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_LISTEN_TCP_H_
