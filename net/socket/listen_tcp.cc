#include "net/socket/listen_tcp.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "net/socket/address.h"

namespace bellwire::net {
namespace {

// Connections that wait to be accepted. The kernel caps it at net.core.somaxconn.
constexpr int kBacklog = 4096;

bool IsEveryAddress(absl::string_view host) {
  return host.empty() || host == "0.0.0.0" || host == "::";
}

// What to try, in this order.
std::vector<SocketAddress> Candidates(const HostPort& parts) {
  if (IsEveryAddress(parts.host)) {
    return {*NumericAddress("::", parts.port), *NumericAddress("0.0.0.0", parts.port)};
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(parts.host.c_str(), std::to_string(parts.port).c_str(), &hints, &found) != 0) {
    return {};
  }
  std::vector<SocketAddress> candidates;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    SocketAddress address;
    address.size = info->ai_addrlen;
    memcpy(address.get(), info->ai_addr, info->ai_addrlen);
    candidates.push_back(address);
  }
  freeaddrinfo(found);
  return candidates;
}

// The listening socket, or -1 with errno.
int ListenAt(const SocketAddress& address, bool both_families) {
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int v6_only = both_families ? 0 : 1;
  // SO_REUSEADDR: a restart may bind although old connections linger in TIME_WAIT.
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
      (address.family() == AF_INET6 &&
       setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) != 0) ||
      bind(fd, address.get(), address.size) != 0 || listen(fd, kBacklog) != 0) {
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

uint16_t PortOf(int fd) {
  SocketAddress bound;
  bound.size = sizeof(bound.storage);
  if (getsockname(fd, bound.get(), &bound.size) != 0) return 0;
  return ntohs(bound.family() == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(bound.storage).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(bound.storage).sin_port);
}

}  // namespace

absl::StatusOr<ListeningSocket> ListenTcp(absl::string_view address) {
  const absl::StatusOr<HostPort> parts = ParseHostPort(address);
  if (!parts.ok()) return parts.status();
  const std::vector<SocketAddress> candidates = Candidates(*parts);
  std::string why = "the host is not known";
  for (const SocketAddress& candidate : candidates) {
    const int fd = ListenAt(candidate, IsEveryAddress(parts->host));
    if (fd >= 0) return ListeningSocket{fd, PortOf(fd)};
    why = errno == EADDRINUSE ? "another process uses the port" : strerror(errno);
    // Somebody has the port: it would be half a success to listen on the other family.
    if (errno == EADDRINUSE || errno == EACCES) break;
  }
  return MakeError(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                   absl::StrCat("cannot listen on ", address, ": ", why));
}

}  // namespace bellwire::net
