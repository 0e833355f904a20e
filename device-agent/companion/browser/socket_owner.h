#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_SOCKET_OWNER_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_SOCKET_OWNER_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bellwire::companion {

// The user who holds the other end of a TCP connection over IPv4 on this machine. `fd` is our end,
// connected. Asks the kernel by sock_diag, and where that is missing reads /proc/net/tcp. A few
// system calls; thread-safe.
//
//   NOT_FOUND      the peer is not on this machine, or has closed its socket already
//   UNAVAILABLE    the kernel answers neither question
absl::StatusOr<uid_t> OwnerOfPeer(int fd);

// The pure part of the second way: the user of the established socket with these two addresses (as
// in sockaddr_in: network byte order) in the text of /proc/net/tcp.
//   NOT_FOUND      no line has them
absl::StatusOr<uid_t> OwnerInProcNetTcp(absl::string_view table, uint32_t local_address,
                                        uint16_t local_port, uint32_t remote_address,
                                        uint16_t remote_port);

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_SOCKET_OWNER_H_
