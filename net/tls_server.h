#ifndef BELLWIRE_NET_TLS_SERVER_H_
#define BELLWIRE_NET_TLS_SERVER_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/epoll_loop.h"
#include "net/stream.h"
#include "net/tls_context.h"

namespace bellwire::net {

// Whether an address may have a listener already.
enum class PortShare {
  // Nobody else listens there, or it is CANNOT_LISTEN: two servers by mistake on one port would each
  // get half of its connections.
  kFirst,
  // Listens beside a kFirst of this user: the kernel spreads connections over them (SO_REUSEPORT).
  kBeside,
};

// Accepts TLS connections on one loop. Several loops may listen on one address (PortShare). When descriptors or memory run out it pauses for a moment
// and goes on. Destroying it stops listening; accepted streams live on. On the loop's thread,
// except Listen, which may also be called before the loop runs.
class TlsServer {
 public:
  // Takes a connection whose handshake is about to start: OnOpen comes when it is done, OnClosed
  // with a named reason if it fails. It has no time-out: the owner closes what takes too long.
  using OnAccept = absl::AnyInvocable<void(std::unique_ptr<Stream> stream)>;

  // `address` is "host:port", the host an IP address or empty (every IPv4 address); port 0 takes a
  // free one.
  //   INVALID_ARGUMENT BAD_ADDRESS · UNAVAILABLE CANNOT_LISTEN (it is in use, not ours, …)
  static absl::StatusOr<std::unique_ptr<TlsServer>> Listen(
      EpollLoop* loop, std::shared_ptr<TlsServerContext> context, absl::string_view address,
      OnAccept on_accept, PortShare share = PortShare::kFirst);

  virtual ~TlsServer() = default;

  // "host:port" with the real port.
  virtual const std::string& address() const = 0;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_SERVER_H_
