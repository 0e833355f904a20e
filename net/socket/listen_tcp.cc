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

// Connections that wait to be accepted: what a reconnect storm piles up within one turn of a loop.
// The kernel caps it at net.core.somaxconn.
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

uint16_t PortOf(const SocketAddress& bound) {
  return ntohs(bound.family() == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(bound.storage).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(bound.storage).sin_port);
}

}  // namespace

int ListenAt(const SocketAddress& address, PortShare share, SocketAddress* bound) {
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1, off = 0;
  bound->size = sizeof(bound->storage);
  const auto reuse_port = [fd, &on] {
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0;
  };
  // SO_REUSEADDR: a restart may bind although old connections linger in TIME_WAIT. SO_REUSEPORT
  // before bind() shares the port with who has it, and after bind() lets others share it.
  // TCP_NODELAY, which accepted sockets inherit: what is written is complete, nothing is won by
  // waiting for more.
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
      (address.family() != AF_INET6 ||
       setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0) &&
      (share != PortShare::kBeside || reuse_port()) && bind(fd, address.get(), address.size) == 0 &&
      (share != PortShare::kFirst || reuse_port()) && listen(fd, kBacklog) == 0 &&
      getsockname(fd, bound->get(), &bound->size) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

absl::StatusOr<ListeningSocket> ListenTcp(absl::string_view address) {
  const absl::StatusOr<HostPort> parts = ParseHostPort(address);
  if (!parts.ok()) return parts.status();
  const std::vector<SocketAddress> candidates = Candidates(*parts);
  std::string why = "the host is not known";
  for (const SocketAddress& candidate : candidates) {
    SocketAddress bound;
    const int fd = ListenAt(candidate, PortShare::kAlone, &bound);
    if (fd >= 0) return ListeningSocket{fd, PortOf(bound)};
    why = errno == EADDRINUSE ? "another process uses the port" : strerror(errno);
    // Somebody has the port: it would be half a success to listen on the other family.
    if (errno == EADDRINUSE || errno == EACCES) break;
  }
  return MakeError(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                   absl::StrCat("cannot listen on ", address, ": ", why));
}

}  // namespace bellwire::net
