#ifndef BELLWIRE_COMMON_HOST_PORT_H_
#define BELLWIRE_COMMON_HOST_PORT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bellwire {

// "host:port" in its parts. An IPv6 address stands in brackets, which are taken off.
struct HostPort {
  std::string host;  // May be empty.
  uint16_t port;
};

// The one parser of such texts: what takes addresses of gRPC asks it too, because gRPC listens on
// port 34463 where it is told 99999.
//   INVALID_ARGUMENT BAD_ADDRESS
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text);

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_HOST_PORT_H_
