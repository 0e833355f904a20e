#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_PROXY_PROXY_PROTOCOL_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_PROXY_PROXY_PROTOCOL_H_

#include <cstddef>
#include <optional>

#include "absl/strings/string_view.h"
#include "net/socket/address.h"

// The PROXY protocol, versions 1 and 2 (haproxy.org, "The PROXY protocol"): what a load balancer
// says of its client before the client's first byte.
namespace bellwire::http {

// Of version 2, with all its extensions: AWS writes some 100 bytes. Version 1 has 107 at most.
inline constexpr size_t kMaxProxyHeaderBytes = 1024;

struct ProxyHeader {
  enum class State { kMore, kDone, kBad };
  State state = State::kMore;
  // kMore: so many bytes more belong to the header for certain. Whoever reads no more than that
  // never reads what comes after it.
  size_t wants = 0;
  // kDone: the client. nullopt: the proxy speaks for itself, such as for a health check.
  std::optional<net::SocketAddress> client = std::nullopt;
};

// What the bytes that came so far are. After kDone there are no bytes behind the header if only
// `wants` were read each time. Pure.
ProxyHeader ReadProxyHeader(absl::string_view bytes);

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_PROXY_PROXY_PROTOCOL_H_
